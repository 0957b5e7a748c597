"""What learns nothing: one template, or the mean of several."""

from promptlet.methods.zero_shot.single import ZeroShot

__all__ = ["ZeroShot"]
