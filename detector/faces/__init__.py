"""Faces in pictures: found, measured, followed and cut out."""
