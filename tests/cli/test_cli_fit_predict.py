"""From a folder of drawn shapes to a prompt file to predictions, in this process."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import promptlet
from promptlet.promptfile import load_prompt_file

QUICK = ("--epochs", 3)


@pytest.mark.slow
def test_fit_tells_what_it_did(shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "shapes.prompt"
    text = shell.run("fit", pictures, "--out", out, "--backbone", clip_folder, *QUICK).output
    size = out.stat().st_size
    for words in ("3 classes, 12 images", "72 numbers learned in 3 epochs (fast)", "of 6 images"):
        assert words in text
    assert (
        f"wrote {out}: {size:,} bytes" in text
        and f"next: promptlet predict {out} IMAGE... --backbone {clip_folder}" in text
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shapes.prompt"]  # no checkpoint is left


@pytest.mark.slow
def test_fit_twice_gives_the_same_numbers(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    command = ("fit", pictures, "--backbone", clip_folder, *QUICK, "--shots", 2, "--no-cache", "--out")
    first, again = (shell.json(*command, tmp_path / name) for name in ("a.prompt", "b.prompt"))
    assert (tmp_path / "a.prompt").read_bytes() == (tmp_path / "b.prompt").read_bytes()
    for document in (first, again):
        del document["seconds"], document["file"]
    assert first == again and first["images"] == 6 and first["schema"] == 1
    other = shell.json(*command, tmp_path / "c.prompt", "--seed", 0)
    assert other["loss"] != first["loss"]
    assert load_prompt_file(tmp_path / "c.prompt").training["seed"] == 0


def test_fit_advises_to_check_as_it_was_called(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "my photos"
    shutil.copytree(pictures / "train", photos)
    shutil.copy(photos / "cat" / "train0.png", photos / "cat" / "again.png")
    said = shell.run("fit", photos, "-o", tmp_path / "a.prompt", "--backbone", clip_folder, *QUICK).output
    assert f"see promptlet check '{photos}' --backbone {clip_folder}" in said


def test_fit_options_reach_the_file(shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.prompt"
    options = (
        "--rank",
        2,
        "--n-ctx",
        5,
        "--views",
        2,
        "--lr",
        0.02,
        "--schedule",
        "coop",
        "--precision",
        "fp16",
    )
    facts = shell.json("fit", pictures, "-o", out, "--backbone", clip_folder, *QUICK, *options)
    file = load_prompt_file(out)
    assert (file.rank, file.n_ctx, file.precision) == (2, 5, "fp16") and facts["trainable"] == 2 * (5 + 32)
    assert file.training["schedule"] == "coop" and file.training["lr"] == 0.02 and file.training["views"] == 2


def test_fit_without_test_images_and_with_few(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    result = shell.run(
        "fit",
        pictures / "train",
        "--out",
        tmp_path / "a.prompt",
        "--backbone",
        clip_folder,
        *QUICK,
        "--shots",
        9,
    )
    assert "estimated accuracy on other images" in result.stdout
    assert "by cross-validation of 12 images in 4 folds" in result.stdout
    assert "note: fewer than 9 images, all taken: box, cat, dog" in result.stderr


def test_fit_a_table_and_a_method_that_learns_nothing(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    rows = [f"{path},{path.parent.name}" for path in sorted((pictures / "train").rglob("*.png"))]
    (tmp_path / "shapes.csv").write_text("path,label\n" + "\n".join(rows))
    command = ("fit", tmp_path / "shapes.csv", "--out", tmp_path / "a.prompt", "--backbone", clip_folder)
    assert "zero_shot: nothing to learn" in shell.run(*command, "--method", "zero_shot").stdout


@pytest.mark.slow
def test_fit_refuses_early(shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path) -> None:
    def error(*words: object, exit_code: int = 2) -> str:
        # a backbone that is not there: whatever is told was told before it was loaded
        return str(shell.fails("fit", *words, "--backbone", "./absent", exit_code=exit_code))

    (tmp_path / "a.prompt").write_text("old")
    assert "exists already; give another name, or --force" in error(pictures, "--out", tmp_path / "a.prompt")
    assert "is a folder; give the name of a file" in error(pictures, "--out", tmp_path)
    assert "does not exist; create it" in error(pictures, "--out", tmp_path / "no" / "a.prompt")
    assert "precision='fp8' is not known" in error(pictures, "--out", tmp_path / "b", "--precision", "fp8")
    assert "does not exist" in error(tmp_path / "none", "--out", tmp_path / "b.prompt", exit_code=1)
    assert "absent" in error(pictures, "--out", tmp_path / "b.prompt", exit_code=1)
    assert (tmp_path / "a.prompt").read_text() == "old"
    shell.run("fit", pictures, "--out", tmp_path / "a.prompt", "--force", "--backbone", clip_folder, *QUICK)
    if os.getuid():
        tmp_path.chmod(0o500)
        assert "cannot be written" in error(pictures, "--out", tmp_path / "c.prompt")
        tmp_path.chmod(0o700)


def test_fit_says_what_is_wrong_with_options(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    command = ("fit", pictures, "--out", tmp_path / "a.prompt", "--backbone", clip_folder)
    assert "Did you mean 'rlp'?" in shell.refuses(*command, "--method", "rpl")
    assert "schedule='slow' is not known; allowed: coop, fast, adamw" in shell.refuses(
        *command, "--schedule", "slow"
    )
    assert "rank=9 is outside 1..4" in shell.refuses(*command, "--rank", 9)
    assert "shots=0 is outside 1 and more" in shell.refuses(*command, "--shots", 0)
    assert "device='nowhere' is not known" in shell.refuses(*command, "--device", "nowhere")


@pytest.mark.slow
def test_ctrl_c_and_resume(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlet.classifier import learning as classifier

    def command(name: str) -> tuple[object, ...]:
        return (
            "fit",
            pictures,
            "--out",
            tmp_path / name,
            "--backbone",
            clip_folder,
            "--epochs",
            6,
            "--estimate",
            "none",
        )

    whole = shell.json(*command("whole.prompt"))
    train = classifier.train

    def cut_short(*args: Any, on_epoch: Any, **options: Any) -> Any:
        def interrupted(report: Any) -> None:
            on_epoch(report)
            if report.epoch == 3:
                raise KeyboardInterrupt

        return train(*args, on_epoch=interrupted, **options)

    with monkeypatch.context() as patch:
        patch.setattr(classifier, "train", cut_short)
        error = shell.fails(*command("cut.prompt"), exit_code=130)
    checkpoint = tmp_path / "cut.prompt.checkpoint"
    assert f"interrupted: images encoded so far are cached; training is kept in {checkpoint}" in error
    assert "run the same command again with --resume" in error
    assert checkpoint.exists() and not (tmp_path / "cut.prompt").exists()
    shutil.copy(checkpoint, tmp_path / "kept")
    assert "keeps a training that was cut short; give --resume" in shell.refuses(*command("cut.prompt"))
    assert checkpoint.read_bytes() == (tmp_path / "kept").read_bytes()
    epochs: list[int] = []

    def counted(*args: Any, on_epoch: Any, **options: Any) -> Any:
        return train(*args, on_epoch=lambda report: epochs.append(report.epoch), **options)

    monkeypatch.setattr(classifier, "train", counted)
    resumed = shell.json(*command("cut.prompt"), "--resume")
    assert epochs == [4, 5, 6] and resumed["loss"] == whole["loss"] and not checkpoint.exists()
    assert (tmp_path / "cut.prompt").read_bytes() == (tmp_path / "whole.prompt").read_bytes()
    note = shell.run(*command("cut.prompt"), "--resume", "--force").stderr
    assert "there is no checkpoint" in note
    shutil.copy(tmp_path / "kept", tmp_path / "other.prompt.checkpoint")
    assert "with other settings, data or seed" in shell.fails(
        *command("other.prompt"), "--resume", "--seed", 2
    )


def test_predict_equals_the_library(shell: Any, prompt: Path, pictures: Path, clip_folder: Path) -> None:
    images = sorted((pictures / "test").rglob("*.png"))
    document = shell.json("predict", prompt, "--backbone", clip_folder, pictures / "test")
    assert [entry["path"] for entry in document["predictions"]] == [str(path) for path in images]
    classifier = promptlet.PromptClassifier.load(prompt, clip_folder)
    assert [entry["top"][0]["class_name"] for entry in document["predictions"]] == list(
        classifier.predict(images)
    )
    best = [entry["top"][0]["probability"] for entry in document["predictions"]]
    assert best == pytest.approx(classifier.predict_proba(images).max(axis=1).tolist(), abs=1e-6)
    assert document["errors"] == [] and len(document["predictions"][0]["top"]) == 3


def test_predict_forms(shell: Any, prompt: Path, pictures: Path, clip_folder: Path) -> None:
    one = pictures / "test" / "cat" / "test0.png"
    text = shell.run("predict", prompt, "--backbone", clip_folder, one, "--top", 2).stdout
    assert text.startswith(f"{one}: ") and text.count("%") == 2 and len(text.splitlines()) == 1
    command = ("predict", prompt, "--backbone", clip_folder, one, "--csv")
    [row] = csv.DictReader(io.StringIO(shell.run(*command, "--top", 3).stdout))
    assert list(row) == ["path", "class_name", "probability"] + [
        f"{what}_{i}" for i in (2, 3) for what in ("class_name", "probability")
    ]
    chances = [float(row[name]) for name in row if name.startswith("probability")]
    assert sum(chances) == pytest.approx(1, abs=1e-5) and chances == sorted(chances, reverse=True)
    pattern = str(pictures / "test" / "*" / "test1.png")
    assert (
        len(shell.json("predict", prompt, "--backbone", clip_folder, pattern, one, one)["predictions"]) == 4
    )


def test_predict_among_other_classes(shell: Any, prompt: Path, pictures: Path, clip_folder: Path) -> None:
    one = pictures / "test" / "cat" / "test0.png"
    [entry] = shell.json("predict", prompt, "--backbone", clip_folder, one, "--classes", "lynx, house cat")[
        "predictions"
    ]
    assert {best["class_name"] for best in entry["top"]} == {"lynx", "house cat"}
    assert "--classes: there is only one class" in shell.fails(
        "predict", prompt, "--backbone", clip_folder, one, "--classes", "lynx"
    )
    assert "is there twice" in shell.fails(
        "predict", prompt, "--backbone", clip_folder, one, "--classes", "lynx,lynx"
    )


def test_bad_images_are_named_and_the_others_answered(
    shell: Any, prompt: Path, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    shutil.copy(pictures / "test" / "cat" / "test0.png", tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    (tmp_path / "c.png").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    words = (
        "predict",
        prompt,
        "--backbone",
        clip_folder,
        tmp_path,
        tmp_path / "no.png",
        tmp_path / "empty",
        tmp_path / "*.gif",
    )
    result = shell.run(*words, exit_code=1)
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [str(tmp_path / "a.png")]
    for name in ("b.png", "c.png", "no.png", "empty", "*.gif"):
        assert sum(str(tmp_path / name) in line for line in result.stderr.splitlines()) == 1, name
    document = shell.json(*words, exit_code=1)
    assert len(document["predictions"]) == 1 and len(document["errors"]) == 5


def test_predict_with_a_backbone_that_moved(
    shell: Any, prompt: Path, pictures: Path, clip_folder: Path, gelu_folder: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(clip_folder, moved)
    file = load_prompt_file(prompt)
    from dataclasses import replace

    from promptlet.promptfile import save_prompt_file

    away = tmp_path / "away.prompt"
    save_prompt_file(away, replace(file, backbone="/gone/clip"))
    one = pictures / "test" / "cat" / "test0.png"
    error = shell.fails("predict", away, one)
    assert "the folder '/gone/clip', which is not here" in error and "--backbone FOLDER" in error
    assert shell.json("predict", away, one, "--backbone", moved)["errors"] == []
    assert "Different: text tower" in shell.fails("predict", prompt, one, "--backbone", gelu_folder)


def test_out_must_be_a_file(shell: Any, pictures: Path, clip_folder: Path) -> None:
    assert "--out . is a folder" in shell.refuses("fit", pictures, "--out", ".", "--backbone", clip_folder)


def test_a_failure_is_one_json_document_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "promptlet", "inspect", str(tmp_path / "none.prompt"), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "none.prompt" in json.loads(result.stdout)["error"]


def test_accuracy_is_that_of_the_stored_numbers(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.prompt"
    facts = shell.json("fit", pictures, "-o", out, "--backbone", clip_folder, *QUICK, "--precision", "int4")
    again = promptlet.PromptClassifier.load(out, backbone=clip_folder, device="cpu")
    assert facts["test_accuracy"] == pytest.approx(100 * again.score(pictures))
    fresh = promptlet.PromptClassifier(clip_folder, epochs=3, cache=False, device="cpu").fit(pictures)
    stored = load_prompt_file(out).tensors["V"]
    assert (fresh.round_to("int4").method_.state()["V"] == stored).all()
