"""`promptlet datasets doctor` in words, as a table, in JSON, and by its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from promptlet.data import DATASETS


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("cat/1.png", "dog/1.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(path)
    return tmp_path / "photos"


def test_a_complete_folder(shell: Any, photos: Path) -> None:
    text = shell.run("datasets", "doctor", photos, "--images").stdout
    assert text.splitlines()[0] == f"{photos}: complete"
    assert "2 classes; images: 2 train, 0 val, 0 test" in text
    assert "note      all 2 images were opened" in text and "licence" not in text


def test_every_data_set_gets_its_line(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "eurosat/2750").mkdir(parents=True)
    (tmp_path / "food-101").write_text("no folder")
    text = shell.run("datasets", "doctor", "--root", tmp_path, exit_code=1).stdout
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert set(DATASETS) < set(lines)
    states = {name: lines[name].split()[1] for name in DATASETS}
    assert (states.pop("eurosat"), states.pop("food101")) == ("wrong", "wrong")
    assert set(states.values()) == {"absent"}
    assert "0 of 15 are complete" in text


def test_what_is_missing_and_how_to_get_it(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "oxford_pets/images").mkdir(parents=True)
    text = shell.run("datasets", "doctor", "oxford_pets", "--root", tmp_path, exit_code=1).stdout
    spec = DATASETS["oxford_pets"]
    assert text.splitlines()[0] == "oxford_pets: incomplete"
    for words in (
        f"missing   there is no {tmp_path / 'oxford_pets/annotations/trainval.txt'}",
        f"split     {spec.split_file}: {spec.split_url}",
        f"from      {spec.page}",
        f"to get it {spec.get}",
        f"licence   {spec.licence}",
    ):
        assert words in text


def test_hugging_face_data(shell: Any, tmp_path: Path, photos: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    rows = {"picture": [str(photos / "cat/1.png"), str(photos / "dog/1.png")], "label": ["cat", "dog"]}
    table = datasets.Dataset.from_dict(rows).cast_column("picture", datasets.Image())
    table.to_parquet(str(tmp_path / "pets.parquet"))
    text = shell.run("datasets", "doctor", f"hf:{tmp_path / 'pets.parquet'}", "--images").stdout
    assert f"in        {tmp_path / 'pets.parquet'}" in text
    assert "holds     2 classes; images: 2 train, 0 val, 0 test" in text
    assert "parts by  every image is a training image" in text and "all 2 images were opened" in text
    facts = shell.json("datasets", "doctor", f"hf:{tmp_path / 'pets.parquet'}?label=picture", exit_code=1)
    assert facts["datasets"][0]["state"] == "wrong"
    assert "it has picture (Image), label (string)" in facts["datasets"][0]["findings"][0]["text"]
    said = shell.run("datasets", "doctor", "hf:a/b/c", exit_code=1).stdout
    assert said.startswith("hf:a/b/c: absent")


def test_one_error_does_not_end_it(shell: Any, photos: Path, tmp_path: Path) -> None:
    (photos / "cat/1.png").write_bytes(b"damaged")
    (tmp_path / "bad.csv").write_text("gone.jpg,a\n")
    words = ("datasets", "doctor", "no-such", tmp_path / "bad.csv", "sun397", photos)
    facts = shell.json(*words, "--root", tmp_path, "--images", exit_code=1)
    assert [entry["state"] for entry in facts["datasets"]] == ["absent", "wrong", "absent", "wrong"]
    bad, sun, own = facts["datasets"][1:]
    assert "line 1: there is no image file" in bad["findings"][0]["text"]
    assert sun["known"]["images"] == {"train": 15_880, "val": 3970, "test": 19_850}
    assert sun["images"] == {} and sun["known"]["page"] in DATASETS["sun397"].source_note
    assert len(own["unreadable"]) == 1 and own["classes"] == 2


def test_nothing_to_look_at(shell: Any) -> None:
    assert "give names or paths, or --root ROOT" in shell.refuses("datasets", "doctor")
    text = shell.run("datasets", "doctor", "dtd", exit_code=1).stdout
    assert "no root is given; say where dtd/ lies: --root ROOT" in text


def test_torchvisions_places_are_there_too(shell: Any, tmp_path: Path) -> None:
    for part in ("trainval", "test"):
        file = tmp_path / "oxford-iiit-pet/annotations" / f"{part}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "oxford-iiit-pet/images").mkdir()
    rows = {row["name"]: row for row in shell.json("datasets", "list", "--root", tmp_path)["datasets"]}
    there = {name for name, row in rows.items() if row["is_there"] and not name.startswith("mini")}
    assert there == {"oxford_pets"}


def test_list_tells_counts_and_sources(shell: Any, tmp_path: Path) -> None:
    rows = {row["name"]: row for row in shell.json("datasets", "list", "--root", tmp_path)["datasets"]}
    assert rows["imagenet"]["counts"] == {"train": 1_281_167, "val": 50_000, "test": 50_000}
    assert rows["fgvc_aircraft"]["split_file"] == "" and not rows["fgvc_aircraft"]["is_there"]
    assert rows["eurosat"]["split_source"].startswith("https://drive.google.com/")


@pytest.mark.slow
@pytest.mark.realbed
def test_the_real_caltech101(shell: Any, realbed: Path) -> None:
    text = shell.run("datasets", "doctor", "caltech101", "--root", realbed / "data").stdout
    assert text.startswith("caltech101: complete")
    assert "1 of 15" in shell.run("datasets", "doctor", "--root", realbed / "data", exit_code=1).stdout
    rows = shell.json("datasets", "list", "--root", realbed / "data")["datasets"]
    assert next(row["name"] for row in rows if row["is_there"]) == "caltech101"
