"""Steps that cannot be captured, and classes that cannot be sampled: told before an image is encoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from learning_toys import toy_arrays
from PIL import Image

import promptlet
from promptlet.backbones import Backbone
from promptlet.classifier import PromptClassifier
from promptlet.data.load import read_own
from promptlet.errors import OptionError
from promptlet.own_images.comparing.choosing import compare_own
from promptlet.own_images.comparing.run import USUAL, trainable
from promptlet.own_images.data import OwnData
from promptlet.own_images.fitting import fit

PER_CLASS = {"method": "coop", "method_options": {"per_class": True}}
SAMPLED: list[dict[str, Any]] = [
    {"method": "linear_probe", "sampled_classes": 2},
    {**PER_CLASS, "sampled_classes": 2},
]
CAPTURED: dict[str, Any] = {"method": "coop", "capture": True}
WAYS: dict[str, Callable[[PromptClassifier, OwnData], Any]] = {
    "fit": lambda classifier, data: fit(classifier, data),
    "a fit from Python": lambda classifier, data: classifier.fit(*_taught(data)),
    "estimate": lambda classifier, data: promptlet.estimate(classifier, *_taught(data)),
    "compare": lambda classifier, data: compare_own(
        classifier, data, [(classifier.method, classifier.method_options or {})]
    ),
}


def _taught(data: OwnData) -> tuple[list[Any], list[str]]:
    assert not isinstance(data, promptlet.data.FeatureFile)
    return [item.path for item in data.train], [item.class_name for item in data.train]


@pytest.fixture
def photos(tmp_path: Any) -> OwnData:
    for part in ("train", "test"):
        for name, colour in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for index in range(3):
                Image.new("RGB", (40, 40), tuple(c + index for c in colour)).save(folder / f"{index}.png")
    return read_own(tmp_path / "photos")


@pytest.mark.parametrize("given", [*SAMPLED, CAPTURED], ids=["sampled", "per class", "captured"])
@pytest.mark.parametrize("way", WAYS)
def test_no_image_is_encoded(
    way: str, given: dict[str, Any], photos: OwnData, tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = lambda *_: pytest.fail("an image was encoded")  # noqa: E731
    monkeypatch.setattr(tiny_backbone.images, "encode", nothing)
    with pytest.raises(OptionError, match=r"sampled_classes=2 is not possible|capture is not possible"):
        WAYS[way](PromptClassifier(tiny_backbone, cache=False, epochs=1, **given), photos)


def test_nothing_is_compared_where_no_step_can_be_captured(tiny_backbone: Backbone) -> None:
    """Though zero-shot has none."""
    x, y = toy_arrays(tiny_backbone)
    with pytest.raises(OptionError, match="capture is not possible here: the backbone is on cpu"):
        promptlet.compare(PromptClassifier(tiny_backbone, capture=True), x, y, "zero_shot,coop")


def test_one_method_that_can_is_enough(tiny_backbone: Backbone) -> None:
    given = PromptClassifier(tiny_backbone, sampled_classes=2, epochs=1)
    trainable(given, USUAL, tiny_backbone)
    with pytest.raises(OptionError, match="'linear_probe'"):
        trainable(given, [("tip_adapter", {}), ("linear_probe", {})], tiny_backbone)
    x, y = toy_arrays(tiny_backbone)
    found = promptlet.compare(given, x, y, "coop,linear_probe", folds=2)
    assert [row.method for row in found.rows] == ["coop"]
    assert "sampled_classes=2 is not possible" in found.failed["linear_probe"]


def test_folds_are_captured_as_a_fit_is(tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = promptlet.training.loop.train

    def train(*args: Any, capture: bool, **options: Any) -> Any:
        asked.append(capture)
        return real(*args, **options)

    monkeypatch.setattr("promptlet.classifier.learning.train", train)
    monkeypatch.setattr("promptlet.classifier.fitting.check_captured", lambda *_: None)
    x, y = toy_arrays(tiny_backbone)
    promptlet.estimate(PromptClassifier(tiny_backbone, "coop", capture=True, epochs=1), x, y)
    assert len(asked) > 1 and all(asked)
    PromptClassifier(tiny_backbone, "coop", epochs=1).fit(x, y)
    assert asked[-1] is False


def test_a_device_is_asked_before_the_method(
    tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(tiny_backbone), "device", torch.device("cuda"))
    with pytest.raises(OptionError, match="'qcoop'"):
        trainable(PromptClassifier(tiny_backbone, capture=True), [("qcoop", {})], tiny_backbone)
    trainable(PromptClassifier(tiny_backbone, capture=True), [("coop", {})], tiny_backbone)
