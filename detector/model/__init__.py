"""The networks: their layers, their weights, and the card that describes both."""
