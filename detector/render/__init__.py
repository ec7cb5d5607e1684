"""A report becomes pictures, video, charts and documents."""
