"""Numbers that no training makes: refused when a file is used, also where no digest protects it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from promptfile_golden import LOW_RANK, OLDER, PROBE

from promptlet import PromptClassifier
from promptlet.errors import PromptFileError
from promptlet.promptfile import check_magnitudes, load_prompt_file, save_prompt_file


@pytest.mark.parametrize("value", [1.1e6, -5e30, 3e38])
def test_absurd_numbers_are_refused(value: float) -> None:
    tensors = {name: array.copy() for name, array in LOW_RANK.tensors.items()}
    tensors["V"][1, 2] = value
    with pytest.raises(PromptFileError, match=r"tensor 'V' holds .* damaged; copy it again"):
        check_magnitudes(replace(LOW_RANK, tensors=tensors), "a.prompt")


def test_numbers_of_any_training_are_not() -> None:
    check_magnitudes(LOW_RANK, "a.prompt")
    check_magnitudes(replace(PROBE, tensors={"W": np.full((5, 5), -9e5, np.float32)}), "a.prompt")
    for path in OLDER.iterdir():
        check_magnitudes(load_prompt_file(path), path)


def test_a_classifier_does_not_load_them(tmp_path: Path) -> None:
    file = replace(LOW_RANK, tensors={**LOW_RANK.tensors, "U": np.full((3, 2), 1e30, np.float32)})
    save_prompt_file(tmp_path / "a.prompt", file)
    with pytest.raises(PromptFileError, match=r"cannot use .*a.prompt: tensor 'U' holds 1e\+30"):
        PromptClassifier.load(tmp_path / "a.prompt")
