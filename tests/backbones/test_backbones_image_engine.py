"""Prompts in the image tower: engine and plain path give the same numbers, those of a ViT written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_models import EYES, OPEN_CLIP, SIGLIP_PIXELS, clip_model, clip_tokenizer, save, shaken
from torch import Tensor

from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones.arithmetic import products as text_products
from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.image.engine import ImageEngine
from promptlet.backbones.libraries.transformers import wrap_transformers
from promptlet.errors import BackboneError, OptionError
from promptlet.preprocessing.spec import ImageSpec

CPU = torch.device("cpu")
IMAGES = 5


def make_pixels(count: int = IMAGES, size: int = 32) -> Tensor:
    """Noise in place of preprocessed images."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(count))


def make_context(images: ImageEncoder, depth: int, n_ctx: int = 4) -> Tensor:
    """A context drawn with a fixed seed."""
    draw = torch.Generator().manual_seed(10 * depth + n_ctx)
    return torch.randn(depth, n_ctx, images.dim, generator=draw, requires_grad=True)


def probe(features: Tensor) -> Tensor:
    """A scalar in which every feature counts differently."""
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    return (F.normalize(features, dim=-1) * weights.to(features.device)).sum()


def assert_same_numbers(fast: Tensor, plain: Tensor, context: Tensor) -> None:
    """Features and gradients agree."""
    assert fast.shape == plain.shape
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=0)
    (fast_grad,), (plain_grad,) = (torch.autograd.grad(probe(out), context) for out in (fast, plain))
    assert (fast_grad - plain_grad).norm() < 1e-4 * plain_grad.norm()


def assert_same(images: ImageEncoder, context: Tensor, pixels: Tensor) -> None:
    """Both paths agree."""
    fast, plain = (
        encode(pixels, context) for encode in (images.encode_prompted, images.encode_prompted_reference)
    )
    assert_same_numbers(fast, plain, context)


def engine_of(images: ImageEncoder) -> ImageEngine:
    """The engine of a tower that has one."""
    assert images.engine is not None
    return images.engine


def wrapped(model: Any, size: int = 32) -> Backbone:
    """A backbone over a model in memory."""
    spec = ImageSpec("exact", (size, size), None, 3, (0.5,) * 3, (0.5,) * 3)
    return wrap_transformers(model, clip_tokenizer(), spec, "toy", CPU, torch.float32)


@pytest.fixture(scope="module", params=["clip", "gelu", "dual", "open_clip"])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """Each kind of tower with a class token."""
    prefix = "open_clip:" if request.param == "open_clip" else ""
    return load_backbone(f"{prefix}{request.getfixturevalue(f'{request.param}_folder')}", device="cpu")


@pytest.fixture
def images(backbone: Backbone) -> ImageEncoder:
    """Its image side."""
    assert backbone.images.has_tokens
    return backbone.images


@pytest.fixture(params=[(10, 0), (12, 20_000), (1, 0)], ids=["recomputed", "mixed", "one by one"])
def tight(request: pytest.FixtureRequest, images: ImageEncoder) -> Iterator[ImageEncoder]:
    """An encoder whose engine must cut into chunks and keep little or nothing."""
    engine = engine_of(images)
    before = engine.max_rows, engine.keep_bytes
    engine.max_rows, engine.keep_bytes = request.param
    yield images
    engine.max_rows, engine.keep_bytes = before


@pytest.mark.parametrize("n_ctx", [1, 5])
def test_equals_plain_path(images: ImageEncoder, n_ctx: int) -> None:
    for depth in range(1, images.depth + 1):
        assert_same(images, make_context(images, depth, n_ctx), make_pixels())


@pytest.mark.parametrize("n_ctx", [1, 5])
def test_equals_plain_path_in_chunks(tight: ImageEncoder, n_ctx: int) -> None:
    for depth in range(1, tight.depth + 1):
        assert_same(tight, make_context(tight, depth, n_ctx), make_pixels())


def test_one_image(images: ImageEncoder) -> None:
    context = make_context(images, 2)
    assert_same(images, context, make_pixels(1))
    pixels = make_pixels()
    together = images.encode_prompted(pixels, context)
    apart = [images.encode_prompted(one[None], context) for one in pixels]
    torch.testing.assert_close(torch.cat(apart), together, atol=1e-5, rtol=0)


