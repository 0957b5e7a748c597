"""The fingerprint names a backbone: stable over storage and libraries, different for any other weight."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import CLIP_PIXELS, OPEN_CLIP, clip_model, clip_tokenizer, shaken
from torch import nn

from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones.fingerprint import weights_digest
from promptlet.backbones.libraries.open_clip import wrap_open_clip
from promptlet.backbones.libraries.transformers import wrap_transformers
from promptlet.backbones.parts import settle
from promptlet.errors import WrongBackboneError
from promptlet.preprocessing.libraries import spec_from_transformers

CPU = torch.device("cpu")
SPEC = spec_from_transformers(CLIP_PIXELS, "toy")


def wrap(model: Any, tokenizer: Any = None) -> Backbone:
    """A backbone over a model in memory."""
    return wrap_transformers(model, tokenizer or clip_tokenizer(), SPEC, "toy", CPU, torch.float32)


def parts(backbone: Backbone) -> list[str]:
    """Text, tokenizer, image."""
    return backbone.fingerprint.split("-")


def test_form_and_repetition(clip_folder: Path, tiny_backbone: Backbone) -> None:
    assert [len(part) for part in parts(tiny_backbone)] == [12, 12, 12]
    assert set("".join(parts(tiny_backbone))) <= set("0123456789abcdef")
    assert load_backbone(clip_folder, device="cpu").fingerprint == tiny_backbone.fingerprint
    assert tiny_backbone.image_fingerprint == parts(tiny_backbone)[2]


def test_stored_in_half_precision(clip_folder: Path, tiny_backbone: Backbone, tmp_path: Path) -> None:
    half, upcast = tmp_path / "half", tmp_path / "upcast"
    for folder, model in ((half, clip_model().half()), (upcast, clip_model().half().float())):
        shutil.copytree(clip_folder, folder)
        model.save_pretrained(folder)
    assert load_backbone(half, device="cpu").fingerprint == tiny_backbone.fingerprint
    assert load_backbone(upcast, device="cpu").fingerprint == tiny_backbone.fingerprint


@pytest.mark.parametrize(
    ("weight", "changed"),
    [
        ("text_projection.weight", 0),
        ("token_embedding.weight", 0),
        ("visual_projection.weight", 2),
        ("class_embedding", 2),
    ],
)
def test_one_weight_changes_its_part(tiny_backbone: Backbone, weight: str, changed: int) -> None:
    model = clip_model()
    (tensor,) = (p for name, p in model.named_parameters() if name.endswith(weight))
    with torch.no_grad():
        tensor.view(-1)[0] += 0.01
    differ = [a != b for a, b in zip(parts(wrap(model)), parts(tiny_backbone), strict=True)]
    assert differ == [i == changed for i in range(3)]


def test_tokenizer_and_preprocessing_change_their_parts(
    clip_folder: Path, tiny_backbone: Backbone, tmp_path: Path
) -> None:
    tokenizer = clip_tokenizer()
    tokenizer.backend_tokenizer.normalizer = None
    assert parts(wrap(clip_model(), tokenizer))[1] != parts(tiny_backbone)[1]
    folder = tmp_path / "other"
    shutil.copytree(clip_folder, folder)
    settings = {**CLIP_PIXELS, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    other = load_backbone(folder, device="cpu")
    assert parts(other)[:2] == parts(tiny_backbone)[:2]
    assert parts(other)[2] != parts(tiny_backbone)[2]


def test_names_and_order_of_tensors_do_not_matter() -> None:
    first, second = nn.Linear(3, 4), nn.LayerNorm(5)
    apart = weights_digest([nn.ModuleDict({"a": first, "b": second})])
    assert apart == weights_digest([second, first])
    assert apart == weights_digest([nn.Sequential(second, nn.Sequential(first))])


def test_tied_and_repeated_tensors_count_once() -> None:
    layer = nn.Linear(3, 4)
    tied = nn.Linear(3, 4)
    tied.weight, tied.bias = layer.weight, layer.bias
    assert (
        weights_digest([layer])
        == weights_digest([layer, tied])
        == weights_digest([layer, copy.deepcopy(layer)])
    )


def test_buffers_count_when_they_are_saved() -> None:
    norm = nn.BatchNorm1d(3)
    before = weights_digest([norm])
    norm.num_batches_tracked += 1
    norm.register_buffer("scratch", torch.rand(3), persistent=False)
    assert weights_digest([norm]) == before
    norm.running_mean += 0.5
    assert weights_digest([norm]) != before


def test_low_precision_keeps_the_identity(tiny_backbone: Backbone) -> None:
    model = clip_model()
    towers = wrap(model).towers
    settle(model, towers, CPU, torch.bfloat16)
    assert towers.text_digest == parts(tiny_backbone)[0]


def as_open_clip(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The text tower of transformers' CLIP under open_clip's names, mapped by hand."""
    text = {k.replace("text_model.text_model.", "text_model."): v for k, v in weights.items()}
    mapped = {
        "token_embedding.weight": text["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": text["text_model.embeddings.position_embedding.weight"],
        "text_projection": text["text_projection.weight"].T,
    }
    for kind in ("weight", "bias"):
        mapped[f"ln_final.{kind}"] = text[f"text_model.final_layer_norm.{kind}"]
        for i in range(3):
            source, target = f"text_model.encoder.layers.{i}", f"transformer.resblocks.{i}"
            packed = [text[f"{source}.self_attn.{n}_proj.{kind}"] for n in "qkv"]
            mapped[f"{target}.attn.in_proj_{kind}"] = torch.cat(packed)
            for ours, theirs in (
                ("self_attn.out_proj", "attn.out_proj"),
                ("layer_norm1", "ln_1"),
                ("layer_norm2", "ln_2"),
                ("mlp.fc1", "mlp.c_fc"),
                ("mlp.fc2", "mlp.c_proj"),
            ):
                mapped[f"{target}.{theirs}.{kind}"] = text[f"{source}.{ours}.{kind}"]
    return mapped


def test_both_libraries_name_the_same_text_tower_alike() -> None:
    open_clip = pytest.importorskip("open_clip")
    model = clip_model(vocab_size=49408, intermediate_size=128)
    theirs = shaken(open_clip.CLIP(**OPEN_CLIP, quick_gelu=True), 5)
    missing, unknown = theirs.load_state_dict(as_open_clip(model.state_dict()), strict=False)
    assert not unknown
    assert all(name.startswith(("visual", "logit")) for name in missing)
    theirs.visual.preprocess_cfg = {"size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    ours = wrap(model)
    other = wrap_open_clip(theirs, open_clip.SimpleTokenizer(), "toy", CPU, torch.float32)
    assert parts(ours)[0] == parts(other)[0]
    assert parts(ours)[2] != parts(other)[2]
    assert ours.text.engine is not None
    assert other.text.engine is not None
    other.text.engine.start_id = ours.text.engine.start_id
    context, ids = torch.randn(1, 3, 4, 32), [(5, 6, 7), (8, 9)]
    features = [b.text.engine.encode(context, ids) for b in (ours, other) if b.text.engine]
    torch.testing.assert_close(*features, atol=1e-5, rtol=0)


def test_a_wrong_backbone_is_named(tiny_backbone: Backbone) -> None:
    tiny_backbone.check_fingerprint(tiny_backbone.fingerprint, "toy", "prompt file x.prompt")
    text, tokenizer, _ = parts(tiny_backbone)
    for expected, said in (
        (f"{text}-{tokenizer}-000000000000", "Different: image tower or its preprocessing"),
        (f"0-{tokenizer}-0", "Different: text tower, image tower or its preprocessing"),
        ("nonsense", "Different: text tower"),
    ):
        with pytest.raises(WrongBackboneError, match=f"x.prompt was made with backbone 'toy'.*{said}"):
            tiny_backbone.check_fingerprint(expected, "toy", "x.prompt")


def test_a_backbone_is_shared_not_copied(tiny_backbone: Backbone) -> None:
    assert copy.deepcopy(tiny_backbone) is tiny_backbone
    assert "transformers" in repr(tiny_backbone)


def test_differences_below_half_precision_do_not_count() -> None:
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 70000.0]]))
    exact = weights_digest([layer])
    with torch.no_grad():
        layer.weight[0, 0] = 1.0 + 1e-5
    assert weights_digest([layer]) == exact
