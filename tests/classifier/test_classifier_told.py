"""What a prompt file tells of its training, and what a classifier that is read from it would train by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from learning_toys import toy_arrays

from promptlet import PromptClassifier, load_prompt_file
from promptlet.backbones import Backbone
from promptlet.classifier.fitting import official_notes, schedule_of
from promptlet.promptfile import save_prompt_file


@pytest.mark.parametrize(("schedule", "optimizer"), [("fast", "lbfgs"), ("adamw", "adamw"), ("coop", "sgd")])
def test_a_file_tells_the_optimizer(
    schedule: str, optimizer: str, tiny_backbone: Backbone, tmp_path: Path
) -> None:
    """``fast`` and ``adamw`` bear one name in records."""
    x, y = toy_arrays(tiny_backbone)
    PromptClassifier(tiny_backbone, "rlp", schedule=schedule, epochs=2).fit(x, y).save(tmp_path / "a.prompt")
    assert load_prompt_file(tmp_path / "a.prompt").training["optimizer"] == optimizer
    again = PromptClassifier.load(tmp_path / "a.prompt", tiny_backbone)
    assert (again.schedule, again.epochs) == (schedule, 2)
    assert schedule_of(again).optimizer == optimizer


@pytest.mark.parametrize(("method", "schedule"), [("rlp", "adamw"), ("cocoop", "fast")])
def test_a_file_from_before_optimizers_were_told_is_of_adamw(
    method: str, schedule: str, tiny_backbone: Backbone, tmp_path: Path
) -> None:
    x, y = toy_arrays(tiny_backbone)
    made = PromptClassifier(tiny_backbone, method, epochs=1, schedule="adamw").fit(x, y).prompt_file()
    kept = {name: value for name, value in made.training.items() if name != "optimizer"}
    save_prompt_file(tmp_path / "a.prompt", replace(made, training=kept))
    again = PromptClassifier.load(tmp_path / "a.prompt", tiny_backbone)
    assert again.schedule == schedule and schedule_of(again).optimizer == "adamw"


def test_a_loaded_classifier_samples_as_it_was_made(tiny_backbone: Backbone, tmp_path: Path) -> None:
    x, y = toy_arrays(tiny_backbone)
    PromptClassifier(tiny_backbone, epochs=1, sampled_classes=2).fit(x, y).save(tmp_path / "a.prompt")
    assert PromptClassifier.load(tmp_path / "a.prompt", tiny_backbone).sampled_classes == 2


def test_official_is_few_shot_or_else_base_to_new(tiny_backbone: Backbone, tmp_path: Path) -> None:
    x, y = toy_arrays(tiny_backbone)
    made = PromptClassifier(tiny_backbone, "coop", schedule="official", epochs=2, shots=2).fit(x, y)
    assert (made.method_.n_ctx, made.method_.init) == (16, "seed:1")
    assert made.training_["schedule"] == "official:few-shot"
    assert official_notes(made)[0].startswith("official settings of few-shot: epochs=100, n_ctx=16")
    assert official_notes(made)[1] == ("not as its official settings for few-shot: epochs=2 (official: 100)")
    made.save(tmp_path / "a.prompt")
    again = PromptClassifier.load(tmp_path / "a.prompt", tiny_backbone)
    assert (again.schedule, again.n_ctx, again.shots) == ("official:few-shot", 16, 2)
    other = PromptClassifier(tiny_backbone, "kgcoop", schedule="official", epochs=1).fit(x, y)
    assert (other.method_.n_ctx, other.training_["schedule"]) == (4, "official:base-to-new")


def test_what_is_given_wins_over_official_options(tiny_backbone: Backbone) -> None:
    x, y = toy_arrays(tiny_backbone)
    given = {"schedule": "official", "epochs": 1, "n_ctx": 3, "ctx_init": "random"}
    made = PromptClassifier(tiny_backbone, "coop", **given).fit(x, y)
    assert made.method_.n_ctx == 3
    assert "n_ctx=3 (official: 16)" in official_notes(made)[1]
    clap = {"schedule": "official", "epochs": 1}
    assert PromptClassifier(tiny_backbone, "clap", **clap).fit(x, y).method_.length == 0.0
    given = {**clap, "method_options": {"length": 4.0}}
    assert PromptClassifier(tiny_backbone, "clap", **given).fit(x, y).method_.length == 4.0
    named = PromptClassifier(tiny_backbone, "coop", schedule="official:base-to-new", epochs=1).fit(x, y)
    assert named.method_.n_ctx == 4 and named.training_["schedule"] == "official:base-to-new"


def test_an_official_file_from_before_is_of_base_to_new(tiny_backbone: Backbone, tmp_path: Path) -> None:
    x, y = toy_arrays(tiny_backbone)
    made = PromptClassifier(tiny_backbone, "coop", schedule="official:base-to-new", epochs=1).fit(x, y)
    file = made.prompt_file()
    for told, read in (("official", "official:base-to-new"), ("of the future", "fast")):
        save_prompt_file(tmp_path / "a.prompt", replace(file, training={**file.training, "schedule": told}))
        assert PromptClassifier.load(tmp_path / "a.prompt", tiny_backbone).schedule == read
