"""`promptlet methods` shows the official settings; the page has the same; commands tell what they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlet.cli.methods import _readings, _told, _when
from promptlet.methods import METHODS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "official.md"


def test_a_method_shows_its_rows_with_their_sources(shell: Any) -> None:
    told = shell.run("methods", "prograd").stdout
    assert (
        "official  schedule coop with, and further options, by protocol:\n          base-to-new: epo" in told
    )
    assert "          base-to-new: epochs=100\n            imagenet: epochs=50\n" in told
    assert (
        "          few-shot: epochs=200, n_ctx=16, ctx_init=template\n            1 shot: epochs=50\n" in told
    )
    assert "            oxford_flowers, dtd, eurosat at 5 or more shots: weight=0.8\n" in told
    assert "            reads 16 crops of each image in turn; its own code a new one in every epoch\n" in told
    assert (
        "            reads a new crop of each image in every epoch\n" in shell.run("methods", "maple").stdout
    )
    assert "            reads 10 large crops of each image\n" in shell.run("methods", "tip_adapter").stdout
    assert "            from ProGrad's repository, README.md; ProGrad/rn50_ep50.yaml\n" in told
    assert "published for RN50 from 4 shots of ImageNet" in told
    assert "cross-dataset" not in told
    assert "official  none: the settings are not public" in shell.run("methods", "rlp").stdout
    assert "official " not in shell.run("methods", "gda").stdout


def test_and_in_json(shell: Any) -> None:
    [found] = shell.json("methods", "promptsrc")["methods"]
    assert list(found["official"]) == ["base-to-new", "few-shot", "cross-dataset", "domain-shift"]
    few = found["official"]["few-shot"]
    assert few["schedule"] == {"epochs": 50, "batch_size": 4, "lr": 0.0025}
    assert few["views"] == "crops"
    assert few["options"] == {"average_mean": 0.6, "average_std": 0.6}
    assert few["cases"][1] == {
        "datasets": ["stanford_cars", "oxford_flowers", "fgvc_aircraft", "dtd", "eurosat"],
        "shots": None,
        "schedule": {},
        "options": {"average_mean": 0.9, "average_std": 0.1},
    }
    assert "docs/TRAIN.md" in few["source"] and few["told"].startswith("averaging is 30 and 30")
    [coop] = shell.json("methods", "coop")["methods"]
    assert coop["official"]["few-shot"]["cases"][0]["shots"] == [1, 1]
    assert [one["official"] for one in shell.json("methods", "rlp")["methods"]] == [{}]


def test_the_page_has_every_row_and_no_other() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    expected = [
        f"| `{name}` | {protocol} | {_told(row)} | "
        f"{'; '.join(f'{_when(case)}: {_told(case)}' for case in row.cases)} | "
        f"{_readings(row, method.info).partition(';')[0]} | {row.source} |"
        for name, method in METHODS.items()
        for protocol, row in method.info.official.items()
    ]
    assert [line for line in lines if line.startswith("| `")] == expected


@pytest.mark.slow
def test_a_benchmark_tells_before_what_is_not_official(shell: Any, tmp_path: Path) -> None:
    words = ("bench", "run", "--datasets", "mini-flowers", "--backbone", "mini", "--out", tmp_path / "r")
    words += ("--methods", "coop:n_ctx=4", "--protocol", "few-shot", "--schedule", "official", "--dry-run")
    told = "coop: not as its official settings for few-shot: n_ctx=4 (official: 16)"
    crops = "coop: 16 crops of each image were encoded once and taken in turn; the official code makes a new "
    crops += "one in each of the 200 epochs"
    said = shell.run(*words).stderr
    assert f"note: {told}" in said and f"note: {crops}" in said
    assert shell.json(*words)["notes"] == [told, crops]
    refused = shell.refuses(*words, "--methods", "maple")
    assert "'maple' has no official settings for few-shot: none are public. It has them for base" in refused


@pytest.mark.slow
def test_a_fit_says_whose_settings_it_takes(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    words = ("fit", pictures, "--backbone", clip_folder, "--method", "coop", "--schedule", "official")
    words += ("--epochs", 2, "--estimate", "none", "--out")
    told = shell.run(*words, tmp_path / "a.prompt").output
    assert "note: official settings of few-shot: epochs=200, n_ctx=16, ctx_init=random; from CoOp's" in told
    assert "note: not as its official settings for few-shot: epochs=2 (official: 200)" in told
    assert "in 2 epochs (official:few-shot)" in told
    document = shell.json(*words, tmp_path / "b.prompt", "--n-ctx", 4)
    assert document["n_ctx"] == 4 and document["schedule"] == "official:few-shot"
    assert any("n_ctx=4 (official: 16)" in note for note in document["notes"])
