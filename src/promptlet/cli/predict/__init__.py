"""`promptlet predict`: the command, who is asked (a file or a server), where answers go, what is said."""
