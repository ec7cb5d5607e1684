"""From the outputs of the network to an answer: calibration, judgement, and how heat is scaled."""
