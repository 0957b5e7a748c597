"""Fits of ImageNet's size and beyond: what they take, and what sampled classes do to them."""
