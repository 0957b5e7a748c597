"""2SFS against its definition: two trainings by torch's own AdamW, one behind the other."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from learning_toys import NAMES, noise
from torch import Tensor, nn
from tower_toys import IMAGE_LAYERS, LABELS, TEXT_LAYERS, WIDTH, Pictures, digest, model_features, pixels

from promptlet.backbones import load_backbone
from promptlet.backbones.libraries.changed.towers import changed_image_tower
from promptlet.errors import BackboneError, OptionError
from promptlet.methods import Method
from promptlet.methods.templates import hand_written
from promptlet.methods.weights.two_sfs import TwoStages
from promptlet.training import Schedule, train

SCHEDULE = Schedule("short", lr=0.01, epochs=5, batch_size=None, warmup_lr=None, optimizer="adamw")
OTHERS = ("a boat", "dog", "a tree", "cat")


def trained(backbone: Any, schedule: Schedule = SCHEDULE, **options: Any) -> TwoStages:
    method = TwoStages(backbone, NAMES, **options)
    train(method, Pictures(pixels()[None]), LABELS, schedule)
    return method


def filled(method: TwoStages) -> TwoStages:
    """With norms and a classifier far from their start."""
    method.load_state({k: a + noise(k, a.shape, 0.3).numpy() for k, a in method.state().items()})
    return method.eval()


def norms(model: Any, around: bool = False) -> dict[str, nn.LayerNorm]:
    towers = {"text": model.text_model, "image": model.vision_model}
    found = {
        f"{side}.{i}.ln{which}": getattr(layer, f"layer_norm{which}")
        for side, tower in towers.items()
        for i, layer in enumerate(tower.encoder.layers)
        for which in (1, 2)
    }
    if around:
        found["text.final"] = model.text_model.final_layer_norm
        found["image.pre"] = model.vision_model.pre_layrnorm
        found["image.post"] = model.vision_model.post_layernorm
    return found


def with_norms(backbone: Any, state: dict[str, np.ndarray]) -> Any:
    """A copy of the model with the norms of ``state``."""
    model = copy.deepcopy(backbone.model)
    with torch.no_grad():
        for name, norm in norms(model, around=True).items():
            for part in ("weight", "bias"):
                if f"{name}.{part}" in state:
                    getattr(norm, part).copy_(torch.from_numpy(state[f"{name}.{part}"]))
    return model


def features(method: Method) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return method.class_features(), method.image_features(pixels(3))


@pytest.mark.parametrize("choice", ["layers", "all"])
def test_images_by_the_model_with_these_norms_and_classes_by_the_classifier(
    choice: str, tiny_backbone: Any
) -> None:
    method = filled(TwoStages(tiny_backbone, NAMES, norms=choice))
    state = method.state()
    with torch.no_grad():
        expected = model_features(tiny_backbone, with_norms(tiny_backbone, state), pixels(3))
    classes, images = features(method)
    torch.testing.assert_close(images, expected[1])
    torch.testing.assert_close(classes, F.normalize(torch.from_numpy(state["head"]), dim=-1))
    assert not torch.allclose(classes, expected[0], atol=1e-2)


@pytest.mark.parametrize("choice", ["layers", "all"])
def test_other_names_are_answered_by_the_text_tower_as_it_has_become(choice: str, tiny_backbone: Any) -> None:
    """Selective inference: rows of the classifier for trained names, in any order; the tower for others."""
    method = filled(TwoStages(tiny_backbone, NAMES, norms=choice))
    head = features(method)[0]
    with torch.no_grad():
        model = with_norms(tiny_backbone, method.state())
        written, _ = model_features(tiny_backbone, model, pixels(1), names=OTHERS)
    method.set_classes(OTHERS)
    classes, images = features(method)
    dog, cat = NAMES.index("dog"), NAMES.index("cat")
    torch.testing.assert_close(classes, torch.stack([written[0], head[dog], written[2], head[cat]]))
    with torch.no_grad():
        torch.testing.assert_close(method.logits(pixels(3)), tiny_backbone.logit_scale * images @ classes.T)
    method.set_classes(NAMES)
    assert torch.equal(features(method)[0], head)


@pytest.mark.parametrize(("share", "first"), [(0.6, 3), (0.5, 2)])
def test_training_is_two_trainings_of_adamw(share: float, first: int, tiny_backbone: Any) -> None:
    """Norms for int(share * epochs) epochs, then the classifier from the text features of then on: each stage
    with an optimiser and a cosine of its own."""
    method = trained(tiny_backbone, share=share)
    model = copy.deepcopy(tiny_backbone.model).requires_grad_(False)
    learned = [p.requires_grad_(True) for norm in norms(model).values() for p in norm.parameters()]

    def steps(parameters: list[Tensor], epochs: int, logits: Any) -> None:
        optimizer = torch.optim.AdamW(parameters, lr=0.01, weight_decay=SCHEDULE.weight_decay)
        for epoch in range(epochs):
            for group in optimizer.param_groups:
                group["lr"] = 0.01 / 2 * (1 + math.cos(math.pi * epoch / epochs))
            optimizer.zero_grad()
            F.cross_entropy(logits(), LABELS).backward()
            optimizer.step()

    def first_logits() -> Tensor:
        classes, images = model_features(tiny_backbone, model, pixels())
        return tiny_backbone.logits(images, classes)

    steps(learned, first, first_logits)
    with torch.no_grad():
        written, images = model_features(tiny_backbone, model, pixels())
        asked = model_features(tiny_backbone, model, pixels(3))[1]
    head = written.clone().requires_grad_(True)
    steps([head], 5 - first, lambda: tiny_backbone.logits(images, F.normalize(head, dim=-1)))
    found = features(method)
    torch.testing.assert_close(found[1], asked, atol=2e-3, rtol=0)
    torch.testing.assert_close(found[0], F.normalize(head.detach(), dim=-1), atol=2e-3, rtol=0)
    torch.testing.assert_close(torch.from_numpy(method.state()["head"]), head.detach(), atol=2e-3, rtol=0)


def test_each_stage_has_its_own_rates(tiny_backbone: Any) -> None:
    schedule = Schedule("warm", lr=0.01, epochs=10, batch_size=None, optimizer="adamw")
    history = train(TwoStages(tiny_backbone, NAMES), Pictures(pixels()[None]), LABELS, schedule).history
    cosine = [[0.01 / 2 * (1 + math.cos(math.pi * e / n)) for e in range(n - 1)] for n in (6, 4)]
    assert [one.lr for one in history] == pytest.approx([1e-5, *cosine[0], 1e-5, *cosine[1]])


def test_a_stage_learns_its_own_numbers_alone(tiny_backbone: Any) -> None:
    method = TwoStages(tiny_backbone, NAMES)
    method.loss(pixels(), LABELS)[0].backward()
    assert method.head.grad is None
    assert all(p.grad is not None for p in method.scales.values())
    method = filled(method)
    for p in method.parameters():
        p.grad = None
    method.loss(pixels(), LABELS)[0].backward()
    assert method.head.grad is not None
    assert not any(p.grad is not None for p in method.scales.values())


def test_stages_that_have_no_epochs(tiny_backbone: Any) -> None:
    head_alone, norms_alone = trained(tiny_backbone, share=0.0), trained(tiny_backbone, share=1.0)
    start = TwoStages(tiny_backbone, NAMES).state()
    moved = {k for k, a in head_alone.state().items() if not np.array_equal(a, start[k])}
    assert moved == {"head"}
    with torch.no_grad():
        model = with_norms(tiny_backbone, norms_alone.state())
        written, _ = model_features(tiny_backbone, model, pixels(1))
    torch.testing.assert_close(features(norms_alone)[0], written)
    assert not torch.allclose(written, features(TwoStages(tiny_backbone, NAMES))[0], atol=1e-3)


def test_at_the_start_it_is_zero_shot(tiny_backbone: Any) -> None:
    classes, images = features(TwoStages(tiny_backbone, NAMES).eval())
    torch.testing.assert_close(classes, hand_written(tiny_backbone, "a photo of a {}.", NAMES))
    torch.testing.assert_close(images, F.normalize(tiny_backbone.images.encode(pixels(3)), dim=-1))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "mixed"])
def test_untrained_norms_change_no_bit_of_the_librarys_own(dtype: str, clip_folder: Path) -> None:
    backbone = load_backbone(clip_folder, device="cpu", dtype=dtype)
    plain = TwoStages(backbone, NAMES, towers="image", norms="layers").eval()
    assert plain._image is not None
    found = plain._image.encode(pixels(3))
    frozen = changed_image_tower(backbone, lambda _: {}, "nothing").encode(pixels(3))
    assert torch.equal(found, frozen)


def test_numbers_by_hand_and_names_in_a_prompt_file(tiny_backbone: Any) -> None:
    head = len(NAMES) * 16
    layers = {"both": TEXT_LAYERS + IMAGE_LAYERS, "text": TEXT_LAYERS, "image": IMAGE_LAYERS}
    around = {"both": 3, "text": 1, "image": 2}
    for towers, count in layers.items():
        method = TwoStages(tiny_backbone, NAMES, towers=towers)
        assert method.trainable_count() == count * 2 * 2 * WIDTH + head
        more = TwoStages(tiny_backbone, NAMES, towers=towers, norms="all")
        assert more.trainable_count() == method.trainable_count() + around[towers] * 2 * WIDTH
    wanted = {f"{name}.{part}" for name in norms(tiny_backbone.model) for part in ("weight", "bias")}
    assert set(TwoStages(tiny_backbone, NAMES).state()) == wanted | {"head"}


@pytest.mark.parametrize("stopped", [1, 3, 4, 5])
def test_cut_short_in_either_stage_and_taken_up_it_ends_in_the_same_bits(
    stopped: int, tiny_backbone: Any, tmp_path: Path
) -> None:
    def stop(report: Any) -> None:
        if report.epoch == stopped:
            raise KeyboardInterrupt

    def run(**more: Any) -> TwoStages:
        method = TwoStages(tiny_backbone, NAMES)
        train(method, Pictures(pixels()[None]), LABELS, SCHEDULE, **more)
        return method

    file = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint=file, on_epoch=stop)
    assert digest(run(checkpoint=file)) == digest(run())


def test_trained_again_it_goes_through_both_stages_again(tiny_backbone: Any) -> None:
    method = trained(tiny_backbone)
    before = method.state()
    train(method, Pictures(pixels()[None]), LABELS, SCHEDULE)
    assert all(not np.array_equal(before[name], array) for name, array in method.state().items())
    method.set_classes(NAMES[:3])
    rows = LABELS < 3
    train(method, Pictures(pixels()[rows][None]), LABELS[rows], SCHEDULE)
    assert (method.learned_names, method.head.shape) == (NAMES[:3], (3, 16))


def test_the_backbone_stays_as_it_is(clip_folder: Path) -> None:
    backbone = load_backbone(clip_folder, device="cpu")
    before, answer = digest(backbone.model), backbone.images.encode(pixels(3))
    trained(backbone, norms="all")
    assert digest(backbone.model) == before
    assert torch.equal(backbone.images.encode(pixels(3)), answer)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda method: pickle.loads(pickle.dumps(method))])
def test_a_copy_answers_alike_whatever_is_asked(copied: Any, tiny_backbone: Any) -> None:
    method = trained(tiny_backbone, norms="all", share=0.4)
    method.set_classes(OTHERS)
    other = copied(method)
    assert (other.class_names, other.learned_names, other.taught) == (OTHERS, NAMES, NAMES)
    assert other.built_with() == method.built_with()
    for ours, theirs in zip(features(method), features(other), strict=True):
        assert torch.equal(ours, theirs)
    fresh = copied(TwoStages(tiny_backbone, NAMES))
    assert fresh.in_first
    fresh.loss(pixels(), LABELS)[0].backward()
    assert all(p.grad is not None for p in fresh.scales.values())


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed"])
def test_lower_precision_keeps_what_is_learned_float32(
    dtype: str, clip_folder: Path, tiny_backbone: Any
) -> None:
    method = trained(load_backbone(clip_folder, device="cpu", dtype=dtype))
    assert all(p.dtype == torch.float32 for p in method.parameters())
    other = TwoStages(tiny_backbone, NAMES).eval()
    other.load_state(method.state())
    for low, full in zip(features(method), features(other), strict=True):
        assert low.dtype == torch.float32
        torch.testing.assert_close(low, full, atol=0.08, rtol=0)


def test_other_models_are_refused(siglip_folder: Path, open_clip_folder: Path) -> None:
    with pytest.raises(BackboneError, match=r"learned layer norms cannot be put into .* SiglipTextModel"):
        TwoStages(load_backbone(siglip_folder, device="cpu"), NAMES)
    with pytest.raises(BackboneError, match=r"open_clip names its layers otherwise.*CLIP models of tr"):
        TwoStages(load_backbone(f"open_clip:{open_clip_folder}", device="cpu"), NAMES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 1.5}, "share=1.5 is outside 0 <= share <= 1"),
        ({"share": float("nan")}, "share=nan is outside"),
        ({"norms": "al"}, r"norms='al' is not known; allowed: layers, all. Did you mean 'all'"),
        ({"towers": "txt"}, "towers='txt' is not known"),
        ({"template": "x"}, r"must hold {} exactly once"),
    ],
)
def test_error_texts(options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        TwoStages(tiny_backbone, NAMES, **options)


def test_a_classifier_of_other_classes_is_refused_and_nothing_is_taken(tiny_backbone: Any) -> None:
    method = TwoStages(tiny_backbone, NAMES)
    before = digest(method)
    other = TwoStages(tiny_backbone, NAMES[:2]).state()
    with pytest.raises(OptionError, match=r"\{'head': \(2, 16\)\}; this method has \{'head': \(5, 16\)\}"):
        method.load_state(other)
    assert digest(method) == before
