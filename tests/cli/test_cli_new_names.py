"""How class names that were not taught are answered, from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlet import PromptClassifier, load_backbone
from promptlet.promptfile import load_prompt_file

FIT = ("--epochs", 3)
ASKED = ("--classes", "boat,box,tree")


@pytest.fixture
def fitted(shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path) -> Any:
    def fit(*options: object) -> Path:
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.prompt"
        shell.run("fit", pictures, "--out", out, "--backbone", clip_folder, *FIT, *options)
        return out

    return fit


@pytest.mark.slow
def test_fit_stores_the_rule_and_predict_keeps_it(
    shell: Any, fitted: Any, pictures: Path, clip_folder: Path
) -> None:
    image = next(pictures.rglob("*.png"))
    own, told = fitted(), fitted("--method", "coop", "--new-names", "blend:0.4")
    assert load_prompt_file(own).options["new_names"] == "zero-shot"
    assert load_prompt_file(told).options["new_names"] == "blend:0.4"
    for file in (own, told):
        answered = shell.json("predict", file, image, "--backbone", clip_folder, *ASKED)["predictions"][0][
            "top"
        ]
        classifier = PromptClassifier.load(file, load_backbone(clip_folder, device="cpu"))
        names = ["boat", "box", "tree"]
        expected = dict(zip(names, classifier.predict_proba([image], names)[0].tolist(), strict=True))
        for one in answered:
            assert one["probability"] == pytest.approx(expected[one["class_name"]], abs=1e-6)


@pytest.mark.slow
def test_predict_can_choose_another_rule(shell: Any, fitted: Any, pictures: Path, clip_folder: Path) -> None:
    file, image = fitted(), next(pictures.rglob("*.png"))

    def answer(*options: str) -> Any:
        return shell.json("predict", file, image, "--backbone", clip_folder, *ASKED, *options)["predictions"]

    assert answer("--new-names", "zero-shot") == answer()
    assert answer("--new-names", "learned") != answer()
    wrong = shell.refuses("predict", file, image, "--backbone", clip_folder, *ASKED, "--new-names", "maybe")
    assert "new_names='maybe' is not allowed; give one of learned, blend, zero-shot" in wrong


@pytest.mark.slow
def test_a_file_that_does_not_tell_answers_as_learned_and_says_so(
    shell: Any, fitted: Any, pictures: Path, clip_folder: Path
) -> None:
    file, image = fitted("--new-names", "learned"), next(pictures.rglob("*.png"))
    assert not load_prompt_file(file).options  # as every file was before there were rules
    done = shell.run("predict", file, image, "--backbone", clip_folder, *ASKED)
    assert "no rule for names that were not taught, which are answered as it learned: boat, tree" in (
        done.stderr
    )
    assert "note" not in shell.run("predict", file, image, "--backbone", clip_folder).stderr
    assert (
        "note"
        not in shell.run(
            "predict", file, image, "--backbone", clip_folder, *ASKED, "--new-names", "learned"
        ).stderr
    )


@pytest.mark.slow
def test_inspect_tells_the_rule(shell: Any, fitted: Any) -> None:
    own, old = fitted(), fitted("--new-names", "learned")
    assert "names that were not taught are answered zero-shot" in shell.run("inspect", own).output
    assert "are answered as learned (not told by the file)" in shell.run("inspect", old).output
    assert shell.json("inspect", own)["new_names"] == "zero-shot"
    assert shell.json("inspect", own)["singular_values"]


def test_fit_refuses_a_rule_for_a_method_that_has_none(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    command = ("fit", pictures, "--out", tmp_path / "a.prompt", "--backbone", clip_folder)
    wrong = shell.refuses(*command, "--method", "tip_adapter", "--new-names", "blend")
    assert "'tip_adapter' has no option 'new_names' (its class features are zero-shot already)" in wrong
    assert list(tmp_path.iterdir()) == []
