"""What the command line is made of: what goes in, what comes out and where, what is printed."""
