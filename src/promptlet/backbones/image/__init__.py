"""The image tower: pixels to features, and the path through which prompts in the tower learn."""
