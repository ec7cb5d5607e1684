"""A report that comes back, compared with a file and these weights."""
