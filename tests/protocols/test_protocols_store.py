"""The store: whole files, distrust of what is read, one process per run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_protocols_runs import RUN

from promptlet.errors import DataError
from promptlet.protocols import RunStore
from promptlet.protocols.engines.inline import run_inline
from promptlet.protocols.records.measures import MEASURES
from promptlet.protocols.records.runs import Run

HOLD = """
import sys, time
from promptlet.protocols import RunStore
with RunStore(sys.argv[1]).claim(sys.argv[2]) as ours:
    print(ours, flush=True)
    time.sleep(60)
"""


def done(run: Run = RUN, **changes: Any) -> dict[str, Any]:
    measures = MEASURES[run.protocol]
    numbers = dict.fromkeys((*measures.scores, *measures.extras), 50.0)
    counts = {"trainable": 516, "file_bytes": 2500, "seconds": 1.0}
    return {"status": "done", **run.describe(), **numbers, **counts, **changes}


def test_a_record_comes_back(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "new" / "runs")
    store.write(RUN.key, done())
    assert store.read(RUN.key) == {"schema": 1, **done()} and store.is_done(RUN.key)
    assert store.read_all() == ([{"schema": 1, **done()}], [])
    assert sorted(path.name for path in store.folder.iterdir()) == [f"{RUN.key}.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "damaged, is not JSON"),
        ('{"schema": 1, "sta', "damaged, is not JSON"),
        ("[]", "damaged, holds no object"),
        ("\xff", "damaged, is not JSON"),
        ('{"schema": 1}', "not a record of a run (key is missing)"),
        (
            json.dumps({"schema": 1, **done(base="high")}),
            "not a record of a run (base is 'high', expected a number)",
        ),
        (
            json.dumps({"schema": 1, **done(base=float("nan"))}),
            "damaged, is not JSON (NaN is no number that JSON has)",
        ),
        (json.dumps({"schema": 1, **done(key="another")}), "it is the record of 'another'"),
        (json.dumps({"schema": 1, **done(status="odd")}), "status is 'odd'"),
    ],
)
def test_what_cannot_be_trusted_is_told_and_run_again(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / f"{RUN.key}.json"
    path.write_text(text, encoding="latin-1")
    store = RunStore(tmp_path)
    records, [problem] = store.read_all()
    assert records == [] and message in problem and path.name in problem
    assert not store.is_done(RUN.key)
    run_inline([RUN], lambda run: done(), store)
    assert store.is_done(RUN.key)


def test_what_another_version_wrote_is_told_and_not_replaced(tmp_path: Path) -> None:
    path, store = tmp_path / f"{RUN.key}.json", RunStore(tmp_path)
    path.write_text('{"schema": 2}')
    records, [problem] = store.read_all()
    assert records == [] and "has schema 2, this version of Promptlet reads 1" in problem
    told: list[tuple[str, Any]] = []
    other = replace(RUN, seed=2)
    run_inline([RUN, other], done, store, lambda what, run, record: told.append((what, record.get("reason"))))
    assert [what for what, _ in told] == ["failed", "start", "done"] and "schema 2, this one" in told[0][1]
    assert path.read_text() == '{"schema": 2}' and store.is_done(other.key)


def test_a_failed_run_is_not_done(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run_inline([RUN], lambda run: 1 / 0, store)  # type: ignore[arg-type,return-value]
    record = store.read(RUN.key)
    assert record is not None and record["reason"].startswith(
        "ZeroDivisionError: division by zero (test_protocols_store.py, line "
    )
    assert "Traceback" in record["traceback"] and not store.is_done(RUN.key)


def test_ctrl_c_is_no_failure(tmp_path: Path) -> None:
    def interrupted(run: Run) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_inline([RUN], interrupted, RunStore(tmp_path))
    assert RunStore(tmp_path).read_all() == ([], [])


def test_a_claim_excludes_others_and_dies_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path), RUN.key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "True\n"
        with RunStore(tmp_path).claim(RUN.key) as ours:
            assert not ours
        with RunStore(tmp_path).claim("another") as ours:
            assert ours
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with RunStore(tmp_path).claim(RUN.key) as ours:
        assert ours


@pytest.mark.slow
def test_a_run_held_elsewhere_is_waited_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD.replace("60", "0.5"), str(tmp_path), RUN.key]
    events: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "True\n"
        run_inline([RUN], lambda run: done(), RunStore(tmp_path), lambda what, *_: events.append(what))
    assert events == ["elsewhere", "start", "done"]


def test_plans_are_kept_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for _ in range(2):
        store.write_plan([RUN.describe()])
    assert store.read_plans() == [RUN.describe()]
    assert len(list((tmp_path / "plans").iterdir())) == 1
    (tmp_path / "plans" / "odd.json").write_text("{")
    assert len(store.read_plans()) == 1


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"results cannot be stored here .*; give --out a folder"):
        RunStore(tmp_path / "file").check_writable()
    with pytest.raises(DataError, match="no such folder of results"):
        RunStore(tmp_path / "absent").read_all()
