"""Image files: found, opened as RGB, checked."""
