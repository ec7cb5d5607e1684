"""The page: events send requests to detectors, and templates show their reports."""
