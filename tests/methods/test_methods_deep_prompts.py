"""Prompts in both towers, against the models' own layers run by hand and each other at their limits."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from learning_toys import NAMES, noise
from torch import Tensor

from promptlet.errors import OptionError
from promptlet.methods.both_towers.ivlp import IVLP
from promptlet.methods.both_towers.maple import MaPLe
from promptlet.methods.both_towers.mmlop import MMLoP, without_drift
from promptlet.methods.both_towers.promptsrc import PromptSRC, gaussian_weights
from promptlet.methods.both_towers.vpt import VPT
from promptlet.methods.method import Method
from promptlet.pixels import PixelInputs
from promptlet.training import Schedule, train

N_CTX, DEPTH = 2, 2


def pictures(count: int = 10) -> Tensor:
    return noise("pictures", (count, 3, 32, 32))


LABELS = torch.arange(len(NAMES)).repeat_interleave(2)


@pytest.fixture
def inputs(tiny_backbone: Any) -> Any:
    """Two pictures of each class, as training reads them."""
    draw = torch.Generator().manual_seed(0)
    arrays = [torch.randint(0, 255, (32, 32, 3), generator=draw).to(torch.uint8).numpy() for _ in LABELS]
    return PixelInputs(arrays, tiny_backbone.images.spec)


def by_hand_images(backbone: Any, pixels: Tensor, context: Tensor) -> Tensor:
    """The image tower's layers one by one, with prompts behind the patches: normalised features."""
    vision = backbone.model.vision_model
    x = vision.embeddings(pixels)
    x = vision.pre_layrnorm(torch.cat([x, context[0].expand(len(x), -1, -1)], dim=1))
    for i, layer in enumerate(vision.encoder.layers):
        if 0 < i < len(context):
            x = torch.cat([x[:, : -context.shape[1]], context[i].expand(len(x), -1, -1)], dim=1)
        out = layer(x, attention_mask=None)
        x = out[0] if isinstance(out, tuple) else out
    return F.normalize(backbone.model.visual_projection(vision.post_layernorm(x[:, 0])), dim=-1)


def by_hand_text(backbone: Any, context: Tensor, names: list[str]) -> Tensor:
    """One class after the other, layer by layer, with an explicit causal mask: normalised features."""
    text = backbone.model.text_model
    rows = []
    for name in names:
        words = backbone.text.tokenizer.words(f"{name}.")
        start, end = backbone.text.tokenizer.start, backbone.text.tokenizer.end
        embed = text.embeddings.token_embedding
        tokens = torch.cat([embed(torch.tensor([start])), context[0], embed(torch.tensor([*words, end]))])
        x = (tokens + text.embeddings.position_embedding.weight[: len(tokens)])[None]
        mask = torch.full((len(tokens), len(tokens)), -math.inf).triu(1)[None, None]
        for i, layer in enumerate(text.encoder.layers):
            if 0 < i < len(context):
                x = torch.cat([x[:, :1], context[i][None], x[:, 1 + context.shape[1] :]], dim=1)
            out = layer(x, attention_mask=mask)
            x = out[0] if isinstance(out, tuple) else out
        rows.append(backbone.model.text_projection(text.final_layer_norm(x[0, -1])))
    return F.normalize(torch.stack(rows), dim=-1)


def shaken_prompts(method: Method) -> Method:
    """The method away from its start, so that every part shows."""
    with torch.no_grad():
        for i, parameter in enumerate(method.parameters()):
            parameter += noise(f"shake/{i}", tuple(parameter.shape), 0.3)
    return method.eval()


def test_ivlp_is_the_layers_run_by_hand(tiny_backbone: Any) -> None:
    method = shaken_prompts(IVLP(tiny_backbone, NAMES, n_ctx=N_CTX))
    text, image = method.text.P, method.image.P  # type: ignore[union-attr]
    assert text.shape == (DEPTH, N_CTX, 32)
    assert image.shape == (DEPTH, N_CTX, 32)
    images = by_hand_images(tiny_backbone, pictures(), image)
    classes = by_hand_text(tiny_backbone, text, [f"of a {name}" for name in NAMES])
    expected = tiny_backbone.logit_scale * images @ classes.T
    torch.testing.assert_close(method.logits(pictures()), expected, atol=1e-3, rtol=1e-4)


