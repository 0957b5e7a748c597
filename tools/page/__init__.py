"""The page of `promptlet teach` driven in a real Chromium, for tests, benchmark and pictures of the docs."""
