"""The golden prompt files. `python tests/promptfile/promptfile_golden.py` writes them anew.

Rewriting them changes the format: it needs a new format version, and files of the old one must still load.
Those of formats 1 and 2 hold the same prompts, and stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from promptlet.promptfile import PRECISIONS, PromptFile, Rejection, dumps
from promptlet.rng import normal

FOLDER = Path(__file__).parent / "golden" / "format-3"
WITH_REJECTION = Path(__file__).parent / "golden" / "format-4"
OLDER = Path(__file__).parent / "golden" / "formats-1-and-2"  # nothing writes them any more
TRAINING = {
    "shots": 16,
    "seed": 1,
    "schedule": "coop",
    "epochs": 50,
    "lr": 0.002,
    "dropout": 0.3,
    "batch_size": 32,
    "version": "0.1.0",
}
CLASS_NAMES = ("cat", "golden retriever", 'the "Mona Lisa"', "café", "東京タワー")


def make(method: str, rank: int | None, tensors: dict[str, np.ndarray], **changes: object) -> PromptFile:
    """A small prompt: 3 tokens of width 5."""
    fields = {
        "method": method,
        "n_ctx": 3,
        "dim": 5,
        "rank": rank,
        "init": "seed:7",
        "backbone": "mini",
        "fingerprint": "0123456789ab-cdef01234567-89abcdef0123",
        "class_names": CLASS_NAMES,
        "training": TRAINING,
        "tensors": tensors,
    }
    return PromptFile(**{**fields, **changes})


def numbers(seed: int, *shape: int) -> np.ndarray:
    """Reproducible learned numbers."""
    return normal("test", seed, shape, 0.05)


LOW_RANK = make("rlp", 2, {"U": numbers(1, 3, 2), "V": numbers(2, 2, 5)})
FULL = make("coop", None, {"P": numbers(3, 3, 5)}, init="words:a photo of")
PER_CLASS = make("coop", None, {"P": numbers(4, 5, 3, 5)})
ZERO_SHOT = make("zero_shot", None, {}, init="words:a photo of", training={})
META_NET = make(
    "cocoop",
    None,
    {
        "P": numbers(5, 3, 5),
        "meta_net.down.bias": numbers(6, 3),
        "meta_net.down.weight": numbers(7, 3, 5),
        "meta_net.up.bias": numbers(8, 5),
        "meta_net.up.weight": numbers(9, 5, 3),
        "scales": numbers(10, 2, 1, 3) * 1000,
    },
    options={"depth": 2, "alpha": 1.2, "act": "relu", "shared": True, "which": None},
)
PROBE = make("linear_probe", None, {"W": numbers(11, 5, 5)}, n_ctx=0, init="none", options={"scale": 7})
COMPACT = make(
    "rlp",
    1,
    {"U": numbers(12, 4, 1), "V": numbers(13, 1, 5)},
    n_ctx=4,
    init="words:a photo of a",
    backbone="",
    class_names=(),
    training={},
)
PROMPTS = {"low-rank": LOW_RANK, "full": FULL, "per-class": PER_CLASS, "zero-shot": ZERO_SHOT}

GOLDEN = {
    f"{kind}-{precision}.prompt": (prompt, precision)
    for kind, prompt in PROMPTS.items()
    for precision in PRECISIONS
    if kind != "zero-shot" or precision == "fp32"
}
GOLDEN |= {
    f"meta-net-{precision}.prompt": (META_NET, precision)
    for precision in ("fp32", "fp16", "int8", "int4", "kmeans2")
}
GOLDEN |= {
    "probe-kmeans4.prompt": (PROBE, "kmeans4"),
    "per-class-kmeans2.prompt": (PER_CLASS, "kmeans2"),
    "compact-fp16.prompt": (COMPACT, "fp16"),
    "compact-kmeans1.prompt": (COMPACT, "kmeans1"),
}

REJECTION = Rejection(
    centre=np.array([0.5, -0.25, 0, 2**-14, 1], np.float32),
    signs=np.array([[1, -1, 1, 1, -1], [-1] * 5, [1] * 5, [-1, -1, -1, -1, 1], [1, -1, -1, -1, -1]], np.int8),
    thresholds={50: 1.25, 90: 0.5, 97.5: -0.125},
)
"""Of the five class names, and five features."""
GOLDEN_4 = {
    "low-rank-fp32.prompt": (replace(LOW_RANK, rejection=REJECTION), "fp32"),
    "low-rank-int4.prompt": (replace(LOW_RANK, rejection=REJECTION), "int4"),
    "zero-shot-fp32.prompt": (replace(ZERO_SHOT, rejection=REJECTION), "fp32"),
    "probe-kmeans4.prompt": (replace(PROBE, rejection=REJECTION), "kmeans4"),
    "per-class-fp16.prompt": (replace(PER_CLASS, rejection=REJECTION), "fp16"),
}
"""Format 4: the same with a rejection."""


if __name__ == "__main__":
    for folder, golden in ((FOLDER, GOLDEN), (WITH_REJECTION, GOLDEN_4)):
        folder.mkdir(parents=True, exist_ok=True)
        for name, (prompt, precision) in golden.items():
            (folder / name).write_bytes(dumps(prompt, precision))