def test_gradients_of_both_towers_are_those_of_the_layers_run_by_hand(tiny_backbone: Any) -> None:
    method = shaken_prompts(IVLP(tiny_backbone, NAMES, n_ctx=N_CTX)).train()
    loss, _ = method.loss(pictures(), LABELS)
    found = torch.autograd.grad(loss, list(method.parameters()))
    text, image = (p.detach().clone().requires_grad_() for p in method.parameters())
    images = by_hand_images(tiny_backbone, pictures(), image)
    classes = by_hand_text(tiny_backbone, text, [f"of a {name}" for name in NAMES])
    by_hand = F.cross_entropy(tiny_backbone.logit_scale * images @ classes.T, LABELS)
    for ours, theirs in zip(found, torch.autograd.grad(by_hand, [text, image]), strict=True):
        assert (ours - theirs).norm() < 1e-4 * theirs.norm()


def test_maples_image_contexts_are_linear_maps_of_its_text_contexts(tiny_backbone: Any) -> None:
    method = shaken_prompts(MaPLe(tiny_backbone, NAMES))
    context = method.text_context()
    by_hand = torch.stack(
        [
            F.linear(context[i], method.coupling.weight[i], method.coupling.bias[i])
            for i in range(len(context))
        ]
    )
    torch.testing.assert_close(method.image_context(), by_hand)
    torch.testing.assert_close(
        method.image_features(pictures()),
        by_hand_images(tiny_backbone, pictures(), by_hand),
        atol=1e-5,
        rtol=1e-4,
    )


def test_maples_maps_below_the_first_layer_start_alike(tiny_backbone: Any) -> None:
    coupling = MaPLe(tiny_backbone, NAMES, depth=2).coupling
    assert not torch.equal(coupling.weight[0], coupling.weight[1])
    assert coupling.weight.abs().max() <= 32**-0.5
    from promptlet.methods.both_towers.maple import Coupling

    deep = Coupling(4, 8, 6, seed=1)
    assert torch.equal(deep.weight[1], deep.weight[3])
    assert torch.equal(deep.bias[1], deep.bias[2])
    assert deep.weight.shape == (4, 6, 8)


def test_two_vectors_keep_of_a_frozen_before_the_name(tiny_backbone: Any) -> None:
    """At its start the first layer is "a photo", "of a" follows: so the official code does it."""
    method = MaPLe(tiny_backbone, NAMES, depth=1)
    assert (method.init, method.between) == ("words:a photo", "of a")
    zero_shot = tiny_backbone.text.encode_texts([f"a photo of a {name}." for name in NAMES])
    torch.testing.assert_close(method.class_features(), F.normalize(zero_shot, dim=-1), atol=1e-5, rtol=1e-4)
    assert MaPLe(tiny_backbone, NAMES, n_ctx=4).between == ""
    assert MaPLe(tiny_backbone, NAMES, n_ctx=2, ctx_init="the photo").between == ""


def test_vpt_changes_the_image_tower_alone(tiny_backbone: Any) -> None:
    method = shaken_prompts(VPT(tiny_backbone, NAMES, n_ctx=3))
    images = by_hand_images(tiny_backbone, pictures(), method.image.P)
    torch.testing.assert_close(method.image_features(pictures()), images, atol=1e-5, rtol=1e-4)
    zero_shot = tiny_backbone.text.encode_texts([f"a photo of a {name}." for name in NAMES])
    torch.testing.assert_close(method.class_features(), F.normalize(zero_shot, dim=-1), atol=1e-5, rtol=1e-4)
    assert VPT(tiny_backbone, NAMES, depth=1).image.P.shape == (1, 8, 32)


# -- PromptSRC -----------------------------------------------------------------------------------------


def same_prompts(source: Method, target: Method) -> None:
    target.load_state(source.state())