def test_no_prompts_change_nothing(images: ImageEncoder) -> None:
    pixels, none = make_pixels(), torch.zeros(1, 0, images.dim)
    features = images.encode(pixels)
    torch.testing.assert_close(images.encode_prompted(pixels, none), features, atol=1e-5, rtol=0)
    torch.testing.assert_close(images.encode_prompted_reference(pixels, none), features, atol=1e-5, rtol=0)


def by_hand(model: Any, pixels: Tensor, context: Tensor, act: str) -> Tensor:
    """CLIP's image tower beside prompts, written out: features of one image (3, H, W)."""
    weights = {
        k.replace("vision_model.vision_model.", "vision_model."): v for k, v in model.state_dict().items()
    }
    at = "vision_model"

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", torch.zeros(()))

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    filters = weights[f"{at}.embeddings.patch_embedding.weight"]
    size = filters.shape[-1]
    rows, columns = pixels.shape[1] // size, pixels.shape[2] // size
    patches = [
        pixels[:, r * size : (r + 1) * size, c * size : (c + 1) * size].flatten()
        for r in range(rows)
        for c in range(columns)
    ]
    x = torch.cat(
        [weights[f"{at}.embeddings.class_embedding"][None], torch.stack(patches) @ filters.flatten(1).T]
    )
    x = x + weights[f"{at}.embeddings.position_embedding.weight"]
    n_image, heads = len(x), model.config.vision_config.num_attention_heads
    x = norm(f"{at}.pre_layrnorm", torch.cat([x, context[0]]))
    for i in range(model.config.vision_config.num_hidden_layers):
        layer = f"{at}.encoder.layers.{i}"
        if 0 < i < len(context):
            x = torch.cat([x[:n_image], context[i]])
        h = norm(f"{layer}.layer_norm1", x)
        q, k, v = (linear(f"{layer}.self_attn.{n}_proj", h).chunk(heads, dim=1) for n in "qkv")
        seen = [(q[j] @ k[j].T / k[j].shape[1] ** 0.5).softmax(-1) @ v[j] for j in range(heads)]
        x = x + linear(f"{layer}.self_attn.out_proj", torch.cat(seen, 1))
        h = linear(f"{layer}.mlp.fc1", norm(f"{layer}.layer_norm2", x))
        h = h * torch.sigmoid(1.702 * h) if act == "quick_gelu" else h * 0.5 * (1 + torch.erf(h / 2**0.5))
        x = x + linear(f"{layer}.mlp.fc2", h)
    return linear("visual_projection", norm(f"{at}.post_layernorm", x[0]))


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_equals_a_tower_written_by_hand(act: str, depth: int) -> None:
    """Independent of the library's own forward pass: holds engine and reference to the definition."""
    model = eyes_of(act)
    images = wrapped(model).images
    context, pixels = make_context(images, depth, 3), make_pixels(2)
    for encode in (images.encode_prompted, images.encode_prompted_reference):
        expected = torch.stack([by_hand(model, one, context, act) for one in pixels])
        assert_same_numbers(encode(pixels, context), expected, context)


def eyes_of(act: str) -> Any:
    """A CLIPModel whose image tower has three layers and an activation."""
    from transformers import CLIPConfig, CLIPModel

    eyes = {**EYES, "num_hidden_layers": 3, "hidden_act": act}
    text = clip_model().config.text_config.to_dict()
    return shaken(CLIPModel(CLIPConfig(text_config=text, vision_config=eyes, projection_dim=16)), 5)


def test_gelu_tanh() -> None:
    images = wrapped(eyes_of("gelu_pytorch_tanh")).images
    assert_same(images, make_context(images, 2), make_pixels())


def test_other_activations_have_no_engine() -> None:
    assert not wrapped(eyes_of("relu")).images.has_tokens


