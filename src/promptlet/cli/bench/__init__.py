"""`promptlet bench` and `promptlet analyze`, one file per command."""
