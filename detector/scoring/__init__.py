"""From the outputs of the network to a verdict: calibration, pooling, and how heat is scaled."""
