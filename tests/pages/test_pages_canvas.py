"""Figures are the same whatever the user's matplotlib is told, and never the end of a page."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

from promptlet.errors import OptionError
from promptlet.pages import canvas
from promptlet.report.figures.charts import base_against_new, learning_curves

ROWS = [{"dataset": "cats", "label": f"m{i}", "base": 50.0 + i, "new": 60.0 - i} for i in range(3)]
ODD = {
    "text.usetex": True,
    "font.family": "A Font That Is Nowhere",
    "savefig.dpi": 300,
    "savefig.bbox": "tight",
    "axes.facecolor": "black",
    "figure.facecolor": "black",
    "axes.unicode_minus": False,
    "lines.linewidth": 9,
}
DRAW = """
import sys
from pathlib import Path
from promptlet.report.figures.charts import base_against_new
Path(sys.argv[1]).write_bytes(base_against_new([{"dataset": "a", "label": "m", "base": 50.0, "new": 60.0}]))
if "matplotlib.pyplot" in sys.modules:
    raise SystemExit("pyplot was imported")
"""


def test_settings_of_the_user_change_no_figure_and_stay() -> None:
    wanted = base_against_new(ROWS)
    with matplotlib.rc_context(ODD):
        before = dict(matplotlib.rcParams)
        assert base_against_new(ROWS) == wanted
        assert dict(matplotlib.rcParams) == before


def test_numpys_error_state_changes_no_figure() -> None:
    curves = {"rlp": [(1.0, 50.0), (2.0, 60.0)]}
    wanted = learning_curves(curves, "shots", "%")
    with np.errstate(all="raise"):
        assert learning_curves(curves, "shots", "%") == wanted


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense", "pdf"])
def test_a_backend_that_is_not_here_changes_no_figure(backend: str, tmp_path: Path) -> None:
    settings = tmp_path / "matplotlibrc"
    settings.write_text("text.usetex: True\nfont.family: A Font That Is Nowhere\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    odd = {**env, "MPLBACKEND": backend, "MATPLOTLIBRC": str(settings)}
    for name, variables in (("plain.png", env), ("odd.png", odd)):
        command = [sys.executable, "-W", "error", "-c", DRAW, str(tmp_path / name)]
        subprocess.run(command, env=variables, check=True)
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "odd.png").read_bytes()


def test_where_a_figure_cannot_be_drawn_a_picture_says_why(own_stand_in: Any) -> None:
    @canvas.drawn
    def broken() -> bytes:
        raise RuntimeError("no \u6771\u4eac\n here, " + "and so on " * 100)

    picture = Image.open(io.BytesIO(broken()))
    assert picture.format == "PNG"
    assert picture.width == canvas.WIDTH
    assert np.asarray(picture.convert("L")).min() < 100  # something is written there


def test_what_was_asked_wrongly_is_no_matter_of_drawing() -> None:
    @canvas.drawn
    def refused() -> bytes:
        raise OptionError("k=9 is outside 1..4")

    with pytest.raises(OptionError, match="k=9"):
        refused()
