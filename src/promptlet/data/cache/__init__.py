"""Features that were computed before, on disk, kept whole and within a size."""
