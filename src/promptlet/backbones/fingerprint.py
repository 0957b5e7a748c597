"""The identity of a backbone: text tower, tokenizer and image tower, as ``text-tokenizer-image``.

Each part is the first 12 hexadecimal digits of a SHA-256. Weights enter as float16 values, so that storing
them in float16 or float32 does not matter, and as a sorted set of tensors, so that names do not: they change
between library versions. The tokenizer enters by what it does to some probe texts. Digests of weights are
kept (`found`): what changes them changes its `FORMAT`.
What a tower computes beside its weights enters where it is not as in CLIP (`computes`).
Storing in bfloat16 changes the weights themselves, and with them the fingerprint. Where there are no towers,
`vectors` says what the three parts are of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from promptlet.backbones.text.tokenizer import Tokenizer

PROBES = (
    "a photo of a dog.",
    "Airbus A380-800, 2012",
    "forget-me-not; café über naïve 東京 №5",
    "x" * 40,
    "  two   spaces & <html> 'quotes' \"double\" ...",
    "sea or lake / ocean #1 (new)",
)
PART_NAMES = ("text tower", "tokenizer", "image tower or its preprocessing")


def weights_digest(modules: Iterable[nn.Module], extra: Sequence[Any] = ()) -> str:
    """Twelve hexadecimal digits for all floating-point parameters and buffers of ``modules``."""
    digests = sorted({_tensor_digest(t) for module in modules for t in _tensors(module)})
    return _short("".join(digests) + json.dumps(list(extra), sort_keys=True))


def tokenizer_digest(tokenizer: Tokenizer) -> str:
    """Twelve hexadecimal digits for what the tokenizer does."""
    ids = [tokenizer.words(probe) for probe in PROBES]
    return _short(json.dumps([ids, tokenizer.start, tokenizer.end, tokenizer.length]))


def differing_parts(a: str, b: str, names: Sequence[str] = PART_NAMES) -> list[str]:
    """Which parts of two fingerprints differ, in words."""
    pairs = zip(names, a.split("-"), b.split("-"), strict=False)
    return [name for name, x, y in pairs if x != y]


def _tensors(module: nn.Module) -> Iterable[Tensor]:
    persistent = set(module.state_dict(keep_vars=True))
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if name in persistent and tensor.is_floating_point():
            yield from _split(name, tensor.detach())


def _split(name: str, tensor: Tensor) -> Sequence[Tensor]:
    """Query, key and value stored as one (in_proj) count as three, as other libraries store them."""
    return tensor.chunk(3) if name.endswith(("in_proj_weight", "in_proj_bias")) else (tensor,)


def _tensor_digest(tensor: Tensor) -> str:
    values = tensor.to("cpu", torch.float16).contiguous()
    digest = hashlib.sha256(str(list(values.shape)).encode())
    digest.update(values.numpy().tobytes())
    large = values.isinf()
    if bool(large.any()):  # too large for float16: they count as they are
        digest.update(tensor.to("cpu", torch.float32)[large].numpy().tobytes())
    return digest.hexdigest()


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
