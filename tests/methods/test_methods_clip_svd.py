"""CLIP-SVD against its definition: the library's model with other singular values, found by NumPy."""

from __future__ import annotations

import copy
import gc
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
from torch.nn.utils import parametrize
from tower_toys import IMAGE_LAYERS, LABELS, TEXT_LAYERS, WIDTH, Pictures, digest, model_features, pixels

from promptlet.backbones import load_backbone
from promptlet.backbones.libraries.changed import singular
from promptlet.errors import BackboneError, OptionError
from promptlet.methods.method import IMAGES
from promptlet.methods.templates import hand_written
from promptlet.methods.weights.clip_svd import ClipSvd
from promptlet.training import Schedule, train

PLACES = {
    "q": ("self_attn", "q_proj"),
    "k": ("self_attn", "k_proj"),
    "v": ("self_attn", "v_proj"),
    "o": ("self_attn", "out_proj"),
    "fc1": ("mlp", "fc1"),
    "fc2": ("mlp", "fc2"),
}
SCHEDULE = Schedule("short", lr=0.02, epochs=3, batch_size=None, warmup_lr=None, optimizer="adamw")


def filled(method: ClipSvd) -> ClipSvd:
    """With singular values far from the weights' own."""
    method.load_state({k: (a * np.exp(noise(k, a.shape).numpy())) for k, a in method.state().items()})
    return method.eval()


def linears(model: Any) -> dict[str, nn.Linear]:
    towers = {"text": model.text_model, "image": model.vision_model}
    return {
        f"{side}.{i}.{short}": getattr(getattr(layer, room), attribute)
        for side, tower in towers.items()
        for i, layer in enumerate(tower.encoder.layers)
        for short, (room, attribute) in PLACES.items()
    }


def with_values(backbone: Any, state: dict[str, np.ndarray]) -> Any:
    """A copy of the model, each weight put together again with the singular values of ``state``."""
    model = copy.deepcopy(backbone.model)
    for name, linear in linears(model).items():
        if name in state:
            u, _, v = np.linalg.svd(linear.weight.detach().double().numpy(), full_matrices=False)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy((u * state[name].astype(np.float64)) @ v))
    return model


def features(method: ClipSvd) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return method.class_features(), method.image_features(pixels(3))


@pytest.mark.parametrize("towers", ["both", "text", "image"])
def test_it_is_the_model_with_other_singular_values(towers: str, tiny_backbone: Any) -> None:
    method = filled(ClipSvd(tiny_backbone, NAMES, towers=towers))
    with torch.no_grad():
        expected = model_features(tiny_backbone, with_values(tiny_backbone, method.state()), pixels(3))
        far = model_features(tiny_backbone, tiny_backbone.model, pixels(3))
    torch.testing.assert_close(features(method), expected, atol=2e-5, rtol=1e-4)
    for ours, start, changed in zip(
        features(method), far, (towers != "image", towers != "text"), strict=True
    ):
        assert torch.allclose(ours, start, atol=1e-2) != changed


def test_at_the_start_it_is_zero_shot_and_the_values_are_the_weights_own(tiny_backbone: Any) -> None:
    method = ClipSvd(tiny_backbone, NAMES).eval()
    own = linears(tiny_backbone.model)
    assert set(method.state()) == set(own)
    for name, values in method.state().items():
        wanted = np.linalg.svd(own[name].weight.detach().double().numpy(), compute_uv=False)
        np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-6)
    classes, images = features(method)
    torch.testing.assert_close(classes, hand_written(tiny_backbone, method.template, NAMES))
    torch.testing.assert_close(images, F.normalize(tiny_backbone.images.encode(pixels(3)), dim=-1))


