"""Where the network looked: heat maps by several methods, and the parts of a face they cover."""
