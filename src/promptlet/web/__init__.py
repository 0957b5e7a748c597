"""Pictures at addresses of the web: loaded with bounds, and from public addresses alone."""
