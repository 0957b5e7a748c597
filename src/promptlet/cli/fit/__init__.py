"""`promptlet fit`: the command, what is checked before it begins, what it says."""
