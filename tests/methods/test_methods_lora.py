"""CLIP-LoRA against its definition, and its promise that the backbone is shared and stays as it is."""

from __future__ import annotations

import builtins
import copy
import math
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from learning_toys import NAMES, noise
from torch import Tensor
from tower_toys import (
    IMAGE_LAYERS,
    LABELS,
    TEXT_LAYERS,
    WIDTH,
    Pictures,
    digest,
    full_ids,
    model_features,
    pixels,
)

from promptlet.backbones import load_backbone
from promptlet.backbones.libraries.changed.lora import StepDropout, add_lora
from promptlet.errors import BackboneError, DataError, MissingExtraError, OptionError
from promptlet.methods.method import BY_STEPS, IMAGES
from promptlet.methods.templates import hand_written
from promptlet.methods.weights.clip_lora import ClipLora
from promptlet.training import Schedule, train

pytest.importorskip("peft", reason="peft is not installed: pip install 'promptlet[lora]'")

SCHEDULE = Schedule("short", lr=0.02, epochs=2, batch_size=6, warmup_lr=None, optimizer="adamw")


def trained(backbone: Any, **options: Any) -> ClipLora:
    method = ClipLora(backbone, NAMES, **options)
    train(method, Pictures(pixels()[None]), LABELS, SCHEDULE, seed=options.get("seed", 1))
    return method


def filled(method: ClipLora, std: float = 0.5) -> ClipLora:
    """With matrices far from their start."""
    method.load_state({k: noise(k, a.shape, std).numpy() for k, a in method.state().items()})
    return method.eval()


def features(method: ClipLora, x: Tensor | None = None) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return method.class_features(), method.image_features(pixels(3) if x is None else x)


def merged(backbone: Any, method: ClipLora) -> Any:
    """A copy of the model with ``W + alpha / sqrt(r) B A`` in place of each W."""
    model = copy.deepcopy(backbone.model)
    state = {name: torch.from_numpy(array) for name, array in method.state().items()}
    towers = {"text": model.text_model, "image": model.vision_model}
    for name in {name.rpartition(".")[0] for name in state}:
        side, layer, projection = name.split(".")
        attention = towers[side].encoder.layers[int(layer)].self_attn
        update = state[f"{name}.B"] @ state[f"{name}.A"]
        with torch.no_grad():
            getattr(attention, f"{projection}_proj").weight += method.alpha / math.sqrt(method.r) * update
    return model


@pytest.mark.parametrize(
    "options", [{}, {"r": 3, "alpha": 6.0}, {"r": 1, "alpha": 0.5, "dropout": 0.0}], ids=str
)
def test_it_is_the_model_with_the_updates_merged_into_its_weights(
    options: dict[str, Any], tiny_backbone: Any
) -> None:
    method = filled(ClipLora(tiny_backbone, NAMES, **options))
    with torch.no_grad():
        expected = model_features(tiny_backbone, merged(tiny_backbone, method), pixels(3))
    torch.testing.assert_close(features(method), expected)
    with torch.no_grad():
        far = model_features(tiny_backbone, tiny_backbone.model, pixels(3))
    for ours, start in zip(features(method), far, strict=True):
        assert not torch.allclose(ours, start, atol=1e-2)


def test_at_the_start_it_is_zero_shot(tiny_backbone: Any) -> None:
    method = ClipLora(tiny_backbone, NAMES)
    for mode in (method.eval(), method.train()):  # B is zero: dropout changes nothing
        classes, images = features(mode)
        torch.testing.assert_close(classes, hand_written(tiny_backbone, method.template, NAMES))
        assert torch.equal(images, F.normalize(tiny_backbone.images.encode(pixels(3)), dim=-1))
        model, ids = tiny_backbone.model, method._token_ids()
        with torch.no_grad():
            plain = model.text_projection(model.text_model(input_ids=ids).pooler_output)
        assert torch.equal(classes, F.normalize(plain, dim=-1))


@pytest.mark.parametrize("folder", ["clip_folder", "gelu_folder"])
def test_shorter_rows_of_tokens_give_the_same_features(folder: str, request: pytest.FixtureRequest) -> None:
    """Both ways to find the end of a text: its id, and (old configurations) the largest id."""
    backbone = load_backbone(request.getfixturevalue(folder), device="cpu")
    method = filled(ClipLora(backbone, NAMES))
    assert method._token_ids().shape[1] < 30 < full_ids(backbone).shape[1]
    assert method._text is not None
    with torch.no_grad():
        full = F.normalize(method._text.encode(full_ids(backbone)), dim=-1)
    torch.testing.assert_close(features(method)[0], full)


