"""`promptlet teach`, and what it says once the page is there."""
