"""Which method for a person's images: all by the same folds, and one recommended."""