def test_promptsrc_with_weights_0_is_ivlp(tiny_backbone: Any, inputs: Any) -> None:
    schedule = Schedule("short", lr=0.05, epochs=3, batch_size=5)
    ivlp = IVLP(tiny_backbone, NAMES, n_ctx=4)
    src = PromptSRC(
        tiny_backbone, NAMES, text_weight=0.0, image_weight=0.0, logit_weight=0.0, average_mean=0.0
    )
    for method in (ivlp, src):
        train(method, inputs, LABELS, schedule)
    for name, array in ivlp.state().items():
        assert (array == src.state()[name]).all(), name


def test_promptsrcs_loss_is_the_formula(tiny_backbone: Any) -> None:
    method = shaken_prompts(PromptSRC(tiny_backbone, NAMES)).train()
    loss, logits = method.loss(pictures(), LABELS)
    from promptlet.methods.templates import several_templates

    templates = several_templates("promptsrc")
    assert len(templates) == 60
    sentences = torch.stack(
        [tiny_backbone.text.encode_texts([t.replace("{}", n) for n in NAMES]) for t in templates]
    )
    fixed = F.normalize(sentences.mean(0), dim=-1)
    frozen_images = F.normalize(tiny_backbone.images.encode(pictures()), dim=-1)
    classes, images = method.class_features(), method.image_features(pictures())
    scale = tiny_backbone.logit_scale
    p, q = (scale * frozen_images @ fixed.T).softmax(-1), (scale * images @ classes.T).softmax(-1)
    divergence = (p * (p.log() - q.log())).sum() / p.numel()
    expected = (
        F.cross_entropy(scale * images @ classes.T, LABELS)
        + 25 * (classes - fixed).abs().sum() / classes.numel()
        + 10 * (images - frozen_images).abs().sum() / images.numel()
        + divergence
    )
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(logits, scale * images @ classes.T)


def test_epochs_are_averaged_with_gaussian_weights(tiny_backbone: Any, inputs: Any) -> None:
    schedule = Schedule("short", lr=0.05, epochs=4, batch_size=5)
    method = PromptSRC(tiny_backbone, NAMES, average_mean=0.5, average_std=0.25)
    ends: list[dict[str, Tensor]] = []
    train(
        method,
        inputs,
        LABELS,
        schedule,
        on_epoch=lambda _: ends.append({n: p.detach().clone() for n, p in method.trainables().items()}),
    )
    heights = [math.exp(-((e - 2.0) ** 2) / 2) for e in (1, 2, 3, 4)]
    for name, parameter in method.trainables().items():
        average = sum(h * end[name] for h, end in zip(heights, ends, strict=True)) / sum(heights)
        torch.testing.assert_close(parameter.detach(), average, atol=1e-6, rtol=1e-5)


def test_the_official_weights_of_20_epochs() -> None:
    by_hand = [math.exp(-((e - 15) ** 2) / 2) / math.sqrt(2 * math.pi) for e in range(1, 21)]
    total = sum(by_hand)
    assert gaussian_weights(20, 0.75, 0.05) == pytest.approx([value / total for value in by_hand])
    assert sum(gaussian_weights(1, 0.75, 0.001)) == pytest.approx(1)
    assert gaussian_weights(20, 0.0, 1.0) == []