def test_a_clip_tower_inside_a_dual_encoder() -> None:
    from transformers import CLIPVisionConfig, VisionTextDualEncoderConfig, VisionTextDualEncoderModel

    text = clip_model().config.text_config
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        CLIPVisionConfig(**EYES), text, projection_dim=16
    )
    images = wrapped(shaken(VisionTextDualEncoderModel(config), 2)).images
    for depth in (1, 2):
        assert_same(images, make_context(images, depth), make_pixels())


def test_towers_of_one_layer() -> None:
    from transformers import CLIPConfig, CLIPModel

    text = clip_model().config.text_config.to_dict()
    eyes = {**EYES, "num_hidden_layers": 1, "num_attention_heads": 1}
    images = wrapped(
        shaken(CLIPModel(CLIPConfig(text_config=text, vision_config=eyes, projection_dim=16)))
    ).images
    assert_same(images, make_context(images, 1), make_pixels())


def test_a_tower_of_many_patches() -> None:
    """65 image tokens, 12 layers, the depth of MaPLe."""
    from transformers import CLIPConfig, CLIPModel

    text = clip_model().config.text_config.to_dict()
    eyes = {**EYES, "num_hidden_layers": 12, "image_size": 64, "patch_size": 8}
    model = shaken(CLIPModel(CLIPConfig(text_config=text, vision_config=eyes, projection_dim=16)), 4)
    images = wrapped(model, 64).images
    context = (0.4 * make_context(images, 9)).detach().requires_grad_()
    assert_same(images, context, make_pixels(3, 64))


@pytest.mark.parametrize(
    "vision",
    [{"no_ln_pre": True}, {"final_ln_after_pool": True}, {"patch_dropout": 0.5}],
    ids=lambda vision: next(iter(vision)),
)
def test_open_clip_variants(vision: dict[str, Any]) -> None:
    images = open_clip_images(vision)
    for depth in (1, 2):
        assert_same(images, make_context(images, depth), make_pixels())


@pytest.mark.parametrize(
    ("vision", "kind"),
    [
        ({"pool_type": "avg"}, "VisionTransformer"),
        ({"attentional_pool": True, "attn_pooler_heads": 4}, "VisionTransformer"),
        ({"ls_init_value": 0.1}, "VisionTransformer"),
        ({"qk_norm": True}, "VisionTransformer"),
        ({"layers": [1, 1, 1, 1], "width": 16}, "ModifiedResNet"),
    ],
    ids=["average", "attention", "layer scale", "normalised queries", "convolutions"],
)
def test_open_clip_towers_without_a_place_for_prompts(vision: dict[str, Any], kind: str) -> None:
    assert_refused(open_clip_images(vision), kind)


