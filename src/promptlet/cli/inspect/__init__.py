"""`promptlet inspect`: what a file says, or an exported folder."""
