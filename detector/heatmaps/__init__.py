"""Heat maps of the network's scores by several methods, and the parts of a face they cover."""
