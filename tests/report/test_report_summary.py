"""Reports on records written by hand, against numbers computed by hand."""

from __future__ import annotations

import csv
import io
import json
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptlet.errors import OptionError
from promptlet.protocols import RunStore
from promptlet.protocols.records.runs import Run
from promptlet.report import render, summarise


def run(dataset: str = "pets", method: str = "rlp", seed: int = 1, **changes: Any) -> Run:
    options = {"rank": 1} if method == "rlp" else {"template": f"a {dataset} {{}}."}
    settings = {"name": "fast", "lr": 0.03} if method == "rlp" else {}
    values: dict[str, Any] = {
        "options": options, "settings": settings, "data": f"{dataset}-1", "views": 1, "sampler": "coop"
    }  # fmt: skip
    values |= {"shots": 16, "fingerprint": "a-b-c", "dtype": "float32"} | changes
    return Run(protocol="base-to-new", dataset=dataset, method=method, seed=seed, **values)


def put(store: RunStore, one: Run, base: float, new: float) -> None:
    scores = dict.fromkeys(("base_ece", "new_ece", "base_macro_f1", "new_macro_f1"), 5.0)
    numbers = {
        "base": base,
        "new": new,
        "trainable": 516,
        "file_bytes": 2600 + one.seed,
        "seconds": 2.0 * one.seed,
    }
    store.write(one.key, {"status": "done", **one.describe(), **numbers, **scores})