def open_clip_images(vision: dict[str, Any]) -> ImageEncoder:
    """The image side of a tiny open_clip model, whose image tower has some options."""
    open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed")
    from promptlet.backbones.libraries.open_clip import wrap_open_clip

    config = {**OPEN_CLIP, "vision_cfg": {**OPEN_CLIP["vision_cfg"], **vision}}  # type: ignore[dict-item]
    model = shaken(open_clip.CLIP(**config), 9)
    model.visual.preprocess_cfg = {"size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    return wrap_open_clip(model, open_clip.SimpleTokenizer(), "toy", CPU, torch.float32).images


def assert_refused(images: ImageEncoder, kind: str) -> None:
    """The error names the tower, says which towers serve, and what to do with this one."""
    assert not images.has_tokens
    assert (images.dim, images.depth) == (0, 0)
    for encode in (images.encode_prompted, images.encode_prompted_reference):
        with pytest.raises(BackboneError, match=f"image tower of kind {kind}") as caught:
            encode(make_pixels(1), torch.zeros(1, 4, 32))
        for words in ("class-token ViTs", "transformers or open_clip", "rlp or coop"):
            assert words in str(caught.value)


@pytest.mark.parametrize(
    ("fixture", "kind"), [("siglip", "SiglipVisionModel"), ("siglip_naflex", "Siglip2VisionModel")]
)
def test_siglip_is_refused(request: pytest.FixtureRequest, fixture: str, kind: str) -> None:
    """It pools by attention and has no class token."""
    assert_refused(load_backbone(request.getfixturevalue(f"{fixture}_folder"), device="cpu").images, kind)


def test_convolutions_are_refused(tmp_path: Path) -> None:
    from transformers import ResNetConfig, VisionTextDualEncoderConfig, VisionTextDualEncoderModel

    eyes = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic")
    eyes.hidden_size = 8  # the dual encoder reads it
    text = clip_model().config.text_config
    config = VisionTextDualEncoderConfig.from_vision_text_configs(eyes, text, projection_dim=16)
    model = shaken(VisionTextDualEncoderModel(config), 2)
    folder = save(tmp_path, model, clip_tokenizer(), SIGLIP_PIXELS)
    assert_refused(load_backbone(folder, device="cpu").images, "ResNetModel")


@pytest.mark.parametrize("shape", [(4, 32), (2, 4, 31), (0, 4, 32), (1, 2, 4, 32)])
def test_contexts_that_do_not_fit(tiny_backbone: Backbone, shape: tuple[int, ...]) -> None:
    images = tiny_backbone.images
    for encode in (images.encode_prompted, images.encode_prompted_reference):
        with pytest.raises(OptionError) as caught:
            encode(make_pixels(1), torch.zeros(shape))
        assert f"shape {shape} does not fit" in str(caught.value)
        assert "expected (depth, n_ctx, d) with d=32" in str(caught.value)


def test_contexts_that_are_too_deep(tiny_backbone: Backbone) -> None:
    images = tiny_backbone.images
    for encode in (images.encode_prompted, images.encode_prompted_reference):
        with pytest.raises(OptionError, match=r"depth 3 is outside 1\.\.2, the layers of this image tower"):
            encode(make_pixels(1), torch.zeros(3, 4, 32))


def test_weights_and_inputs_are_left_alone(backbone: Backbone) -> None:
    images, pixels = backbone.images, make_pixels()
    context = make_context(images, 2)
    before = {name: tensor.clone() for name, tensor in backbone.model.state_dict().items()}
    held = context.detach().clone(), pixels.clone()
    for encode in (images.encode_prompted, images.encode_prompted_reference):
        probe(encode(pixels, context)).backward()
    assert torch.equal(context.detach(), held[0])
    assert torch.equal(pixels, held[1])
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.model.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in backbone.model.parameters())


def test_encode_is_unchanged(images: ImageEncoder) -> None:
    """Hooks are gone afterwards, also after an error."""
    pixels, context = make_pixels(), make_context(images, 2)
    before = images.encode(pixels)
    images.encode_prompted_reference(pixels, context)
    assert torch.equal(images.encode(pixels), before)
    images.encode_prompted(pixels, context)
    with pytest.raises((ValueError, RuntimeError)):
        images.encode_prompted_reference(make_pixels(1, 48), context)
    assert torch.equal(images.encode(pixels), before)


def test_without_gradient_nothing_is_recorded(tight: ImageEncoder) -> None:
    pixels, context = make_pixels(), make_context(tight, 2)
    assert not tight.encode_prompted(pixels, context.detach()).requires_grad
    with torch.inference_mode():
        inferred = tight.encode_prompted(pixels, context)
    assert inferred.dtype == torch.float32
    torch.testing.assert_close(inferred.clone(), tight.encode_prompted(pixels, context), atol=1e-6, rtol=0)
    assert_same(tight, context, pixels)


def test_backward_repeats(tight: ImageEncoder) -> None:
    pixels, context = make_pixels(), make_context(tight, 2)
    loss = probe(tight.encode_prompted(pixels, context))
    first = torch.autograd.grad(loss, context, retain_graph=True)[0].clone()
    again = torch.autograd.grad(loss, context)[0]
    anew = torch.autograd.grad(probe(tight.encode_prompted(pixels, context)), context)[0]
    assert torch.equal(first, again)
    assert torch.equal(first, anew)


def saved_storages(images: ImageEncoder, pixels: Tensor) -> int:
    """Bytes that the graph of a pass holds beyond the pixels, the context and the weights."""
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    context = make_context(images, 2)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        features = images.encode_prompted(pixels, context)
    assert features.requires_grad
    known = {pixels.untyped_storage().data_ptr(), context.untyped_storage().data_ptr()}
    return sum(size for place, size in storages.items() if place not in known)


