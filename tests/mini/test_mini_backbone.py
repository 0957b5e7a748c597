"""The shipped backbone: the library's own class, small, and as accurate as its log says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from promptlet.backbones import Backbone, load_backbone
from promptlet.mini.datasets import EVERY_DATASET, VERSION
from promptlet.mini.names import HARDER_NAMES, MINI_NAMES, MODEL_FOLDER

LOG = json.loads((Path(__file__).parents[2] / "tools" / "mini_backbone" / "log.json").read_text())
RECORDED = {row["dataset"]: row for row in LOG["zero_shot"]}
QUICK = ("mini-flowers", "mini-land", "mini-flags-edged")
TOLERANCE = 1.0
"""Percentage points: sums are ordered differently on other machines, so a picture or two may tip over."""


@pytest.fixture(scope="module")
def mini() -> Backbone:
    return load_backbone("mini", device="cpu")


def test_it_is_a_clip_model_of_few_bytes(mini: Backbone) -> None:
    from transformers import CLIPModel

    assert isinstance(mini.model, CLIPModel)
    assert mini.name == "mini"
    assert mini.text.exact_sharing
    assert sum(path.stat().st_size for path in MODEL_FOLDER.iterdir()) < 8e6
    assert sum(p.numel() for p in mini.model.parameters()) == LOG["parameters"]
    assert not any(p.requires_grad for p in mini.model.parameters())


def test_the_folder_is_read_by_the_library_itself(mini: Backbone) -> None:
    """Nothing of ours in between: transformers' own loaders give the same features."""
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    from promptlet.features import encode_images

    model = AutoModel.from_pretrained(MODEL_FOLDER, dtype=torch.float32).eval()
    pictures = [EVERY_DATASET["mini-objects"].picture("umbrella", "test", k) for k in range(3)]
    texts = ["a photo of a red tulip.", "a sketch of two cats!"]
    ids = AutoTokenizer.from_pretrained(MODEL_FOLDER)(texts, padding=True, return_tensors="pt").input_ids
    pixels = AutoImageProcessor.from_pretrained(MODEL_FOLDER)(pictures, return_tensors="pt").pixel_values
    with torch.no_grad():
        text = model.text_projection(model.text_model(input_ids=ids).pooler_output)
        image = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
    torch.testing.assert_close(mini.text.encode_texts(texts), text, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        torch.from_numpy(encode_images(mini, pictures)[0]), image, atol=1e-3, rtol=1e-3
    )


def test_it_loads_and_reads_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    backbone = load_backbone("mini", device="cpu")
    assert backbone.fingerprint.count("-") == 2  # reads long texts too
    assert capfd.readouterr() == ("", "")


def test_class_names_fit(mini: Backbone) -> None:
    for dataset in EVERY_DATASET.values():
        assert mini.text.sequences(dataset.class_names, n_ctx=16)


def test_words_outside_its_captions_are_read_too(mini: Backbone) -> None:
    features = mini.text.encode_texts(["a photo of a zebra.", "ein Foto: 東京", "é"])
    assert bool(features.isfinite().all())


def check(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        for half in ("all", "base", "new"):
            expected = RECORDED[row["dataset"]]
            assert row[half] == pytest.approx(expected[half], abs=TOLERANCE), (row["dataset"], half)
        assert (row["classes"], row["images"]) == (expected["classes"], expected["images"])


@pytest.mark.slow
def test_as_accurate_as_recorded(mini: Backbone) -> None:
    from tools.mini_backbone.evaluate import zero_shot_row

    assert LOG["world_version"] == VERSION
    check([zero_shot_row(mini, EVERY_DATASET[name]) for name in QUICK])


@pytest.mark.slow
def test_as_accurate_as_recorded_everywhere() -> None:
    from tools.mini_backbone.evaluate import zero_shot_table

    table = zero_shot_table("mini")
    assert [row["dataset"] for row in table] == list(EVERY_DATASET)
    check(table)


def test_zero_shot_is_good_but_leaves_room() -> None:
    """Far above chance everywhere, and nowhere near the end on average: what the world is made for."""
    eleven = [RECORDED[name] for name in MINI_NAMES]
    assert all(row["all"] > 3 * 100 / row["classes"] for row in eleven)
    assert 40 < sum(row["all"] for row in eleven) / len(eleven) < 90


def test_the_harder_ones_leave_more_room() -> None:
    """What they were chosen for; that the log is right is checked above."""
    for name in HARDER_NAMES:
        assert 50 <= RECORDED[name]["all"] <= 75, name


def test_the_tables_of_the_page_are_those_of_the_rows() -> None:
    from tools.mini_backbone.page import harder_lines, run_lines, zero_shot_lines

    root = Path(__file__).parents[2]
    page = (root / "docs" / "explanation" / "mini.md").read_text(encoding="utf-8").splitlines()
    runs = run_lines(root / "benchmarks" / "results" / "mini.jsonl.gz")
    tables = [*zero_shot_lines(LOG), *harder_lines(LOG), *runs]
    assert len(tables) == 2 + 16 + 2 + 7 + 2 + 12
    assert not [line for line in tables if line not in page]
