"""bench run, report and list: the same numbers, killed and resumed, two at once, failures kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SAME = ("base", "new", "H", "trainable", "file_bytes", "seeds")
QUICK = ("--shots", 2, "--epochs", 2)


@pytest.fixture
def bench(clip_folder: Path, toy: Callable[..., Path], tmp_path: Path) -> Callable[..., list[str]]:
    """The words of a bench run on a small feature file, results in tmp_path."""

    def words(*more: object, out: str = "runs") -> list[str]:
        given = ["--datasets", toy(), "--backbone", clip_folder, "--out", tmp_path / out, *QUICK, *more]
        return ["bench", "run", *map(str, given)]

    return words


def records(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def test_runs_once_and_shows_a_table(shell: Any, bench: Any, tmp_path: Path) -> None:
    result = shell.run(*bench("--seeds", "1,2"))
    assert "6 run, 0 there before" in result.stdout and "[6/6] toy rlp rank 1" in result.stderr
    for words in ("zero_shot", "coop", "rlp", "fast", "1,2"):
        assert words in result.stdout
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*.json")}
    again = shell.json(*bench("--seeds", "1-2"))
    assert (len(again["done"]), len(again["kept"])) == (0, 6)
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*.json")}
    more = shell.json(*bench("--seeds", "1-3", "--methods", "rlp"))
    assert (len(more["done"]), len(more["kept"])) == (1, 2) and more["summary"][0]["seeds"] == [1, 2, 3]


def test_the_same_command_gives_the_same_numbers(shell: Any, bench: Any) -> None:
    first, again = (shell.json(*bench("--seeds", "0,1", out=out))["summary"] for out in ("a", "b"))
    assert [[row[name] for name in SAME] for row in first] == [[row[name] for name in SAME] for row in again]
    assert first[0]["seeds"] == [0, 1]


def test_report_and_list(shell: Any, bench: Any, tmp_path: Path) -> None:
    ran = shell.json(*bench("--methods", "zero_shot,rlp:rank=2,rlp", "--seeds", "1"))
    folder = tmp_path / "runs"
    report = shell.json("bench", "report", folder)
    assert report["summary"] == ran["summary"] and report["schema"] == 1
    assert [(row["method"], row["rank"]) for row in report["summary"]] == [
        ("zero_shot", None), ("rlp", 1), ("rlp", 2)
    ]  # fmt: skip
    text = shell.run("bench", "report", folder).stdout
    assert "| toy | rlp (rank=2) | fast | 2 | 1 |" in text
    shell.run("bench", "report", folder, "--format", "csv", "--out", tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_text().startswith("protocol,dataset,method,")
    assert "format='html' is not known" in shell.fails("bench", "report", folder, "--format", "html")
    listed = shell.json("bench", "list", folder)["runs"]
    assert sorted(record["key"] for record in listed) == sorted(records(folder))
    assert "rank2" in shell.run("bench", "list", folder).stdout
    for command in ("report", "list"):
        assert "no such folder of results" in shell.fails("bench", command, tmp_path / "absent")


def test_dry_run_runs_nothing(shell: Any, bench: Any, tmp_path: Path) -> None:
    document = shell.json(*bench("--dry-run"))
    assert len(document["runs"]) == 9 and {run["state"] for run in document["runs"]} == {"to run"}
    assert not (tmp_path / "runs").exists()
    shell.run(*bench("--methods", "zero_shot", "--seeds", "1"))
    assert "8 of 9 would be run" in shell.run(*bench("--dry-run")).stdout


def test_options_for_all_methods(shell: Any, bench: Any) -> None:
    runs = shell.json(*bench("--dry-run", "--rank", 2, "--n-ctx", 3, "--seeds", 1, "--shots", "1,2"))["runs"]
    assert len(runs) == 6
    assert {(run["method"], run["rank"], run["options"].get("n_ctx")) for run in runs} == {
        ("zero_shot", None, None), ("coop", None, 3), ("rlp", 2, 3)
    }  # fmt: skip


def test_failures_are_kept_and_the_others_go_on(shell: Any, bench: Any, tmp_path: Path) -> None:
    words = bench("--methods", "coop:per_class=true,rlp", "--seeds", 1)
    result = shell.run(*words, exit_code=1)
    assert "1 of 2 runs failed; run the same command again" in result.stderr
    assert "failed: class-specific contexts" in result.stderr and "failed: seed 1" in result.stdout
    document = shell.json(*words, exit_code=1)
    assert (len(document["kept"]), len(document["failed"])) == (1, 1)
    assert document["incomplete"][0]["method"] == "coop"
    assert "- failed: class-specific" in shell.run("bench", "report", tmp_path / "runs").stdout


def test_a_loss_that_is_not_finite_is_a_failed_run(shell: Any, bench: Any) -> None:
    words = bench("--methods", "coop", "--seeds", 1, "--schedule", "coop", "--lr", 1e38, "--epochs", 9)
    assert "the loss became nan" in shell.run(*words, exit_code=1).stderr


def test_what_is_wrong_is_told_before_anything_runs(
    shell: Any, toy: Callable[..., Path], clip_folder: Path, tmp_path: Path
) -> None:
    def error(*words: object) -> str:
        given = ("bench", "run", "--datasets", toy(), "--backbone", "./absent", "--out", tmp_path / "r")
        return str(shell.fails(*given, *words))

    assert "protocol='base' is not known" in error("--protocol", "base")
    assert "Did you mean 'rlp'?" in error("--methods", "rpl")
    assert "rank is an option of none" in error("--methods", "coop", "--rank", 2)
    assert "sampler='mine' is not known" in error("--sampler", "mine")
    assert "Did you mean 'caltech101'?" in error("--datasets", "caltech10")
    assert "needs root" in error("--datasets", "caltech101")
    assert "there is no such file or folder" in error("--datasets", tmp_path / "absent.npz")
    assert "names no data set" in error("--datasets", ",")
    assert "backbone folder './absent' does not exist" in error()
    (tmp_path / "file").write_text("")
    assert "results cannot be stored here" in error("--out", tmp_path / "file")


def test_ctrl_c_says_how_to_go_on(shell: Any, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlet.protocols import base_to_new

    execute = base_to_new.execute

    def once(run: Any, *rest: Any) -> Any:
        if run.seed == 2:
            raise KeyboardInterrupt
        return execute(run, *rest)

    monkeypatch.setattr(base_to_new, "execute", once)
    error = shell.fails(*bench("--methods", "rlp"), exit_code=130)
    assert "interrupted: 1 of 3 runs are in" in error and "run the same command again to go on" in error


def start(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "promptlet", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_killed_and_run_again_gives_the_numbers_of_one_go(shell: Any, bench: Any, tmp_path: Path) -> None:
    def words(out: str) -> list[str]:
        return bench("--methods", "coop", "--seeds", "1-4", "--epochs", 150, out=out)

    with start(words("killed")) as process:
        deadline = time.monotonic() + 60
        while not records(tmp_path / "killed") and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    before = records(tmp_path / "killed")
    assert 1 <= len(before) < 4
    resumed = shell.json(*words("killed"))
    assert sorted(resumed["kept"]) == sorted(before) and len(resumed["done"]) == 4 - len(before)
    whole = shell.json(*words("whole"))
    assert [whole["summary"][0][name] for name in SAME] == [resumed["summary"][0][name] for name in SAME]


def test_two_processes_share_a_folder(bench: Any, tmp_path: Path) -> None:
    words = [*bench("--methods", "coop,rlp", "--seeds", "1-4", "--epochs", 40), "--json"]
    processes = [start(words) for _ in range(2)]
    documents = []
    for process in processes:
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        documents.append(json.loads(stdout))
    done = [set(document["done"]) for document in documents]
    assert not done[0] & done[1] and len(done[0] | done[1]) == 8 == len(records(tmp_path / "runs"))
    assert documents[0]["summary"] == documents[1]["summary"]
    assert all(row["seeds"] == [1, 2, 3, 4] for row in documents[0]["summary"])


def test_a_pipe_that_closes_is_no_traceback(shell: Any, bench: Any, tmp_path: Path) -> None:
    shell.run(*bench("--methods", "zero_shot", "--seeds", 1))
    command = f"{sys.executable} -m promptlet bench list {tmp_path / 'runs'} --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "{" and "Traceback" not in done.stderr and "Exception" not in done.stderr
