"""Few-shot, cross-dataset and domain-shift in reports, against numbers computed by hand; older stores."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from promptlet.protocols import RunStore
from promptlet.protocols.runs import Run
from promptlet.report import render, summarise

COMMITTED = Path(__file__).parents[2] / "benchmarks" / "results" / "mini"


def run(protocol: str, dataset: str, method: str = "rlp", **changes: Any) -> Run:
    values: dict[str, Any] = {"options": {"rank": 1}, "settings": {"name": "fast", "lr": 0.03}, "seed": 1}
    values |= {"data": f"{dataset}-1", "views": 1, "sampler": "coop", "shots": 16, "fingerprint": "a-b-c"}
    if protocol != "few-shot":
        values |= {"source": "imagenet", "source_data": "i-1"}
    return Run(
        **{**values, "protocol": protocol, "dataset": dataset, "method": method, "dtype": "f", **changes}
    )


def put(store: RunStore, one: Run, accuracy: float, **more: float) -> None:
    numbers = {"ece": 4.0, "macro_f1": accuracy - 1, "trainable": 516, "file_bytes": 2600, "seconds": 3.0}
    record = {"source": "/data/somewhere", **one.describe(), "accuracy": accuracy, **numbers, **more}
    store.write(one.key, {"status": "done", **record})


def test_few_shot_rows_are_means_over_seeds_and_data_sets_by_shots(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for shots, dataset, seed, accuracy in (
        *((1, "pets", 1, 50.0), (1, "pets", 2, 54.0), (1, "cars", 1, 30.0), (1, "cars", 2, 30.0)),
        *((4, "pets", 1, 70.0), (4, "pets", 2, 70.0)),
    ):
        put(store, run("few-shot", dataset, shots=shots, seed=seed), accuracy)
    summary = summarise(store)
    found = {(row["dataset"], row["shots"]): row for row in summary.rows}
    assert set(found) == {("pets", 1), ("cars", 1), ("average", 1), ("pets", 4)}
    pets = found["pets", 1]
    assert (pets["accuracy"], pets["accuracy_std"], pets["macro_f1"], pets["ece"]) == (52.0, 2.0, 51.0, 4.0)
    assert pets["seeds"] == [1, 2] and "H" not in pets and "source" not in pets
    average = found["average", 1]
    assert (average["accuracy"], average["accuracy_std"], average["datasets"]) == (
        41.0,
        1.0,
        ["cars", "pets"],
    )
    promised = {"protocol", "dataset", "method", "shots", "seeds", "accuracy", "accuracy_std", "ece"}
    promised |= {"macro_f1", "trainable", "file_bytes", "seconds", "peak_memory"}
    assert promised < set(json.loads(json.dumps(summary.to_json()))["summary"][0])
    lines = render(summary).splitlines()
    assert lines[0] == "### few-shot"
    assert lines[2].startswith("| data set | method | schedule | shots | seeds | accuracy | ECE | macro-F1 |")
    assert "| pets | rlp | fast | 1 | 1,2 | 52.00 ± 2.00 | 4.0 | 51.00 | 516 | 2,600 | 3.0 | - |" in lines


@pytest.mark.parametrize("protocol", ["cross-dataset", "domain-shift"])
def test_transfers_show_the_accuracy_on_their_source(protocol: str, tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for dataset, seed, accuracy, own in (
        *(("pets", 1, 80.0, 71.0), ("pets", 2, 84.0, 73.0)),
        *(("cars", 1, 60.0, 71.0), ("cars", 2, 60.0, 73.0)),
    ):
        put(store, run(protocol, dataset, seed=seed), accuracy, source_accuracy=own)
    other = run(protocol, "pets", source="places", source_data="p-1")
    put(store, other, 40.0, source_accuracy=50.0)
    summary = summarise(store)
    assert [(row["dataset"], row["source"], row["label"]) for row in summary.rows] == [
        *(("cars", "imagenet", "rlp"), ("pets", "imagenet", "rlp"), ("pets", "places", "rlp")),
        ("average", "imagenet", "rlp"),
    ]
    average = summary.rows[-1]
    assert (average["accuracy"], average["source_accuracy"]) == (71.0, 72.0)
    assert (average["accuracy_std"], average["source_accuracy_std"]) == (1.0, 1.0)
    text = render(summary)
    assert f"### {protocol}" in text and "| macro-F1 | source | on source | numbers |" in text
    assert "| 82.00 ± 2.00 | 4.0 | 81.00 | imagenet | 72.00 ± 1.00 | 516 |" in text
    [cars, *_] = csv.DictReader(io.StringIO(render(summary, "csv")))
    assert (cars["source"], cars["accuracy"], cars["source_accuracy"]) == ("imagenet", "60.0", "72.0")
    assert summary.problems == []


def test_a_source_whose_content_changed_is_another_row(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for data in ("i-1", "i-2"):
        put(store, run("cross-dataset", "pets", source_data=data), 80.0, source_accuracy=70.0)
    labels = sorted(row["label"] for row in summarise(store).rows)
    assert labels == ["rlp (source_data=i-1)", "rlp (source_data=i-2)"]


def test_what_is_missing_is_shown_in_its_own_table(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run("few-shot", "pets"), 50.0)
    broken = run("cross-dataset", "pets", "linear_probe", options={})
    store.write(broken.key, {"status": "failed", **broken.describe(), "reason": "cannot do it"})
    plan = [run("few-shot", "pets", seed=2), run("domain-shift", "sketches", seed=3), broken]
    store.write_plan([one.describe() for one in plan])
    summary = summarise(store)
    assert {(e["protocol"], e.get("source"), *e["missing"], *e["reasons"]) for e in summary.incomplete} == {
        ("few-shot", None, 2), ("domain-shift", "imagenet", 3), ("cross-dataset", "imagenet", "cannot do it")
    }  # fmt: skip
    text = render(summary)
    tables = text.split("### ")[1:]
    assert [part.split("\n")[0] for part in tables] == ["few-shot", "cross-dataset", "domain-shift"]
    for part in tables:
        assert len({line.count("|") for line in part.splitlines() if line.startswith("|")}) == 1
    assert "| sketches | rlp (rank=1) | fast | 16 | missing: seed 3 |  |  |  | imagenet |" in text
    assert ": cannot do it" in text


def test_a_store_of_base_to_new_alone_reads_as_before(tmp_path: Path) -> None:
    summary = summarise(RunStore(COMMITTED))
    assert {row["protocol"] for row in summary.rows} == {"base-to-new"}
    assert summary.problems == [] == summary.incomplete
    first = list(summary.rows[0])
    assert first[:11] == [
        *("protocol", "dataset", "method", "shots", "seeds"),
        *("base", "new", "H", "base_std", "new_std", "H_std"),
    ]
    assert "accuracy" not in first and "source" not in first
    columns = render(summary, "csv").splitlines()[0].split(",")
    assert columns == [
        *("protocol", "dataset", "method", "schedule", "shots", "seeds", "base", "new", "H"),
        *("base_std", "new_std", "H_std", "base_ece", "new_ece", "base_macro_f1", "new_macro_f1"),
        *("trainable", "file_bytes", "seconds", "peak_memory"),
        *("state", "reason", "views", "sampler", "dtype", "backbone", "fingerprint", "data"),
        *("source_data", "options", "settings", "keys"),
    ]


def test_all_protocols_in_one_csv(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run("few-shot", "pets"), 50.0)
    put(store, run("cross-dataset", "pets"), 60.0, source_accuracy=70.0)
    both = dict.fromkeys(("base", "new", "base_ece", "new_ece", "base_macro_f1", "new_macro_f1"), 5.0)
    put(store, run("base-to-new", "pets", source=None, source_data=None), 1.0, **both)
    rows = {row["protocol"]: row for row in csv.DictReader(io.StringIO(render(summarise(store), "csv")))}
    assert (rows["few-shot"]["accuracy"], rows["few-shot"]["base"], rows["few-shot"]["source"]) == (
        "50.0",
        "",
        "",
    )
    assert (rows["base-to-new"]["H"], rows["base-to-new"]["accuracy"]) == ("5.0", "")
    assert rows["cross-dataset"]["source_accuracy"] == "70.0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "next-year"}, "the protocol 'next-year' is not known"),
        ({"source_data": None}, "source_data is None"),
        ({"source_accuracy": "high"}, "source_accuracy is 'high'"),
    ],
)
def test_records_that_make_no_sense_are_left_out(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    store, one = RunStore(tmp_path), run("cross-dataset", "pets")
    put(store, one, 60.0, source_accuracy=70.0)
    [path] = tmp_path.glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    summary = summarise(store)
    assert summary.rows == [] and message in summary.problems[0] and path.name in summary.problems[0]
