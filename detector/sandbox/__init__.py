"""Reads untrusted files in a process that can do nothing else."""
