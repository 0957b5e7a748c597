"""Results of trainings that come from files: of a zip that was opened again, of a disk, of a stranger."""

from __future__ import annotations

import copy
import io
import json
import logging
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from colours import trained

from promptlet.errors import OptionError
from promptlet.teach.learning.learning import Learning
from promptlet.teach.learning.refusals import NotNowError
from promptlet.teach.learning.results.stored import checked_result
from promptlet.teach.projects.adding import Dropped, add
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf

Spoil = Callable[[dict[str, Any]], object]
HOSTILE: dict[str, Spoil] = {
    "nothing": lambda one: one.clear(),
    "another version": lambda one: one.update(schema=1),
    "a percentage above all": lambda one: one["accuracy"].update(percent=1e9),
    "text for a number": lambda one: one["accuracy"].update(low="<img src=x>"),
    "no accuracy": lambda one: one.pop("accuracy"),
    "an id that is a path": lambda one: one["left_out"].append({"image": "../../etc/passwd", "reason": ""}),
    "a sentence without end": lambda one: one.update(why="x" * 1_000_000),
    "a key that is markup": lambda one: one.update(why_key="<b>"),
    "a matrix that is none": lambda one: one["matrix"]["counts"].pop(),
    "a matrix with a long row": lambda one: one["matrix"]["counts"][0].append(1),
    "a matrix of billions": lambda one: one["matrix"].update(classes=["a"] * 20_000),
    "negative counts": lambda one: one["matrix"]["counts"][0].__setitem__(0, -1),
    "a curve with a hole": lambda one: one.update(curve={**CURVE, "low": []}),
    "a repair that deletes": lambda one: one["suspicious"].append(
        {**SUSPECT, "repair": {"action": "delete-class", "name": "red"}}
    ),
    "a repair of other images": lambda one: one["suspicious"].append(
        {**SUSPECT, "repair": {"action": "remove-images", "images": ["f" * 16]}}
    ),
    "deep nesting": lambda one: one.update(why_values={"a": [[[["x"]]]]}),
}
CURVE = {
    "shots": [1, 2],
    "percent": [50.0, 60.0],
    "low": [40.0, 50.0],
    "high": [60.0, 70.0],
    "words_key": "would-help",
    "images": 12,
    "folds": 5,
}
SUSPECT = {
    "kind": "tiny",
    "images": ["0" * 16],
    "class": "red",
    "suggested": None,
    "words": "it is tiny",
    "repair": None,
}


@pytest.fixture
def result(learning: Learning, colours: Project) -> dict[str, Any]:
    """What came of a training."""
    assert colours.seen().images
    return trained(learning)


def zipped(learning: Learning) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(learning.archive("colours"))))


def reopened(file: zipfile.ZipFile, learning: Learning, shelf: Shelf) -> Project:
    """As the page does it: the prompt, then the photos class by class."""
    made = shelf.create("Again")
    shelf.prompt_path(made.id).write_bytes(file.read("colours.prompt"))
    learning.put(made.id)
    for name in file.namelist():
        folder, _, own = name.rpartition("/")
        if folder:
            add(made, [Dropped(own, file.read(name))], None if folder == ".unlabelled" else folder)
    return made


def test_every_hostile_result_is_refused_in_words(result: dict[str, Any]) -> None:
    assert checked_result(result) == result
    assert checked_result({**result, "curve": CURVE, "suspicious": [SUSPECT]})["curve"] == CURVE
    for name, spoil in HOSTILE.items():
        wrong = copy.deepcopy(result)
        spoil(wrong)
        with pytest.raises(OptionError, match="train again") as refused:
            checked_result(wrong)
        assert refused.value.key == "result-wrong", name
    for strange in (None, 7, "result", [], [result]):
        with pytest.raises(OptionError):
            checked_result(strange)


def test_what_else_stands_in_a_result_is_dropped(result: dict[str, Any]) -> None:
    assert checked_result({**result, "onload": "alert(1)"}) == result


def test_a_zip_that_is_opened_again_has_its_result_and_its_report(
    result: dict[str, Any], learning: Learning, shelf: Shelf
) -> None:
    file = zipped(learning)
    made = reopened(file, learning, shelf)
    assert learning.result(made.id) is None
    told = json.loads(file.read("project.json"))["result"]
    answers = json.loads(file.read(".answers.json"))
    assert learning.put_result(made.id, told, answers) is True
    assert learning.result(made.id) == result
    assert made.seen().taught == result["taught"], "the same images in the same classes: not outdated"
    assert "held back" in learning.report(made.id)
    made.change({"action": "remove-images", "images": list(made.seen().classes[0].images[:1])})
    assert made.seen().taught != result["taught"] and learning.result(made.id) == result


def test_a_result_of_another_prompt_is_left_out(result: dict[str, Any], learning: Learning) -> None:
    with pytest.raises(NotNowError, match="another prompt file") as refused:
        learning.put_result("colours", {**result, "digest": "0" * 32}, None)
    assert refused.value.key == "result-other"
    assert learning.result("colours") == result


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one["images"].pop(),
        lambda one: one["targets"].__setitem__(0, 99),
        lambda one: one["probabilities"][0].pop(),
        lambda one: one["probabilities"][0].__setitem__(0, 7.0),
        lambda one: one.update(digest="0" * 32),
        lambda one: one.update(images=[], targets=[], probabilities=[]),
        lambda one: one.clear(),
    ],
)
def test_answers_that_cannot_be_right_cost_the_report_alone(
    result: dict[str, Any], learning: Learning, shelf: Shelf, spoil: Spoil
) -> None:
    file = zipped(learning)
    made = reopened(file, learning, shelf)
    answers = json.loads(file.read(".answers.json"))
    spoil(answers)
    assert learning.put_result(made.id, result, answers) is False
    assert learning.result(made.id) == result
    with pytest.raises(NotNowError, match="no report"):
        learning.report(made.id)


def test_a_restart_keeps_the_result(result: dict[str, Any], tiny_backbone: Any, shelf: Shelf) -> None:
    shelf.close()
    again = Shelf(shelf.root)
    learning = Learning(again, tiny_backbone)
    try:
        assert learning.result("colours") == result
        assert "held back" in learning.report("colours")
    finally:
        learning.close()
        again.close()


@pytest.mark.parametrize("wrong", [{"method": "rlp"}, {"accuracy": "<b>"}, {"digest": 7}])
def test_a_result_on_the_disk_that_is_none_is_left_out_with_a_word(
    result: dict[str, Any],
    learning: Learning,
    colours: Project,
    wrong: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    colours.keep_result({"digest": result["digest"], **wrong})
    with caplog.at_level(logging.WARNING, "promptlet.teach"):
        assert learning.result("colours") is None
    assert "left out" in caplog.text or "digest" in wrong
