"""What learns nothing: one template, or the mean of several.

`ZeroShot` is named here, since older pickles look for it in this place (`promptlet.moved` has the others).
"""

from promptlet.methods.zero_shot.single import ZeroShot

__all__ = ["ZeroShot"]
