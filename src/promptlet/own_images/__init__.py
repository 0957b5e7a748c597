"""A person's own data: read, learned from, and what is to be told of it, as plain data."""
