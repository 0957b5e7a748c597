"""Four classes of five real photos: seconds from the button to a result that is right."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from colours import ended, settled

from promptlet.backbones import load_backbone
from promptlet.data import FeatureCache
from promptlet.teach.learning.learning import Learning
from promptlet.teach.projects.shelf import Shelf

pytestmark = [pytest.mark.realbed, pytest.mark.slow]
NAMES = ("airplanes", "Faces", "Leopards", "Motorbikes")
EACH = 5


def test_real_photos_are_learned_and_named(realbed: Path, shelf: Shelf, tmp_path: Path) -> None:
    photos = realbed / "data" / "caltech-101" / "101_ObjectCategories"
    project = shelf.create("Photos")
    for name in NAMES:
        (project.root / name).mkdir()
        for path in sorted((photos / name).iterdir())[:EACH]:
            shutil.copy(path, project.root / name)
        (project.root / ".unlabelled").mkdir(exist_ok=True)
        for path in sorted((photos / name).iterdir())[50:53]:
            shutil.copy(path, project.root / ".unlabelled" / f"{name} {path.name}")
    backbone = load_backbone(realbed / "model", device="cpu")
    learning = Learning(shelf, backbone, cache=FeatureCache(tmp_path / "cache"))
    try:
        job = ended(learning.train("photos", {}))
        result = learning.result("photos")
        assert result is not None and job.seconds < 300
        print(f"{job.seconds:.1f} s; {result['why']}")
        assert result["accuracy"]["percent"] >= 80 and result["new_names"]
        settled(learning, "photos")
        found = learning.suggestions("photos", 100)
        names = project.seen().names
        assert len(found) == 3 * len(NAMES)
        assert sum(names[one["image"]].startswith(one["class"]) for one in found) >= 10
    finally:
        learning.close()
