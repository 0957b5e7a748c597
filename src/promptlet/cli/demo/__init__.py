"""`promptlet demo`: the main job from end to end, the paper's comparison, what is said of both."""
