"""Going on from a prompt: the numbers are those that it learned, and what does not fit is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_toys import toy_arrays

from promptlet.backbones import Backbone
from promptlet.classifier import PromptClassifier
from promptlet.errors import OptionError, PromptFileError

EPOCHS = 3


@pytest.fixture
def learned(tiny_backbone: Backbone, tmp_path: Path) -> tuple[Path, np.ndarray, Any]:
    x, y = toy_arrays(tiny_backbone)
    clf = PromptClassifier(tiny_backbone, "rlp", rank=1, epochs=EPOCHS).fit(x, y)
    clf.save(tmp_path / "a.prompt")
    return tmp_path / "a.prompt", x, y


def test_a_training_of_no_step_worth_answers_as_the_prompt(tiny_backbone: Backbone, learned: Any) -> None:
    file, x, y = learned
    before = PromptClassifier.load(file, tiny_backbone)
    after = PromptClassifier(tiny_backbone, "rlp", rank=1, epochs=1, lr=1e-12, start_from=file).fit(x, y)
    np.testing.assert_allclose(after.predict_proba(x), before.predict_proba(x), atol=1e-6)
    fresh = PromptClassifier(tiny_backbone, "rlp", rank=1, epochs=1, lr=1e-12).fit(x, y)
    assert not np.allclose(fresh.predict_proba(x), before.predict_proba(x), atol=1e-4)


def test_the_loss_goes_on_from_where_it_was(tiny_backbone: Backbone, learned: Any) -> None:
    file, x, y = learned
    first = PromptClassifier(tiny_backbone, "rlp", rank=1, epochs=EPOCHS).fit(x, y)
    more = PromptClassifier(tiny_backbone, "rlp", rank=1, epochs=EPOCHS, start_from=file).fit(x, y)
    assert more.history_[0].loss < first.history_[0].loss


def test_other_classes_are_told_apart(tiny_backbone: Backbone, learned: Any) -> None:
    file, x, y = learned
    names = sorted(set(y))
    kept = np.array([label != names[0] for label in y])
    labels = np.where(y[kept] == names[1], "zebra", y[kept])
    clf = PromptClassifier(tiny_backbone, "rlp", rank=1, epochs=1, start_from=file).fit(x[kept], labels)
    assert set(clf.started_.gone) == {names[0], names[1]} and clf.started_.new == ("zebra",)
    assert set(clf.started_.kept) == set(names[2:])
    assert clf.started_.numbers == clf.method_.trainable_count()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "coop"}, "made by the method 'rlp', not 'coop'"),
        ({"method": "zero_shot"}, "made by the method 'rlp'"),
        ({"method": "rlp", "rank": 1, "n_ctx": 2, "ctx_init": "random"}, "has n_ctx=4"),
        ({"method": "rlp", "rank": 2}, "rank=1"),
    ],
)
def test_what_does_not_fit_is_refused(
    tiny_backbone: Backbone, learned: Any, given: dict[str, Any], said: str
) -> None:
    file, x, y = learned
    with pytest.raises(OptionError, match=said):
        PromptClassifier(tiny_backbone, epochs=1, start_from=file, **given).fit(x, y)


def test_numbers_that_belong_to_classes_stay_with_them(tiny_backbone: Backbone, tmp_path: Path) -> None:
    x, y = toy_arrays(tiny_backbone)
    own = {"method": "coop", "method_options": {"per_class": True}, "epochs": 1}
    PromptClassifier(tiny_backbone, **own).fit(x, y).save(tmp_path / "a.prompt")
    again = PromptClassifier(tiny_backbone, start_from=tmp_path / "a.prompt", **own).fit(x, y)
    assert again.started_.new == ()
    with pytest.raises(OptionError, match="belongs to its classes"):
        PromptClassifier(tiny_backbone, start_from=tmp_path / "a.prompt", **own).fit(x, [f"{n} x" for n in y])


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"between": "one"}, {}, "has between='one', and this training no between"),
        ({}, {"between": "one"}, "has no between, and this training between='one'"),
        ({"class_token_position": "middle"}, {"class_token_position": "front"}, "'middle', and .*'front'"),
        (
            {"per_class": True},
            {},
            r"the tensors P of \(\d+, 4, 32\), and this training the tensors P of \(4, 32\)",
        ),
    ],
)
def test_a_context_stays_where_it_stood_beside_the_name(
    tiny_backbone: Backbone, tmp_path: Path, before: dict[str, Any], now: dict[str, Any], said: str
) -> None:
    x, y = toy_arrays(tiny_backbone)
    file, same = tmp_path / "a.prompt", {"method": "coop", "epochs": 1}
    PromptClassifier(tiny_backbone, method_options=before, **same).fit(x, y).save(file)
    PromptClassifier(tiny_backbone, method_options=before, start_from=file, **same).fit(x, y)
    with pytest.raises(OptionError, match=said):
        PromptClassifier(tiny_backbone, method_options=now, start_from=file, **same).fit(x, y)


def test_a_context_for_each_layer_belongs_to_no_class(tiny_backbone: Backbone, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    deep = {"method": "ivlp", "method_options": {"depth": 2}, "epochs": 1, "cache": False}
    two = PromptClassifier(tiny_backbone, **deep).fit(pictures, ["cat", "dog"] * 2)  # as many as layers
    two.save(tmp_path / "a.prompt")
    other = PromptClassifier(tiny_backbone, start_from=tmp_path / "a.prompt", **deep)
    assert other.fit(pictures, ["cat", "cow"] * 2).started_.new == ("cow",)


@pytest.mark.parametrize(
    "method", ["zero_shot", "linear_probe", "tip_adapter", "tip_adapter_f", "gda", "clap"]
)
def test_what_begins_at_its_images_cannot_go_on(method: str, tiny_backbone: Backbone, tmp_path: Path) -> None:
    x, y = toy_arrays(tiny_backbone)
    PromptClassifier(tiny_backbone, method, epochs=1).fit(x, y).save(tmp_path / "a.prompt")
    with pytest.raises(OptionError, match=f"'{method}' learns nothing that another training could begin"):
        PromptClassifier(tiny_backbone, method, epochs=1, start_from=tmp_path / "a.prompt").fit(x, y)


def test_a_file_without_class_names_tells_none_of_new_ones(
    tiny_backbone: Backbone, learned: Any, tmp_path: Path
) -> None:
    file, x, y = learned
    loaded = PromptClassifier.load(file, tiny_backbone)
    assert loaded.started_ is None
    loaded.save(tmp_path / "b.prompt", compact=True)
    clf = PromptClassifier(tiny_backbone, "rlp", rank=1, epochs=1, start_from=tmp_path / "b.prompt").fit(x, y)
    assert clf.started_.numbers == 36 and not (clf.started_.kept or clf.started_.new or clf.started_.gone)


def test_a_damaged_prompt_is_refused(tiny_backbone: Backbone, learned: Any, tmp_path: Path) -> None:
    file, x, y = learned
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    (tmp_path / "b.prompt").write_bytes(data)
    with pytest.raises(PromptFileError):
        PromptClassifier(tiny_backbone, epochs=1, start_from=tmp_path / "b.prompt").fit(x, y)
