"""bench run, report and list: the same numbers, killed and resumed, two at once, failures kept."""

from __future__ import annotations

import json
import os
import shutil
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


@pytest.mark.slow
def test_runs_once_and_shows_a_table(shell: Any, bench: Any, tmp_path: Path) -> None:
    result = shell.run(*bench("--seeds", "1,2"))
    assert "6 run, 0 there before" in result.stdout and "[6/6] toy rlp (2 shots" in result.stderr
    for words in ("zero_shot", "coop", "rlp", "fast", "1,2"):
        assert words in result.stdout
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*.json")}
    again = shell.json(*bench("--seeds", "1-2"))
    assert (len(again["done"]), len(again["kept"])) == (0, 6)
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*.json")}
    more = shell.json(*bench("--seeds", "1-3", "--methods", "rlp"))
    assert (len(more["done"]), len(more["kept"])) == (1, 2) and more["summary"][0]["seeds"] == [1, 2, 3]


def test_what_searched_on_validation_images_is_marked(
    shell: Any, bench: Any, toy: Callable[..., Path], tmp_path: Path
) -> None:
    words = bench("--seeds", "1,2", "--methods", "zero_shot,tip_adapter")
    words[words.index("--datasets") + 1] = str(toy("with-val", val=2))
    result = shell.run(*words)
    assert "tip_adapter †" in result.stdout and "zero_shot †" not in result.stdout
    assert "† Settings of its own for a data set: tip_adapter (searched on" in " ".join(result.stdout.split())
    assert "1,2 (1 result)" in result.stdout
    rows = {row["method"]: row for row in shell.json("bench", "report", tmp_path / "runs")["summary"]}
    assert [one["kind"] for one in rows["tip_adapter"]["chosen"]] == ["per_dataset"]
    assert (rows["zero_shot"]["chosen"], rows["zero_shot"]["effective_seeds"]) == ([], 1)


@pytest.mark.slow
def test_the_same_command_gives_the_same_numbers(shell: Any, bench: Any) -> None:
    first, again = (shell.json(*bench("--seeds", "0,1", out=out))["summary"] for out in ("a", "b"))
    assert [[row[name] for name in SAME] for row in first] == [[row[name] for name in SAME] for row in again]
    assert first[0]["seeds"] == [0, 1]


