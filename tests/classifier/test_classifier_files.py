"""Prompt files of a classifier: small, exact, and refused where they do not fit."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from learning_toys import NAMES, toy_arrays

from promptlet import PromptClassifier, load_backbone, load_prompt_file
from promptlet.errors import (
    BackboneError,
    DataError,
    OptionError,
    PromptFileError,
    PromptletError,
    WrongBackboneError,
)
from promptlet.methods import METHODS
from promptlet.promptfile import save_prompt_file

KINDS: dict[str, dict[str, Any]] = {
    "rlp": {},
    "rlp rank 3": {"rank": 3, "n_ctx": 5, "seed": 0, "method_options": {"dropout": 0.3}},
    "coop": {"method": "coop"},
    "coop per class": {"method": "coop", "method_options": {"per_class": True}},
    "rlp, all names as learned": {"new_names": "learned"},
    "coop, new names blended": {"method": "coop", "new_names": "blend:0.3"},
    "zero shot": {"method": "zero_shot", "method_options": {"template": "the {} of a dog."}},
    "zero shot, name first": {"method": "zero_shot", "method_options": {"template": "{} texture."}},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def problem(tiny_backbone: Any) -> tuple[np.ndarray, np.ndarray]:
    return toy_arrays(tiny_backbone)


@pytest.fixture(scope="module")
def fitted(tiny_backbone: Any, problem: Any) -> Callable[[str], PromptClassifier]:
    def fit(kind: str) -> PromptClassifier:
        options = {"backbone": tiny_backbone, "epochs": 4, "cache": False, "lr": 0.05, **KINDS[kind]}
        return PromptClassifier(**options).fit(*problem)

    return fit


@every_kind
def test_a_file_answers_as_the_classifier_it_came_from(
    kind: str, fitted: Any, problem: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    clf = fitted(kind)
    path = tmp_path / "it.prompt"
    assert clf.save(path) == path.stat().st_size
    for where in (path, str(path)):
        loaded = PromptClassifier.load(where, backbone=tiny_backbone)
        assert np.array_equal(loaded.predict_proba(problem[0]), clf.predict_proba(problem[0]))
        assert np.array_equal(loaded.predict(problem[0]), clf.predict(problem[0]))
    assert loaded.classes_.tolist() == clf.classes_.tolist()
    assert loaded.backbone_ is tiny_backbone
    if kind != "coop per class":
        unseen = ["a boat", "a tree"]
        assert np.array_equal(loaded.class_features(unseen), clf.class_features(unseen))


@every_kind
@pytest.mark.parametrize(("precision", "close"), [("fp16", 2e-3), ("int8", 5e-2), ("int4", 1.0)])
def test_smaller_files_answer_nearly_the_same(
    kind: str, precision: str, close: float, fitted: Any, problem: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    clf = fitted(kind)
    sizes = [clf.save(tmp_path / f"{p}.prompt", precision=p) for p in ("fp32", precision)]
    loaded = PromptClassifier.load(tmp_path / f"{precision}.prompt", backbone=tiny_backbone)
    difference = np.abs(loaded.predict_proba(problem[0]) - clf.predict_proba(problem[0])).max()
    assert difference <= (close if clf.method_.trainable_count() else 0)
    assert sizes[1] <= sizes[0]


@every_kind
def test_saving_what_was_loaded_gives_the_same_bytes(
    kind: str, fitted: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    fitted(kind).save(tmp_path / "a.prompt")
    PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone).save(tmp_path / "b.prompt")
    assert (tmp_path / "a.prompt").read_bytes() == (tmp_path / "b.prompt").read_bytes()


@every_kind
def test_a_loaded_classifier_can_be_fitted_as_before(
    kind: str, fitted: Any, problem: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    """All but what the file does not tell, such as dropout."""
    clf = fitted(kind)
    clf.save(tmp_path / "a.prompt")
    again = PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)
    again.set_params(cache=False)
    if kind.startswith("rlp rank"):
        again.set_params(method_options={"dropout": 0.3})
    again.fit(*problem)
    assert np.array_equal(again.predict_proba(problem[0]), clf.predict_proba(problem[0]))


def test_sizes(fitted: Any, tmp_path: Path, problem: Any) -> None:
    """Payload 4 r (n_ctx + d) bytes; header below 600 bytes without class names."""
    clf = fitted("rlp")
    whole = clf.save(tmp_path / "a.prompt", rejection=False)
    data = (tmp_path / "a.prompt").read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    assert whole - header == 4 * 2 * (4 + 32)
    named = load_prompt_file(tmp_path / "a.prompt")
    clf_backbone = replace(named, class_names=(), backbone="openai/clip-vit-base-patch16")
    save_prompt_file(tmp_path / "bare.prompt", clf_backbone)
    bare = int.from_bytes((tmp_path / "bare.prompt").read_bytes()[:8], "little")
    assert bare < 600
    assert clf.save(tmp_path / "half.prompt", "fp16", rejection=False) - whole <= -2 * (4 + 32) + 8


@every_kind
def test_the_file_tells_how_it_was_made(kind: str, fitted: Any, tiny_backbone: Any, tmp_path: Path) -> None:
    fitted(kind).save(tmp_path / "a.prompt")
    file = load_prompt_file(tmp_path / "a.prompt")
    assert file.class_names == tuple(sorted(NAMES))
    assert file.fingerprint == tiny_backbone.fingerprint
    assert file.training["images"] == 20
    assert file.training["seed"] == KINDS[kind].get("seed", 1)
    learns = file.method != "zero_shot"
    assert ("epochs" in file.training) == ("lr" in file.training) == ("schedule" in file.training) == learns
    if file.init.startswith("words:"):  # as docs/reference/prompt-file.md demands
        words = file.init.removeprefix("words:")
        assert len(tiny_backbone.text.embed_words(words)) == file.n_ctx
    json.dumps(dict(file.training), allow_nan=False)


def test_zero_shot_keeps_its_template_and_says_it_in_words(
    fitted: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    fitted("zero shot").save(tmp_path / "a.prompt")
    file = load_prompt_file(tmp_path / "a.prompt")
    assert (file.init, file.n_ctx, file.training["template"]) == ("words:the", 1, "the {} of a dog.")
    loaded = PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)
    assert loaded.method_.template == "the {} of a dog."


def test_labels_with_underscores_come_back_as_given(tiny_backbone: Any, problem: Any, tmp_path: Path) -> None:
    labels = [f"the_{name}" for name in problem[1]]
    clf = PromptClassifier(tiny_backbone, epochs=1, cache=False).fit(problem[0], labels)
    clf.save(tmp_path / "a.prompt")
    loaded = PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)
    assert loaded.classes_.tolist() == sorted(set(labels))
    assert loaded.class_names_ == clf.class_names_
    assert loaded.score(problem[0], labels) == clf.score(problem[0], labels)


def test_class_specific_prompts_refuse_other_names(
    fitted: Any, problem: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    clf = fitted("coop per class")
    clf.save(tmp_path / "a.prompt")
    for classifier in (clf, PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)):
        with pytest.raises(OptionError, match="use per_class=False to classify names"):
            classifier.predict(problem[0], class_names=["x", "y"])
        assert len(classifier.predict(problem[0])) == 20


def test_without_a_backbone_a_known_one_named_in_the_file_is_loaded(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(4, 128)).astype("float32")
    clf = PromptClassifier("mini", "rlp", epochs=2, device="cpu").fit(images, ["cat", "dog"] * 2)
    clf.save(tmp_path / "a.prompt")
    loaded = PromptClassifier.load(tmp_path / "a.prompt", device="cpu")
    np.testing.assert_allclose(loaded.predict_proba(images), clf.predict_proba(images), atol=1e-6)


def test_a_place_that_only_the_file_names_is_not_loaded(
    fitted: Any, problem: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clf = fitted("rlp")
    clf.save(tmp_path / "a.prompt")
    folder = str(clf.backbone_.name)
    monkeypatch.setattr("promptlet.classifier.saving.load_backbone", lambda *_: pytest.fail("was loaded"))
    with pytest.raises(BackboneError, match=r"if you trust that place, name it yourself: --backbone /"):
        PromptClassifier.load(tmp_path / "a.prompt")
    monkeypatch.undo()
    loaded = PromptClassifier.load(tmp_path / "a.prompt", folder, device="cpu")
    np.testing.assert_allclose(loaded.predict_proba(problem[0]), clf.predict_proba(problem[0]), atol=1e-6)


def test_another_backbone_is_refused_with_what_differs(
    fitted: Any, gelu_folder: Path, dual_folder: Path, tmp_path: Path
) -> None:
    fitted("rlp").save(tmp_path / "a.prompt")
    both = "Different: text tower, image tower or its preprocessing. Load the backbone that the file names"
    with pytest.raises(WrongBackboneError, match=both):
        PromptClassifier.load(tmp_path / "a.prompt", backbone=load_backbone(gelu_folder, device="cpu"))
    with pytest.raises(WrongBackboneError, match=r"a\.prompt was made with backbone"):
        PromptClassifier.load(tmp_path / "a.prompt", backbone=dual_folder, device="cpu")


def test_a_file_without_class_names_is_named_later(
    fitted: Any, problem: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    clf = fitted("rlp")
    save_prompt_file(tmp_path / "a.prompt", changed(clf, class_names=()))
    loaded = PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)
    with pytest.raises(DataError, match=r"saved without class names; give class_names=\[...\]"):
        loaded.predict(problem[0])
    assert np.array_equal(loaded.predict(problem[0], clf.classes_), clf.predict(problem[0]))


def changed(clf: PromptClassifier, **changes: Any) -> Any:
    return replace(clf.prompt_file(), rejection=None, **changes)


HOSTILE: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown method": ("coop", {"method": "mapple"}, "method 'mapple', which this version"),
    "rlp without factors": ("coop", {"method": "rlp"}, "this context has"),
    "coop with factors": ("rlp", {"method": "coop"}, "this context has"),
    "zero-shot with factors": ("rlp", {"method": "zero_shot", "options": {}}, "learned tensors"),
    "other words": ("rlp", {"init": "words:a photo"}, "has 2 tokens"),
    "a template without a place": ("zero shot", {"options": {"template": "x"}}, "must hold {} exactly once"),
    "a template that is a number": ("zero shot", {"options": {"template": 3}}, "must hold {} exactly once"),
    "an option that the method has not": ("coop", {"options": {"depth": 3}}, "'coop' has no option 'depth'"),
    "an option of the wrong kind": ("coop", {"options": {"class_token_position": "top"}}, "is not known"),
    "names that are the same": ("rlp", {"class_names": ("cat", "CAT")}, "differ only by"),
    "one name": ("rlp", {"class_names": ("cat",)}, "only one class"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_files_that_contradict_themselves_are_refused(
    case: str, fitted: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    kind, changes, message = HOSTILE[case]
    save_prompt_file(tmp_path / "bad.prompt", changed(fitted(kind), **changes))
    with pytest.raises(PromptFileError, match=rf"bad\.prompt.*{message}"):
        PromptClassifier.load(tmp_path / "bad.prompt", backbone=tiny_backbone)


@pytest.mark.parametrize("training", [{"views": "x"}, {"seed": 1.5}, {"lr": "x"}, {"schedule": "none"}])
def test_odd_training_records_do_not_matter_for_answers(
    training: dict[str, Any], fitted: Any, problem: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    clf = fitted("rlp")
    save_prompt_file(tmp_path / "a.prompt", changed(clf, training=training))
    loaded = PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)
    assert np.array_equal(loaded.predict(problem[0]), clf.predict(problem[0]))


def test_damaged_and_missing_files_are_refused(fitted: Any, tiny_backbone: Any, tmp_path: Path) -> None:
    fitted("rlp").save(tmp_path / "a.prompt")
    data = (tmp_path / "a.prompt").read_bytes()
    (tmp_path / "a.prompt").write_bytes(data[:-1])
    for name in ("a.prompt", "missing.prompt"):
        with pytest.raises(PromptFileError, match=f"cannot load .*{name}"):
            PromptClassifier.load(tmp_path / name, backbone=tiny_backbone)


def test_places_that_cannot_be_written_are_refused(fitted: Any, tmp_path: Path) -> None:
    with pytest.raises(PromptletError, match=r"the folder .* does not exist: create it"):
        fitted("rlp").save(tmp_path / "nowhere" / "a.prompt")
    with pytest.raises(PromptFileError, match=r"precision='fp61' is not known.*Did you mean 'fp16'"):
        fitted("rlp").save(tmp_path / "a.prompt", precision="fp61")


def test_a_file_tells_how_new_names_are_answered(fitted: Any, tiny_backbone: Any, tmp_path: Path) -> None:
    expected = {"rlp": "zero-shot", "coop, new names blended": "blend:0.3", "coop": "learned"}
    for kind, rule in expected.items():
        fitted(kind).save(tmp_path / "a.prompt")
        told = load_prompt_file(tmp_path / "a.prompt").options
        assert told == ({} if rule == "learned" else {"new_names": rule, "template": "a photo of a {}."})
        loaded = PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)
        assert loaded.method_.new_names == rule and loaded.method_.taught == loaded.class_names_


def test_a_file_without_a_rule_for_new_names_answers_as_older_ones_did(
    fitted: Any, problem: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    """Such a file says nothing of new names; RLP's own rule is not put in its place."""
    clf = fitted("rlp, all names as learned")
    clf.save(tmp_path / "old.prompt")
    assert not load_prompt_file(tmp_path / "old.prompt").options
    loaded = PromptClassifier.load(tmp_path / "old.prompt", backbone=tiny_backbone)
    names = ["cat", "a boat"]
    loaded.method_.set_classes(names)
    plain = loaded.backbone_.logits(
        F.normalize(torch.from_numpy(problem[0]), dim=-1),
        loaded.method_.learned_features(),
    )
    loaded.method_.set_classes(loaded.class_names_)
    expected = plain.softmax(-1).detach().numpy()
    np.testing.assert_allclose(loaded.predict_proba(problem[0], names), expected, atol=1e-5)


