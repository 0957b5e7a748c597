"""Which readings of each image a method is trained on, where that is left to its schedule."""

from __future__ import annotations

from promptlet.methods import MethodInfo
from promptlet.methods.method import IMAGES, NOTHING
from promptlet.methods.official import Chosen
from promptlet.views import MOST, Views, count_of, in_words, kind_of, settled


def method_views(info: MethodInfo, views: Views | None, epochs: int, official: Chosen | None = None) -> Views:
    """``views`` with a number: crops of a method that reads images are as many as epochs, all of them new.

    views: None takes those of the method's official settings, where these are asked for, else the plain
    reading alone.
    """
    if info.learns == NOTHING:
        return 1
    chosen = views if views is not None else 1 if official is None else official.row.views
    return settled(chosen, min(epochs, MOST) if info.reads == IMAGES else None)


def notes_on_views(info: MethodInfo, official: Chosen, views: Views, epochs: int) -> tuple[str, ...]:
    """What must be known of the readings that a method was trained on by these official settings."""
    own = method_views(info, None, epochs, official)
    if views != own:
        return (
            f"trained on {in_words(views)} of each image, not on {in_words(own)} as by its official settings",
        )
    if kind_of(views) is None or views == official.row.views or count_of(views) >= epochs:
        return ()
    return (
        f"{in_words(views)} of each image were encoded once and taken in turn; the official code makes a new "
        f"one in each of the {epochs} epochs",
    )
