"""`promptlet export`, what it checks before a model is loaded, and what it says."""
