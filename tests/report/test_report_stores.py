"""Several folders as one, folders without runs, files that no table can show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptlet.errors import DataError
from promptlet.report import check_holds_runs, paired_differences, summarise


def test_folders_are_merged_and_a_run_in_both_counts_once(book: Any, another_book: Any) -> None:
    book.write("zero_shot", 1, 60.0)
    book.write("coop", 1, 70.0)
    another_book.write("coop", 1, 70.0, more={"seconds": 99.0})
    another_book.write("coop", 2, 72.0)
    summary = summarise([book.store, another_book.store])
    coop = next(row for row in summary.rows if row["method"] == "coop")
    assert (coop["seeds"], coop["accuracy"], coop["seconds"]) == ([1, 2], 71.0, 2.0)
    assert summary.problems == [] and len(summary.runs) == 3
    assert [row.seeds for row in paired_differences(summary).rows] == [(1,)]


def test_other_numbers_of_the_same_run_are_told(book: Any, another_book: Any) -> None:
    one = book.write("coop", 1, 70.0)
    book.write("coop", 2, 70.0)
    another_book.write("coop", 1, 71.5)
    another_book.write("coop", 2, 70.00001)  # rounding
    [note] = summarise([book.store, another_book.store]).problems
    assert f"1 run is in both {book.store.folder} and {another_book.store.folder}" in note
    assert f"by up to 1.50 points ({one.key}); those of {book.store.folder} were taken" in note
    assert summarise([another_book.store, book.store]).rows[0]["accuracy"] == pytest.approx(70.75, abs=1e-4)


def test_what_failed_in_one_folder_may_be_finished_in_another(book: Any, another_book: Any) -> None:
    book.fail("coop", 1, "no memory", protocol="few-shot")
    another_book.write("coop", 1, 70.0)
    for stores in ([book.store, another_book.store], [another_book.store, book.store]):
        summary = summarise(stores)
        assert summary.incomplete == [] and summary.rows[0]["accuracy"] == 70.0


def test_averages_of_two_backbones_are_told_apart(book: Any, another_book: Any) -> None:
    other = {"backbone": {"name": "other", "fingerprint": "d-e-f"}}
    for dataset in ("pets", "cars"):
        book.write("coop", 1, 70.0, dataset=dataset)
        another_book.write("coop", 1, 60.0, dataset=f"other {dataset}", fingerprint="d-e-f", more=other)
    rows = summarise([book.store, another_book.store]).rows
    averages = {row["label"]: row["accuracy"] for row in rows if row["dataset"] == "average"}
    assert averages == {"coop (backbone=mini)": 70.0, "coop (backbone=other)": 60.0}


def test_a_folder_without_runs_is_told_with_what_is_in_it(book: Any, another_book: Any) -> None:
    folder = book.store.folder
    folder.mkdir()
    with pytest.raises(DataError, match=r"no run to report\. .*runs: the folder is empty"):
        check_holds_runs([book.store])
    (folder / "notes.txt").write_text("")
    with pytest.raises(DataError, match=r"no JSON file \(other files: 1\)"):
        check_holds_runs([book.store])
    for i in range(5):
        (folder / f"old{i}.json").write_text(json.dumps({"schema": 0, "status": "done"}))
    with pytest.raises(DataError) as caught:
        check_holds_runs([book.store])
    words = str(caught.value)
    assert "among 5 JSON files (5 with schema 0; this version of Promptlet reads schema 1)" in words
    assert "old0.json: has schema 0" in words and "old3.json" not in words and "and 2 more" in words
    another_book.write("coop", 1, 70.0)
    check_holds_runs([book.store, another_book.store])
    problems = summarise([book.store, another_book.store]).problems
    assert sum("has schema 0" in problem for problem in problems) == 5
    assert any(problem.startswith(f"{folder}: no run that can be read") for problem in problems)


def test_what_was_only_asked_for_or_failed_is_a_report(book: Any) -> None:
    book.fail("coop", 1, "no memory")
    check_holds_runs([book.store])
    [path] = book.store.folder.glob("*.json")
    book.store.write_plan([book.run("coop", 1, "base-to-new", "pets").describe()])
    path.unlink()
    check_holds_runs([book.store])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": None}, "dtype is None"),
        ({"trainable": 1.5}, "trainable is 1.5"),
        ({"peak_memory": "much"}, "peak_memory is 'much'"),
        ({"settings": {"name": 3}}, "settings.name is 3"),
    ],
)
def test_records_that_no_table_can_show_are_left_out(
    changes: dict[str, Any], message: str, book: Any
) -> None:
    book.write("coop", 1, 70.0, more=changes)
    summary = summarise(book.store)
    assert summary.rows == [] and message in summary.problems[0]
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        check_holds_runs([book.store])
