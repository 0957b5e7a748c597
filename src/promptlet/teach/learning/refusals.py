"""What cannot be done as things are, each in the words of its reader."""

from __future__ import annotations

from promptlet.errors import PromptletError


class NotNowError(PromptletError):
    """Something has to be there, or to end, before."""


class NothingLearnedError(PromptletError):
    """The project was not trained, or its prompt is gone."""


def nothing_learned() -> NothingLearnedError:
    """Of a project."""
    return NothingLearnedError("nothing was learned here yet; press Train, then ask again").keyed("untrained")
