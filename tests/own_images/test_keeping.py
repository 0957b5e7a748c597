"""What one piece of work keeps: files are read once, features are made once, the classifier stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from promptlet.backbones import Backbone
from promptlet.classifier import PromptClassifier
from promptlet.data.images import opening
from promptlet.data.load import read_own
from promptlet.own_images.fitting import fit
from promptlet.own_images.keeping import keeping_features


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for part, count in (("train", 4), ("test", 2)):
        for label, name in enumerate(("red", "blue")):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                colour = (200 - 150 * label, 3 * index, 50 + 150 * label + (part == "test"))
                Image.new("RGB", (40, 40), colour).save(folder / f"{index}.png")
    return tmp_path / "photos"


def test_a_fit_hashes_each_file_once(
    photos: Path, tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    plain = opening._file_hash

    def counted(path: Path | bytes) -> str:
        read.append(path)
        return plain(path)

    monkeypatch.setattr(opening, "_file_hash", counted)
    monkeypatch.setattr("promptlet.own_images.checking.looks.content_hash", plain)  # of near ones, looked at
    fit(PromptClassifier(tiny_backbone, "tip_adapter", cache=False), read_own(photos))
    assert len(read) == len(set(read)) == 12


def test_the_classifier_is_as_it_came_and_its_callbacks_are_called(
    photos: Path, tiny_backbone: Backbone
) -> None:
    epochs: list[object] = []
    classifier = PromptClassifier(tiny_backbone, "coop", epochs=3, cache=False, on_epoch=epochs.append)
    fit(classifier, read_own(photos))
    assert classifier.cache is False and classifier.on_epoch == epochs.append
    assert classifier.on_encode is None and epochs == list(classifier.history_)


def test_one_within_another_keeps_the_same(tiny_backbone: Backbone) -> None:
    classifier = PromptClassifier(tiny_backbone, cache=False)
    with keeping_features(classifier):
        outer = classifier.cache
        with keeping_features(classifier):
            assert classifier.cache is outer
        assert classifier.cache is outer
    assert classifier.cache is False
