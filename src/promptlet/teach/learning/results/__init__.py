"""What came of a training: made, kept, checked where it comes from a file, told on a page."""
