"""From data to weights and their measured figures. `python -m train.<verb> --help`."""
