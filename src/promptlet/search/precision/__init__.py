"""How many of the hits are right: learned from labelled images, or refused with the reason."""
