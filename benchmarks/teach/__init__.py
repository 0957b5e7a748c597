"""The page of `promptlet teach` in Chromium: from a drop to an answer, first load, thousands of images."""
