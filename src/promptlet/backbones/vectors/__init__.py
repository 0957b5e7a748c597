"""A backbone without towers: ready vectors of texts, from a file."""
