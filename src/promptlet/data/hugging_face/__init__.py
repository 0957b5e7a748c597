"""Data sets of the `datasets` library: opened from a folder or the hub, unpacked once."""
