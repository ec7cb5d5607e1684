"""The page. It asks and it shows; it decides nothing."""
