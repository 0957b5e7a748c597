"""How many numbers each method learns at the size of CLIP ViT-B/16, beside published and computed counts."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import clip_tokenizer
from torch import Tensor

from promptlet.backbones.libraries.changed import singular
from promptlet.backbones.libraries.changed.norms import learn_norms
from promptlet.backbones.libraries.transformers import wrap_transformers
from promptlet.methods import METHODS, build_method
from promptlet.preprocessing.spec import ImageSpec

VIT_B_16 = {
    "text": {
        "hidden_size": 512,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 8,
    },
    "vision": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "image_size": 224,
        "patch_size": 16,
    },
}
COUNTS = [
    # computed from the shapes of the official code
    ("coop", {}, 2_048),
    ("coop", {"n_ctx": 16}, 8_192),
    ("prograd", {"n_ctx": 16}, 8_192),
    ("kgcoop", {}, 2_048),
    ("dekg", {}, 2_048),
    ("cocoop", {}, 35_360),
    ("maple", {}, 3_555_072),
    ("promptsrc", {}, 46_080),
    ("vpt", {}, 73_728),
    ("ivlp", {}, 30_720),
    ("clip_lora", {}, 184_320),
    ("clip_svd", {}, 92_160),  # published: 0.04 % of what its code holds (test_methods_clip_svd)
    ("clip_adapter", {}, 131_072),
    # published: about 0.5 K (RLP, DIP), which rank 1 makes; 11.5 K (MMLoP), which rank 1 in 9 layers makes
    ("rlp", {}, 516),
    ("rlp", {"n_ctx": 16}, 528),
    ("mmlop", {}, 11_556),
    # computed from the published form: one map of the features
    ("prolip", {}, 262_144),
    # of ours
    ("prolip", {"r": 1}, 1_024),
    ("kgcoop", {"rank": 1}, 516),
    ("prograd", {"rank": 1}, 516),
    ("maple", {"rank": 1}, 9 * (2 + 512 + 512 * 768 + 768)),
    ("promptsrc", {"rank": 1}, 9 * (4 + 512 + 4 + 768)),
    ("qcoop", {}, 2_048),
    ("dip_do", {}, 2_048),
    ("dip_pp", {}, 2_048),
    ("zero_shot", {}, 0),
    ("zero_shot_ensemble", {}, 0),
]


@pytest.fixture(scope="module")
def vit_b_16() -> Any:
    """A backbone of that size whose weights are whatever lies in memory: nothing is computed with them."""
    from transformers import CLIPConfig, CLIPModel

    tokenizer = clip_tokenizer()
    end = len(tokenizer) - 1
    words = {"vocab_size": end + 1, "eos_token_id": end, "bos_token_id": end - 1, "pad_token_id": end}
    config = CLIPConfig(
        text_config={**VIT_B_16["text"], **words}, vision_config=VIT_B_16["vision"], projection_dim=512
    )
    with torch.device("meta"):
        model = CLIPModel(config)
    model.to_empty(device="cpu")
    with torch.no_grad():
        model.text_model.embeddings.token_embedding.weight.zero_()
        model.logit_scale.fill_(1.0)
        for tower in (model.text_model, model.vision_model):
            tower.embeddings.position_ids = torch.arange(tower.embeddings.position_ids.shape[-1])[None]
    spec = ImageSpec("exact", (224, 224), None, 3, (0.5,) * 3, (0.5,) * 3)
    return wrap_transformers(model, tokenizer, spec, "ViT-B/16", torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(
    ("name", "options", "expected"), COUNTS, ids=[f"{name}{options or ''}" for name, options, _ in COUNTS]
)
def test_count_at_vit_b_16(
    name: str, options: dict[str, Any], expected: int, vit_b_16: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(singular, "decomposed", _shapes_alone)
    method = build_method(name, vit_b_16, ["cat", "dog"], **options)
    assert method.trainable_count() == expected


def _shapes_alone(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    m, n = matrix.shape
    k = min(m, n)
    return torch.zeros(m, k), torch.zeros(k), torch.zeros(k, n)


def test_counts_of_norms_at_vit_b_16(vit_b_16: Any) -> None:
    """What 2SFS learns first, beside a vector of 512 a class; the official code's help says all norms, but it
    trains those of the layers."""
    for around, expected in ((False, 61_440), (True, 65_536)):
        towers = (vit_b_16.model.text_model, vit_b_16.model.vision_model)
        learned = [one for tower in towers for one in learn_norms(copy.deepcopy(tower), around).values()]
        assert sum(one.numel() for one in learned) == expected


def test_every_method_with_a_count_of_its_own_is_here() -> None:
    made_of_images = {"tip_adapter", "tip_adapter_f", "linear_probe", "gda", "lp_pp"}
    one_a_class = {"zs_lp", "clap", "two_sfs"}
    assert {name for name, _, _ in COUNTS} == set(METHODS) - made_of_images - one_a_class


def test_the_methods_page_shows_these_counts() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "methods.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name, options, count in COUNTS:
        row = next(line for line in rows if f"`{name}`" in line.split("|")[1])
        assert f"{count:,}" in row, (name, options)
