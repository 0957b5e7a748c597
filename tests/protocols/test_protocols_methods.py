"""Base-to-new with methods that read images, tune on validation images, or know no other classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from protocol_toys import write_toy

from promptlet.backbones import Backbone
from promptlet.errors import DataError, OptionError
from promptlet.methods import METHODS
from promptlet.methods.method import IMAGES
from promptlet.protocols import RunStore, base_to_new, few_shot
from promptlet.protocols.planning import Settings, parse_methods
from promptlet.protocols.run.datasets import FeatureSource, open_dataset

QUICK = Settings(epochs=1)
CLASSES = ("cat", "dog", "box", "photo")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/, val/ and test/ with noisy pictures of one colour per class: 3, 2 and 2 of each."""
    root, draw = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for part, count in (("train", 3), ("val", 2), ("test", 2)):
        for name in CLASSES:
            colour = draw.integers(40, 216, 3)
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = np.clip(colour + draw.integers(-40, 40, (36, 36, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{i}.png")
    return root


def run_one(backbone: Backbone, source: Path, method: str, **settings: Any) -> dict[str, Any]:
    dataset = open_dataset(str(source))
    chosen = Settings(**{"epochs": 1, **settings})
    [run] = base_to_new.plan(
        [dataset], parse_methods(method), [2], [1], backbone.fingerprint, settings=chosen
    )
    return base_to_new.execute(run, dataset, FeatureSource(backbone))


@pytest.mark.parametrize("method", [m for m, kind in METHODS.items() if kind.info.unseen_classes])
def test_every_method_runs_on_images(method: str, tiny_backbone: Backbone, pictures: Path) -> None:
    record = run_one(tiny_backbone, pictures, method, views=2)
    assert 0 <= record["base"] <= 100
    assert (record["base_images"], record["new_images"]) == (4, 4)
    assert record["file_bytes"] > 100
    assert len(record["samples"]) == 4
    assert ("val_samples" in record) == METHODS[method].info.uses_val


@pytest.mark.parametrize("method", [m for m, kind in METHODS.items() if kind.info.reads == IMAGES])
def test_methods_in_the_image_tower_are_taken_from_what_few_shot_stored(
    method: str, tiny_backbone: Backbone, pictures: Path, tmp_path: Path, trainings: list[str]
) -> None:
    dataset, store = open_dataset(str(pictures)), RunStore(tmp_path)
    [run] = few_shot.plan(
        [dataset], parse_methods(method), [2], [1], tiny_backbone.fingerprint, settings=QUICK
    )
    names = ("accuracy", "ece", "macro_f1", "trainable", "file_bytes")
    results = []
    for _ in range(2):
        record = few_shot.execute(run, dataset, FeatureSource(tiny_backbone), store=store)
        results.append([record[name] for name in names])
        [facts] = (tmp_path / "trained").glob("*.json")
        facts.write_text(json.dumps({**json.loads(facts.read_text()), "scores": None}))
    assert results[0] == results[1] and trainings == [method]


def test_methods_that_tune_see_the_val_images_of_the_base_classes_alone(
    tiny_backbone: Backbone, pictures: Path
) -> None:
    record = run_one(tiny_backbone, pictures, "tip_adapter")
    assert sorted(record["val_samples"]) == [
        "val/box/0.png", "val/box/1.png", "val/cat/0.png", "val/cat/1.png"
    ]  # fmt: skip


@pytest.mark.parametrize("method", [m for m, kind in METHODS.items() if kind.info.reads == IMAGES])
def test_a_feature_file_has_no_images(method: str, tiny_backbone: Backbone, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a feature file has no images, which a method that changes"):
        run_one(tiny_backbone, write_toy(tmp_path / "toy.npz"), method)


def test_a_folder_without_val_leaves_nothing_to_tune_on(
    tiny_backbone: Backbone, pictures: Path, tmp_path: Path
) -> None:
    for part in ("train", "test"):
        (tmp_path / part).symlink_to(pictures / part)
    record = run_one(tiny_backbone, tmp_path, "tip_adapter")
    assert record["val_samples"] == [] and record["base_images"] == 4


def test_a_linear_probe_is_refused_before_it_trains(tiny_backbone: Backbone, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'linear_probe' knows only the classes it was trained on"):
        run_one(tiny_backbone, write_toy(tmp_path / "toy.npz"), "linear_probe")


def test_the_hand_written_prompt_is_the_data_sets_or_the_methods_own(
    tiny_backbone: Backbone, tmp_path: Path
) -> None:
    dataset = open_dataset(str(write_toy(tmp_path / "mini-flags.npz")))
    specs = parse_methods("kgcoop,tip_adapter,vpt,clip_lora,vpt:template=art of a {}.")
    runs = base_to_new.plan([dataset], specs, [2], [1], tiny_backbone.fingerprint, settings=QUICK)
    templates = [run.options["template"] for run in runs]
    own = "a photo of a {}."
    assert templates == [dataset.template, dataset.template, own, own, "art of a {}."]
    assert dataset.template != own
