"""Few-shot, cross-dataset and domain-shift in reports, against numbers computed by hand; older stores."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from promptlet.protocols import RunStore
from promptlet.protocols.records.runs import Run
from promptlet.report import render, summarise

COMMITTED = Path(__file__).parents[2] / "benchmarks" / "results" / "mini.jsonl.gz"


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


def test_rows_of_all_names_at_once(book: Any) -> None:
    for dataset, seed, *scores in (
        *(("pets", 1, 60.0, 40.0, 90.0, 30.0), ("pets", 2, 64.0, 48.0, 70.0, 70.0)),  # H 45 and 70
        *(("cars", 1, 50.0, 30.0, 60.0, 60.0), ("cars", 2, 50.0, 32.0, 60.0, 60.0)),
    ):
        book.write("coop", seed, *scores, dataset=dataset)
    summary = summarise(book.store)
    cars, pets, average = summary.rows
    assert (pets["all"], pets["all_std"], pets["openworld_auc"], pets["openworld_auc_std"]) == (62, 2, 44, 4)
    assert (pets["base"], pets["new"], pets["H"]) == (80, 50, pytest.approx(2 * 80 * 50 / 130))
    assert (pets["H_std"], pets["all_base"], pets["all_base_std"]) == (12.5, 71, 0)  # of 45 and 70
    assert (cars["detection_auc"], cars["all_ece"], cars["all_macro_f1"], cars["new_ece"]) == (90, 6, 7, 5)
    assert (average["all"], average["openworld_auc"], average["openworld_auc_std"]) == (56, 37.5, 2.5)
    assert average["H"] == pytest.approx(2 * 70 * 55 / 125)  # of the averages, 70 and 55
    lines = render(summary).splitlines()
    assert lines[0] == "### all-names" and lines[2].startswith(
        "| data set | method | schedule | shots | seeds | all | on base/new | OpenworldAUC | base | new | H |"
    )
    assert (
        "| pets | coop | fast | 16 | 1,2 | 62.00 ± 2.00 | 71.0/52.0 | 44.00 ± 4.00 | 80.00 ± 10.00 | "
        "50.00 ± 20.00 | 61.54 ± 12.50 | 6.0 | 2,048 | 2,600 | 2.0 | 3 |" in lines
    )
    assert any(line.startswith("all: base and new test images among") for line in lines)
    columns = render(summary, "csv").splitlines()[0].split(",")
    assert columns[7:23] == [
        *("all", "all_base", "all_new", "openworld_auc", "detection_auc", "base", "new", "H"),
        *("all_std", "all_base_std", "all_new_std", "openworld_auc_std", "detection_auc_std"),
        *("base_std", "new_std", "H_std"),
    ]
    assert columns[23:25] == ["all_ece", "all_macro_f1"]


def test_all_names_stands_beside_base_to_new_and_is_never_averaged_with_it(book: Any) -> None:
    for dataset in ("pets", "cars"):
        book.write("coop", 1, 80.0, 60.0, dataset=dataset)
        book.write("coop", 1, 65.0, 40.0, 90.0, 70.0, dataset=dataset)
    rows = {(row["protocol"], row["dataset"]): row for row in summarise(book.store).rows}
    assert (rows["base-to-new", "average"]["base"], rows["all-names", "average"]["base"]) == (80.0, 90.0)
    csv_rows = list(csv.DictReader(io.StringIO(render(summarise(book.store), "csv"))))
    assert {(row["protocol"], row["all"], row["base"]) for row in csv_rows} == {
        *(("base-to-new", "", "80.0"), ("all-names", "65.0", "90.0"))
    }
    asked = book.run("rlp", 1, "all-names", "pets")
    book.store.write_plan([asked.describe()])
    text = render(summarise(book.store))
    assert [part.split("\n")[0] for part in text.split("### ")[1:]] == ["all-names", "base-to-new"]
    for part in text.split("## Differences")[0].split("### ")[1:]:
        assert len({line.count("|") for line in part.splitlines() if line.startswith("|")}) == 1


def test_the_paper_of_the_area_is_quoted_where_it_was_measured(book: Any) -> None:
    book.write("coop", 1, 80.0, 60.0)
    assert "hua2025openworldauc" not in render(summarise(book.store))
    book.write("coop", 1, 65.0, 40.0, 90.0, 70.0)
    text = render(summarise(book.store))
    methods, measures = text.split("Papers of these methods:")[1].split("Papers of these measures:")
    assert "zhou2022coop" in methods and "hua2025openworldauc" not in methods
    assert measures.count("hua2025openworldauc") == 1 and "zhou2022coop" not in measures
    keys = [entry.split("{")[1].split(",")[0] for entry in summarise(book.store).to_json()["bibtex"]]
    assert keys == ["zhou2022coop", "hua2025openworldauc"]


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
        *("protocol", "dataset", "method", "schedule", "shots", "seeds", "effective_seeds"),
        *("base", "new", "H"),
        *("base_std", "new_std", "H_std", "base_ece", "new_ece", "base_macro_f1", "new_macro_f1"),
        *("trainable", "file_bytes", "seconds", "peak_memory"),
        *("state", "reason", "views", "sampler", "dtype", "backbone", "fingerprint", "data"),
        *("source_data", "draws", "chosen", "chosen_why", "options", "settings", "keys", "crops"),
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
