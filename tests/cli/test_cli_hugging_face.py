"""Hugging Face data in the commands: fit, bench run, cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("datasets")

QUICK = ("--epochs", 1, "--shots", 2)


@pytest.fixture
def saved(tmp_path: Path, pictures: Path) -> Path:
    """The drawn pictures of three classes as a folder of `save_to_disk` and as a Parquet file of train."""
    import datasets

    names = sorted(path.name for path in (pictures / "train").iterdir())
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    parts = {}
    for part in ("train", "test"):
        rows = [
            {"image": {"bytes": path.read_bytes(), "path": None}, "label": names.index(path.parent.name)}
            for path in sorted((pictures / part).glob("*/*"))
        ]
        parts[part] = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    parts["train"].to_parquet(str(tmp_path / "train.parquet"))
    return tmp_path / "saved"


def test_the_numbers_are_those_of_the_images_in_folders(
    shell: Any, saved: Path, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    def measured(source: object, out: str) -> list[float]:
        more = ("--methods", "zero_shot,coop", "--protocol", "few-shot", "--sampler", "coop", "--seeds", 1)
        words = ("--datasets", source, "--backbone", clip_folder, "--out", tmp_path / out, *QUICK, *more)
        rows = shell.json("bench", "run", *words)["summary"]
        return [row[name] for row in rows for name in ("accuracy", "ece", "macro_f1")]

    assert measured(f"hf:{saved}", "hf") == pytest.approx(measured(pictures, "folders"), abs=1e-4)
    [record, *_] = shell.json("bench", "list", tmp_path / "hf")["runs"]
    assert record["rule"] == "its splits train, test"


@pytest.mark.slow
def test_fit_and_cache(shell: Any, saved: Path, clip_folder: Path, tmp_path: Path, own_cache: Path) -> None:
    for source in (f"hf:{saved}", saved.with_name("train.parquet")):
        words = ("--backbone", clip_folder, "--out", tmp_path / f"{Path(str(source)).stem}.prompt", *QUICK)
        facts = shell.json("fit", source, *words)
        assert facts["class_names"] == ["box", "cat", "dog"]
    listed = shell.json("cache", "show")["datasets"]
    assert sorted(one["images"] for one in listed) == [12, 18]
    assert {one["source"] for one in listed} == {f"hf:{saved}", f"hf:{saved.with_name('train.parquet')}"}
    assert "18 images of hf:" in shell.run("cache", "show").stdout
    assert "leave out --datasets" in shell.refuses("cache", "clear", "--datasets", "--fingerprint", "a")
    assert shell.json("cache", "clear", "--datasets")["removed"] == 30
    assert shell.json("cache", "show")["datasets"] == [] and not (own_cache / "datasets").exists()
    assert shell.json("cache", "show")["entries"] > 0


def test_a_damaged_folder_fails_its_runs_and_the_others_go_on(
    shell: Any, saved: Path, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    for path in (saved / "train").glob("*.arrow"):
        path.write_bytes(path.read_bytes()[:50])
    more = ("--methods", "zero_shot", "--seeds", 1, "--protocol", "few-shot", "--out", tmp_path / "runs")
    words = ("--datasets", f"hf:{saved},{pictures}", "--backbone", clip_folder, *QUICK, *more)
    facts = shell.json("bench", "run", *words, exit_code=1)
    assert len(facts["done"]) == len(facts["failed"]) == 1
    [entry] = facts["incomplete"]
    assert entry["dataset"] == "saved" and "cannot be read" in entry["reasons"][0]