def test_a_gradient_is_that_of_the_weight_between_its_singular_vectors(tiny_backbone: Any) -> None:
    """dL/ds_i = u_i^T (dL/dW) v_i."""
    method = filled(ClipSvd(tiny_backbone, NAMES))
    method.loss(pixels(), LABELS)[0].backward()
    model = with_values(tiny_backbone, method.state()).requires_grad_(True)
    classes, images = model_features(tiny_backbone, model, pixels())
    F.cross_entropy(tiny_backbone.logits(images, classes), LABELS).backward()
    frozen = linears(tiny_backbone.model)
    for name, linear in linears(model).items():
        u, _, v = np.linalg.svd(frozen[name].weight.detach().double().numpy(), full_matrices=False)
        assert linear.weight.grad is not None
        wanted = np.einsum("mi,mn,in->i", u, linear.weight.grad.double().numpy(), v)
        found = method._by_name()[name].grad
        assert found is not None
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-4 + 2e-3 * np.abs(wanted).max())


class FromValues(nn.Module):
    """A weight from its singular values, for torch's own parametrisation."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.u, self.start, self.v = torch.linalg.svd(weight.detach(), full_matrices=False)

    def forward(self, values: Tensor) -> Tensor:
        return self.u * values @ self.v

    def right_inverse(self, _weight: Tensor) -> Tensor:
        return self.start.clone()


def test_training_is_that_of_torchs_own_parametrisation_and_adamw(tiny_backbone: Any) -> None:
    method = ClipSvd(tiny_backbone, NAMES)
    train(method, Pictures(pixels()[None]), LABELS, SCHEDULE)
    model = copy.deepcopy(tiny_backbone.model).requires_grad_(False)
    learned = {}
    for name, linear in linears(model).items():
        parametrize.register_parametrization(linear, "weight", FromValues(linear.weight), unsafe=True)
        learned[name] = linear.parametrizations.weight.original.requires_grad_(True)
    optimizer = torch.optim.AdamW(learned.values(), lr=0.02, weight_decay=SCHEDULE.weight_decay)
    for epoch in range(3):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 / 2 * (1 + math.cos(math.pi * epoch / 3))
        classes, images = model_features(tiny_backbone, model, pixels())
        optimizer.zero_grad()
        F.cross_entropy(tiny_backbone.logits(images, classes), LABELS).backward()
        optimizer.step()
    with torch.no_grad():
        expected = model_features(tiny_backbone, model, pixels(3))
    torch.testing.assert_close(features(method), expected, atol=2e-3, rtol=0)
    near = [np.abs(a - learned[k].detach().numpy()).mean() for k, a in method.state().items()]
    assert max(near) < 0.002  # of steps of 0.02: AdamW turns a gradient that is rounding into a whole step


def test_numbers_by_hand(tiny_backbone: Any) -> None:
    for towers, layers in (
        ("both", TEXT_LAYERS + IMAGE_LAYERS),
        ("text", TEXT_LAYERS),
        ("image", IMAGE_LAYERS),
    ):
        method = ClipSvd(tiny_backbone, NAMES, towers=towers)
        assert method.trainable_count() == layers * 6 * WIDTH
        assert sum(array.size for array in method.state().values()) == method.trainable_count()


def test_published_share_of_0_04_percent_in_vit_b_16() -> None:
    """Of all numbers of the model with U, s and V in the place of each matrix, as its code prints."""
    from transformers import CLIPConfig, CLIPModel

    with torch.device("meta"):
        model = CLIPModel(CLIPConfig(vision_config={"patch_size": 16}))
    shapes = [linear.weight.shape for linear in linears(model).values()]
    learned = sum(min(shape) for shape in shapes)
    apart = sum(min(m, n) * (m + n + 1) - m * n for m, n in shapes)
    everything = sum(p.numel() for p in model.parameters()) + apart
    assert learned == 92_160
    assert round(100 * learned / everything, 2) == 0.04
    assert round(100 * learned / (everything - apart), 2) == 0.06


def test_the_backbone_is_shared_and_stays_as_it_is(clip_folder: Path) -> None:
    backbone = load_backbone(clip_folder, device="cpu")
    before, answer = digest(backbone.model), backbone.images.encode(pixels(3))
    kinds = [type(module) for module in backbone.model.modules()]
    method = ClipSvd(backbone, NAMES)
    train(method, Pictures(pixels()[None]), LABELS, SCHEDULE)
    assert digest(backbone.model) == before
    assert [type(module) for module in backbone.model.modules()] == kinds
    assert torch.equal(backbone.images.encode(pixels(3)), answer)
    fresh = ClipSvd(backbone, NAMES).state()
    assert all(not np.array_equal(fresh[name], array) for name, array in method.state().items())


def test_many_methods_of_one_backbone_hold_its_vectors_once(
    clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone, calls, own = load_backbone(clip_folder, device="cpu"), [], singular.decomposed
    monkeypatch.setattr(singular, "decomposed", lambda matrix: calls.append(1) or own(matrix))
    first = ClipSvd(backbone, NAMES)
    second = ClipSvd(backbone, NAMES[:2])
    assert len(calls) == (TEXT_LAYERS + IMAGE_LAYERS) * 6
    assert {id(p) for p in first.parameters()}.isdisjoint(id(p) for p in second.parameters())
    weight = linears(backbone.model)["text.0.q"].weight
    assert singular.factors(weight) is singular.factors(weight)
    del first, second
    gc.collect()
    assert singular._known[weight]() is None


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda method: pickle.loads(pickle.dumps(method))])
def test_a_copy_answers_alike(copied: Any, tiny_backbone: Any) -> None:
    method = filled(ClipSvd(tiny_backbone, NAMES, towers="image", template="the {}."))
    method.taught = ("dog",)
    other = copied(method)
    assert (other.class_names, other.taught, other.training) == (method.class_names, ("dog",), False)
    assert other.stored_options() == {"template": "the {}.", "towers": "image"}
    for ours, theirs in zip(features(method), features(other), strict=True):
        assert torch.equal(ours, theirs)


def test_lower_precision_keeps_the_values_float32(clip_folder: Path, tiny_backbone: Any) -> None:
    method = ClipSvd(load_backbone(clip_folder, device="cpu", dtype="bfloat16"), NAMES)
    train(method, Pictures(pixels()[None]), LABELS, SCHEDULE)
    assert all(p.dtype == torch.float32 for p in method.parameters())
    other = ClipSvd(tiny_backbone, NAMES).eval()
    other.load_state(method.state())
    for low, full in zip(features(method), features(other), strict=True):
        assert low.dtype == torch.float32
        torch.testing.assert_close(low, full, atol=0.08, rtol=0)


def test_mixed_precision_learns(clip_folder: Path) -> None:
    method = ClipSvd(load_backbone(clip_folder, device="cpu", dtype="mixed"), NAMES)
    history = train(method, Pictures(pixels()[None]), LABELS, SCHEDULE).history
    assert history[-1].loss < history[0].loss


def test_other_models_are_refused(siglip_folder: Path, open_clip_folder: Path) -> None:
    with pytest.raises(BackboneError, match=r"learned singular values cannot be put into .* SiglipTextModel"):
        ClipSvd(load_backbone(siglip_folder, device="cpu"), NAMES)
    with pytest.raises(BackboneError, match=r"open_clip packs queries, keys and values in one matrix.*CLIP"):
        ClipSvd(load_backbone(f"open_clip:{open_clip_folder}", device="cpu"), NAMES)


def test_state_of_another_shape_is_refused_and_nothing_is_taken(tiny_backbone: Any) -> None:
    method = ClipSvd(tiny_backbone, NAMES)
    before = digest(method)
    wrong = {**method.state(), "text.1.k": np.ones(3, np.float32)}
    message = r"\{'text.1.k': \(3,\)\}; this method has \{'text.1.k': \(32,\)\}$"
    with pytest.raises(OptionError, match=message):
        method.load_state(wrong)
    assert digest(method) == before


def test_info_says_what_it_reads() -> None:
    assert (ClipSvd.info.reads, ClipSvd.info.own_template) == (IMAGES, False)