def test_a_rule_can_be_chosen_when_predicting(fitted: Any, problem: Any, tiny_backbone: Any) -> None:
    clf, names = fitted("rlp"), ["cat", "a boat", "dog"]
    found = {rule: clf.predict_proba(problem[0], names, rule) for rule in ("learned", "blend", "zero-shot")}
    assert not np.allclose(found["learned"], found["zero-shot"], atol=1e-3)
    assert np.array_equal(clf.predict_proba(problem[0], names), found["zero-shot"])
    assert np.array_equal(clf.predict_proba(problem[0]), clf.predict_proba(problem[0], new_names="learned"))
    clf.choose_new_names("learned")
    assert np.array_equal(clf.predict_proba(problem[0], names), found["learned"])
    with pytest.raises(OptionError, match="new_names='never' is not allowed"):
        clf.predict(problem[0], names, new_names="never")
    assert clf.method_.new_names == "learned"


def test_a_compact_file_does_not_say_which_names_were_taught(
    fitted: Any, problem: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    clf = fitted("rlp")
    clf.save(tmp_path / "c.prompt", compact=True)
    loaded = PromptClassifier.load(tmp_path / "c.prompt", backbone=tiny_backbone)
    names = [*NAMES, "a boat"]
    expected = clf.predict_proba(problem[0], names, new_names="learned")
    np.testing.assert_allclose(loaded.predict_proba(problem[0], names), expected, atol=1e-6)
    with pytest.raises(
        OptionError, match="saved without class names, so nothing says which names were taught"
    ):
        loaded.predict(problem[0], names, new_names="zero-shot")


def test_a_method_of_ones_own_keeps_a_rule_that_was_chosen(
    problem: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    """It is a prompt at the text side, and has the choice although its own options do not name it."""
    runpy.run_path(str(Path(__file__).parents[2] / "examples" / "own_method.py"))
    try:
        clf = PromptClassifier(tiny_backbone, method="near_coop", epochs=3, cache=False).fit(*problem)
        names = ["cat", "a boat", "dog"]
        clf.choose_new_names("zero-shot").save(tmp_path / "own.prompt")
        again = PromptClassifier.load(tmp_path / "own.prompt", backbone=tiny_backbone)
        assert again.method_.new_names == "zero-shot"
        expected = clf.predict_proba(problem[0], names)
        np.testing.assert_allclose(again.predict_proba(problem[0], names), expected, atol=1e-6)
        with pytest.raises(OptionError, match=r"no option 'new_names' \(its own options do not name it\)"):
            PromptClassifier(tiny_backbone, method="near_coop", new_names="blend").fit(*problem)
    finally:
        METHODS.pop("near_coop", None)
