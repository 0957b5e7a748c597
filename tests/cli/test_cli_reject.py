"""`promptlet predict --reject`: None for what is none of the classes; what is refused before work begins."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from promptlet import PromptClassifier
from promptlet.promptfile import load_prompt_file

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prompt of three colours, pictures of theirs, and others: noise, and black and white stripes."""
    root = tmp_path_factory.mktemp("reject")
    draw = np.random.default_rng(0)
    paths, labels = [], []
    for name, colour in COLOURS.items():
        for number in range(21):
            pixels = np.clip(np.array(colour) + draw.normal(0, 12, (64, 64, 3)), 0, 255).astype(np.uint8)
            path = root / f"{name}{number:02d}.png"
            Image.fromarray(pixels).save(path)
            paths.append(path)
            labels.append(name)
    own = [i for i in range(len(paths)) if i % 21]
    clf = PromptClassifier("mini", "zero_shot", cache=False)
    clf.fit([paths[i] for i in own], [labels[i] for i in own])
    clf.save(root / "with.prompt")
    clf.save(root / "without.prompt", rejection=False)
    few = [i for i in own if i % 21 <= 4]
    clf.fit([paths[i] for i in few], [labels[i] for i in few]).save(root / "few.prompt")
    (root / "asked").mkdir()
    for name in COLOURS:
        (root / f"{name}00.png").rename(root / "asked" / f"{name}.png")
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::8] = 255
    Image.fromarray(stripes).save(root / "asked" / "stripes.png")
    return root


@pytest.mark.slow
def test_what_is_none_of_the_classes_is_none(place: Path, shell: Any) -> None:
    asked = ("predict", place / "with.prompt", place / "asked", "--no-cache")
    before = {Path(one["path"]).stem: one["class_name"] for one in shell.json(*asked)["predictions"]}
    assert before["stripes"] in COLOURS  # forced into a class
    told = shell.json(*asked, "--reject")["predictions"]
    found = {Path(one["path"]).stem: one["class_name"] for one in told}
    assert found["stripes"] is None
    assert [found[name] for name in COLOURS if found[name] is not None] == [
        before[name] for name in COLOURS if found[name] is not None
    ]
    clf = PromptClassifier.load(place / "with.prompt").set_params(cache=False)
    paths = [one["path"] for one in told]
    assert clf.predict(paths, reject=True).tolist() == [one["class_name"] for one in told]
    assert clf.predict(paths, reject=50).tolist() == [
        one["class_name"] for one in shell.json(*asked, "--accept", 50)["predictions"]
    ]


def test_text_and_tables_tell_it(place: Path, shell: Any, tmp_path: Path) -> None:
    asked = ("predict", place / "with.prompt", place / "asked" / "stripes.png", "--no-cache", "--reject")
    assert "stripes.png: None (" in shell.run(*asked).stdout
    [row] = csv.DictReader(io.StringIO(shell.run(*asked, "--csv").stdout))
    assert row["class_name"] == "" and float(row["probability"]) > 0.3
    shell.run(*asked, "--out", tmp_path / "a.csv")
    [row] = csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text(encoding="utf-8-sig")))
    assert row["class_name"] == ""


def test_an_unfinished_file_of_another_percentage_is_not_gone_on_with(
    place: Path, shell: Any, tmp_path: Path
) -> None:
    asked = ("predict", place / "with.prompt", place / "asked", "--no-cache", "--out", tmp_path / "a.jsonl")
    shell.run(*asked, "--reject")
    assert "already" in shell.run(*asked, "--accept", 95, "--resume").output
    assert "--accept" in shell.refuses(*asked, "--accept", 90, "--resume")


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ("without", ("--reject",), "does not know 'none of these'"),
        ("with", ("--accept", "99"), "give a number from 50 to 97.5; more images"),
        ("with", ("--accept", "30"), "give a number from 50 to 97.5\n"),
        ("with", ("--accept", "200"), "give a number from 50 to 97.5\n"),
        ("with", ("--accept", "0.95"), "0.95 is no percentage of own images"),
        ("with", ("--reject", "--classes", "red,lynx"), "'lynx' was not taught; ask for taught names"),
    ],
)
def test_bad_input_is_told_before_any_image_is_read(
    prompt: str, options: tuple[str, ...], message: str, place: Path, shell: Any
) -> None:
    told = shell.refuses("predict", place / f"{prompt}.prompt", "missing.png", *options)
    assert message in told and f"{prompt}.prompt: " in told and "missing.png" not in told


def test_few_images_are_told(place: Path, shell: Any) -> None:
    told = shell.run("predict", place / "few.prompt", place / "asked", "--no-cache", "--reject").stderr
    assert "learned from few images: those that are not like 90 % of them are none" in told
    part = (
        "predict",
        place / "with.prompt",
        place / "asked",
        "--no-cache",
        "--reject",
        "--classes",
        "Red,blue",
    )
    assert "few images" not in shell.run(*part).stderr


def test_inspect_tells_the_thresholds(place: Path, shell: Any) -> None:
    told = shell.json("inspect", place / "with.prompt")["none_of_these"]
    rejection = load_prompt_file(place / "with.prompt").rejection
    assert rejection is not None
    assert {float(share): threshold for share, threshold in told.items()} == rejection.thresholds
    assert "up to 97.5 % of own images accepted" in shell.run("inspect", place / "with.prompt").stdout
    assert shell.json("inspect", place / "without.prompt")["none_of_these"] is None
    assert "none  " not in shell.run("inspect", place / "without.prompt").stdout
