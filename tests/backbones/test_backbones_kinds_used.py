"""Methods and prompt files over dual encoders with other text towers than CLIP's, and over open_clip's."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from learning_toys import NAMES, toy_arrays
from PIL import Image
from tiny_kinds import MADE

from promptlet import PromptClassifier
from promptlet.backbones import Backbone, load_backbone
from promptlet.errors import BackboneError, OptionError, WrongBackboneError
from promptlet.methods.text_prompt import resolve_init

IMAGE_TOWER = ("vpt", "maple")
NO_TOKENS = ("align",)


@pytest.fixture(scope="module", params=MADE)
def backbone(request: pytest.FixtureRequest, kind_folders: dict[str, Path]) -> Backbone:
    """Each kind, loaded."""
    return load_backbone(kind_folders[request.param], device="cpu")


def pictures(count: int = 4) -> list[Image.Image]:
    draw = np.random.default_rng(5)
    return [Image.fromarray(draw.integers(0, 256, (40, 50, 3), dtype=np.uint8)) for _ in range(count)]


SLOWER = (pytest.param(method, marks=pytest.mark.slow) for method in ("kgcoop", "cocoop", "clip_adapter"))


@pytest.mark.parametrize("method", ["rlp", *SLOWER])
def test_what_is_learned_answers_alike_from_its_file(method: str, backbone: Backbone, tmp_path: Path) -> None:
    features, labels = toy_arrays(backbone, per_class=2)
    clf = PromptClassifier(backbone, method=method, epochs=2).fit(features, labels)
    clf.save(tmp_path / "some.prompt")
    copy = Path(shutil.copytree(backbone.name, tmp_path / "copy"))
    again = load_backbone(copy, device="cpu")
    back = PromptClassifier.load(tmp_path / "some.prompt", again)
    for more in ({}, {"class_names": ["a house", *NAMES]}) if method != "clip_adapter" else ({},):
        np.testing.assert_allclose(
            back.predict_proba(features, **more), clf.predict_proba(features, **more), atol=1e-6
        )
    shown = pictures()
    np.testing.assert_allclose(back.predict_proba(shown), clf.predict_proba(shown), atol=1e-6)


def test_where_a_context_starts(kind_folders: dict[str, Path]) -> None:
    """At words where each is a token, else at the seed's vectors; what a person gives is taken or refused."""
    words, pieces = (
        load_backbone(kind_folders[kind], device="cpu") for kind in ("dual_bert", "dual_roberta")
    )
    assert resolve_init(words, None, 3, 7)[1] == "words:a photo of"
    start, told = resolve_init(pieces, None, 3, 7)
    assert told == "seed:7" and start.shape == (3, 32)
    with pytest.raises(OptionError, match=r"'a photo of' has .* tokens for this backbone, but n_ctx=3"):
        resolve_init(pieces, "a photo of", 3, 7)


def test_learning_learns(backbone: Backbone) -> None:
    features, labels = toy_arrays(backbone)
    before = PromptClassifier(backbone, method="zero_shot").fit(features, labels)
    after = PromptClassifier(backbone, method="coop", epochs=15, lr=0.02).fit(features, labels)
    a, b = _loss(after, features, labels), _loss(before, features, labels)
    assert a < 0.97 * b


def _loss(clf: PromptClassifier, features: np.ndarray, labels: np.ndarray) -> float:
    columns = [list(clf.classes_).index(label) for label in labels]
    chosen = clf.predict_proba(features)[np.arange(len(labels)), columns]
    return float(-np.log(np.clip(chosen, 1e-12, None)).mean())


@pytest.mark.slow
def test_another_kind_is_another_backbone(kind_folders: dict[str, Path], tmp_path: Path) -> None:
    """No two of them are taken for each other."""
    backbones = [load_backbone(folder, device="cpu") for folder in kind_folders.values()]
    assert len({one.fingerprint for one in backbones}) == len(backbones)
    features, labels = toy_arrays(backbones[0])
    PromptClassifier(backbones[0], method="zero_shot").fit(features, labels).save(tmp_path / "z.prompt")
    with pytest.raises(WrongBackboneError, match="Different: text tower, tokenizer, image tower"):
        PromptClassifier.load(tmp_path / "z.prompt", backbones[1])


@pytest.mark.parametrize("method", IMAGE_TOWER)
def test_methods_of_the_image_tower(method: str, backbone: Backbone, tmp_path: Path) -> None:
    """They learn in CLIP's own image tower and in ViT's; ALIGN's convolutions are refused, with reason."""
    shown, labels = pictures(), ["dog", "cat", "dog", "cat"]
    clf = PromptClassifier(backbone, method=method, epochs=1, n_ctx=2)
    if not backbone.images.has_tokens:
        with pytest.raises(BackboneError, match=r"image tower of kind AlignVisionModel\. .* such as rlp"):
            clf.fit(shown, labels)
        return
    clf.fit(shown, labels)
    clf.save(tmp_path / "some.prompt")
    back = PromptClassifier.load(tmp_path / "some.prompt", backbone)
    np.testing.assert_allclose(back.predict_proba(shown), clf.predict_proba(shown), atol=1e-6)


@pytest.mark.parametrize("method", ["clip_lora", "clip_svd", "two_sfs"])
def test_changed_weights_are_for_clip_alone(method: str, backbone: Backbone) -> None:
    pytest.importorskip("peft")
    with pytest.raises(
        BackboneError, match=r"cannot be put into .* is of kind .*, not CLIP's\. .* such as rlp"
    ):
        PromptClassifier(backbone, method=method, epochs=1).fit(pictures(), ["dog", "cat"] * 2)