def test_the_copy_shares_every_weight_and_training_leaves_them_alone(clip_folder: Path) -> None:
    backbone = load_backbone(clip_folder, device="cpu")
    before, answer = digest(backbone.model), backbone.images.encode(pixels(3))
    words = backbone.text.encode_texts(["a dog", "the cat"])
    kinds = [type(module) for module in backbone.model.modules()]
    method = trained(backbone)
    assert digest(backbone.model) == before
    assert [type(module) for module in backbone.model.modules()] == kinds
    assert not any(p.requires_grad or p.grad is not None for p in backbone.model.parameters())
    assert not any(module.training for module in backbone.model.modules())
    assert torch.equal(backbone.images.encode(pixels(3)), answer)
    assert torch.equal(backbone.text.encode_texts(["a dog", "the cat"]), words)
    own = {id(p) for p in method.parameters()}
    places = {t.data_ptr() for t in [*backbone.model.parameters(), *backbone.model.buffers()]}
    for tower in towers_of(method):
        rest = [t for t in [*tower.parameters(), *tower.buffers()] if id(t) not in own]
        assert rest
        assert {t.data_ptr() for t in rest} <= places


def towers_of(method: ClipLora) -> Iterator[Any]:
    """The adapted copies, which the method keeps out of sight."""
    for tower in (method._text, method._image):
        if tower is not None:
            cells = [cell.cell_contents for cell in tower.encode.__closure__ or ()]
            yield next(c for c in cells if isinstance(c, torch.nn.Module) and hasattr(c, "encoder"))


def test_the_learned_matrices_are_those_inside_the_towers(tiny_backbone: Any) -> None:
    method = ClipLora(tiny_backbone, NAMES)
    inside = {id(p) for tower in towers_of(method) for p in tower.parameters() if p.requires_grad}
    assert inside == {id(p) for p in method.parameters()}
    assert all(p.dtype == torch.float32 for p in method.parameters())
    assert set(method.state_dict()) == set(method.trainables())


@pytest.mark.parametrize(
    ("towers", "layers"),
    [("both", TEXT_LAYERS + IMAGE_LAYERS), ("text", TEXT_LAYERS), ("image", IMAGE_LAYERS)],
)
def test_the_count_is_the_one_by_hand(towers: str, layers: int, tiny_backbone: Any) -> None:
    for r in (1, 2, 5):
        method = ClipLora(tiny_backbone, NAMES, towers=towers, r=r)
        assert method.trainable_count() == layers * 3 * r * (WIDTH + WIDTH)
        assert sum(p.numel() for p in method.parameters()) == method.trainable_count()
        assert sum(array.size for array in method.state().values()) == method.trainable_count()


def test_names_in_a_prompt_file_are_short_and_stable(tiny_backbone: Any) -> None:
    state = ClipLora(tiny_backbone, NAMES).state()
    sides = [("text", TEXT_LAYERS), ("image", IMAGE_LAYERS)]
    wanted = {f"{side}.{i}.{p}.{f}" for side, n in sides for i in range(n) for p in "qkv" for f in "AB"}
    assert set(state) == wanted
    assert state["text.0.q.A"].shape == (2, WIDTH)
    assert state["image.1.v.B"].shape == (WIDTH, 2)
    assert all(array.dtype == np.float32 for array in state.values())


def test_184320_numbers_in_vit_b_16() -> None:
    from transformers import CLIPConfig, CLIPModel

    with torch.device("meta"):
        model = CLIPModel(CLIPConfig(vision_config={"patch_size": 16}))
    dropout = StepDropout(0.25, 1, torch.device("cpu"))
    sides = {"text": model.text_model, "image": model.vision_model}
    counts = {
        side: sum(m.numel() for m in add_lora(tower, 2, 1.0, dropout, 1, side).values())
        for side, tower in sides.items()
    }
    assert counts == {"text": 73728, "image": 110592}
    assert sum(counts.values()) == 184320


