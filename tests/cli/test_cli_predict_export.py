"""`promptlet predict FOLDER`: every form of answers from an exported folder, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from tiny_graphs import folder, vectors

from promptlet.exported import write_vectors
from promptlet.runtime import Classifier

SHOWN = ["tabby cat", "Dog", "red fox", "boat"]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("export") / "pets")


@pytest.fixture
def photos(pictures: Path) -> list[Path]:
    return sorted((pictures / "test").rglob("*.png"))


def wanted(export: Path, photos: list[Path]) -> np.ndarray:
    return Classifier(export).predict_proba(photos)


def test_lines_json_and_tables(shell: Any, export: Path, photos: list[Path]) -> None:
    told = wanted(export, photos)
    best = [SHOWN[row] for row in told.argmax(axis=1)]
    lines = shell.run("predict", export, *photos, "--top", 1).stdout.splitlines()
    assert lines == [
        f"{path}: {name} {100 * row.max():.1f} %" for path, name, row in zip(photos, best, told, strict=True)
    ]
    facts = shell.json("predict", export, *photos)
    assert [one["class_name"] for one in facts["predictions"]] == best
    assert [len(one["top"]) for one in facts["predictions"]] == [3] * len(photos)
    assert facts["errors"] == []
    wide = shell.json("predict", export, *photos, "--wide")
    for one, row in zip(wide["predictions"], told, strict=True):
        assert list(one["probabilities"]) == SHOWN
        assert list(one["probabilities"].values()) == pytest.approx(row.tolist(), abs=1e-6)
    table = list(csv.reader(shell.run("predict", export, *photos, "--csv").stdout.splitlines()))
    assert table[0] == ["path", "class_name", "probability"]
    assert [row[1] for row in table[1:]] == best


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_files_are_written_and_gone_on_with(
    suffix: str, shell: Any, export: Path, photos: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / f"answers{suffix}"
    shell.run("predict", export, *photos[:2], "--out", out)
    again = shell.run("predict", export, *photos, "--out", out, "--resume")
    assert "2 of 6 images are in" in again.stderr
    if suffix == ".jsonl":
        lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        assert sorted(line["path"] for line in lines) == sorted(map(str, photos))
    other = shell.fails("predict", export, *photos, "--out", out, "--resume", "--threshold", 0.9, exit_code=2)
    assert "--threshold" in other


def test_thresholds_and_none_of_these(shell: Any, export: Path, photos: list[Path]) -> None:
    told, classifier = wanted(export, photos), Classifier(export)
    found = shell.json("predict", export, *photos, "--threshold", 0.7)["predictions"]
    assert [one["class_name"] for one in found] == [
        SHOWN[row.argmax()] if row.max() >= 0.7 else None for row in told
    ]
    like = classifier.accepts(photos, accepted=85.0)
    found = shell.json("predict", export, *photos, "--accept", 85)["predictions"]
    assert [one["class_name"] is not None for one in found] == like.tolist()
    like = classifier.accepts(photos)
    found = shell.json("predict", export, *photos, "--reject")["predictions"]
    assert [one["class_name"] is not None for one in found] == like.tolist()


def test_some_of_its_classes_and_no_others(shell: Any, export: Path, photos: list[Path]) -> None:
    found = shell.json("predict", export, *photos, "--classes", "boat,tabby cat", "--wide")["predictions"]
    told = Classifier(export).predict_proba(photos, ["boat", "tabby cat"])
    assert list(found[0]["probabilities"]) == ["boat", "tabby cat"]
    assert list(found[0]["probabilities"].values()) == pytest.approx(told[0].tolist(), abs=1e-6)
    error = shell.fails("predict", export, photos[0], "--classes", "boat,taby cat")
    assert "'taby cat' is none of the 4 classes" in error and "holds no text tower" in error
    assert "Did you mean 'tabby cat'?" in error


def test_a_bad_image_costs_itself_alone(shell: Any, export: Path, photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no image")
    done = shell.run("predict", export, photos[0], tmp_path / "bad.png", photos[1], exit_code=1)
    assert len(done.stdout.splitlines()) == 2
    assert "bad.png: this is not an image" in done.stderr
    shell.run("predict", export, photos[0], tmp_path / "bad.png", "--skip-bad")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--backbone", "mini"],
            "--backbone is for prompt files; the exported folder .* its own image tower",
        ),
        (["--new-names", "blend"], "--new-names is for prompt files; .* no text tower to make others"),
        (["--dtype", "mixed"], "--dtype is for prompt files; .* the precision that it was exported in"),
        (["--no-cache"], "--no-cache is for prompt files; .* caches no features"),
        (["--device", "tpu"], r"--device tpu, .*; this onnxruntime \(.*\) has: .*CPUExecutionProvider"),
        (["--accept", "40"], "40.0 is no percentage of own images .* from 80 to 95"),
        (["--token-file", "x"], "--token-file is about a server"),
    ],
)
def test_options_that_need_the_model_are_refused_with_the_reason(
    options: list[str], message: str, shell: Any, export: Path, photos: list[Path]
) -> None:
    import re

    assert re.search(message, " ".join(shell.refuses("predict", export, photos[0], *options).split()))


def test_a_device_is_a_provider_of_onnxruntime(shell: Any, export: Path, photos: list[Path]) -> None:
    shell.run("predict", export, photos[0], "--device", "cpu")
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        error = shell.refuses("predict", export, photos[0], "--device", "cuda")
        assert "--device cuda, which needs its CUDAExecutionProvider" in error


def test_what_is_no_sound_folder_is_told(
    shell: Any, export: Path, photos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    assert "it has no export.json" in shell.fails("predict", tmp_path / "photos", photos[0])
    place = folder(tmp_path / "pets")
    with (place / "model.onnx").open("r+b") as file:
        file.seek(40)
        file.write(b"\0\1\2")
    assert "its sum (sha256) is not that of export.json" in shell.fails("predict", place, photos[0])
    own = folder(tmp_path / "changed", vectors(tower="changed", rejection=None))
    error = shell.refuses("predict", own, photos[0], "--reject")
    assert "cannot tell 'none of these': its method changes the image tower" in error
    write_vectors(tmp_path / "pets.npz", vectors())
    error = shell.refuses("predict", tmp_path / "pets.npz", photos[0])
    assert "Class vectors alone make no features of images" in error
