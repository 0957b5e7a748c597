"""analyze: rows, tables, figure, JSON; kept rows; refusals without a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUICK = ("--shots", 2, "--epochs", 4, "--every", 1, "--seeds", "1,2")


@pytest.fixture
def words(clip_folder: Path, toy: Callable[..., Path], tmp_path: Path) -> Callable[..., list[str]]:
    """The words of an analysis of a small feature file, rows in tmp_path."""

    def make(*more: object) -> list[str]:
        given = ["--datasets", toy(), "--backbone", clip_folder, "--out", tmp_path / "rows", *QUICK, *more]
        return ["analyze", *map(str, given)]

    return make


@pytest.mark.slow
def test_from_nothing_to_tables_and_a_figure(shell: Any, words: Any, tmp_path: Path) -> None:
    figure, tables = tmp_path / "density.png", tmp_path / "density.md"
    result = shell.run(*words("--figure", figure, "--markdown", tables))
    assert "4 run, 0 there before" in result.stdout and "[4/4] toy rlp (2 shots" in result.stderr
    for text in ("Spearman's rho", "ID_1, new", "all methods", "effective rank", "epoch, new", " to "):
        assert text in result.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "| toy | all methods |" in tables.read_text()
    rows = sorted((tmp_path / "rows").glob("*.json"))
    assert len(rows) == 4
    record = json.loads(rows[0].read_text())
    assert record["protocol"] == "density" and record["settings"]["every"] == 1
    assert [point["epoch"] for point in record["points"]] == [0, 1, 2, 3, 4]
    assert record["versions"] and record["date"] and record["samples"]


@pytest.mark.slow
def test_the_second_time_nothing_is_trained(
    shell: Any, words: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shell.json(*words())
    assert (len(first["done"]), len(first["kept"]), first["failed"]) == (4, 0, [])
    monkeypatch.setattr("promptlet.analysis.measuring.fit", lambda *_: pytest.fail("trained again"))
    again = shell.json(*words())
    assert (len(again["done"]), len(again["kept"])) == (0, 4)
    assert again["rows"] == first["rows"] and again["correlations"] == first["correlations"]
    other = shell.json(*words("--k", 2))  # every ID_k is in the rows
    assert len(other["kept"]) == 4 and other["correlations"] != first["correlations"]


def test_the_document(shell: Any, words: Any) -> None:
    document = shell.json(*words("--methods", "coop"))
    assert document["schema"] == 1 and document["k"] == 1
    assert [row["seed"] for row in document["rows"]] == [1, 2]
    assert len(document["rows"][0]["points"][0]["layers"][0]["density"]) == 4
    pairs = [(found["x"], found["y"]) for found in document["correlations"]]
    assert pairs == [
        ("density", "new"), ("density", "base"), ("effective_rank", "new"), ("epoch", "new")
    ]  # fmt: skip


def test_deep_contexts_from_images(shell: Any, clip_folder: Path, pictures: Path, tmp_path: Path) -> None:
    given = ["--datasets", pictures, "--backbone", clip_folder, "--out", tmp_path / "rows", *QUICK]
    document = shell.json("analyze", *given, "--methods", "ivlp", "--seeds", 1, "--epochs", 2)
    assert [len(point["layers"]) for point in document["rows"][0]["points"]] == [
        2,
        2,
        2,
    ]  # the image tower has two


def test_refusals(shell: Any, words: Any, tmp_path: Path) -> None:
    refused = shell.refuses(*words("--methods", "coop,tip_adapter"))
    assert refused.startswith("error: method 'tip_adapter' has no context at the text side")
    assert "method='cop' is not known" in shell.refuses(*words("--methods", "cop"))
    assert "k=5 is outside 1..4" in shell.refuses(*words("--k", 5))
    assert "does not exist" in shell.refuses(*words("--figure", tmp_path / "absent" / "a.png"))
    assert "is no list of whole numbers" in shell.refuses(*words("--seeds", "x"))
    shell.refuses(*words("--every", 0))
    assert not (tmp_path / "rows").exists()


def test_a_failed_run_is_told_and_the_others_go_on(
    shell: Any, words: Any, toy: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "cut.npz").write_bytes(b"PK")
    cut = f"{tmp_path / 'cut.npz'},{toy()}"
    result = shell.run(*words("--methods", "coop,rlp", "--seeds", 1, "--datasets", cut), exit_code=1)
    assert "is no .npz file" in result.stderr and "2 of 4 runs failed" in result.stderr
    assert "toy" in result.stdout and "cut" not in result.stdout


def test_what_cannot_be_measured_is_told_before_and_the_others_go_on(
    shell: Any, words: Any, tmp_path: Path
) -> None:
    given = words("--methods", "coop,ivlp,rlp:rank=9", "--seeds", 1)
    result = shell.run(*given, exit_code=1)
    for name in ("note", "error"):
        assert f"{name}: 1 run cannot be made: toy: a feature file has no images" in result.stderr
        assert f"{name}: 1 run cannot be made: rank=9" in result.stderr
    assert "coop" in result.stdout and "ivlp" not in result.stdout
    assert len(list((tmp_path / "rows").glob("*.json"))) == 1
    assert len(shell.json(*given, exit_code=1)["refused"]) == 2


@pytest.mark.slow
def test_in_processes_the_numbers_are_the_same(shell: Any, words: Any, tmp_path: Path) -> None:
    plain = shell.json(*words())
    made = shell.json(*words("--engine", "processes", "--workers", 2, "--out", tmp_path / "others"))
    assert len(made["done"]) == 4 and made["refused"] == []
    for one, other in zip(plain["rows"], made["rows"], strict=True):
        assert one["key"] == other["key"]
        for point, same in zip(one["points"], other["points"], strict=True):
            assert (point["base"], point["new"]) == pytest.approx((same["base"], same["new"]))
