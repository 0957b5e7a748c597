"""Which readings of each image a method is trained on, where that is left to its schedule."""

from __future__ import annotations

from promptlet.methods import MethodInfo
from promptlet.methods.method import IMAGES, NOTHING
from promptlet.views import MOST, Views, settled


def method_views(info: MethodInfo, views: Views | None, epochs: int, official: Views | None = None) -> Views:
    """``views`` with a number: crops of a method that reads images are as many as epochs, all of them new.

    views: None takes those of the method's ``official`` settings, where these are asked for, else the plain
    reading alone.
    """
    if info.learns == NOTHING:
        return 1
    chosen = views if views is not None else official if official is not None else 1
    return settled(chosen, min(epochs, MOST) if info.reads == IMAGES else None)
