"""Methods over a backbone of ready text features: what works on features gives what a tower gives; the rest
is refused before anything is computed."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, noise, toy_arrays, toy_problem
from torch import Tensor

from promptlet import PromptClassifier, load_backbone
from promptlet.backbones import write_text_features
from promptlet.errors import BackboneError, WrongBackboneError
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.method import IMAGES
from promptlet.methods.template_lists import SELECT
from promptlet.methods.text.coop import CoOp
from promptlet.promptfile import load_prompt_file
from promptlet.training import Schedule, train

TEMPLATE = "a photo of a {}."
EVERY_TEMPLATE = (*SELECT, TEMPLATE, "the {}, a dog.")
ON_FEATURES = [
    name for name, kind in METHODS.items() if kind.info.reads != IMAGES and not kind.info.in_text_tower
]
IN_A_TOWER = [name for name in METHODS if name not in ON_FEATURES]
SCHEDULE = Schedule("short", lr=0.01, epochs=3, batch_size=6)


@pytest.fixture
def stored(tiny_backbone: Any, tmp_path: Path) -> Callable[..., str]:
    """``stored(sentences=...)`` writes the tiny tower's own vectors; the backbone's name."""

    def make(sentences: Sequence[str] = EVERY_TEMPLATE, names: Sequence[str] = NAMES) -> str:
        texts = [template.replace("{}", name) for template in sentences for name in names]
        path = tmp_path / "texts.npz"
        write_text_features(
            path,
            list(names),
            tiny_backbone.text.encode_texts([TEMPLATE.replace("{}", name) for name in names]),
            sentences=texts or None,
            sentence_features=tiny_backbone.text.encode_texts(texts) if texts else None,
            logit_scale=tiny_backbone.logit_scale,
        )
        return f"features:{path}"

    return make


def learned(name: str, backbone: Any, inputs: Tensor, labels: Tensor, **options: Any) -> Method:
    method = build_method(name, backbone, NAMES, **options)
    val = (noise("val", (1, 10, 16)), torch.arange(10) % len(NAMES))
    train(method, inputs, labels, SCHEDULE, val=val)
    return method


def test_there_are_methods_of_both_kinds() -> None:
    adapters = {"clip_adapter", "tip_adapter", "tip_adapter_f", "linear_probe"}
    adapters |= {"gda", "zs_lp", "clap", "lp_pp", "prolip"}
    assert set(ON_FEATURES) == {"zero_shot", "zero_shot_ensemble", *adapters}
    assert {"coop", "rlp", "kgcoop", "prograd", "dip_do", "qcoop", "cocoop"} < set(IN_A_TOWER)
    assert {"vpt", "ivlp", "maple", "clip_lora", "clip_svd", "two_sfs"} < set(IN_A_TOWER)


@pytest.mark.parametrize("name", ON_FEATURES)
@pytest.mark.parametrize("with_sentences", [True, False])
def test_what_works_on_features_gives_what_the_tower_gives(
    name: str, with_sentences: bool, tiny_backbone: Any, stored: Any
) -> None:
    backbone = load_backbone(stored(EVERY_TEMPLATE if with_sentences else ()), device="cpu")
    features, labels = toy_problem(tiny_backbone)
    options = {"template": "the {}, a dog."} if with_sentences and name == "zero_shot" else {}
    own = learned(name, backbone, features, labels, **options)
    if name == "zero_shot_ensemble" and not with_sentences:
        options = {"templates": TEMPLATE}  # what the names' vectors are
    expected = learned(name, tiny_backbone, features, labels, **options)
    torch.testing.assert_close(
        own.scorer()(features[0]), expected.scorer()(features[0]), atol=1e-4, rtol=1e-4
    )
    assert own.trainable_count() == expected.trainable_count()
    torch.testing.assert_close(own.logits(features[0]), own.scorer()(features[0]))


@pytest.mark.parametrize("name", ON_FEATURES)
def test_notes_say_what_stands_for_several_templates(name: str, stored: Any) -> None:
    def notes(sentences: Sequence[str]) -> tuple[str, ...]:
        return build_method(name, load_backbone(stored(sentences), device="cpu"), NAMES).notes()

    assert notes(EVERY_TEMPLATE) == ()
    told = " ".join(notes(()))
    assert ("8 templates are asked for" in told) == (name == "zero_shot_ensemble")
    assert bool(told) == (name == "zero_shot_ensemble")


@pytest.mark.parametrize("name", IN_A_TOWER)
def test_what_learns_in_a_tower_is_refused(name: str, stored: Any) -> None:
    backbone = load_backbone(stored(), device="cpu")
    with pytest.raises(BackboneError) as caught:
        build_method(name, backbone, NAMES)
    told, info = str(caught.value), METHODS[name].info
    where = "both towers" if info.in_text_tower and info.reads == IMAGES else "the text tower"
    where = where if info.in_text_tower else "the image tower"
    assert f"method {name!r} learns inside {where}, and 'features:" in told
    assert "use zero_shot, zero_shot_ensemble, clip_adapter" in told
    with pytest.raises(BackboneError, match="tower"):  # what its info says is so
        METHODS[name](backbone, NAMES)


def test_a_method_of_ones_own_that_does_not_tell_is_refused_by_the_backbone(
    stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mine(CoOp):  # type: ignore[misc]
        info = replace(CoOp.info, name="mine", in_text_tower=False)

    monkeypatch.setitem(METHODS, "mine", Mine)
    with pytest.raises(BackboneError, match="has no text tower, only ready vectors"):
        build_method("mine", load_backbone(stored(), device="cpu"), NAMES)


# -- a classifier -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ON_FEATURES)
@pytest.mark.parametrize("template", [TEMPLATE, "the {}, a dog."])
def test_a_prompt_file_answers_as_what_was_saved(
    name: str, template: str, tiny_backbone: Any, stored: Any, tmp_path: Path
) -> None:
    source = stored()
    features, labels = toy_arrays(tiny_backbone)
    options = {"template": template} if "template" in METHODS[name].info.options else None
    clf = PromptClassifier(source, name, epochs=2, device="cpu", method_options=options)
    clf.fit(features, labels, features, labels)
    clf.save(tmp_path / "a.prompt")
    file = load_prompt_file(tmp_path / "a.prompt")
    assert (file.backbone, file.n_ctx, file.dim, file.init) == (source, 0, 16, "none")
    again = PromptClassifier.load(tmp_path / "a.prompt", source, device="cpu")
    expected = clf.predict_proba(features)
    np.testing.assert_allclose(again.predict_proba(features), expected, atol=1e-6)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(clf)).predict_proba(features), expected, atol=1e-6)
    assert clf.score(features, labels) > 1.5 / len(NAMES) or name in ("zero_shot", "zero_shot_ensemble")
    stored(names=NAMES[::-1], sentences=())
    with pytest.raises(WrongBackboneError, match="It has changed since: give it as it was"):
        PromptClassifier.load(tmp_path / "a.prompt", source, device="cpu")


def test_other_names_are_answered_where_the_file_has_them(tiny_backbone: Any, stored: Any) -> None:
    features, labels = toy_arrays(tiny_backbone)
    keep = np.isin(labels, NAMES[:3])
    clf = PromptClassifier(stored(), "clip_adapter", epochs=2, device="cpu").fit(features[keep], labels[keep])
    assert set(clf.predict(features, class_names=["the_dog", "BOX"])) <= {"the_dog", "BOX"}
    with pytest.raises(BackboneError, match="no vector of 2 class names: 'lynx', 'ocelot'"):
        clf.predict(features, class_names=["lynx", "cat", "ocelot"])


def test_what_is_refused_is_refused_before_pictures_are_looked_at(stored: Any) -> None:
    pictures, labels = ["there-is-no-such.jpg", "nor-this.jpg"], ["cat", "dog"]
    for method, message in (("coop", "'coop' learns inside the text tower"), ("zero_shot", "no image tower")):
        with pytest.raises(BackboneError, match=message):
            PromptClassifier(stored(), method, device="cpu").fit(pictures, labels)
