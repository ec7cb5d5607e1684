"""`python -m detector archive`: as many videos as there are, on as many machines as there are."""
