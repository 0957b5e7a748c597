"""Which readings of images benchmarks train on: those of official settings, those that are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from protocol_toys import write_toy

from promptlet.backbones import Backbone
from promptlet.data import FeatureCache
from promptlet.errors import OptionError
from promptlet.methods.inputs import FeatureInputs
from promptlet.protocols import RunStore
from promptlet.protocols.bench import open_bench
from promptlet.protocols.planning import Settings, parse_methods, plan_runs
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import FeatureSource, open_dataset
from promptlet.protocols.run.official import official_notes
from promptlet.report import render, summarise

CLASSES = ("cat", "dog", "box", "photo")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, draw = tmp_path_factory.mktemp("crops"), np.random.default_rng(0)
    for part in ("train", "test"):
        for name in CLASSES:
            (root / part / name).mkdir(parents=True)
            for i in range(2):
                pixels = draw.integers(0, 256, (36, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{i}.png")
    return root


def planned(source: Path, method: str, protocol: str = "base-to-new", **settings: Any) -> Run:
    chosen = Settings(**{"schedule": "official", **settings})
    dataset = open_dataset(str(source))
    [run] = plan_runs(protocol, [dataset], parse_methods(method), [2], [1], "f", settings=chosen)
    return run


@pytest.mark.parametrize(
    ("method", "protocol", "views"),
    [
        ("coop", "base-to-new", "crops:16"),
        ("kgcoop", "base-to-new", "crops:16"),
        ("maple", "base-to-new", "crops:5"),
        ("promptsrc", "few-shot", "crops:50"),
        ("tip_adapter", "few-shot", "large-crops:10"),
        ("tip_adapter_f", "few-shot", "large-crops:10"),
        ("clap", "few-shot", "crops:20"),
        ("linear_probe", "few-shot", 1),
        ("gda", "few-shot", 1),
        ("zero_shot", "few-shot", 1),
        ("zero_shot_ensemble", "few-shot", 1),
    ],
)
def test_official_readings(method: str, protocol: str, views: Any, pictures: Path) -> None:
    run = planned(pictures, method, protocol)
    assert run.views == views
    assert run.describe()["views"] == views
    is_cached = views == "crops:16"
    assert [note for note in official_notes(run) if "encoded once" in note or "reading" in note] == (
        [f"16 crops of each image were encoded once and taken in turn; the official code makes a new one in "
         f"each of the {run.settings['epochs']} epochs"]
        if is_cached
        else []
    )  # fmt: skip


def test_what_is_given_wins_and_is_told(pictures: Path) -> None:
    assert planned(pictures, "maple", epochs=3).views == "crops:3"
    assert planned(pictures, "coop", views="crops:200").views == "crops:200"
    assert official_notes(planned(pictures, "coop", views="crops:200"))[-1] == (
        "trained on 200 crops of each image, not on 16 crops as by its official settings"
    )
    assert planned(pictures, "coop", views=1).views == 1
    assert official_notes(planned(pictures, "coop", views=1))[-1] == (
        "trained on 1 plain reading of each image, not on 16 crops as by its official settings"
    )
    assert planned(pictures, "coop", views="crops", schedule="fast").views == "crops:16"
    assert planned(pictures, "vpt", views="crops", schedule="coop").views == "crops:50"


def test_runs_without_crops_are_those_from_before(pictures: Path) -> None:
    for schedule in ("fast", "coop"):
        plain = planned(pictures, "coop", schedule=schedule)
        assert plain.views == 1 and plain.key == planned(pictures, "coop", schedule=schedule, views=1).key
        assert plain.key != planned(pictures, "coop", schedule=schedule, views="crops:1").key


def test_a_feature_file_has_its_one_reading(tmp_path: Path) -> None:
    toy = write_toy(tmp_path / "toy.npz")
    run = planned(toy, "coop")
    assert run.views == 1 and "1 plain reading" in official_notes(run)[-1]


def test_crops_of_a_feature_file_are_refused(tiny_backbone: Backbone, tmp_path: Path) -> None:
    toy = write_toy(tmp_path / "toy.npz", dim=tiny_backbone.feature_dim)
    bench = open_bench(
        toy,
        "coop",
        backbone=tiny_backbone,
        shots=2,
        seeds=1,
        settings=Settings(views="crops:1"),
        out=tmp_path,
    )
    assert "holds one view of each image, not crops:1" in bench.refused[0].reason


def test_inputs_are_these_crops(tiny_backbone: Backbone, pictures: Path) -> None:
    dataset = open_dataset(str(pictures))
    items = dataset.split.train[:3]
    features = FeatureSource(tiny_backbone)
    inputs = features.inputs("features", dataset, items, "large-crops:2")
    assert isinstance(inputs, FeatureInputs) and inputs.in_turn
    plain = features.inputs("features", dataset, items)
    assert isinstance(plain, FeatureInputs) and not plain.in_turn
    given = torch.from_numpy(features.of(dataset, items, "large-crops:2"))
    torch.testing.assert_close(inputs.features * inputs.lengths[..., None], given)
    assert features.lacking([str(items[0].path)], "crops:1") == [str(items[0].path)]


def test_records_and_reports_tell_crops(tiny_backbone: Backbone, pictures: Path, tmp_path: Path) -> None:
    for views in (1, "crops:2"):
        open_bench(
            pictures,
            "coop",
            backbone=tiny_backbone,
            shots=2,
            seeds=1,
            settings=Settings("coop", epochs=2, views=views),
            out=tmp_path / "runs",
            cache=FeatureCache(tmp_path / "cache"),
        ).run()
    store = RunStore(tmp_path / "runs")
    assert {record["views"] for record in store.read_all()[0]} == {1, "crops:2"}
    summary = summarise(store)
    assert {row["label"] for row in summary.rows} == {"coop (views=1)", "coop (views=crops:2)"}
    lines = [line.split(",") for line in render(summary, "csv").splitlines()]
    rows = [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]
    assert {row["views"] for row in rows} == {"1", "2"}
    assert "crops:2" in render(summary, "html") and "crops:2" in render(summary, "markdown")


@pytest.mark.parametrize("views", ["crops", "crops:0", "crops:10001", "other:3", "crops:2\n", 1.5])
def test_a_record_with_other_words_is_not_believed(
    views: Any, tiny_backbone: Backbone, pictures: Path
) -> None:
    from promptlet.protocols.records.shapes import Asked
    from promptlet.typed import what_is_wrong

    described = planned(pictures, "coop").describe()
    assert what_is_wrong(described, Asked) == ""
    assert what_is_wrong({**described, "views": views}, Asked)


def test_another_word_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="views='crop:2' is not allowed"):
        open_bench("no such data", backbone="./absent", settings=Settings(views="crop:2"), out=tmp_path)