def test_it_starts_as_the_paper_says(tiny_backbone: Any) -> None:
    """A as kaiming_uniform with a = sqrt(5) makes it, B zero, every A another."""
    state = ClipLora(tiny_backbone, NAMES, r=8).state()
    first = [array for name, array in state.items() if name.endswith("A")]
    assert all(not array.any() for name, array in state.items() if name.endswith("B"))
    assert len({array.tobytes() for array in first}) == 3 * (TEXT_LAYERS + IMAGE_LAYERS)
    numbers, bound = np.concatenate([array.ravel() for array in first]), 1 / math.sqrt(WIDTH)
    assert bound * 0.99 < np.abs(numbers).max() <= bound
    assert abs(numbers.std() - bound / math.sqrt(3)) < 0.02 * bound
    torch.manual_seed(0)
    theirs = torch.nn.init.kaiming_uniform_(torch.empty(1000, WIDTH), a=math.sqrt(5))
    assert bound * 0.99 < float(theirs.abs().max()) <= bound


@pytest.mark.parametrize("towers", ["text", "image"])
def test_one_tower_alone(towers: str, tiny_backbone: Any) -> None:
    method = filled(ClipLora(tiny_backbone, NAMES, towers=towers))
    with torch.no_grad():
        both = model_features(tiny_backbone, merged(tiny_backbone, method), pixels(3))
    torch.testing.assert_close(features(method), both)
    classes, images = features(method)
    frozen_classes = hand_written(tiny_backbone, method.template, NAMES)
    frozen_images = F.normalize(tiny_backbone.images.encode(pixels(3)), dim=-1)
    assert torch.equal(classes, frozen_classes) == (towers == "image")
    assert torch.equal(images, frozen_images) == (towers == "text")
    before = digest(trained(tiny_backbone, towers=towers, seed=3))
    assert before == digest(trained(tiny_backbone, towers=towers, seed=3))


def test_frozen_class_features_are_encoded_once(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    encode = tiny_backbone.text.encode_texts
    monkeypatch.setattr(
        tiny_backbone.text, "encode_texts", lambda texts: calls.append(texts) or encode(texts)
    )
    method = trained(tiny_backbone, towers="image")
    method.class_features()
    assert len(calls) == 1
    method.set_classes(["box"])
    assert method.class_features().shape[0] == 1
    assert len(calls) == 2


def test_the_same_seed_gives_the_same_bits_whatever_torch_draws(tiny_backbone: Any) -> None:
    digests, states = set(), []
    for global_seed in (0, 123):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        digests.add(digest(trained(tiny_backbone)))
        states.append(torch.equal(state, torch.get_rng_state()))
    assert len(digests) == 1
    assert states == [True, True]
    assert digest(trained(tiny_backbone, seed=2)) not in digests


def test_dropout_acts_in_training_alone_and_follows_the_step(tiny_backbone: Any) -> None:
    method = filled(ClipLora(tiny_backbone, NAMES))

    def answer(step: int) -> Tensor:
        method.begin_step(step)
        return torch.cat(features(method))

    assert torch.equal(answer(0), answer(1))
    method.train()
    assert not torch.allclose(answer(0), answer(1), atol=1e-3)
    assert torch.equal(answer(4), answer(4))
    without = filled(ClipLora(tiny_backbone, NAMES, dropout=0.0)).train()
    torch.testing.assert_close(torch.cat(features(without)), torch.cat(features(method.eval())))


def test_dropout_leaves_out_a_quarter_and_scales_the_rest_up() -> None:
    dropout = StepDropout(0.25, seed=1, device=torch.device("cpu"))
    x = torch.ones(200, 500)
    y = dropout(x)
    assert set(y.unique().tolist()) == {0.0, float(torch.tensor(1.0) / 0.75)}
    assert abs(float((y == 0).float().mean()) - 0.25) < 0.01
    assert not torch.equal(dropout(x), y)  # the next layer's mask is another
    assert torch.equal(dropout.eval()(x), x)


def test_training_lowers_the_loss(tiny_backbone: Any) -> None:
    def loss(method: ClipLora) -> float:
        with torch.no_grad():
            return float(method.eval().loss(pixels(), LABELS)[0])

    after = ClipLora(tiny_backbone, NAMES)
    schedule = Schedule("longer", 0.02, 10, None, warmup_lr=None, optimizer="adamw")
    train(after, Pictures(pixels()[None]), LABELS, schedule)
    assert loss(after) < 0.7 * loss(ClipLora(tiny_backbone, NAMES))


def test_cut_short_and_taken_up_it_ends_in_the_same_bits(tiny_backbone: Any, tmp_path: Path) -> None:
    def stop(_report: Any) -> None:
        raise KeyboardInterrupt

    def run(**more: Any) -> ClipLora:
        method = ClipLora(tiny_backbone, NAMES)
        train(method, Pictures(pixels()[None]), LABELS, SCHEDULE, **more)
        return method

    file = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint=file, on_epoch=stop)
    assert file.is_file()
    assert digest(run(checkpoint=file)) == digest(run())


