"""What a prompt file tells of its training, and what a classifier that is read from it would train by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from learning_toys import toy_arrays

from promptlet import PromptClassifier, load_prompt_file
from promptlet.backbones import Backbone
from promptlet.classifier.fitting import schedule_of
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
