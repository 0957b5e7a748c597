"""What a project gives: suggestions, images that are alike, its report, archive and exports."""

from __future__ import annotations

import io
import os
import threading
import zipfile
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from colours import EACH, SOON, Told, settled, trained
from drawn_photos import COLOURS, draw

from promptlet.data import read_folder
from promptlet.errors import OptionError
from promptlet.exported import read_vectors
from promptlet.teach.learning import encoding
from promptlet.teach.learning.learning import Learning
from promptlet.teach.learning.refusals import NotNowError
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf


def test_suggestions_begin_with_the_most_doubtful(learning: Learning, colours: Project) -> None:
    with pytest.raises(NotNowError, match="press Train first"):
        learning.suggestions("colours", 10)
    trained(learning)
    settled(learning)
    found = learning.suggestions("colours", 10)
    assert {one["image"] for one in found} == set(colours.seen().unlabelled)
    margins = [one["probability"] - one["second_probability"] for one in found]
    assert margins == sorted(margins) and all(one["class"] != one["second"] for one in found)
    assert learning.suggestions("colours", 2) == found[:2]


def test_the_nearest_taught_images_are_like_it(learning: Learning, colours: Project) -> None:
    settled(learning)
    seen = colours.seen()
    own = learning._vectors.of([seen.classes[0].images[0]])[seen.classes[0].images[0]]
    found = learning.nearest("colours", own.features)
    assert found[0]["image"] == seen.classes[0].images[0] and found[0]["similarity"] == pytest.approx(1.0)
    assert len(found) == 8 and found[0]["class"] == "blue"
    assert [one["similarity"] for one in found] == sorted((one["similarity"] for one in found), reverse=True)


def test_images_are_encoded_ahead_while_nobody_asks(
    shelf: Shelf, colours: Project, tiny_backbone: Any, told: Told
) -> None:
    asks = threading.Event()
    asks.set()
    learning = Learning(shelf, tiny_backbone, on_event=told, is_asked=asks.is_set)
    try:
        assert learning.encoded("colours") == (0, 15)
        threading.Event().wait(0.1)
        assert learning.encoded("colours") == (0, 15) and not told.events
        asks.clear()
        settled(learning)
        until = monotonic() + SOON
        while (not told.events or told.events[-1][2]["done"] < 15) and monotonic() < until:
            threading.Event().wait(0.01)
        assert told.events[-1] == ("colours", "encoding", {"done": 15, "total": 15})
        draw(colours.root / "red" / "more.png", COLOURS["red"], 99)
        learning.changed("colours")
        settled(learning)
        assert learning.encoded("colours") == (16, 16)
    finally:
        began = monotonic()
        learning.close()
        assert monotonic() - began < SOON / 2


@pytest.mark.slow
def test_a_camera_that_asks_all_the_time_is_not_waited_for_for_ever(
    shelf: Shelf, colours: Project, tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "PATIENCE", 0.02)
    learning = Learning(shelf, tiny_backbone, is_asked=lambda: True)
    settled(learning)
    learning.close()


def test_what_was_encoded_ahead_is_not_encoded_again(
    learning: Learning, colours: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(learning)
    tower = learning._vectors.backbone.images

    def refuse(_pixels: Any) -> Any:
        raise AssertionError("it was encoded already")

    monkeypatch.setattr(tower, "encode", refuse)
    assert trained(learning)["images"] == 3 * EACH


@pytest.mark.slow
def test_a_report_is_a_page_of_its_own(learning: Learning, colours: Project) -> None:
    trained(learning)
    page = learning.report("colours")
    assert "Colours" in page and "held back" in page and "<script src" not in page
    assert str(colours.root) not in page


@pytest.mark.slow
def test_an_archive_is_a_project_that_fit_reads(learning: Learning, colours: Project, tmp_path: Path) -> None:
    trained(learning)
    os.utime(colours.root / "red" / "red0.png", (0, 0))  # before the first moment that a zip can tell
    data = b"".join(learning.archive("colours"))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        assert {one.compress_type for one in file.infolist()} == {zipfile.ZIP_STORED}
        file.extractall(tmp_path / "out")
        names = set(file.namelist())
    assert {"project.json", "colours.prompt", "red/red0.png", ".unlabelled/some red.png"} <= names
    (tmp_path / "out" / "colours.prompt").unlink()
    assert len(read_folder(tmp_path / "out").train) == 3 * EACH
    assert (tmp_path / "out" / "red" / "red1.png").read_bytes() == (
        colours.root / "red" / "red1.png"
    ).read_bytes()


def test_an_archive_finds_images_that_move_while_it_is_sent(learning: Learning, colours: Project) -> None:
    seen = colours.seen()
    parts = learning.archive("colours")
    sent = [next(parts)]
    colours.change({"action": "move-images", "images": list(seen.classes[2].images[:1]), "to": "blue"})
    colours.change({"action": "remove-images", "images": list(seen.classes[2].images[1:2])})
    data = b"".join([*sent, *parts])
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        assert len([name for name in file.namelist() if name.endswith(".png")]) == 14


@pytest.mark.slow
def test_vectors_are_exported_and_leave_nothing(learning: Learning, colours: Project) -> None:
    trained(learning, method="rlp", schedule="coop", shots=1)
    path = learning.export("colours", "vectors")
    assert read_vectors(path).names == ("blue", "green", "red") and path.name == "colours.npz"
    with pytest.raises(OptionError, match="to="):
        learning.export("colours", "paper")