def test_every_matrix_learns(tiny_backbone: Any) -> None:
    before, after = ClipLora(tiny_backbone, NAMES).state(), trained(tiny_backbone).state()
    assert not [name for name in before if np.array_equal(before[name], after[name])]


def test_gradients_are_those_of_the_merged_model(tiny_backbone: Any) -> None:
    """dL/dB = s dL/dW A^T and dL/dA = s B^T dL/dW, for the weights W of a merged copy."""
    method = filled(ClipLora(tiny_backbone, NAMES))
    method.loss(pixels(), LABELS)[0].backward()
    model = merged(tiny_backbone, method).requires_grad_(True)
    classes = model.text_projection(model.text_model(input_ids=full_ids(tiny_backbone)).pooler_output)
    images = model.visual_projection(model.vision_model(pixel_values=pixels()).pooler_output)
    logits = tiny_backbone.logits(F.normalize(images, dim=-1), F.normalize(classes, dim=-1))
    F.cross_entropy(logits, LABELS).backward()
    scale = method.alpha / math.sqrt(method.r)
    for side, tower in (("text", model.text_model), ("image", model.vision_model)):
        for i, layer in enumerate(tower.encoder.layers):
            for p in "qkv":
                grad = getattr(layer.self_attn, f"{p}_proj").weight.grad
                a, b = (method.lora[f"{side}_{i}_{p}_{factor}"] for factor in "AB")
                torch.testing.assert_close(a.grad, scale * b.detach().T @ grad, rtol=1e-3, atol=1e-4)
                torch.testing.assert_close(b.grad, scale * grad @ a.detach().T, rtol=1e-3, atol=1e-4)


def test_state_goes_out_and_comes_back(tiny_backbone: Any) -> None:
    method, other = trained(tiny_backbone), ClipLora(tiny_backbone, NAMES, seed=9).eval()
    state = method.state()
    other.load_state(state)
    for ours, theirs in zip(features(method), features(other), strict=True):
        assert torch.equal(ours, theirs)
    for array in state.values():
        array += 1  # a copy: nobody's matrices
    assert torch.equal(features(method)[0], features(other)[0])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda method: pickle.loads(pickle.dumps(method))])
def test_a_copy_answers_alike_over_a_backbone_of_the_same_weights(copied: Any, tiny_backbone: Any) -> None:
    method = filled(ClipLora(tiny_backbone, NAMES, r=3, dropout=0.5, seed=4, towers="image"))
    other = copied(method)
    assert (other.class_names, other.stored_options()) == (method.class_names, method.stored_options())
    assert (other.dropout.p, other.dropout.seed, other.training) == (0.5, 4, False)
    for ours, theirs in zip(features(method), features(other), strict=True):
        assert torch.equal(ours, theirs)
    assert not {id(p) for p in method.parameters()} & {id(p) for p in other.parameters()}
    assert len(pickle.dumps(method)) < 100_000
    assert other.backbone is tiny_backbone or other.backbone.fingerprint == tiny_backbone.fingerprint


def test_a_prompt_file_holds_it(tiny_backbone: Any) -> None:
    from promptlet.promptfile import PromptFile, dumps, loads

    method = trained(tiny_backbone, r=3, alpha=2.0, towers="image", template="the {}.")
    assert method.stored_options() == {"r": 3, "alpha": 2.0, "template": "the {}.", "towers": "image"}
    file = PromptFile(
        method="clip_lora",
        n_ctx=0,
        dim=tiny_backbone.text.dim,
        rank=None,
        init="none",
        backbone=tiny_backbone.name,
        fingerprint=tiny_backbone.fingerprint,
        class_names=NAMES,
        training={},
        tensors=method.state(),
        options=method.stored_options(),
    )
    back = loads(dumps(file))
    other = ClipLora(tiny_backbone, NAMES, **back.options)
    other.load_state(back.tensors)
    for ours, theirs in zip(features(method), features(other.eval()), strict=True):
        assert torch.equal(ours, theirs)


def test_state_of_another_shape_is_refused_and_nothing_is_taken(tiny_backbone: Any) -> None:
    method = ClipLora(tiny_backbone, NAMES)
    before = digest(method)
    with pytest.raises(
        OptionError, match=r"have shapes \{'X': \(4, 32\)\}; this method has \{'image"
    ) as told:
        method.load_state({"X": np.zeros((4, 32), np.float32)})
    assert "more differ" in str(told.value)
    assert len(str(told.value)) < 300
    wrong = {**method.state(), "text.1.k.A": np.zeros((3, WIDTH), np.float32)}
    message = r"\{'text.1.k.A': \(3, 32\)\}; this method has \{'text.1.k.A': \(2, 32\)\}$"
    with pytest.raises(OptionError, match=message):
        method.load_state(wrong)
    assert digest(method) == before


