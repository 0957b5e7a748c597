"""Answers written to a file as they come, so that a stop loses at most one batch and can be gone on from."""
