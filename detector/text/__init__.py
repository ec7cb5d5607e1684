"""The report in plain words, in several languages."""
