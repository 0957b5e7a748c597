"""Many images at once: lists, files that grow and are gone on with, thresholds, addresses, wrong usage."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import promptlet
from promptlet.classifier import PromptLearner
from promptlet.own_images import answering
from promptlet.promptfile import load_prompt_file, save_prompt_file
from promptlet.web import loading

Predict = Callable[..., tuple[object, ...]]


@pytest.fixture
def predict(prompt: Path, clip_folder: Path) -> Predict:
    """The words of the command, with the prompt of the drawn shapes."""
    return lambda *words: ("predict", prompt, "--backbone", clip_folder, *words)


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is told is told before a model is loaded."""

    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError("a model is loaded")

    monkeypatch.setattr(PromptLearner, "load", refuse)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def expected(prompt: Path, clip_folder: Path, images: list[Path]) -> tuple[list[str], np.ndarray]:
    classifier = promptlet.PromptClassifier.load(prompt, clip_folder)
    return list(map(str, classifier.classes_)), classifier.predict_proba(images)


def test_a_table_holds_what_the_library_answers(
    shell: Any, prompt: Path, clip_folder: Path, pictures: Path, predict: Predict, tmp_path: Path
) -> None:
    images = sorted((pictures / "test").rglob("*.png"))
    names, rows = expected(prompt, clip_folder, images)
    said = shell.run(*predict(pictures / "test", "--out", tmp_path / "r.csv", "--wide")).stdout
    found = table(tmp_path / "r.csv")
    assert [row["path"] for row in found] == [str(path) for path in images]
    got = np.array([[float(row[name]) for name in names] for row in found])
    assert got == pytest.approx(rows, abs=2e-6)
    assert [row["class_name"] for row in found] == [names[i] for i in rows.argmax(axis=1)]
    assert f"wrote {tmp_path / 'r.csv'}: {len(images)} answers" in said
    told = shell.json(*predict(pictures / "test", "--out", tmp_path / "r.jsonl"))
    assert (told["answered"], told["answered_before"], told["errors"]) == (len(images), 0, [])
    assert sum(one["images"] for one in told["classes"]) == len(images)
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert lines == shell.json(*predict(pictures / "test"))["predictions"]


@pytest.mark.slow
def test_below_the_threshold_it_is_none_of_them(
    shell: Any, prompt: Path, clip_folder: Path, pictures: Path, predict: Predict, tmp_path: Path
) -> None:
    images = sorted((pictures / "test").rglob("*.png"))
    _, rows = expected(prompt, clip_folder, images)
    best = rows.max(axis=1)
    threshold = float(np.median(best))
    is_one = best >= threshold
    assert 0 < is_one.sum() < len(images)
    words = predict(pictures / "test", "--threshold", threshold)
    document = shell.json(*words)["predictions"]
    assert [one["class_name"] is not None for one in document] == is_one.tolist()
    assert all(len(one["top"]) == 3 for one in document)
    shell.run(*words, "--out", tmp_path / "r.csv")
    assert [row["class_name"] != "" for row in table(tmp_path / "r.csv")] == is_one.tolist()
    lines = shell.run(*words).stdout.splitlines()
    assert [": None (" not in line for line in lines] == is_one.tolist()
    for wrong in ("60", "-0.1", "nan"):
        assert "0.6 for 60 %" in shell.refuses(*predict(pictures / "test", "--threshold", wrong))


@pytest.mark.slow
def test_going_on_asks_only_what_is_left(
    shell: Any, pictures: Path, predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "BATCH", 2)
    monkeypatch.setattr(answering, "MOST", 2)
    out, whole = tmp_path / "r.csv", tmp_path / "whole.csv"
    shell.run(*predict(pictures, "--out", whole))
    asked: list[str] = []
    own = PromptLearner.predict_proba

    def counted(self: Any, images: list[str], *args: Any, **options: Any) -> np.ndarray:
        if len(asked) == 4:
            raise KeyboardInterrupt
        asked.extend(images)
        return np.asarray(own(self, images, *args, **options))

    monkeypatch.setattr(PromptLearner, "predict_proba", counted)
    error = shell.fails(*predict(pictures, "--out", out), exit_code=130)
    assert f"interrupted: 4 answers are kept in {out}" in error and "--resume to go on" in error
    assert out.read_text().splitlines() == whole.read_text().splitlines()[:5]
    first = list(asked)
    asked[:] = ["one more, so that it is not stopped"]
    said = shell.run(*predict(pictures, "--out", out, "--resume"))
    assert not set(first) & set(asked) and len(asked) == 1 + 14
    assert "4 of 18 images are in" in said.stderr and "14 answers, beside 4 that were there" in said.stdout
    assert out.read_bytes() == whole.read_bytes()
    asked.clear()
    told = shell.json(*predict(pictures, "--out", out, "--resume"))
    assert (told["answered"], told["answered_before"]) == (0, 18) and asked == []
    assert out.read_bytes() == whole.read_bytes()


