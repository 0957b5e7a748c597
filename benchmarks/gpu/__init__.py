"""What a card does: each part of the library that runs on one, beside the plain path and its own products."""
