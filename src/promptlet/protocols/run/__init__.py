"""One run: its data, its training, its scores."""