def test_what_was_made_otherwise_is_not_gone_on_with(
    shell: Any, prompt: Path, clip_folder: Path, pictures: Path, predict: Predict, tmp_path: Path
) -> None:
    out = tmp_path / "r.csv"
    shell.run(*predict(pictures / "test", "--out", out))
    before = out.read_bytes()
    other = tmp_path / "other.prompt"
    file = load_prompt_file(prompt)
    save_prompt_file(other, replace(file, training={**file.training, "seed": 7}))
    again = (pictures, "--out", out, "--resume")
    for words, told in (
        (predict(*again, "--top", 2), "another --top (1, now 2)"),
        (predict(*again, "--threshold", 0.5), "another --threshold"),
        (predict(*again, "--classes", "cat,dog"), "another classes"),
        (("predict", other, "--backbone", clip_folder, *again), "another prompt file"),
    ):
        assert told in shell.refuses(*words)
    assert out.read_bytes() == before
    shell.run(*predict(pictures / "test", "--out", out, "--force", "--top", 2))
    assert "class_name_2" in table(out)[0]


@pytest.mark.slow
@pytest.mark.usefixtures("no_model")
def test_wrong_usage_is_told_before_a_model_is_loaded(
    shell: Any, pictures: Path, predict: Predict, tmp_path: Path
) -> None:
    one = pictures / "test" / "cat" / "test0.png"
    old = tmp_path / "old.csv"
    old.write_text("old")
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "names.txt").write_text("lynx\nocelot\n")
    (tmp_path / "one.txt").write_text("lynx\n")
    (tmp_path / "latin.txt").write_bytes(b"a\nb\xff\n")
    for words, told in (
        (("--out", tmp_path / "r.xlsx"), "ending in .csv, .jsonl, .parquet"),
        (("--out", tmp_path / "r.cvs"), "Did you mean '.csv'?"),
        (("--out", tmp_path / "no" / "r.csv"), "does not exist; create it"),
        (("--out", tmp_path / "folder.csv"), "is a folder"),
        (("--out", tmp_path / "pipe.csv"), "cannot be written"),
        (("--out", old), "give --resume to go on with it, --force to write over it"),
        (("--out", old, "--resume"), "without old.csv.resume"),
        (("--out", old, "--resume", "--force"), "give one of the two"),
        (("--resume",), "about the file of --out"),
        (("--out", tmp_path / "r.csv", "--csv"), "give one of the two"),
        (("--wide",), "--wide is for tables"),
        (("--csv", "--wide", "--top", 2), "give one of the two"),
        (("--classes", "names.txt"), "did you mean --classes-file names.txt?"),
        (("--classes", tmp_path / "names.txt"), f"did you mean --classes-file {tmp_path / 'names.txt'}?"),
        (("--classes", "@names.txt"), "did you mean --classes-file names.txt?"),
        (("--classes", "a,b", "--classes-file", tmp_path / "names.txt"), "give one of the two"),
        (("--classes-file", tmp_path / "latin.txt"), "not in UTF-8"),
        (("--new-names", "zero"), "zero"),
    ):
        assert told in shell.refuses(*predict(one, *words)), words
    for words, told in (
        ((one, "--classes-file", tmp_path / "one.txt"), "there is only one class"),
        ((one, "--backbone", tmp_path / "absent"), "there is no such folder"),
        ((one, "--classes-file", tmp_path / "absent.txt"), "cannot be read"),
        ((one, "--out", "/proc/r.csv"), "nothing can be written into /proc"),
        ((tmp_path / "absent.png", "@absent", "https://example.com/a.png"), "give --allow-urls"),
    ):
        assert told in shell.fails(*predict(*words)), words
    assert old.read_text() == "old" and not (tmp_path / "r.csv").exists()
    document = shell.json(*predict(tmp_path / "absent.png"), exit_code=1)
    assert document["predictions"] == [] and len(document["errors"]) == 1


def test_classes_of_a_file_and_a_list_on_standard_input(
    shell: Any, prompt: Path, clip_folder: Path, pictures: Path, tmp_path: Path
) -> None:
    from typer.testing import CliRunner

    from promptlet.cli.app import app

    (tmp_path / "names.txt").write_text("\ufefflynx\r\n\n house cat \n")
    one = pictures / "test" / "cat" / "test0.png"
    words = [
        "predict",
        prompt,
        "-",
        "--backbone",
        clip_folder,
        "--classes-file",
        tmp_path / "names.txt",
        "--json",
    ]
    done = CliRunner().invoke(app, list(map(str, words)), input=f"{one}\n{one}\nnot there.png\n")
    assert done.exit_code == 1 and "1 image was named again" in done.stderr
    document = json.loads(done.stdout)
    [entry] = document["predictions"]
    assert {best["class_name"] for best in entry["top"]} == {"lynx", "house cat"}
    assert [error["path"] for error in document["errors"]] == ["not there.png"]


