"""Tables in the documentation are those of the committed rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.beds import records_in
from benchmarks.check import markdown as check_table
from benchmarks.claim_page import page as claim_page
from benchmarks.methods import table
from benchmarks.own_images import markdown as own_images_tables
from benchmarks.peers.page import page as peers_page
from benchmarks.rejection.page import page as rejection_page
from benchmarks.rlp_defaults import table as chosen_from
from benchmarks.rows import read_rows
from benchmarks.search.page import page as search_page

from promptlet import PromptClassifier
from promptlet.protocols import RunStore
from promptlet.protocols.plan.studies import find_study
from promptlet.report import render, summarise
from promptlet.report.formats.markdown.report import markdown_report
from promptlet.report.formats.markdown.study import study_markdown
from promptlet.report.statistics.studies import summarise_study

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@pytest.mark.parametrize("group", ["text-methods", "image-methods"])
def test_the_methods_page_shows_the_committed_rows(group: str) -> None:
    page = (ROOT / "docs" / "results" / "methods.md").read_text(encoding="utf-8")
    lines = table(RESULTS / f"{group}.jsonl.gz").splitlines()
    assert len(lines) > 10
    assert [line for line in lines if line not in page] == []


def test_the_page_on_real_clip_features_is_that_of_the_packed_records() -> None:
    page = (ROOT / "docs" / "results" / "caltech101-real-clip.md").read_text(encoding="utf-8")
    assert page.endswith(markdown_report(summarise(RunStore(RESULTS / "real-clip-caltech101.jsonl.gz"))))


def test_the_page_on_none_of_these_is_that_of_its_rows() -> None:
    page = (ROOT / "docs" / "results" / "rejection.md").read_text(encoding="utf-8")
    assert page.endswith(rejection_page(json.loads((RESULTS / "rejection.json").read_text(encoding="utf-8"))))


def test_the_page_on_search_is_that_of_its_rows() -> None:
    page = (ROOT / "docs" / "results" / "search.md").read_text(encoding="utf-8")
    assert page.endswith(search_page(json.loads((RESULTS / "search.json").read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    ("page", "rows", "published"),
    [
        ("mini-base-to-new", "base-to-new-mini", False),
        ("mini-few-shot", "few-shot-mini", False),
        ("mini-transfer", "transfer", False),
        ("caltech101-base-to-new", "text-methods", True),
        ("caltech101-few-shot", "few-shot", True),
    ],
)
@pytest.mark.slow
def test_a_page_of_results_is_that_of_its_pack(page: str, rows: str, published: bool) -> None:
    summary = summarise(RunStore(RESULTS / f"{rows}.jsonl.gz"))
    committed = (ROOT / "docs" / "results" / f"{page}.md").read_text(encoding="utf-8")
    assert render(summary, published=published) == committed


@pytest.mark.parametrize("name", ["rank", "rank-grid", "length", "dropout", "start", "density"])
def test_a_page_of_a_study_is_that_of_its_pack(name: str) -> None:
    study = find_study(name)
    text = study_markdown(summarise_study(RunStore(RESULTS / "studies.jsonl.gz"), study), study)
    page = ROOT / "docs" / "results" / f"caltech101-study-{name}.md"
    assert text == page.read_text(encoding="utf-8")


def test_the_committed_rows_are_few_and_small() -> None:
    files = [path for path in RESULTS.rglob("*") if path.is_file() and "trained" not in path.parts]
    assert len(files) < 60 and sum(path.stat().st_size for path in files) < 6_000_000


def test_the_page_on_features_shows_what_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "how-to" / "features.md").read_text(encoding="utf-8")
    draw = np.random.default_rng(0)
    labels = np.array(["cat", "dog", "golden retriever"] * 4)
    np.save(tmp_path / "class_texts.npy", np.eye(8)[:3] + 0.1 * draw.normal(size=(3, 8)))
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "images.npy", np.eye(8)[np.arange(12) % 3] + 0.01 * draw.normal(size=(12, 8)))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    again = PromptClassifier.load("pets.prompt", "features:texts.npz").predict(np.load("images.npy"))
    assert np.mean(again == labels) > 0.9


def test_the_page_of_the_claim_is_that_of_its_rows() -> None:
    rows = records_in(RESULTS / "claim.jsonl.gz")
    page = (ROOT / "docs" / "results" / "claim.md").read_text(encoding="utf-8")
    assert page.endswith(claim_page(rows).strip() + "\n")


def test_the_page_of_the_peers_is_that_of_its_rows() -> None:
    rows = records_in(RESULTS / "peers.jsonl.gz")
    page = (ROOT / "docs" / "results" / "peers.md").read_text(encoding="utf-8")
    assert page.endswith(peers_page(rows).strip() + "\n")


def test_the_tables_of_settings_and_rules_are_those_of_their_rows() -> None:
    rows = read_rows(RESULTS / "rlp-defaults.jsonl.gz")
    settings = (ROOT / "docs" / "explanation" / "rlp-defaults.md").read_text(encoding="utf-8")
    rules = (ROOT / "docs" / "explanation" / "new-names.md").read_text(encoding="utf-8")
    assert chosen_from(rows, ("learned", "zero-shot", "")) in settings
    some = [row for row in rows if row["method"] in ("coop", "kgcoop", "rlp:rank=2")]
    assert chosen_from(some) in rules


def test_the_page_on_cleaning_a_folder_shows_the_committed_rows() -> None:
    page = (ROOT / "docs" / "how-to" / "clean-a-folder.md").read_text(encoding="utf-8")
    rows = json.loads((RESULTS / "check.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 8 and check_table(rows) in page


def test_the_page_on_estimates_shows_the_committed_rows() -> None:
    rows = json.loads((RESULTS / "own-images.json").read_text(encoding="utf-8"))["rows"]
    page = (ROOT / "docs" / "results" / "own-images.md").read_text(encoding="utf-8")
    assert page.endswith(own_images_tables(rows)) and len(rows) == 5 * 2 * 7


def test_the_page_on_how_many_photos_shows_the_committed_rows() -> None:
    page = (ROOT / "docs" / "how-to" / "how-many-photos.md").read_text(encoding="utf-8")
    rows = json.loads((RESULTS / "how-many-photos.json").read_text(encoding="utf-8"))["rows"]
    for shots in (4, 8, 16, 32):
        some = [row for row in rows if row["shots"] == shots]
        means = {key: np.mean([row[key] for row in some]) for key in ("estimate", "low", "high")}
        true = [row["test_accuracy"] for row in some]
        held = sum(row["low"] <= row["test_accuracy"] <= row["high"] for row in some)
        line = (
            f"| {shots} | {some[0]['images']} | {means['estimate']:.1f} | {means['low']:.1f} to "
            f"{means['high']:.1f} | {means['high'] - means['low']:.1f} | {np.mean(true):.1f} | "
            f"{min(true):.1f} to {max(true):.1f} | {held} of {len(some)} |"
        )
        assert len(some) == 5 and line in page, line
