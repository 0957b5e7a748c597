"""`promptlet predict`: the command, its checks before a model is loaded, where answers go, what is said."""