def test_h_is_that_of_the_means(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for seed, base, new in ((1, 90.0, 30.0), (2, 70.0, 70.0), (0, 80.0, 50.0)):
        put(store, run(seed=seed), base, new)
    [row] = summarise(store).rows
    assert row["seeds"] == [0, 1, 2] and row["label"] == row["method"] == "rlp"
    assert (row["base"], row["new"]) == (80.0, 50.0)
    assert row["H"] == pytest.approx(2 * 80 * 50 / 130)  # the mean of the H of each seed would be 58.8
    assert row["base_std"] == pytest.approx((200 / 3) ** 0.5)  # population
    assert row["H_std"] == pytest.approx(statistics.pstdev([45.0, 70.0, 800 / 13]))  # of the H of each seed
    assert (row["seconds"], row["file_bytes"], row["trainable"]) == (2.0, 2602, 516)


def test_failures_of_one_method_are_told_apart(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for dropout in (0.0, 0.3):
        one = run(options={"rank": 1, "dropout": dropout})
        store.write(one.key, {"status": "failed", **one.describe(), "reason": "no images"})
    alone = run("cars", options={"rank": 2})
    store.write(alone.key, {"status": "failed", **alone.describe(), "reason": "no images"})
    labels = [entry["label"] for entry in summarise(store).incomplete]
    assert labels == ["rlp (rank=2)", "rlp (dropout=0.0)", "rlp (dropout=0.3)"]
    assert "rlp (dropout=0.3) | fast | 16 | failed: seed 1" in render(summarise(store))


@pytest.mark.parametrize("others", [[], ["pets"]])
def test_a_data_set_called_average_is_not_the_average(others: list[str], tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run("average"), 80.0, 60.0)
    for name in others:
        put(store, run(name), 40.0, 20.0)
    rows = {row["dataset"]: row["base"] for row in summarise(store).rows}
    assert rows["average (data set)"] == 80.0 and rows.get("average", 60.0) == 60.0
    for form in ("markdown", "html", "latex", "csv"):
        assert "average (data set)" in str(render(summarise(store), form))


def test_average_h_is_that_of_the_averages(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run("pets"), 90.0, 30.0)
    put(store, run("cars"), 30.0, 90.0)
    put(store, run("pets", "zero_shot"), 60.0, 60.0)
    put(store, run("cars", "zero_shot"), 40.0, 20.0)
    summary = summarise(store)
    averages = {row["method"]: row for row in summary.rows if row["dataset"] == "average"}
    assert (averages["rlp"]["base"], averages["rlp"]["new"], averages["rlp"]["H"]) == (60.0, 60.0, 60.0)
    assert averages["zero_shot"]["H"] == pytest.approx(2 * 50 * 40 / 90)  # over templates of their own
    assert averages["rlp"]["datasets"] == ["cars", "pets"]
    assert [row["dataset"] for row in summary.rows] == ["cars", "cars", "pets", "pets", "average", "average"]


def test_deviations_of_averages_are_means_of_deviations(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for dataset, seed, base, new in (
        *(("pets", 1, 90.0, 30.0), ("pets", 2, 70.0, 70.0)),  # H 45 and 70
        *(("cars", 1, 60.0, 60.0), ("cars", 2, 64.0, 64.0)),
    ):
        put(store, run(dataset, seed=seed), base, new)
    summary = summarise(store)
    cars, pets, average = summary.rows
    assert (cars["H_std"], pets["H_std"], average["H_std"]) == pytest.approx((2.0, 12.5, 7.25))
    assert (average["base_std"], average["new_std"]) == (6.0, 11.0)
    assert "| average | rlp | fast | 16 | 1,2 | 71.00 ± 6.00 | 56.00 ± 11.00 | 62.61 ± 7.25 |" in render(
        summary
    )


def test_one_seed_has_no_deviation_in_tables(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run(), 60.0, 60.0)
    text = render(summarise(store))
    assert "| 60.00 | 60.00 | 60.00 |" in text and "±" not in text


def test_no_average_over_different_data_sets(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run("pets"), 90.0, 30.0)
    put(store, run("cars", "zero_shot"), 40.0, 20.0)
    put(store, run("pets", "zero_shot"), 40.0, 20.0)
    summary = summarise(store)
    assert [row["method"] for row in summary.rows if row["dataset"] == "average"] == ["zero_shot"]
    assert summary.problems == ["rlp: no average, there are no results on cars"]


def test_rows_of_one_method_are_told_apart(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run(), 90.0, 30.0)
    put(store, run(options={"rank": 2}), 91.0, 31.0)
    put(store, run(settings={"name": "coop", "lr": 0.01}), 92.0, 32.0)
    rows = summarise(store).rows
    assert sorted((row["label"], row["schedule"]) for row in rows) == [
        ("rlp", "coop"), ("rlp (rank=1)", "fast"), ("rlp (rank=2)", "fast")
    ]  # fmt: skip


def coded(code: str, **changes: Any) -> Run:
    return replace(run(method="mine", **changes), code=code)


def test_failures_of_code_that_was_replaced_and_works_are_gone(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for code in ("a", "b"):
        broken = coded(code, seed=1)
        store.write(broken.key, {"status": "failed", **broken.describe(), "reason": f"bug {code}"})
        store.write_plan([coded(code, seed=seed).describe() for seed in (1, 2)])
    entries = summarise(store).incomplete
    assert [entry["label"] for entry in entries] == ["mine (code=a)", "mine (code=b)"]
    put(store, coded("c", seed=1), 90.0, 30.0)
    store.write_plan([coded("c", seed=seed).describe() for seed in (1, 2)])
    missing = [(entry["label"], entry["missing"], entry["failed"]) for entry in summarise(store).incomplete]
    assert ("mine (code=c)", [2], []) in missing and all(failed == [] for _, _, failed in missing)
    put(store, coded("c", seed=2), 90.0, 30.0)
    assert summarise(store).incomplete == []


def test_a_method_of_which_there_are_several_codes_always_tells_which(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for code, dataset in (("a", "pets"), ("a", "cars"), ("b", "pets")):
        put(store, coded(code, dataset=dataset), 90.0, 30.0)
    labels = {(row["dataset"], row["label"]) for row in summarise(store).rows}
    assert {("pets", "mine (code=a)"), ("pets", "mine (code=b)"), ("cars", "mine (code=a)")} <= labels
    assert not any(label == "mine" for _, label in labels)


def test_what_is_missing_or_failed_is_shown(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run(seed=1), 90.0, 30.0)
    broken = run(seed=2)
    store.write(broken.key, {"status": "failed", **broken.describe(), "reason": "the loss became nan"})
    store.write_plan([run(seed=seed).describe() for seed in (1, 2, 3)])
    summary = summarise(store)
    [entry] = summary.incomplete
    assert (entry["missing"], entry["failed"], entry["reasons"]) == ([3], [2], ["the loss became nan"])
    assert summary.rows[0]["seeds"] == [1]
    text = render(summary)
    assert "missing: seed 3; failed: seed 2" in text
    assert "- failed: pets rlp (rank=1): the loss became nan" in text
    repaired = run(seed=2, data="pets-2")  # failed data, repaired: other content, same row
    put(store, repaired, 90.0, 30.0)
    assert summarise(store).incomplete[0]["failed"] == []


def test_files_not_trusted_are_told(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text("{")
    summary = summarise(RunStore(tmp_path))
    assert summary.rows == [] and "odd.json: damaged" in summary.problems[0]
    assert "odd.json" in render(summary)
    (tmp_path / "odd.json").unlink()
    assert render(summarise(RunStore(tmp_path))) == "no results yet\n"


def test_json_and_tables(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for seed in (1, 2):
        put(store, run(seed=seed), 80.0 + seed, 50.0)
    summary = summarise(store)
    document = json.loads(json.dumps(summary.to_json(), allow_nan=False))
    assert document["schema"] == 1
    promised = {"protocol", "dataset", "method", "shots", "seeds", "base", "new", "H", "trainable"}
    promised |= {"file_bytes", "seconds"}
    assert promised < set(document["summary"][0])
    lines = render(summary).splitlines()
    assert lines[0] == "### base-to-new" and len({line.count("|") for line in lines[2:5]}) == 1
    assert "| pets | rlp | fast | 16 | 1,2 | 81.50 ± 0.50 | 50.00 ± 0.00 | 61.98 ± 0.14 |" in lines[4]
    [row] = csv.DictReader(io.StringIO(render(summary, "csv")))
    assert row["dataset"] == "pets" and float(row["base"]) == 81.5 and row["seeds"] == "1 2"
    with pytest.raises(OptionError, match="format='xml' is not known"):
        render(summary, "xml")


def test_the_papers_of_what_was_run_are_quoted_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run("pets"), 90.0, 30.0)
    put(store, run("cars"), 30.0, 90.0)
    put(store, run("pets", "zero_shot"), 60.0, 60.0)
    text = render(summarise(store))
    assert text.count("hao2023rlp") == text.count("radford2021clip") == 1
    assert "zhou2022coop" not in text
    entries = summarise(store).to_json()["bibtex"]
    assert [entry.split("{")[1].split(",")[0] for entry in entries] == ["hao2023rlp", "radford2021clip"]


def test_a_report_needs_no_torch() -> None:
    code = "import sys, promptlet.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_average_over_different_seeds(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for dataset, seed in (("pets", 1), ("pets", 2), ("cars", 1)):
        put(store, run(dataset, seed=seed), 90.0, 30.0)
    summary = summarise(store)
    assert "average" not in [row["dataset"] for row in summary.rows]
    assert summary.problems == ["rlp: no average, the data sets have different seeds"]


def test_official_settings_of_before_are_told(tmp_path: Path) -> None:
    store, official = RunStore(tmp_path), {"name": "official", "lr": 0.002}
    put(store, run(settings=official), 90.0, 30.0)
    put(store, run(settings=official, seed=2), 90.0, 31.0)
    (problem,) = summarise(store).problems
    assert problem.startswith("rlp: ") and "before version 0.2.0" in problem
    for seed in (1, 2):
        record = store.read(run(settings=official, seed=seed).key)
        store.write(record["key"], {**record, "official": {"protocol": "base-to-new"}})
    assert summarise(store).problems == []
