"""The families of things that the mini world draws: one file each."""
