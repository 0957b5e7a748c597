"""A server under load, beside the bare way from image files to features in a process like it."""
