"""A project is trained: what comes of it, what it may lack, and what happens meanwhile."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest
from colours import EACH, QUICK, Told, ended, settled, trained
from drawn_photos import COLOURS, draw

from promptlet.classifier import PromptLearner
from promptlet.errors import OptionError, TrainingError
from promptlet.own_images.estimating import curve
from promptlet.teach.learning import choosing, training
from promptlet.teach.learning.learning import Learning
from promptlet.teach.learning.refusals import NothingLearnedError, NotNowError
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf


@pytest.mark.slow
def test_what_comes_of_a_training(learning: Learning, colours: Project, shelf: Shelf, told: Told) -> None:
    names = dict(colours.seen().names)
    result = trained(learning)
    assert json.loads(json.dumps(result)) == result
    assert result["method"] == "tip_adapter" and result["why_key"] == "chosen"
    assert result["revision"] and result["taught"] == colours.seen().taught
    path = shelf.prompt_path("colours")
    assert result["bytes"] == path.stat().st_size and result["numbers"] >= 0
    counts = np.array(result["matrix"]["counts"])
    assert result["matrix"]["classes"] == ["blue", "green", "red"] and counts.sum() == 3 * EACH
    accuracy = result["accuracy"]
    assert accuracy["percent"] == pytest.approx(100 * counts.trace() / counts.sum())
    assert accuracy["low"] <= accuracy["percent"] <= accuracy["high"] and accuracy["images"] == 3 * EACH
    assert accuracy["of_ten"] in range(11) and accuracy["way"] == "cv"
    assert sum(one["count"] for one in result["confused"]) == counts.sum() - counts.trace()
    for one in result["confused"]:
        assert len(one["images"]) == one["count"] and all(
            names[image].startswith(one["class"]) for image in one["images"]
        )
    assert result["rejection"]["points"][0]["share_own"] == 50.0 and result["curve"] is None
    assert told.stages() == ["looking", "encoding", "training", "estimating", "checking", "saving"]
    assert learning.training("colours")["state"] == "done"  # type: ignore[index]
    taught = PromptLearner.load(path, learning._vectors.backbone)
    assert taught.class_names_ == ("blue", "green", "red") and "cv: " in taught.training_["estimate"]
    assert json.loads((colours.root / "project.json").read_text(encoding="utf-8"))["result"] == result


@pytest.mark.slow
def test_classes_stand_in_the_order_of_the_project(learning: Learning, colours: Project) -> None:
    colours.change({"action": "order-classes", "names": ["red", "blue", "green"]})
    colours.change({"action": "create-class", "name": "yellow"})
    result = trained(learning)
    assert result["matrix"]["classes"] == ["red", "blue", "green"]
    assert result["advice"][0] == {"kind": "add-photos", "class": "yellow", "count": 5}


@pytest.mark.slow
def test_auto_compares_what_learns_and_says_why(
    learning: Learning, colours: Project, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "LEARNERS", ("rlp", "kgcoop"))
    monkeypatch.setattr(training, "CURVE_SECONDS", 0.0)
    result = trained(learning, method="auto", schedule="coop")
    assert result["method"] in ("rlp", "kgcoop", "zero_shot")
    assert result["why_key"] in ("best", "smallest", "names-better")
    assert str(result["why_values"]["right"]) in result["why"] and result["why_values"]["images"] == 12
    assert "choosing" in told.stages()
    if result["method"] == "rlp":  # what a comparison asked is the estimate
        right = round(result["accuracy"]["percent"] * 12 / 100)
        assert right == result["why_values"]["right"] and "training" not in told.stages()


@pytest.mark.slow
def test_auto_takes_the_usual_one_where_a_class_has_few_photos(
    learning: Learning, colours: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    red = colours.seen().classes[2]
    colours.change({"action": "remove-images", "images": list(red.images[:2])})
    result = trained(learning, method="auto", schedule="coop", shots=1)
    assert (result["method"], result["why_key"], result["shots"]) == ("rlp", "few-photos", 1)
    assert "“red” has 1 photo" in result["why"] or "“blue” has 1 photo" in result["why"]


@pytest.mark.slow
def test_auto_takes_the_usual_one_where_a_comparison_would_take_long(
    learning: Learning, colours: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "SECONDS", 0.0)
    result = trained(learning, method="auto", schedule="coop")
    assert (result["method"], result["why_key"]) == ("rlp", "too-long")
    assert result["accuracy"]["percent"] is not None


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "maple"},
        {"method": "nothing"},
        {"method": 3},
        {"rank": 2},
        {"method": "tip_adapter", "rank": 2},
        {"shots": 0},
        {"shots": "many"},
        {"schedule": "slow"},
        {"method": "dip_do", "schedule": "official"},
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_begins(
    learning: Learning, colours: Project, asked: dict[str, Any]
) -> None:
    with pytest.raises(OptionError):
        learning.train("colours", asked)
    assert learning.training("colours") is None


@pytest.mark.parametrize("names", [[], ["red"]])
def test_fewer_than_two_classes_are_too_few(learning: Learning, colours: Project, names: list[str]) -> None:
    for one in colours.seen().classes:
        if one.name not in names:
            colours.change({"action": "delete-class", "name": one.name})
    with pytest.raises(NotNowError, match="only “red”" if names else "no class has photos"):
        learning.train("colours", QUICK)


def test_one_image_a_class_is_learned_from_and_nothing_is_estimated(
    learning: Learning, colours: Project
) -> None:
    for one in colours.seen().classes:
        colours.change({"action": "remove-images", "images": list(one.images[1:])})
    result = trained(learning)
    assert result["accuracy"]["percent"] is None and result["accuracy"]["of_ten"] is None
    assert "2 different photos" in result["accuracy"]["reason"]
    assert (result["matrix"], result["confused"], result["rejection"]) == (None, [], None)
    assert [one["count"] for one in result["advice"]] == [4, 4, 4]
    with pytest.raises(NotNowError, match="no photo could be held back"):
        learning.report("colours")


@pytest.mark.slow
def test_images_that_cannot_be_read_cost_themselves_alone(learning: Learning, colours: Project) -> None:
    bad = colours.root / "red" / "torn.png"
    bad.write_bytes((colours.root / "red" / "red0.png").read_bytes()[:200])
    image = next(image for image, name in colours.seen().names.items() if name == "torn.png")
    result = trained(learning)
    assert [one["image"] for one in result["left_out"]] == [image] and result["images"] == 3 * EACH
    assert result["left_out"][0]["reason"].startswith("torn.png: ")
    [found] = [one for one in result["suspicious"] if one["kind"] == "unreadable"]
    assert found["images"] == [image] and found["words"].startswith("torn.png")
    assert found["repair"] == {"action": "remove-images", "images": [image]}
    settled(learning)


def test_a_class_that_cannot_be_read_at_all_is_no_class(learning: Learning, colours: Project) -> None:
    for name in ("red", "green"):
        for path in (colours.root / name).iterdir():
            path.write_bytes(path.read_bytes()[:150] + path.name.encode())
    job = ended(learning.train("colours", QUICK), "failed")
    assert "fewer than two classes have photos that can be read" in str(job.error)
    assert ".png" in str(job.error) and str(colours.root) not in str(job.error)
    assert learning.result("colours") is None


@pytest.mark.slow
def test_copies_are_told_with_a_repair(learning: Learning, colours: Project) -> None:
    one = (colours.root / "red" / "red0.png").read_bytes()
    (colours.root / "red" / "again.png").write_bytes(one)
    (colours.root / "blue" / "too.png").write_bytes((colours.root / "green" / "green0.png").read_bytes())
    found = {one["kind"]: one for one in trained(learning)["suspicious"]}
    names = colours.seen().names
    copies = found["duplicate"]
    assert {names[image] for image in copies["images"]} == {"red0.png", "again.png"}
    assert copies["repair"] == {"action": "remove-images", "images": copies["images"][1:]}
    assert "again.png" in copies["words"] and "red/" not in copies["words"]
    assert set(found["two-classes"]["images"]) == {
        image for image, name in names.items() if name in ("too.png", "green0.png")
    }


@pytest.mark.slow
def test_a_cancelled_training_leaves_the_former_prompt(
    learning: Learning, colours: Project, shelf: Shelf, told: Told
) -> None:
    first = trained(learning)
    before = shelf.prompt_path("colours").read_bytes()
    for stage in ("encoding", "training", "estimating", "checking", "saving"):
        told.at[stage] = lambda: threading.Thread(target=learning.cancel, args=("colours",)).start()
        ended(learning.train("colours", {"method": "clip_adapter"}), "cancelled")
        assert shelf.prompt_path("colours").read_bytes() == before
        assert learning.result("colours") == first
    assert trained(learning, method="clip_adapter")["method"] == "clip_adapter"


def test_a_failing_training_leaves_the_former_prompt(
    learning: Learning, colours: Project, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(learning)
    before = shelf.prompt_path("colours").read_bytes()

    def fail(*_given: Any, **_more: Any) -> Any:
        raise TrainingError("the loss is no number")

    monkeypatch.setattr(PromptLearner, "fit", fail)
    job = ended(learning.train("colours", QUICK), "failed")
    assert job.error == "the loss is no number"
    assert shelf.prompt_path("colours").read_bytes() == before and learning.result("colours") == first


@pytest.mark.slow
def test_a_disk_that_is_full_behind_the_prompt_says_what_is_kept(
    learning: Learning, colours: Project, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training, "write_answers", fail)
    job = ended(learning.train("colours", QUICK), "failed")
    assert "the new prompt is saved" in str(job.error) and "No space left" in str(job.error)
    assert shelf.prompt_path("colours").is_file() and learning.result("colours") is None
    monkeypatch.undo()
    assert trained(learning)["method"] == "tip_adapter"


@pytest.mark.slow
def test_images_that_move_meanwhile_are_learned_as_they_were(
    learning: Learning, colours: Project, told: Told
) -> None:
    before = colours.seen()

    def change() -> None:
        [*images] = before.classes[0].images
        colours.change({"action": "rename-class", "name": "red", "to": "crimson"})
        colours.change({"action": "remove-images", "images": images[:1]})

    told.at["training"] = change
    result = trained(learning)
    assert result["matrix"]["classes"] == ["blue", "green", "red"]
    assert np.array(result["matrix"]["counts"]).sum() == 3 * EACH
    assert result["taught"] == before.taught != colours.seen().taught
    assert not [one for one in result["suspicious"] if one["kind"] == "unreadable"]
    assert learning.report("colours")


@pytest.mark.slow
def test_a_project_that_is_deleted_meanwhile_gets_no_prompt(
    learning: Learning, colours: Project, shelf: Shelf, told: Told
) -> None:
    told.at["training"] = lambda: shelf.delete("colours")
    ended(learning.train("colours", QUICK), "cancelled")
    assert not shelf.prompt_path("colours").exists() and not (shelf.root / "colours").exists()


@pytest.mark.slow
def test_another_prompt_has_no_result(learning: Learning, colours: Project, shelf: Shelf) -> None:
    trained(learning)
    path = shelf.prompt_path("colours")
    PromptLearner.load(path, learning._vectors.backbone).save(path, "fp16")
    assert learning.result("colours") is None
    learning.put("colours")
    assert colours.result() is None
    path.unlink()
    with pytest.raises(NothingLearnedError):
        learning.export("colours", "vectors")
    with pytest.raises(NothingLearnedError):
        learning.report("colours")


@pytest.mark.slow
def test_a_curve_is_drawn_where_there_are_photos_enough(
    learning: Learning, colours: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curve, "FEWEST", 4)  # some of these look nearly the same, and count once
    shades = np.random.default_rng(2)
    for name, colour in COLOURS.items():
        for seed in range(16):
            red, green, blue = (int(level + shades.integers(-30, 50)) for level in colour)
            draw(colours.root / name / f"{name}{seed}.png", (red, green, blue), seed)
    result = trained(learning, method="clip_adapter")
    found = result["curve"]
    assert found["shots"][:3] == [1, 2, 4] and found["words_key"] in ("would-help", "would-not-help")
    assert all(
        low <= percent <= high
        for low, percent, high in zip(found["low"], found["percent"], found["high"], strict=True)
    )
