"""Backbones with random weights in ViT-B/16's text size, and class names for them. Nothing is downloaded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import torch

from promptlet.backbones.backbone import Backbone
from promptlet.backbones.libraries.open_clip import wrap_open_clip
from promptlet.backbones.libraries.transformers import wrap_transformers
from promptlet.preprocessing.spec import ImageSpec

SEED = 0
VOCABULARY = 49408
TEXT = {"hidden_size": 512, "num_hidden_layers": 12, "num_attention_heads": 8, "intermediate_size": 2048}
TINY = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
VISION = {**TINY, "image_size": 32, "patch_size": 16}
VIT = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "image_size": 224,
    "patch_size": 16,
}
SMALL_VIT = {
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "intermediate_size": 1536,
    "image_size": 224,
    "patch_size": 32,
}
IMAGE_TOWERS = {"ViT-B/16": VIT, "ViT-S/32": SMALL_VIT}
SPEC = ImageSpec("exact", (32, 32), None, 3, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class SimpleTokens:
    """open_clip's `SimpleTokenizer` (CLIP's vocabulary comes with it), called as transformers calls its."""

    pad_token_id = 0
    unk_token_id = None

    def __init__(self) -> None:
        import open_clip

        self.inner = open_clip.SimpleTokenizer()

    def __call__(self, text: str, add_special_tokens: bool = True, **_: Any) -> Any:
        ids = list(self.inner.encode(self.inner.clean_fn(text)))
        if add_special_tokens:
            ids = [self.inner.sot_token_id, *ids, self.inner.eot_token_id]
        return SimpleNamespace(input_ids=ids)

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        return [self.inner.decoder[i] for i in ids]

    def get_added_vocab(self) -> dict[str, int]:
        return {}

    def __len__(self) -> int:
        return VOCABULARY


@cache
def transformers_backbone(device: str, quick: bool = False) -> Backbone:
    """transformers' CLIPModel: ViT-B/16's text tower beside a tiny vision tower. ``quick``: both tiny."""
    from transformers import CLIPConfig, CLIPModel

    text = TINY if quick else TEXT
    config = CLIPConfig(
        text_config={
            **text,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": 77,
            "projection_dim": text["hidden_size"],
            "bos_token_id": VOCABULARY - 2,
            "eos_token_id": VOCABULARY - 1,
        },
        vision_config=VISION,
        projection_dim=text["hidden_size"],
    )
    torch.manual_seed(SEED)
    model = CLIPModel(config)
    return wrap_transformers(model, SimpleTokens(), SPEC, "random CLIP", torch.device(device), torch.float32)


@cache
def vision_backbone(
    device: str,
    quick: bool = False,
    dtype: torch.dtype = torch.float32,
    tower: str = "ViT-B/16",
) -> Backbone:
    """transformers' CLIPModel: an image tower of `IMAGE_TOWERS` beside a tiny text tower. ``quick``: both."""
    from transformers import CLIPConfig, CLIPModel

    words = {"bos_token_id": VOCABULARY - 2, "eos_token_id": VOCABULARY - 1, "vocab_size": VOCABULARY}
    config = CLIPConfig(
        text_config={**TINY, **words},
        vision_config=VISION if quick else IMAGE_TOWERS[tower],
        projection_dim=512,
    )
    torch.manual_seed(SEED)
    side = config.vision_config.image_size
    spec = ImageSpec("exact", (side, side), None, 3, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return wrap_transformers(
        CLIPModel(config), SimpleTokens(), spec, "random CLIP", torch.device(device), dtype
    )


@cache
def open_clip_backbone(device: str, quick: bool = False) -> Backbone:
    """open_clip's ViT-B-16, the nearest to CoOp's own code. ``quick``: with tiny towers."""
    import open_clip

    torch.manual_seed(SEED)
    tiny: dict[str, Any] = {}
    if quick:
        width = TINY["hidden_size"]
        vision = {"image_size": 32, "patch_size": 16, "layers": 2, "width": width, "head_width": 32}
        text = {"context_length": 77, "vocab_size": VOCABULARY, "width": width, "heads": 2, "layers": 2}
        tiny = {"embed_dim": width, "vision_cfg": vision, "text_cfg": text}
    logging.disable(logging.WARNING)  # that the weights are random is meant
    model = open_clip.create_model("ViT-B-16", pretrained=None, load_weights=False, **tiny)
    logging.disable(logging.NOTSET)
    tokenizer = open_clip.SimpleTokenizer()
    return wrap_open_clip(model, tokenizer, "random ViT-B-16", torch.device(device), torch.float32)


BACKBONES = {"transformers": transformers_backbone, "open_clip": open_clip_backbone}


def class_names(count: int) -> list[str]:
    """Up to 1,000: every (1000 / count)-th ImageNet name. More: the 1,000, then names put together from
    them (`synthetic` says so): all words but the last of one name, then the last word of another."""
    from open_clip import IMAGENET_CLASSNAMES

    real = list(IMAGENET_CLASSNAMES)
    if count <= len(real):
        return [real[i * len(real) // count] for i in range(count)]
    heads = [name.rsplit(" ", 1)[0] for name in real if " " in name]
    tails = [name.rsplit(" ", 1)[-1] for name in real]
    names = {name.casefold(): name for name in real}  # capitals tell no two classes apart
    for step in range(len(tails)):
        for i, head in enumerate(heads):
            name = f"{head} {tails[(i + 7 * step + 1) % len(tails)]}"
            names.setdefault(name.casefold(), name)
            if len(names) == count:
                return list(names.values())
    raise ValueError(f"{count} names asked for; {len(names)} can be put together")


def synthetic(count: int) -> bool:
    """Whether `class_names` has to invent names."""
    return count > 1000


def apart(names: Sequence[str]) -> tuple[str, ...]:
    """ImageNet has two classes "missile": the second of a name is told apart by a 2."""
    seen: set[str] = set()
    found = []
    for name in names:
        found.append(f"{name} 2" if name.casefold() in seen else name)
        seen.add(name.casefold())
    return tuple(found)
