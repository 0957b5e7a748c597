"""Pictures on their way to a backbone: read, hashed and decoded by threads some way ahead of it.

But for the tower, loads no torch.
"""
