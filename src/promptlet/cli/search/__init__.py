"""`promptlet search`: the command, what is asked, what is said, where vectors go."""