def test_memory_does_not_grow_with_images(tiny_backbone: Backbone) -> None:
    images = tiny_backbone.images
    engine = engine_of(images)
    before = engine.max_rows, engine.keep_bytes
    try:
        engine.max_rows, engine.keep_bytes = 18, 0
        few, many = (saved_storages(images, make_pixels(n)) for n in (2, 32))
        assert few == many == 0
        engine.keep_bytes = 1 << 30
        few, many = (saved_storages(images, make_pixels(n)) for n in (2, 32))
        assert many > 10 * few > 0
        budget = engine.keep_bytes = 10 * few
        assert saved_storages(images, make_pixels(32)) <= budget
    finally:
        engine.max_rows, engine.keep_bytes = before


def test_kept_bytes_are_counted(tiny_backbone: Backbone) -> None:
    """The estimate that `keep_bytes` is held against: not below what the graph holds, nor far above."""
    images = tiny_backbone.images
    held = saved_storages(images, make_pixels(32))
    tokens = engine_of(images).tower.tokens + 4
    assert held <= 32 * engine_of(images)._kept_bytes(tokens) < 3 * held


def test_kept_bytes_are_counted_in_mixed(clip_folder: Path) -> None:
    images = load_backbone(clip_folder, "cpu", "mixed").images
    held = saved_storages(images, make_pixels(32))
    tokens = engine_of(images).tower.tokens + 4
    assert held <= 32 * engine_of(images)._kept_bytes(tokens, 2) < 3 * held


@pytest.mark.parametrize("backbone", ["clip", "open_clip"], indirect=True)
def test_autocast(tight: ImageEncoder) -> None:
    pixels, context = make_pixels(), make_context(tight, 2)
    exact = tight.encode_prompted(pixels, context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = tight.encode_prompted(pixels, context)
    assert half.dtype == torch.float32
    assert float(F.cosine_similarity(half, exact, dim=-1).detach().min()) > 0.999
    grads = [torch.autograd.grad(probe(out), context)[0].flatten() for out in (exact, half)]
    assert float(F.cosine_similarity(*grads, dim=0)) > 0.98
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = torch.autograd.grad(probe(tight.encode_prompted(pixels, context)), context)[0]
    assert float(F.cosine_similarity(inside.flatten(), grads[0], dim=0)) > 0.98


@pytest.mark.parametrize("prefix", ["", "open_clip:"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision(request: pytest.FixtureRequest, prefix: str, dtype: str) -> None:
    folder = request.getfixturevalue("open_clip_folder" if prefix else "clip_folder")
    exact, low = (
        load_backbone(f"{prefix}{folder}", device="cpu", dtype=d).images for d in ("float32", dtype)
    )
    tower = engine_of(low).tower
    assert {tower.dtype, tower.blocks[0].query.weight.dtype} == {low.dtype} == {getattr(torch, dtype)}
    pixels, context = make_pixels(), make_context(exact, 2)
    want, got, plain = (
        encode(pixels, context)
        for encode in (exact.encode_prompted, low.encode_prompted, low.encode_prompted_reference)
    )
    assert got.dtype == plain.dtype == torch.float32
    for features in (got, plain):
        assert float(F.cosine_similarity(features, want, dim=-1).detach().min()) > 0.998
    grads = [torch.autograd.grad(probe(out), context)[0].flatten() for out in (want, got)]
    assert float(F.cosine_similarity(*grads, dim=0)) > 0.98


def test_without_onednn(images: ImageEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_products, "ONEDNN", None)
    assert_same(images, make_context(images, 2), make_pixels())


@pytest.mark.cuda
def test_cuda(clip_folder: Path) -> None:
    images = load_backbone(clip_folder, device="cuda").images
    context = make_context(images, 2).detach().cuda().requires_grad_()
    for keep in (0, 1 << 30):
        engine_of(images).keep_bytes = keep
        assert_same(images, context, make_pixels())
        with torch.autocast("cuda", dtype=torch.bfloat16):
            half = images.encode_prompted(make_pixels(), context)
        torch.autograd.grad(probe(half), context)