def test_it_answers_among_classes_it_has_not_seen(tiny_backbone: Any) -> None:
    method = trained(tiny_backbone)
    method.set_classes(["a boat", "a {tree}", "cat"])
    classes, images = features(method)
    torch.testing.assert_close(classes.norm(dim=-1), torch.ones(3))
    with torch.no_grad():
        torch.testing.assert_close(method.logits(pixels(3)), tiny_backbone.logit_scale * images @ classes.T)
    score = method.scorer()
    method.set_classes(NAMES)
    torch.testing.assert_close(score(pixels(3)), tiny_backbone.logit_scale * images @ classes.T)
    method.set_classes([])
    with pytest.raises(DataError, match="class_names is empty"):
        method.class_features()


@pytest.mark.parametrize("towers", ["both", "text", "image"])
def test_it_trains_after_predicting_in_inference_mode(towers: str, tiny_backbone: Any) -> None:
    method = ClipLora(tiny_backbone, NAMES, towers=towers)
    with torch.inference_mode():
        method.logits(pixels(3))
    method.loss(pixels(), LABELS)[0].backward()
    assert all(p.grad is not None for p in method.parameters())


def test_lower_precision_keeps_the_matrices_float32(clip_folder: Path, tiny_backbone: Any) -> None:
    backbone = load_backbone(clip_folder, device="cpu", dtype="bfloat16")
    method = trained(backbone)
    assert all(p.dtype == torch.float32 for p in method.parameters())
    other = ClipLora(tiny_backbone, NAMES).eval()
    other.load_state(method.state())
    for low, full in zip(features(method), features(other), strict=True):
        assert low.dtype == torch.float32
        torch.testing.assert_close(low, full, atol=0.05, rtol=0)


def test_text_updates_go_into_a_clip_text_tower_beside_any_image_tower(dual_folder: Path) -> None:
    backbone = load_backbone(dual_folder, device="cpu")
    method = ClipLora(backbone, NAMES, towers="text").eval()
    torch.testing.assert_close(
        method.class_features().detach(), hand_written(backbone, method.template, NAMES)
    )
    with pytest.raises(
        BackboneError, match=r"its image tower is of kind ViTModel, not CLIP's.* CLIP models of"
    ):
        ClipLora(backbone, NAMES)


def test_siglip_is_refused(siglip_folder: Path) -> None:
    backbone = load_backbone(siglip_folder, device="cpu")
    with pytest.raises(
        BackboneError, match=r"its text tower is of kind SiglipTextModel, not CLIP's.*rlp and coop"
    ):
        ClipLora(backbone, NAMES)


def test_open_clip_is_refused(open_clip_folder: Path) -> None:
    backbone = load_backbone(f"open_clip:{open_clip_folder}", device="cpu")
    with pytest.raises(BackboneError, match=r"open_clip packs queries, keys and values in one matrix.*CLIP"):
        ClipLora(backbone, NAMES)


def test_a_missing_peft_is_told(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    there = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "peft":
            raise ImportError(name)
        return there(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'promptlet\[lora\]'"):
        ClipLora(tiny_backbone, NAMES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"r": 0}, r"r=0 is outside 1\.\.32, the width of the text tower"),
        ({"r": 33, "towers": "image"}, r"r=33 is outside 1\.\.32, the width of the image tower"),
        ({"r": 1.5}, r"r=1.5 is not allowed; give a whole number"),
        ({"alpha": 0.0}, "alpha=0.0 must be a number above 0"),
        ({"alpha": float("nan")}, "alpha=nan must be"),
        ({"dropout": 1.0}, "dropout=1.0 is outside 0 <= dropout < 1"),
        ({"template": "x"}, r"must hold {} exactly once"),
        ({"towers": "txt"}, r"towers='txt' is not known; allowed: both, text, image. Did you mean 'text'"),
    ],
)
def test_error_texts(options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        ClipLora(tiny_backbone, NAMES, **options)


def test_info_says_what_it_reads() -> None:
    info = ClipLora.info
    assert (info.reads, info.learns, dict(info.official)) == (IMAGES, BY_STEPS, {})
    assert "rank" not in info.options
    assert not hasattr(ClipLora, "rank")