def test_an_interrupted_training_ends_with_the_same_average(
    tiny_backbone: Any, inputs: Any, tmp_path: Any
) -> None:
    schedule = Schedule("short", lr=0.05, epochs=4, batch_size=5)
    whole = PromptSRC(tiny_backbone, NAMES, average_mean=0.5, average_std=0.5)
    train(whole, inputs, LABELS, schedule)

    def stop(report: Any) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    cut, again = (PromptSRC(tiny_backbone, NAMES, average_mean=0.5, average_std=0.5) for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        train(cut, inputs, LABELS, schedule, checkpoint=tmp_path / "c", on_epoch=stop)
    train(again, inputs, LABELS, schedule, checkpoint=tmp_path / "c")
    for name, array in whole.state().items():
        assert (array == again.state()[name]).all(), name


# -- MMLoP ---------------------------------------------------------------------------------------------


def test_mmlops_contexts_share_a_factor(tiny_backbone: Any) -> None:
    method = shaken_prompts(MMLoP(tiny_backbone, NAMES, rank=2))
    factors = method.factors
    words = tiny_backbone.text.embed_words("a photo of a")
    torch.testing.assert_close(method.text_context()[0], words + factors.U[0] @ factors.V_text[0])
    torch.testing.assert_close(method.text_context()[1], factors.U[1] @ factors.V_text[1])
    torch.testing.assert_close(method.image_context()[1], factors.U[1] @ factors.V_image[1])
    assert int(torch.linalg.matrix_rank(method.image_context()[0])) == 2


def test_drift_is_the_shift_that_all_classes_share(tiny_backbone: Any) -> None:
    fixed = F.normalize(noise("fixed", (5, 16)), dim=-1)
    shift = noise("shift", (1, 16))
    torch.testing.assert_close(without_drift(fixed + shift, fixed), fixed, atol=1e-5, rtol=1e-4)
    own = noise("own", (5, 16), 0.3)
    residual = own - own.mean(0)
    torch.testing.assert_close(
        without_drift(fixed + own + shift, fixed), F.normalize(fixed + residual, dim=-1)
    )


def test_without_weights_and_correction_mmlop_is_ivlp_at_its_contexts(tiny_backbone: Any) -> None:
    mmlop = shaken_prompts(
        MMLoP(
            tiny_backbone, NAMES, text_weight=0.0, image_weight=0.0, logit_weight=0.0, drift_correction=False
        )
    )
    ivlp = IVLP(tiny_backbone, NAMES, n_ctx=4)
    ivlp.load_state(
        {
            "text.P": mmlop.text_context().detach().numpy(),
            "image.P": mmlop.image_context().detach().numpy(),
        }
    )
    for one, other in zip(mmlop.loss(pictures(), LABELS), ivlp.eval().loss(pictures(), LABELS), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


# -- low rank, bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [IVLP, MaPLe, PromptSRC])
def test_low_rank_starts_where_the_full_contexts_do(kind: Any, tiny_backbone: Any) -> None:
    full, low = kind(tiny_backbone, NAMES).eval(), kind(tiny_backbone, NAMES, rank=1).eval()
    torch.testing.assert_close(low.text_context(), full.text_context())
    torch.testing.assert_close(low.image_context(), full.image_context())
    with torch.no_grad():
        for name, parameter in low.named_parameters():
            parameter += noise(name, tuple(parameter.shape))
    update = low.text_context() - full.text_context()
    assert [int(torch.linalg.matrix_rank(layer)) for layer in update] == [1, 1]


def test_the_two_towers_low_rank_starts_and_dropouts_are_not_the_same_draws(tiny_backbone: Any) -> None:
    method = IVLP(tiny_backbone, NAMES, rank=1, dropout=0.3)
    assert not torch.equal(method.text.V, method.image.V)  # type: ignore[union-attr]
    method.begin_step(0)
    assert not torch.equal(method.text._keep, method.image._keep)  # type: ignore[union-attr,arg-type]


@pytest.mark.parametrize("kind", [IVLP, MaPLe, PromptSRC, MMLoP])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 3}, r"depth=3 is outside 1\.\.2 \(layers: 3 of the text tower, 2 of the image tower\)"),
        ({"depth": 0}, r"depth=0 is outside 1\.\.2"),
        ({"depth": 1.5}, r"depth=1.5 is outside"),
        ({"n_ctx": 0}, "n_ctx=0 is outside 1"),
        ({"rank": 9}, r"rank=9 is outside 1\.\."),
        ({"between": 3}, "between=3 is not allowed; give words"),
    ],
)
def test_errors(kind: Any, options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        kind(tiny_backbone, NAMES, **options)


@pytest.mark.parametrize("kind", [VPT, IVLP, MaPLe, PromptSRC, MMLoP])
def test_towers_without_tokens_are_refused(kind: Any, siglip_folder: Any) -> None:
    from promptlet.backbones import load_backbone
    from promptlet.errors import BackboneError

    with pytest.raises(
        BackboneError, match=r"prompts cannot enter an image tower of kind .*such as rlp or coop"
    ):
        kind(load_backbone(siglip_folder, device="cpu"), NAMES)