@pytest.mark.slow
def test_report_and_list(shell: Any, bench: Any, tmp_path: Path) -> None:
    ran = shell.json(*bench("--methods", "zero_shot,rlp:rank=2,rlp", "--seeds", "1"))
    folder = tmp_path / "runs"
    report = shell.json("bench", "report", folder)
    assert report["summary"] == ran["summary"] and report["schema"] == 1
    assert [(row["method"], row["rank"]) for row in report["summary"]] == [
        ("zero_shot", None), ("rlp", 2), ("rlp", 2)
    ]  # fmt: skip
    text = shell.run("bench", "report", folder).stdout
    assert "| toy | rlp (rank=2) | fast | 2 | 1 |" in text
    shell.run("bench", "report", folder, "--format", "csv", "--out", tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_text().startswith("protocol,dataset,method,")
    assert "format='xml' is not known" in shell.refuses("bench", "report", folder, "--format", "xml")
    listed = shell.json("bench", "list", folder)["runs"]
    assert sorted(record["key"] for record in listed) == sorted(records(folder))
    assert "rank2" in shell.run("bench", "list", folder).stdout
    for command in ("report", "list"):
        assert "no such folder of results" in shell.fails("bench", command, tmp_path / "absent")


@pytest.mark.slow
def test_all_names_is_run_listed_and_reported(shell: Any, bench: Any, tmp_path: Path) -> None:
    words = bench("--protocol", "all-names", "--methods", "zero_shot,coop,linear_probe", "--seeds", "1,2")
    result = shell.run(*words, exit_code=1)
    assert "note: 2 runs cannot be made: method 'linear_probe' knows only the classes" in result.stderr
    assert (
        "[3/4] toy coop (2 shots, seed 1, fast): all " in result.stderr and " OpenworldAUC " in result.stderr
    )
    folder = tmp_path / "runs"
    found = records(folder)
    listed = shell.run("bench", "list", folder).stdout
    for key, record in found.items():
        [line] = [line for line in listed.splitlines() if key in line]
        names = ("all", "openworld_auc", "base", "new", "H")
        assert line.split()[2:7] == [f"{record[name]:.2f}" for name in names]
    report = shell.json("bench", "report", folder)
    [coop] = [row for row in report["summary"] if row["method"] == "coop"]
    own = [record for record in found.values() if record["method"] == "coop"]
    for name in ("all", "all_base", "all_new", "openworld_auc", "detection_auc", "base", "new", "all_ece"):
        assert coop[name] == pytest.approx(sum(record[name] for record in own) / 2)
    assert list(report["differences"][0]["measures"]) == ["all", "openworld_auc", "base", "new", "H"]
    plain = shell.json(*bench("--methods", "coop", "--seeds", "1,2"))["summary"]
    assert [row[name] for row in plain for name in SAME] == [coop[name] for name in SAME]
    again = shell.json(*words, exit_code=1)
    assert (len(again["kept"]), len(again["done"])) == (4, 0)


def test_dry_run_runs_nothing(shell: Any, bench: Any, tmp_path: Path) -> None:
    document = shell.json(*bench("--dry-run"))
    assert len(document["runs"]) == 9 and {run["state"] for run in document["runs"]} == {"to run"}
    assert not (tmp_path / "runs").exists()
    shell.run(*bench("--methods", "zero_shot", "--seeds", "1"))
    assert document["seconds"] == 0 and document["unknown"] == 9
    text = shell.run(*bench("--dry-run")).stdout
    assert "8 of 9 would be run" in text and "for 2 of them, as long as runs like them took" in text
    assert "unknown for 6 of them" in text
    document = shell.json(*bench("--dry-run"))
    guesses = [run["seconds"] for run in document["runs"] if run["seconds"] is not None]
    assert len(guesses) == 2 and document["seconds"] == pytest.approx(sum(guesses)) and guesses[0] > 0
    assert document["unknown"] == 6


def test_options_for_all_methods(shell: Any, bench: Any) -> None:
    runs = shell.json(*bench("--dry-run", "--rank", 2, "--n-ctx", 3, "--seeds", 1, "--shots", "1,2"))["runs"]
    assert len(runs) == 6
    assert {(run["method"], run["rank"], run["options"].get("n_ctx")) for run in runs} == {
        ("zero_shot", None, None), ("coop", None, 3), ("rlp", 2, 3)
    }  # fmt: skip


@pytest.mark.slow
def test_every_setting_reaches_the_runs(shell: Any, bench: Any) -> None:
    given = (
        "--lr",
        0.5,
        "--batch-size",
        3,
        "--sampled-classes",
        2,
        "--sampler",
        "promptlet",
        "--schedule",
        "coop",
    )
    told = shell.json(*bench("--methods", "coop", "--seeds", 1, *given, "--dry-run"))
    [run] = told["runs"]
    settings = {"name": "coop", "epochs": 2, "lr": 0.5, "batch_size": 3, "sampled_classes": 2}
    assert {name: run["settings"][name] for name in settings} == settings
    assert run["sampler"] == "promptlet" and run["views"] == 1
    done = shell.json(*bench("--methods", "coop", "--seeds", 1, "--sampled-classes", 2))
    assert done["summary"][0]["settings"]["sampled_classes"] == 2
    whole = shell.json(*bench("--methods", "coop", "--seeds", 1))
    assert len(whole["done"]) == 1 and "sampled_classes" not in whole["summary"][0]["settings"]
    refused = shell.refuses(*bench("--methods", "coop:per_class=true", "--sampled-classes", 2))
    assert "sampled_classes=2 is not possible with 'coop': each class has a context of its own" in refused


def test_failures_are_kept_and_the_others_go_on(
    shell: Any, bench: Any, toy: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "cut.npz").write_bytes(b"PK")
    words = bench("--datasets", f"{tmp_path / 'cut.npz'},{toy()}", "--methods", "rlp", "--seeds", 1)
    assert "the runs of cut would fail: " in shell.run(*words, "--dry-run").stdout
    assert list(shell.json(*words, "--dry-run")["unreadable"]) == ["cut"]
    result = shell.run(*words, exit_code=1)
    assert "1 of 2 runs failed; run the same command again" in result.stderr
    assert "failed: " in result.stderr and "is no .npz file" in result.stderr
    assert "failed: seed 1" in result.stdout
    document = shell.json(*words, exit_code=1)
    assert (len(document["kept"]), len(document["failed"])) == (1, 1)
    assert document["incomplete"][0]["dataset"] == "cut"
    assert "is no .npz file" in shell.run("bench", "report", tmp_path / "runs").stdout


@pytest.mark.slow
def test_what_cannot_be_made_is_told_before_and_after_and_leaves_nothing(
    shell: Any, bench: Any, tmp_path: Path
) -> None:
    words = bench("--methods", "linear_probe,rlp:rank=9,rlp", "--seeds", "1,2")
    plan = shell.json(*words, "--dry-run")
    assert len(plan["runs"]) == 2 and [len(group["keys"]) for group in plan["refused"]] == [2, 2]
    assert "2 runs cannot be made: rank=9" in shell.run(*words, "--dry-run").stdout
    result = shell.run(*words, exit_code=1)
    for name in ("note", "error"):
        assert f"{name}: 2 runs cannot be made: method 'linear_probe' knows only" in result.stderr
    assert result.stderr.index("note: ") < result.stderr.index("[1/2] toy rlp")
    assert "runs failed" not in result.stderr and "2 run, 0 there before" in result.stdout
    document = shell.json(*words, exit_code=1)
    assert (len(document["kept"]), document["failed"], document["incomplete"]) == (2, [], [])
    assert [group["reason"][:6] for group in document["refused"]] == ["method", "rank=9"]
    assert shell.json("bench", "report", tmp_path / "runs")["incomplete"] == []
    nothing = shell.refuses(*bench("--methods", "linear_probe,rlp:rank=9", out="nothing"))
    assert nothing.startswith("error: 3 runs cannot be made: method 'linear_probe'") and "rank=9" in nothing
    assert not (tmp_path / "nothing").exists()


def test_variants_of_a_method_are_told_apart_while_they_run(shell: Any, bench: Any) -> None:
    words = bench("--methods", "rlp,rlp:dropout=0.1,coop", "--seeds", 1)
    log = shell.run(*words).stderr
    assert "toy rlp (2 shots, seed 1, fast) dropout=0.0: base" in log
    assert "toy rlp (2 shots, seed 1, fast) dropout=0.1: base" in log
    assert "toy coop (2 shots, seed 1, fast): base" in log
    assert "dropout=0.1" in shell.run(*words, "--dry-run").stdout


def test_thin_data_is_told(shell: Any, bench: Any, pictures: Path, tmp_path: Path) -> None:
    for part, names in (("train", ("cat", "dog", "box")), ("test", ("cat", "box"))):
        for name in names:
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            images = sorted(pictures.rglob(f"{name}*/*.png")) or sorted(pictures.rglob("*.png"))
            for image in images[: 3 if name != "box" else 1]:
                (folder / image.name).write_bytes(image.read_bytes())
    words = bench("--datasets", tmp_path / "photos", "--methods", "coop", "--seeds", "1,2", "--no-cache")
    log = shell.run(*words, "--protocol", "few-shot").stderr
    assert log.count("note: photos: fewer than 2 training images of 'box'") == 1
    assert log.count("note: photos: no test images of 'dog'") == 1


def test_a_loss_that_is_not_finite_is_a_failed_run(shell: Any, bench: Any) -> None:
    words = bench("--methods", "coop", "--seeds", 1, "--schedule", "coop", "--lr", 1e38, "--epochs", 9)
    assert "the loss became nan" in shell.run(*words, exit_code=1).stderr


@pytest.mark.slow
def test_what_is_wrong_is_told_before_anything_runs(
    shell: Any, toy: Callable[..., Path], clip_folder: Path, tmp_path: Path
) -> None:
    def error(*words: object, exit_code: int = 2) -> str:
        given = ("bench", "run", "--datasets", toy(), "--backbone", "./absent", "--out", tmp_path / "r")
        return str(shell.fails(*given, *words, exit_code=exit_code))

    assert "protocol='base' is not known" in error("--protocol", "base")
    assert "Did you mean 'rlp'?" in error("--methods", "rpl")
    assert "rank is an option of none" in error("--methods", "coop", "--rank", 2)
    assert "sampler='mine' is not known" in error("--sampler", "mine")
    assert "Did you mean 'caltech101'?" in error("--datasets", "caltech10")
    assert "needs root" in error("--datasets", "caltech101")
    assert "there is no such file or folder" in error("--datasets", tmp_path / "absent.npz", exit_code=1)
    assert "names no data set" in error("--datasets", ",")
    assert "backbone folder './absent' does not exist" in error(exit_code=1)
    assert not (tmp_path / "r").exists()
    (tmp_path / "file").write_text("")
    given = ("bench", "run", "--datasets", toy(), "--backbone", clip_folder, "--out", tmp_path / "file")
    assert "is a file, no folder" in shell.refuses(*given)
    assert "is a file, no folder" in shell.refuses(*given, "--dry-run")


@pytest.mark.slow
def test_what_a_folder_lacks_is_found_before_any_run(shell: Any, pictures: Path, tmp_path: Path) -> None:
    """A folder of images per class without test images, beside one that has them."""
    lacking = tmp_path / "lacking"
    shutil.copytree(pictures / "train", lacking)
    words = ("bench", "run", "--backbone", "mini", "--out", tmp_path / "runs", *QUICK, "--datasets")
    plan = shell.run(*words, lacking, "--dry-run").stdout
    assert (
        "0 of 9 would be run" in plan and "9 runs cannot be made: lacking: no test images of the base" in plan
    )
    told = shell.fails(*words, lacking)
    assert "9 runs cannot be made: lacking: no test images" in told and "failed" not in told
    assert not (tmp_path / "runs").exists()
    both = f"{lacking},{pictures}"
    assert "9 of 18 would be run" in shell.run(*words, both, "--dry-run").stdout
    found = shell.json(*words, both, "--methods", "zero_shot", exit_code=1)
    assert len(found["done"]) == 3 and found["failed"] == []
    [refused] = found["refused"]
    assert len(refused["keys"]) == 3 and "needs train and test parts" in refused["reason"]
    for protocol in ("few-shot", "all-names"):
        assert "0 of 9" in shell.run(*words, lacking, "--dry-run", "--protocol", protocol).stdout
    transfer = (*words, pictures, "--protocol", "cross-dataset", "--source", lacking)
    assert "0 of 9" in shell.run(*transfer, "--dry-run").stdout


@pytest.mark.slow
def test_few_shot(shell: Any, bench: Any, tmp_path: Path) -> None:
    words = ("--protocol", "few-shot", "--shots", "1,2", "--seeds", "1,2", "--methods", "linear_probe,rlp")
    result = shell.run(*bench(*words))
    assert "8 run, 0 there before" in result.stdout and "macro-F1" in result.stdout
    assert "[1/8] toy linear_probe (1 shots, seed 1): accuracy " in result.stderr
    document = shell.json("bench", "report", tmp_path / "runs")
    assert {(row["method"], row["shots"], *row["seeds"]) for row in document["summary"]} == {
        *(("linear_probe", 1, 1, 2), ("rlp", 1, 1, 2), ("linear_probe", 2, 1, 2), ("rlp", 2, 1, 2))
    }
    again = shell.json(*bench(*words))
    assert (len(again["done"]), len(again["kept"])) == (0, 8)
    for path in (tmp_path / "runs").glob("*.json"):  # numbers come back from what was trained
        path.unlink()
    resumed = shell.run(*bench(*words))
    assert resumed.stderr.count("trained before") == 8
    rows = shell.json("bench", "report", tmp_path / "runs")["summary"]
    assert [(r["accuracy"], r["ece"], r["seconds"]) for r in rows] == [
        (r["accuracy"], r["ece"], r["seconds"]) for r in document["summary"]
    ]


def transfer(toy: Callable[..., Path], clip_folder: Path, out: Path, *more: object) -> list[str]:
    given = ["--source", toy("origin"), "--datasets", f"{toy('one')},{toy('two')},{toy('origin')}"]
    return ["bench", "run", *map(str, [*given, "--backbone", clip_folder, "--out", out, *QUICK, *more])]


@pytest.mark.slow
def test_all_protocols_in_one_folder(
    shell: Any, bench: Any, toy: Callable[..., Path], clip_folder: Path, tmp_path: Path
) -> None:
    out, one = tmp_path / "runs", ("--seeds", 1, "--methods", "zero_shot,coop")
    shell.run(*bench(*one))
    crossed = shell.run(*transfer(toy, clip_folder, out, *one, "--protocol", "cross-dataset"))
    assert "[4/4] origin to two coop (2 shots, seed 1, fast): accuracy " in crossed.stderr
    assert "trained before" in crossed.stderr and "on source" in crossed.stdout
    shifted = shell.run(*transfer(toy, clip_folder, out, *one, "--protocol", "domain-shift"))
    assert shifted.stderr.count("trained before") == 2
    shell.run(*bench("--datasets", toy("origin"), "--protocol", "few-shot", *one))
    assert len(list((out / "trained").glob("*.prompt"))) == 1
    text = shell.run("bench", "report", out).stdout
    heads = [line for line in text.splitlines() if line.startswith("### ")]
    assert heads == ["### base-to-new", "### cross-dataset", "### domain-shift", "### few-shot"]
    rows = shell.json("bench", "report", out)["summary"]
    [few] = [r for r in rows if (r["protocol"], r["method"]) == ("few-shot", "coop")]
    own = {r["source_accuracy"] for r in rows if r.get("source") and r["method"] == "coop"}
    assert own == {few["accuracy"]}
    listed = shell.run("bench", "list", out).stdout
    assert "on source" in listed and " H " in listed
    assert len([line for line in listed.splitlines() if " done " in line]) == 12
    shell.run("bench", "report", out, "--format", "csv", "--out", tmp_path / "all.csv")
    assert "source_accuracy" in (tmp_path / "all.csv").read_text().splitlines()[0]


def test_who_cannot_transfer_is_told_and_the_others_go_on(
    shell: Any, toy: Callable[..., Path], clip_folder: Path, tmp_path: Path
) -> None:
    more = ("--protocol", "cross-dataset", "--methods", "vpt,linear_probe", "--seeds", 1)
    result = shell.run(*transfer(toy, clip_folder, tmp_path / "runs", *more), exit_code=1)
    assert "error: 2 runs cannot be made: origin: a feature file has no images" in result.stderr
    assert "2 run, 0 there before" in result.stdout


def test_what_is_trained_on_is_told_before_anything_runs(
    shell: Any, toy: Callable[..., Path], tmp_path: Path
) -> None:
    def error(*words: object, exit_code: int = 2) -> str:
        given = ("bench", "run", "--datasets", toy(), "--backbone", "./absent", "--out", tmp_path / "r")
        return str(shell.fails(*given, *words, exit_code=exit_code))

    assert "source 'x' goes with cross-dataset and domain-shift alone" in error("--source", "x")
    assert "'x' is neither a known name nor" in error("--source", "x", "--protocol", "cross-dataset")
    assert "source is one data set, not 'mini'" in error("--source", "mini", "--protocol", "domain-shift")
    transfers = ("--protocol", "cross-dataset", "--source", toy("origin"))
    assert "backbone folder './absent'" in error(*transfers, exit_code=1)


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


@pytest.mark.slow
@pytest.mark.parametrize("engine", [(), ("--engine", "processes", "--workers", 2)], ids=str)
def test_killed_and_run_again_gives_the_numbers_of_one_go(
    shell: Any, bench: Any, tmp_path: Path, engine: tuple[object, ...]
) -> None:
    def words(out: str, *more: object) -> list[str]:
        return bench("--methods", "coop", "--seeds", "1-10", "--epochs", 150, *more, out=out)

    with start(words("killed", *engine)) as process:
        deadline = time.monotonic() + 60
        while not records(tmp_path / "killed") and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    before = records(tmp_path / "killed")
    assert 1 <= len(before) < 10
    resumed = shell.json(*words("killed"))
    assert sorted(resumed["kept"]) == sorted(before) and len(resumed["done"]) == 10 - len(before)
    whole = shell.json(*words("whole"))
    assert [whole["summary"][0][name] for name in SAME] == [resumed["summary"][0][name] for name in SAME]


@pytest.mark.slow
def test_transfers_killed_and_run_again_give_the_numbers_of_one_go(
    shell: Any, toy: Callable[..., Path], clip_folder: Path, tmp_path: Path
) -> None:
    def words(out: str) -> list[str]:
        more = ("--protocol", "cross-dataset", "--methods", "coop", "--seeds", "1-3", "--epochs", 150)
        return transfer(toy, clip_folder, tmp_path / out, *more)

    with start(words("killed")) as process:
        deadline = time.monotonic() + 60
        while not records(tmp_path / "killed" / "trained") and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    kept = records(tmp_path / "killed" / "trained")
    assert 1 <= len(kept) < 3
    resumed, whole = shell.json(*words("killed")), shell.json(*words("whole"))
    assert {name: records(tmp_path / "killed" / "trained")[name]["date"] for name in kept} == {
        name: record["date"] for name, record in kept.items()
    }
    same = ("dataset", "accuracy", "source_accuracy", "ece", "macro_f1", "trainable", "file_bytes", "seeds")
    first, second = ([[r[name] for name in same] for r in d["summary"]] for d in (whole, resumed))
    assert first == second


@pytest.mark.slow
def test_two_processes_train_the_same_thing_once(
    toy: Callable[..., Path], clip_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    more = ("--methods", "coop,rlp", "--seeds", "1,2", "--epochs", 40, "--json")
    processes = [
        start([*transfer(toy, clip_folder, out, *more), "--protocol", protocol])
        for protocol in ("cross-dataset", "domain-shift")
    ]
    for process in processes:
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
    found = records(out)
    assert len(found) == 16
    trained = [record["trained"]["key"] for record in found.values() if not record["trained"]["reused"]]
    assert sorted(trained) == sorted(records(out / "trained")) and len(trained) == 4


@pytest.mark.slow
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


@pytest.mark.slow
def test_two_commands_with_processes_share_a_folder(bench: Any, tmp_path: Path) -> None:
    more = (
        "--methods",
        "coop,rlp",
        "--seeds",
        "1-4",
        "--epochs",
        20,
        "--engine",
        "processes",
        "--workers",
        2,
    )
    processes = [start([*bench(*more), "--json"]) for _ in range(2)]
    documents = []
    for process in processes:
        stdout, stderr = process.communicate(timeout=200)
        assert process.returncode == 0, stderr
        documents.append(json.loads(stdout))
    done = [set(document["done"]) for document in documents]
    assert not done[0] & done[1] and len(done[0] | done[1]) == 8 == len(records(tmp_path / "runs"))
    assert documents[0]["summary"] == documents[1]["summary"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--engine", "cluster"), "engine='cluster' is not known; allowed: inline, processes, ray"),
        (("--workers", 2), "workers are 1 or more, and go with the engines processes and ray"),
        (("--address", "auto"), "address='auto' goes with the engine ray alone"),
        (("--study", "ranks"), "study='ranks' is not known; allowed: rank, "),
        (("--study", "rank", "--methods", "coop"), "study 'rank' and methods cannot be given together"),
        (("--study", "rank", "--rank", 2), "rank=2 cannot go with the study 'rank'"),
    ],
)
def test_engines_and_studies_that_cannot_be(shell: Any, bench: Any, more: Any, message: str) -> None:
    assert message in shell.refuses(*bench(*more))


def test_an_address_of_no_cluster(shell: Any, bench: Any) -> None:
    told = shell.fails(*bench("--engine", "ray", "--address", "here"))
    assert "address='here' is no address of a Ray cluster" in told


def test_results_of_another_schema_are_not_replaced(shell: Any, bench: Any, tmp_path: Path) -> None:
    shell.run(*bench("--methods", "zero_shot", "--seeds", 1))
    [path] = (tmp_path / "runs").glob("*.json")
    old = path.read_text().replace('"schema": 1', '"schema": 0')
    path.write_text(old)
    result = shell.run(*bench("--methods", "zero_shot", "--seeds", "1,2"), exit_code=1)
    assert f"{path}: written by another version of Promptlet (schema 0, this one writes 1)" in result.stderr
    assert "give --out another folder" in result.stderr and path.read_text() == old
    assert "1 of 2 runs failed" in result.stderr and "1 run, 0 there before" in result.stdout
    assert "has schema 0, this version" in shell.run("bench", "report", tmp_path / "runs").stdout


@pytest.mark.slow
def test_a_study_is_run_and_shown(shell: Any, bench: Any, tmp_path: Path) -> None:
    result = shell.run(*bench("--study", "dropout", "--seeds", 1))
    assert "14 run, 0 there before" in result.stdout and "toy, base-to-new, 2 shots" in result.stdout
    lines = [line.split() for line in result.stdout.splitlines() if line.strip().startswith("rlp")]
    assert [(line[1], line[2]) for line in lines] == [
        (str(rank), str(rate)) for rank in (1, 4) for rate in (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)
    ]
    page, figure = tmp_path / "dropout.html", tmp_path / "dropout.png"
    shell.run("bench", "study", "dropout", tmp_path / "runs", "--out", page, "--figure", figure)
    assert page.read_text().count("<tr") == 1 + 14 and figure.read_bytes()[1:4] == b"PNG"
    text = shell.run("bench", "study", "dropout", tmp_path / "runs").stdout
    assert text.startswith("## Study: dropout") and text.count("| rlp |") == 12 and "not run" not in text
    assert shell.run("bench", "study", "rank", tmp_path / "runs").stdout.count("not run") == 12 - 4
    document = shell.json("bench", "study", "dropout", tmp_path / "runs")
    [result] = document["results"]
    assert len(result["settings"]) == 14 and document["schema"] == 1
    own = (
        "rlp:rank=1,n_ctx=4,ctx_init=none,dropout=0,v_rate=1,new_names=learned"  # whole numbers, the same run
    )
    again = shell.json(*bench("--methods", own, "--seeds", 1, "--schedule", "adamw"))
    assert len(again["kept"]) == 1 and again["done"] == []


@pytest.mark.slow
def test_a_pipe_that_closes_is_no_traceback(shell: Any, bench: Any, tmp_path: Path) -> None:
    shell.run(*bench("--methods", "zero_shot", "--seeds", 1))
    command = f"{sys.executable} -m promptlet bench list {tmp_path / 'runs'} --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "{" and "Traceback" not in done.stderr and "Exception" not in done.stderr
