"""The command line: inputs, outputs, and what is printed."""
