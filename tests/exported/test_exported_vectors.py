"""Class vectors: the same after writing and reading in every form, and checked when they are made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_vectors import NAMES, SPEC, made, rejection_of, unit_rows

from promptlet.errors import ExportError, OptionError
from promptlet.exported import SUFFIXES, Vectors, read_vectors, write_vectors
from promptlet.exported.facts import facts_of


def same(one: Vectors, other: Vectors) -> bool:
    """Every field, arrays to the bit."""
    a, b = one.rejection, other.rejection
    alike = (a is None) == (b is None)
    if a is not None and b is not None:
        alike = (a.centre == b.centre).all() and (a.signs == b.signs).all() and a.thresholds == b.thresholds
    fields = [{k: v for k, v in vars(x).items() if k not in ("classes", "rejection")} for x in (one, other)]
    return bool(alike) and fields[0] == fields[1] and one.classes.tobytes() == other.classes.tobytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"rejection": None, "preprocessing": None, "taught": (), "tower": "changed", "version": ""},
        {"preprocessing": replace(SPEC, resize="patches", crop=None, patch_size=4, max_patches=64)},
        {"preprocessing": replace(SPEC, resize="exact", crop=None, resample=2, crop_rounding="nearest")},
    ],
)
def test_what_was_written_is_read(suffix: str, changed: dict[str, Any], tmp_path: Path) -> None:
    vectors = made(**changed)
    write_vectors(tmp_path / f"pets{suffix}", vectors)
    found = read_vectors(tmp_path / f"pets{suffix}")
    assert same(vectors, found)
    assert facts_of(found) == facts_of(vectors)


@pytest.mark.parametrize("suffix", [".npz", ".json", ".csv"])
def test_the_same_vectors_give_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_vectors(tmp_path / f"{name}{suffix}", made())
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_numbers_at_the_edges_of_float32_come_back_to_the_bit(suffix: str, tmp_path: Path) -> None:
    classes = unit_rows(5, 16)
    classes[0, :4] = [1e-45, -1.1754944e-38, 0.0, -0.0]
    classes[0, 4:] = 0.0
    classes[0, 5] = 1.0
    classes[1] = unit_rows(1, 16, 7)[0].astype(np.float16)
    classes[1] /= np.linalg.norm(classes[1])
    write_vectors(tmp_path / f"x{suffix}", made(classes=classes))
    assert read_vectors(tmp_path / f"x{suffix}").classes.tobytes() == classes.tobytes()


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "pets.npz"
    write_vectors(path, made())
    before = path.read_bytes()
    with pytest.raises(ExportError, match=r"is there already; give another name, or --force"):
        write_vectors(path, made(logit_bias=0.0))
    assert path.read_bytes() == before
    write_vectors(path, made(logit_bias=0.0), force=True)
    assert read_vectors(path).logit_bias == 0.0
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_tells_no_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"NAME\.npz, NAME\.json, NAME\.csv, NAME\.parquet"):
        write_vectors(tmp_path / "pets.bin", made())
    with pytest.raises(ExportError, match=r"the folder .* does not exist: create it"):
        write_vectors(tmp_path / "no" / "pets.npz", made())
    with pytest.raises(ExportError, match="it is a folder"):
        (tmp_path / "pets.json").mkdir()
        write_vectors(tmp_path / "pets.json", made())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"names": ()}, "there are 0 class vectors and 0 names"),
        ({"names": ("a", "b", "a", "c", "d"), "taught": ()}, "names has 'a' twice"),
        ({"names": ("a", "b", "", "c", "d"), "taught": ()}, "a text of 1 to 1024 characters"),
        ({"classes": np.ones((5, 16), np.float32)}, "the vector of class 'tabby cat' has length 4, not 1"),
        ({"classes": np.full((5, 16), np.nan, np.float32)}, "has length nan, not 1"),
        ({"classes": unit_rows(4, 16)}, "there are 4 class vectors and 5 names"),
        ({"classes": np.eye(5, dtype=int)}, "must be an array .C, D. of floats"),
        ({"logit_scale": float("nan")}, "logit_scale must be a number from 0 to 10000, not nan"),
        ({"logit_bias": True}, "logit_bias must be a number"),
        ({"fingerprint": "abc"}, "fingerprint must be three parts"),
        ({"method": "../x"}, "method must be small letters"),
        ({"tower": "other"}, "tower must be 'frozen' or 'changed'"),
        ({"tower": "changed"}, "a rejection is of features of the frozen tower"),
        ({"rejection": rejection_of(4, 16)}, r"signs of shape \[4, 16\]"),
        ({"preprocessing": replace(SPEC, std=(0.0, 1.0, 1.0))}, "preprocessing.std must be 3 numbers"),
        ({"preprocessing": replace(SPEC, size=(0, 5))}, "preprocessing.size must be"),
        ({"backbone": "\udc80"}, "half a character"),
    ],
)
def test_vectors_that_mean_nothing_are_never_made(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        made(**changed)


def test_names_that_a_spreadsheet_would_run_are_text_in_a_csv(tmp_path: Path) -> None:
    write_vectors(tmp_path / "pets.csv", made())
    lines = (tmp_path / "pets.csv").read_text(encoding="utf-8").splitlines()
    assert [line.rsplit('"', 1)[0] for line in lines[2:]][1] == '"dog, big'
    assert lines[4].startswith("'=SUM(A1),")
    assert read_vectors(tmp_path / "pets.csv").names == NAMES
