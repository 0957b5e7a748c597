"""Figures in the library's own style, whatever the user's matplotlibrc, style or backend says.

A page without one of its figures is better than no page: where a figure cannot be drawn, a picture says so.
"""

from __future__ import annotations

import io
import os
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, ParamSpec

from promptlet.errors import PromptletError
from promptlet.session import own_numbers

P = ParamSpec("P")
BACKEND = "MPLBACKEND"
WIDTH, LINE, MARGIN = 900, 18, 16
"""Pixels, of the picture in the place of a figure."""
_lock = threading.RLock()
"""matplotlib's settings belong to the whole process: one thread at a time changes them and puts them back."""


def drawn(figure: Callable[P, bytes]) -> Callable[P, bytes]:
    """A function that gives a PNG by matplotlib, drawn in `own_style`; `stand_in` where it cannot be."""

    @wraps(figure)
    def draw(*args: P.args, **kwargs: P.kwargs) -> bytes:
        try:
            with own_style():
                return figure(*args, **kwargs)
        except PromptletError:
            raise
        except Exception as error:  # of matplotlib, of its fonts and files: a page must not depend on them
            return stand_in(error)

    return draw


@contextmanager
def own_style() -> Iterator[None]:
    """matplotlib's defaults, and NumPy's own error state. The backend is left alone: no window is opened."""
    with _lock:
        matplotlib = _imported()
        own = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")}
        with own_numbers(), matplotlib.rc_context():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)  # of settings' names
                matplotlib.rcParams.update(own)
            yield


def _imported() -> Any:
    """matplotlib, which cannot be imported where $MPLBACKEND names a backend that is not here, as a notebook
    names its own to every command that it starts. One that is here is set, as matplotlib does."""
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    backend = os.environ.pop(BACKEND, None)
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ[BACKEND] = backend
    if backend:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
    return matplotlib


def stand_in(error: Exception) -> bytes:
    """A picture (PNG) that says why there is no figure."""
    from PIL import Image, ImageDraw, ImageFont

    reason = " ".join(str(error).split())[:400]
    text = f"This figure could not be drawn. {type(error).__name__}: {reason}"
    lines = textwrap.wrap(text.encode("latin-1", "replace").decode("latin-1"), 110)
    picture = Image.new("RGB", (WIDTH, 2 * MARGIN + LINE * len(lines)), "white")
    pen = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        pen.text((MARGIN, MARGIN + LINE * row), line, fill="black", font=ImageFont.load_default(13))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
