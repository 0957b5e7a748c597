"""What a trained method answers: logits over any names, and what is said of an image by its probabilities."""
