"""A report that comes back, held against a file and these weights."""
