"""The mini world: a drawn world of small data sets, and the small CLIP that knows it."""
