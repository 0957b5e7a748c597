"""Prompt files that once went wrong (../shared/cases), through the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_the_sound_file_works_and_is_said_to_be_unprotected(shell: Any, cases: Path, pictures: Path) -> None:
    file, image = cases / "rlp-fp32.prompt", next(pictures.rglob("*.png"))
    done = shell.run("predict", file, image)
    assert done.exit_code == 0 and "has no digest (format 1): damage may go unnoticed" in done.stderr
    assert "format 1 is unprotected" in shell.run("inspect", file).stdout
    assert shell.json("inspect", file)["protected"] is False


@pytest.mark.parametrize("name", ["flip_792", "nanproba"])
@pytest.mark.parametrize("command", ["predict", "inspect"])
def test_absurd_numbers_are_refused_in_one_sentence(
    name: str, command: str, shell: Any, cases: Path, pictures: Path
) -> None:
    given = [command, cases / f"{name}.prompt", *([next(pictures.rglob("*.png"))] * (command == "predict"))]
    said = "no training makes numbers beyond 1,000,000: it is damaged"
    assert said in shell.fails(*given)
    assert said in shell.fails(*given, "--json")
