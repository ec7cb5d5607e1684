"""Data in, weights and their honest figures out. `python -m train.<verb> --help`."""
