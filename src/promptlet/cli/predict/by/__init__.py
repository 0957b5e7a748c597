"""Who is asked: a prompt file, an exported folder, or a server."""