@pytest.mark.slow
def test_bad_images_can_be_skipped(shell: Any, pictures: Path, predict: Predict, tmp_path: Path) -> None:
    shutil.copy(pictures / "test" / "cat" / "test0.png", tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    out = tmp_path / "r.jsonl"
    said = shell.run(*predict(tmp_path, tmp_path / "no.png", "--skip-bad", "--out", out)).stderr
    assert "note: 2 of 3 skipped" in said and str(tmp_path / "b.png") in said
    assert len(out.read_text().splitlines()) == 1
    assert (
        "error: 2 of 3 not answered" in shell.run(*predict(tmp_path, tmp_path / "no.png"), exit_code=1).stderr
    )
    alone = predict(tmp_path / "b.png", "--skip-bad", "--out", tmp_path / "none.csv")
    assert "b.png" in shell.fails(*alone) and not (tmp_path / "none.csv").exists()
    Image.new("RGB", (20, 20), "red").save(tmp_path / "b.png")  # it is put right, and asked for again
    assert "1 answer, beside 1 that were" in shell.run(*predict(tmp_path, "--out", out, "--resume")).stdout


def test_pictures_of_the_web(
    shell: Any, pictures: Path, predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = pictures / "test" / "cat" / "test0.png"
    address, broken, gone = (f"https://example.com/{name}.png" for name in "abc")

    def load(self: Any, place: str, file: Path) -> None:
        if place == gone:
            raise promptlet.errors.ImageError(f"{place}: the server answers 404")
        file.write_bytes(one.read_bytes() if place == address else b"no image")

    monkeypatch.setattr(loading.Loader, "load", load)
    given = (address, one, broken, gone, "--allow-urls")
    document = shell.json(*predict(*given), exit_code=1)
    first, second = document["predictions"]
    assert (first["path"], second["path"]) == (address, str(one)) and first["top"] == second["top"]
    told = {error["path"]: error["error"] for error in document["errors"]}
    assert told[gone] == f"{gone}: the server answers 404"
    assert told[broken].startswith(f"{broken}: this is not an image") and "/tmp" not in told[broken]


@pytest.mark.slow
def test_a_relative_folder_of_a_backbone_is_no_id_of_the_hub(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(clip_folder, tmp_path / "models" / "my-clip")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    one = pictures / "test" / "cat" / "test0.png"
    for given, kept in (
        ("models/my-clip", "./models/my-clip"),
        ("./models/my-clip", "./models/my-clip"),
        (str(tmp_path / "models/my-clip"), str(tmp_path / "models/my-clip")),
    ):
        shell.run("fit", pictures, "--out", "a.prompt", "--backbone", given, "--epochs", 1, "--force")
        assert load_prompt_file(tmp_path / "a.prompt").backbone == kept
        shell.run("predict", "a.prompt", one, "--backbone", kept)
    monkeypatch.chdir(tmp_path / "elsewhere")
    shell.run("fit", pictures, "--out", "../b.prompt", "--backbone", "../models/my-clip", "--epochs", 1)
    assert load_prompt_file(tmp_path / "b.prompt").backbone == "../models/my-clip"
    file = replace(load_prompt_file(tmp_path / "a.prompt"), backbone="./models/my-clip")
    save_prompt_file(tmp_path / "c.prompt", file)
    error = shell.fails("predict", "../c.prompt", one)
    assert f"'./models/my-clip', which is not here, seen from {tmp_path / 'elsewhere'}" in error
    assert "--backbone FOLDER" in error


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_process_that_is_stopped_at_any_moment(
    number: signal.Signals, suffix: str, prompt: Path, clip_folder: Path, tmp_path: Path
) -> None:
    photos, out = tmp_path / "photos", tmp_path / f"r.{suffix}"
    photos.mkdir()
    draw = np.random.default_rng(1)
    for i in range(600):
        Image.fromarray(draw.integers(0, 255, (64, 64, 3), np.uint8)).save(photos / f"{i:04d}.png")
    words = [
        sys.executable,
        "-m",
        "promptlet",
        "predict",
        prompt,
        photos,
        "--backbone",
        clip_folder,
        "--no-cache",
    ]
    words += ["--out", out, "--resume"]
    growing = out if suffix == "csv" else tmp_path / f"{out.name}.part"
    stopped = 0
    for _ in range(3):
        before = growing.stat().st_size if growing.exists() else 0
        process = subprocess.Popen(
            list(map(str, words)), stderr=subprocess.PIPE, text=True, preexec_fn=at_a_terminal
        )
        until = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < until:
            if growing.exists() and growing.stat().st_size > before + 1:
                time.sleep(0.01)
                process.send_signal(number)
                break
            time.sleep(0.002)
        said = process.communicate(timeout=60)[1]
        stopped += process.returncode in (130, -signal.SIGKILL)
        assert "Traceback" not in said
        if process.returncode == 130:
            assert "--resume to go on" in said or "nothing was answered yet" in said
            assert growing.read_bytes().endswith(b"\n")
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert stopped >= 1
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(out) if suffix == "csv" else pandas.read_parquet(out)
    assert sorted(frame["path"]) == sorted(str(path) for path in photos.iterdir())
    left = {path.name for path in tmp_path.iterdir()} - {"photos", out.name, f"{out.name}.resume"}
    assert left == set()


def at_a_terminal() -> None:
    """A shell's background jobs ignore Ctrl-C, and so would what they start."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
