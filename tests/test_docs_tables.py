"""Tables in the documentation are those of the committed rows."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from benchmarks.claim_page import page as claim_page
from benchmarks.methods import table
from benchmarks.packed import pack, unpack
from benchmarks.rlp_defaults import table as chosen_from
from benchmarks.rows import read_rows

from promptlet import PromptClassifier
from promptlet.protocols import RunStore
from promptlet.report import summarise
from promptlet.report.formats.markdown import markdown_report

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("group", ["text-methods", "image-methods"])
def test_the_methods_page_shows_the_committed_rows(group: str) -> None:
    page = (ROOT / "docs" / "results" / "methods.md").read_text(encoding="utf-8")
    lines = table(ROOT / "benchmarks" / "results" / group).splitlines()
    assert len(lines) > 10
    assert [line for line in lines if line not in page] == []


def test_the_page_on_real_clip_features_is_that_of_the_packed_records(tmp_path: Path) -> None:
    packed = ROOT / "benchmarks" / "results" / "real-clip-caltech101.jsonl.gz"
    assert unpack(packed, tmp_path / "runs") == 27
    page = (ROOT / "docs" / "results" / "caltech101-real-clip.md").read_text(encoding="utf-8")
    assert page.endswith(markdown_report(summarise(RunStore(tmp_path / "runs"))))
    assert pack(tmp_path / "runs", tmp_path / "again.gz") == 27
    again = (tmp_path / "again.gz").read_bytes()
    assert gzip.decompress(again) == gzip.decompress(packed.read_bytes())
    assert again[3:8] == bytes(5)  # neither a name nor a time


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
    again = PromptClassifier.load("pets.prompt").predict(np.load("images.npy"))
    assert np.mean(again == labels) > 0.9


def test_the_page_of_the_claim_is_that_of_its_rows() -> None:
    rows = read_rows(ROOT / "benchmarks" / "results" / "claim.jsonl.gz")
    page = (ROOT / "docs" / "results" / "claim.md").read_text(encoding="utf-8")
    assert page.endswith(claim_page(rows).strip() + "\n")


def test_the_tables_of_settings_and_rules_are_those_of_their_rows() -> None:
    rows = read_rows(ROOT / "benchmarks" / "results" / "rlp-defaults.jsonl.gz")
    settings = (ROOT / "docs" / "explanation" / "rlp-defaults.md").read_text(encoding="utf-8")
    rules = (ROOT / "docs" / "explanation" / "new-names.md").read_text(encoding="utf-8")
    assert chosen_from(rows, ("learned", "zero-shot", "")) in settings
    some = [row for row in rows if row["method"] in ("coop", "kgcoop", "rlp:rank=2")]
    assert chosen_from(some) in rules
