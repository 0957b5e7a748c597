"""Towers of CLIP that learn inside: copies of the structure, which share all other weights."""
