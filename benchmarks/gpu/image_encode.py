"""Images per second of plain encoding by a ViT-B/16, in each precision, beside the library's own call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import machine, models, steps

BATCHES = (32, 256)
COLUMNS = (
    ("precision", "precision", "s"),
    ("path", "path", "s"),
    ("batch", "batch", "d"),
    ("from", "pixels on", "s"),
    ("images_per_s", "images/s", ".0f"),
    ("share_median", "of matmul", ".0%"),
    ("peak_bytes", "above model", "MiB"),
    ("cosine_to_fp32", "cosine to fp32", ".6f"),
)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """A row per precision, path and batch."""
    batches = (2,) if quick else BATCHES
    best = machine.matmul_rate(device, quick)
    exact: dict[int, Tensor] = {}
    rows: list[dict] = []
    for kind in ("fp32", "tf32", "bf16"):
        backbone = models.vision_backbone(device, quick, machine.KINDS[kind])
        height, width = backbone.images.spec.output_size
        rate = best.get(kind, best["best"])
        for batch in batches:
            draw = torch.Generator().manual_seed(0)
            pixels = torch.randn(batch, 3, height, width, generator=draw)
            ready = pixels.to(device)
            ways: list[tuple[str, str, Callable[[], Tensor]]] = [
                ("promptlet", "the device", partial(backbone.images.encode, ready)),
                ("promptlet", "the CPU", partial(backbone.images.encode, pixels)),
                ("library", "the device", partial(_library, backbone, ready)),
            ]
            for path, place, encode in ways:
                progress(f"{kind}, batch {batch}, {path}, pixels on {place}")
                with machine.products(kind), _convolutions(kind, device):
                    features = encode()
                    encode()
                    held = machine.reset_peak(device)
                    seconds = [machine.seconds_of(encode, device) for _ in range(3 if quick else 12)]
                    peak = machine.peak_bytes(device) - held
                exact.setdefault(batch, features)
                timing = steps.spread(seconds)
                cosine = torch.cosine_similarity(features.double(), exact[batch].double()).min()
                rows.append(
                    {
                        "precision": kind,
                        "path": path,
                        "batch": batch,
                        "from": place,
                        **timing,
                        "images_per_s": batch / timing["median_s"],
                        "peak_bytes": peak,
                        "cosine_to_fp32": float(cosine),
                        **steps.rates(_work(encode), timing, rate),
                    }
                )
    return {"batches": batches, "weights": f"random, torch seed {models.SEED}", "of_matmul": best}, rows


def _library(backbone: Any, pixels: Tensor) -> Tensor:
    """transformers' own call, with weights and pixels in one dtype."""
    with torch.inference_mode():
        found = backbone.model.get_image_features(pixel_values=pixels.to(backbone.dtype))
    tensor: Tensor = getattr(found, "pooler_output", found)
    return tensor.float()


@contextmanager
def _convolutions(kind: str, device: str) -> Iterator[None]:
    """The patches' convolution in strict float32 where products are; torch allows TF32 there."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = before and not (machine.on_gpu(device) and kind == "fp32")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _work(encode: Callable[[], Tensor]) -> int:
    with FlopCounterMode(display=False) as counter:
        encode()
    return int(counter.get_total_flops())
