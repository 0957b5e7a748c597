"""Data sets tried for `mini-unfamiliar`, and how the six were chosen: by zero-shot accuracy alone."""
