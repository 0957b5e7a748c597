"""Search in photos: which scores rank best, what they cost, whether a promised precision is kept."""
