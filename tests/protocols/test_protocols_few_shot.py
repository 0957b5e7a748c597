"""Few-shot on feature files made by hand, and trained methods that are kept: once, and trusted if whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from protocol_toys import NAMES, write_toy

from promptlet.backbones import Backbone
from promptlet.classifier import PromptClassifier
from promptlet.data import read_feature_file, sample_shots
from promptlet.errors import DataError, OptionError
from promptlet.methods import METHODS
from promptlet.methods.method import FEATURES, NOTHING
from promptlet.promptfile import load_prompt_file
from promptlet.protocols import RunStore, few_shot
from promptlet.protocols.planning import Settings, parse_methods
from promptlet.protocols.run.datasets import FeatureSource, open_dataset
from promptlet.protocols.run.trained import leave_training, take_training

SCORES = ("accuracy", "macro_f1", "ece", "images", "classes")
COSTS = ("trainable", "file_bytes", "text_passes", "seconds", "history", "samples")


def run_toy(
    backbone: Backbone,
    path: Path,
    methods: str,
    store: RunStore | None = None,
    seed: int = 1,
    shots: int = 2,
    schedule: str = "fast",
) -> list[dict[str, Any]]:
    dataset = open_dataset(str(path))
    runs = few_shot.plan(
        [dataset],
        parse_methods(methods),
        [shots],
        [seed],
        backbone.fingerprint,
        settings=Settings(schedule, epochs=3),
    )
    return [few_shot.execute(run, dataset, FeatureSource(backbone), store=store) for run in runs]


def test_zero_shot_equals_a_computation_by_hand(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    [result] = run_toy(tiny_backbone, path, "zero_shot")
    arrays = np.load(path)
    images, labels = (arrays[name][arrays["split"] == 2] for name in ("features", "labels"))
    words = tiny_backbone.text.encode_texts([f"a photo of a {name}." for name in NAMES]).detach().numpy()
    images, words = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images, words))
    expected = 100.0 * np.mean((images @ words.T).argmax(1) == labels)
    assert result["accuracy"] == pytest.approx(expected)
    assert (result["images"], result["classes"]) == (35, 5)
    assert (result["trainable"], result["text_passes"], result["seconds"]) == (0, 0, 0)
    assert "trained" not in result and result["source"] == str(path)


def test_training_sees_the_shots_of_every_class(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    [result] = run_toy(tiny_backbone, path, "rlp:rank=2", seed=3)
    drawn = sample_shots(read_feature_file(path).split, 2, 3, "coop")
    assert result["samples"] == [item.row for item in drawn.train] and len(result["samples"]) == 10
    assert result["trainable"] == 2 * (4 + 32) and len(result["history"]) == 3
    assert result["history"][-1]["accuracy"] <= 100.0 and result["short_classes"] == []
    json.dumps(result, allow_nan=False)
    [short] = run_toy(tiny_backbone, path, "zero_shot", shots=16)
    assert short["short_classes"] == list(NAMES)


@pytest.mark.parametrize(("schedule", "optimizer"), [("fast", "lbfgs"), ("adamw", "adamw")])
def test_a_stored_training_tells_its_optimizer(
    schedule: str, optimizer: str, tiny_backbone: Backbone, tmp_path: Path
) -> None:
    path, store = write_toy(tmp_path / "toy.npz"), RunStore(tmp_path / "runs")
    [result] = run_toy(tiny_backbone, path, "coop", store, schedule=schedule)
    training = load_prompt_file(store.folder / "trained" / f"{result['trained']['key']}.prompt").training
    assert (training["schedule"], training["optimizer"]) == ("fast", optimizer)


@pytest.mark.parametrize("method", [m for m, kind in METHODS.items() if kind.info.reads == FEATURES])
def test_a_stored_training_gives_the_same_numbers(
    method: str, tiny_backbone: Backbone, tmp_path: Path, trainings: list[str]
) -> None:
    path, store = write_toy(tmp_path / "toy.npz"), RunStore(tmp_path / "runs")
    methods = "qcoop,qcoop:bits=2,qcoop:rank=1" if method == "qcoop" else method
    for plain, first, again in zip(
        *(run_toy(tiny_backbone, path, methods, kept) for kept in (None, store, store)), strict=True
    ):
        for name in (*SCORES, "trainable", "file_bytes", "text_passes", "samples", "short_classes"):
            assert plain[name] == first[name] == again[name], name
        assert [report["loss"] for report in plain["history"]] == [r["loss"] for r in again["history"]]
        assert [first[name] for name in COSTS] == [again[name] for name in COSTS]
        if METHODS[method].info.learns == NOTHING:
            assert "trained" not in again and not store.folder.exists()
        else:
            assert (first["trained"]["reused"], again["trained"]["reused"]) == (False, True)
            assert first["trained"]["date"] == again["trained"]["date"]
            assert again["peak_memory"] >= first["trained"]["peak_memory"]
    learned = 0 if METHODS[method].info.learns == NOTHING else len(methods.split(","))
    assert len(trainings) == 2 * learned


def test_the_method_itself_is_taken_from_its_file(
    tiny_backbone: Backbone, tmp_path: Path, trainings: list[str]
) -> None:
    """Not only the scores that stand beside it: these are made again where they are missing."""
    path = write_toy(tmp_path / "toy.npz")
    for methods in ("rlp", "tip_adapter", "linear_probe", "qcoop:bits=4", "kgcoop", "clip_adapter"):
        store = RunStore(tmp_path / methods.replace(":", "-"))
        [first] = run_toy(tiny_backbone, path, methods, store)
        [facts] = (store.folder / "trained").glob("*.json")
        facts.write_text(json.dumps({**json.loads(facts.read_text()), "scores": None}))
        [again] = run_toy(tiny_backbone, path, methods, store)
        assert [first[name] for name in SCORES] == [again[name] for name in SCORES]
        assert again["trained"]["reused"] and json.loads(facts.read_text())["scores"] is not None
    assert len(trainings) == 6


def test_killed_after_training_and_before_scores(
    tiny_backbone: Backbone, tmp_path: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlet.protocols.run import trained

    path, store = write_toy(tmp_path / "toy.npz"), RunStore(tmp_path / "runs")

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trained, "scores", killed)
        with pytest.raises(KeyboardInterrupt):
            run_toy(tiny_backbone, path, "coop", store)
    [again] = run_toy(tiny_backbone, path, "coop", store)
    [plain] = run_toy(tiny_backbone, path, "coop")
    assert [again[name] for name in SCORES] == [plain[name] for name in SCORES]
    assert trainings == ["coop", "coop"]  # the second one is the plain run


@pytest.mark.parametrize("what", ["no facts", "bad facts", "odd facts", "no prompt", "cut prompt", "other"])
def test_what_cannot_be_trusted_is_trained_again(
    what: str, tiny_backbone: Backbone, tmp_path: Path, trainings: list[str]
) -> None:
    path, store = write_toy(tmp_path / "toy.npz"), RunStore(tmp_path / "runs")
    [first] = run_toy(tiny_backbone, path, "coop", store)
    [facts], [prompt] = ((store.folder / "trained").glob(f"*.{kind}") for kind in ("json", "prompt"))
    match what:
        case "no facts":
            facts.unlink()
        case "bad facts":
            facts.write_text(facts.read_text()[:90])
        case "odd facts":
            facts.write_text(facts.read_text().replace('"text_passes": 3', '"text_passes": "3"'))
        case "no prompt":
            prompt.unlink()
        case "cut prompt":
            prompt.write_bytes(prompt.read_bytes()[:-8])
        case "other":
            run_toy(tiny_backbone, path, "coop", RunStore(tmp_path / "other"), seed=2)
            [place] = (tmp_path / "other" / "trained").glob("*.prompt")
            prompt.write_bytes(place.read_bytes())
            trainings.remove("coop")
    [again] = run_toy(tiny_backbone, path, "coop", store)
    assert not again["trained"]["reused"] and trainings == ["coop", "coop"]
    assert [first[name] for name in SCORES] == [again[name] for name in SCORES]
    assert run_toy(tiny_backbone, path, "coop", store)[0]["trained"]["reused"]


def test_a_stored_training_is_a_prompt_file_like_any_other(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path, store = write_toy(tmp_path / "toy.npz"), RunStore(tmp_path / "runs")
    [result] = run_toy(tiny_backbone, path, "rlp", store)
    [prompt] = (store.folder / "trained").glob("*.prompt")
    assert prompt.stat().st_size == result["file_bytes"]
    loaded = PromptClassifier.load(prompt, backbone=tiny_backbone)
    assert loaded.classes_.tolist() == list(NAMES)


def test_a_training_travels_to_another_store(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path, here, there = write_toy(tmp_path / "toy.npz"), RunStore(tmp_path / "a"), RunStore(tmp_path / "b")
    [result] = run_toy(tiny_backbone, path, "rlp", here)
    key = result["trained"]["key"]
    assert take_training(there, key) is None
    files = take_training(here, key)
    assert files is not None
    leave_training(there, key, files)
    assert take_training(there, key) == files
    prompt, facts = (there.folder / "trained" / f"{key}{suffix}" for suffix in (".prompt", ".json"))
    prompt.write_bytes(files[0][:-1])  # damaged: replaced
    leave_training(there, key, files)
    assert take_training(there, key) == files
    facts.write_text(json.dumps({**json.loads(files[1]), "scores": None}))  # not scored yet: replaced
    leave_training(there, key, files)
    assert take_training(there, key) == files
    whole = (files[0], files[1].replace(b'"cpu"', b'"gpu"'))
    leave_training(there, key, whole)  # what is whole stays
    assert take_training(there, key) == files and whole != files


def test_a_data_set_that_cannot_be_read_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "pets.v2").mkdir()
    (tmp_path / "things.npz").write_bytes(b"no archive")
    (tmp_path / "saved").mkdir()
    names = {"pets.v2": "pets.v2", "things.npz": "things", "saved": "saved"}
    for source, name in names.items():
        dataset = open_dataset(str(tmp_path / source))
        assert (dataset.name, bool(dataset.problem)) == (name, True)
    hub = open_dataset(f"hf:{tmp_path / 'saved'}?label=fine")
    assert hub.name == "saved?label=fine" and hub.problem
    with pytest.raises(DataError, match="there is no such"):
        open_dataset(f"hf:{tmp_path / 'absent'}")


def test_what_cannot_be_run_says_why(tiny_backbone: Backbone, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"untested: no test images; few-shot needs train and test parts"):
        run_toy(tiny_backbone, write_toy(tmp_path / "untested.npz", test=False), "coop")
    with pytest.raises(DataError, match=r"toy8: its features have 8 numbers, those of .* 16"):
        run_toy(tiny_backbone, write_toy(tmp_path / "toy8.npz", dim=8), "coop")
    dataset = open_dataset(str(write_toy(tmp_path / "toy.npz")))
    from promptlet.protocols.planning import plan_runs

    with pytest.raises(OptionError, match="'few-shot' trains on the data set that it tests on"):
        plan_runs("few-shot", [dataset], parse_methods("rlp"), [1], [1], "f", source=dataset)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="results cannot be stored here"):
        run_toy(tiny_backbone, tmp_path / "toy.npz", "coop", RunStore(tmp_path / "file"))
