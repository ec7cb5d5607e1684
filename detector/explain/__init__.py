"""Why: where the network looked, and the report in plain words."""
