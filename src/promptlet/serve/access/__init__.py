"""Who may ask what: tokens, and the file that keeps their hashes."""
