"""Which person in a video looks manipulated, when, and where the model looked."""
