"""Which readings of images a fit trains on, and what is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from promptlet import PromptClassifier
from promptlet.errors import OptionError
from promptlet.own_images.comparing.choosing import compare_parts
from promptlet.own_images.material import read_material
from promptlet.own_images.parts import Part
from promptlet.training import Schedule

SHORT = Schedule("short", lr=0.01, epochs=3, batch_size=None, warmup_lr=None)


@pytest.fixture(scope="module")
def images() -> tuple[list[Image.Image], list[str]]:
    draw = np.random.default_rng(0)
    names = ["cat", "dog"] * 4
    return [Image.fromarray(draw.integers(0, 256, (36, 40, 3), dtype=np.uint8)) for _ in names], names


@pytest.mark.parametrize(
    ("method", "given", "trained"),
    [
        ("rlp", {}, 1),
        ("rlp", {"views": "crops"}, "crops:16"),
        ("rlp", {"views": "crops:2"}, "crops:2"),
        ("vpt", {"views": "crops"}, "crops:3"),
        ("coop", {"schedule": "official", "epochs": 2}, "crops:16"),
        ("coop", {"schedule": "official", "epochs": 2, "views": 1}, 1),
        ("maple", {"schedule": "official", "epochs": 2}, "crops:2"),
        ("tip_adapter", {"schedule": "official"}, "large-crops:10"),
        ("tip_adapter", {}, 1),
    ],
)
def test_the_prompt_file_tells_what_it_was_trained_on(
    method: str, given: dict[str, Any], trained: Any, tiny_backbone: Any, images: Any, tmp_path: Path
) -> None:
    fitted = PromptClassifier(tiny_backbone, method, **{"schedule": SHORT, "cache": False, **given})
    fitted.fit(*images)
    assert fitted.training_["views"] == trained
    fitted.save(tmp_path / "a.prompt")
    again = PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)
    assert again.views == trained
    np.testing.assert_allclose(again.predict_proba(images[0]), fitted.predict_proba(images[0]), atol=1e-5)


def test_crops_teach_something_else_and_the_plain_reading_tells_strangers(
    tiny_backbone: Any, images: Any
) -> None:
    plain, crops = (
        PromptClassifier(tiny_backbone, "rlp", schedule=SHORT, views=views, cache=False).fit(*images)
        for views in (1, "crops:3")
    )
    assert not np.allclose(plain.predict_proba(images[0]), crops.predict_proba(images[0]))
    assert plain.rejection_ is not None and crops.rejection_ is not None
    assert np.array_equal(plain.rejection_.thresholds, crops.rejection_.thresholds) or (
        plain.rejection_.thresholds == crops.rejection_.thresholds
    )


def test_features_have_one_reading(tiny_backbone: Any) -> None:
    features = np.random.default_rng(0).normal(size=(8, tiny_backbone.feature_dim)).astype("float32")
    names = ["cat", "dog"] * 4
    fitted = PromptClassifier(tiny_backbone, "coop", schedule="official", epochs=1).fit(features, names)
    assert fitted.training_["views"] == 1
    with pytest.raises(OptionError, match="views='crops:2': features are of one reading of each image"):
        PromptClassifier(tiny_backbone, "coop", views="crops:2").fit(features, names)


def test_material_has_every_reading_that_is_asked_for(tiny_backbone: Any, images: Any) -> None:
    material = read_material(tiny_backbone, *images, views=["crops:2", 2, "large-crops:1"], cache=False)
    assert material.numbers == (0, 1, 2, 1_000_001) and material.features.shape[0] == 4
    rows = np.array([3, 1])
    for views, places in ((1, [0]), ("crops:2", [1, 2]), ("large-crops:1", [3]), (2, [0, 1])):
        inputs: Any = material.feature_inputs(tiny_backbone, rows, views)
        given = material.features[places][:, rows]
        wanted = given / np.linalg.norm(given, axis=-1, keepdims=True)
        np.testing.assert_allclose(inputs.features.numpy(), wanted, atol=1e-6)
        assert inputs.in_turn == isinstance(views, str)


def test_methods_are_compared_on_their_own_readings(tiny_backbone: Any, images: Any) -> None:
    given = PromptClassifier(tiny_backbone, schedule="official", epochs=2, cache=False)
    parts = {"train": Part(*images), "val": Part([], [])}
    methods = [("coop", {}), ("clap", {}), ("tip_adapter", {}), ("zero_shot", {})]
    found = compare_parts(given, parts, methods, 2, lambda *_: None)
    assert {row.method for row in found.rows} == {"coop", "clap", "tip_adapter", "zero_shot"}
    assert not found.failed
