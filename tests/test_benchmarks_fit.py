"""The benchmarks of whole fits: what they time and make, and that they run."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from benchmarks.fit.material import make_photos
from benchmarks.fit.parts import Parts
from benchmarks.many_classes.fits import SHOTS, made_up
from PIL import Image


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Functions that call each other and take some time."""
    module = ModuleType("slow_library")

    def inner(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    def outer(seconds: float) -> float:
        time.sleep(seconds)
        return seconds + module.inner(2 * seconds)

    module.inner, module.outer, module.whole = inner, outer, lambda s: module.outer(s)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "slow_library", module)
    return module


def test_a_part_within_another_is_its_own(library: ModuleType) -> None:
    parts = Parts()
    for name in ("inner", "outer"):
        parts.watch(f"slow_library:{name}", name)
    assert library.outer(0.02) == pytest.approx(0.06)
    assert parts.seconds["inner"] >= 0.04 and parts.seconds["outer"] >= 0.02
    assert parts.seconds["inner"] > parts.seconds["outer"]
    assert parts.first["outer"] <= parts.first["inner"]


def test_a_whole_part_takes_what_happens_in_it(library: ModuleType) -> None:
    parts = Parts()
    parts.watch("slow_library:whole", "whole", whole=True)
    parts.watch("slow_library:inner", "inner")
    library.whole(0.01)
    assert parts.seconds.keys() == {"whole"} and parts.seconds["whole"] >= 0.03


def test_a_part_that_is_not_there_is_no_silent_zero(library: ModuleType) -> None:
    with pytest.raises(AttributeError):
        Parts().watch("slow_library:gone", "gone")


def test_photos_are_jpegs_in_a_folder_per_class(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", 3, 2, (50, 38))
    files = sorted(photos.folder.glob("*/*.jpg"))
    assert len(files) == photos.count == 6
    assert sum(file.stat().st_size for file in files) == photos.bytes
    pictures = [np.asarray(Image.open(file), np.float32) for file in files]
    assert {picture.shape for picture in pictures} == {(38, 50, 3)}
    assert len({picture.tobytes() for picture in pictures}) == 6


def test_made_up_features_are_near_those_of_their_class() -> None:
    found = made_up(5, 32)
    assert found.features.shape == (5 * SHOTS, 32)
    x = found.features / np.linalg.norm(found.features, axis=1, keepdims=True)
    own = (x @ x.T).reshape(5, SHOTS, 5, SHOTS).mean((1, 3))
    assert (own.argmax(1) == np.arange(5)).all()
    assert len({name.casefold() for name in made_up(1000, 2).split.class_names}) == 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fit", "many-classes", "memory", "sampled-classes"])
def test_they_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import __main__ as command
    from benchmarks import isolated

    monkeypatch.chdir(isolated.ROOT)
    assert command.main([name, "--quick", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / f"{name}.json").read_text())["rows"]
    told = [row for row in rows if row.get("dtype") != "auto"]
    assert told and not [row["skipped"] for row in told if "skipped" in row]
    if name == "sampled-classes":
        assert [row["sampled_classes"] is None for row in told] == [True, False, False, False]
        assert all(0 <= row["H"] <= 100 and row["runs"] == 2 for row in told)
        return
    if name != "fit":
        assert all(row["peak_bytes"] >= row["baseline_bytes"] > 0 for row in told)
        return
    from benchmarks.fit.ours import PARTS

    for row in told:
        assert sum(row.get(part, 0.0) for part in PARTS) == pytest.approx(row["seconds"], rel=1e-3)
        assert all(row.get(part, 0.0) > -0.5 for part in PARTS)  # some are differences, of a busy machine too
    ours, coop = told[0], told[-1]
    assert all(ours[part] > 0 for part in ("wait for files and pixels", "encode", "text steps", "save"))
    assert len(coop["measured_epochs"]) == 3 and coop["epochs"] == 50
    whole = coop["start"] + 50 * np.mean([one["seconds"] for one in coop["measured_epochs"]])
    assert coop["seconds"] == pytest.approx(whole, rel=1e-3)
