"""Products in bfloat16 beside float32: the text step and encoding images, taking turns in one process.

Everything else is in float32 either way (``--dtype mixed``). Shares are of the machine's own rate in the same
dtype. Images are encoded bare: pixels that are there already. The library's own forward pass is what
``float32`` takes; its autocast is what towers without an engine take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import flops, machine, models, steps
from promptlet.backbones.arithmetic.fastest import is_native
from promptlet.backbones.arithmetic.precision import MIXED
from promptlet.backbones.backbone import Backbone
from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.text.encoder import TextEncoder

COUNTS = (100, 1000)
IMAGES = 10
ROUNDS = {100: 7, 1000: 3}
FLOAT32 = torch.float32


@dataclass
class Way:
    """One way to compute the same. call: features, and a gradient where there is one; work: its FLOP."""

    name: str
    products: torch.dtype
    call: Callable[[], tuple[Tensor, Tensor | None]]
    work: int
    seconds: list[float] = field(default_factory=list)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one for each way of each case, float32 first."""
    counts = (5, 20) if quick else COUNTS
    rows: list[dict] = []
    for name, make in models.BACKBONES.items():
        text = make(device, quick).text
        for count in counts:
            head = {"what": "text step", "backbone": name, "count": count}
            ways = _text_ways(text, models.class_names(count), device)
            rows += _measured(ways, head, ROUNDS.get(count, 2), device, quick, progress)
    backbone = models.vision_backbone(device, quick)
    images = 2 if quick else IMAGES
    head = {"what": "images", "backbone": "transformers", "count": images}
    ways = _image_ways(backbone, images, device)
    rows += _measured(ways, head, 2 if quick else 5, device, quick, progress)
    settings = {
        "counts": counts,
        "images": images,
        "class_names": "every (1000/C)-th ImageNet class name",
        "weights": f"random, torch seed {models.SEED}",
        "sizes": "text tower of ViT-B/16 (transformers, open_clip); image tower of ViT-B/16 at 224 pixels",
        "bfloat16_instructions": is_native(torch.device(device)),
        "matmul_gflops": "best rate of squares of 1024 and 2048 in the dtype of the products, by torch.mm or "
        "by the engine's kernel (the faster), before, between and after the rounds",
        "share": "floating-point work of the engine's products (of one image: without what only the "
        "library computes) over the seconds, of that rate",
        "order": "all ways of a case take turns",
    }
    return settings, rows


def _text_ways(text: TextEncoder, names: list[str], device: str) -> list[Way]:
    step = steps.make_step(lambda context: text.encode(context, names), text.dim, len(names), device)
    assert text.engine is not None
    work = flops.engine_work(text.engine, text.sequences(names, steps.N_CTX), steps.N_CTX).useful

    def in_dtype(products: torch.dtype) -> Callable[[], tuple[Tensor, Tensor]]:
        def call() -> tuple[Tensor, Tensor]:
            text.compute_in(products)
            return step()

        return call

    return [
        Way("float32", FLOAT32, in_dtype(FLOAT32), work),
        Way("mixed", MIXED, in_dtype(MIXED), work),
    ]


def _image_ways(backbone: Backbone, count: int, device: str) -> list[Way]:
    images = backbone.images
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randn(count, 3, *images.spec.output_size, generator=draw).to(device)
    kind, work = device.split(":")[0], count * image_work(images)

    def autocast() -> tuple[Tensor, None]:
        with torch.inference_mode(), torch.autocast(kind, dtype=MIXED):
            return images.forward(pixels).float(), None

    return [
        Way("float32", FLOAT32, lambda: (images.encode_reference(pixels), None), work),
        Way("mixed", MIXED, lambda: (images.encode_in(MIXED, pixels), None), work),
        Way("the library under autocast", MIXED, autocast, work),
        Way("the engine in float32", FLOAT32, lambda: (images.encode_in(FLOAT32, pixels), None), work),
    ]


def image_work(images: ImageEncoder) -> int:
    """FLOP of one image's products by the engine: two per multiply-add."""
    assert images.engine is not None
    tower = images.engine.tower
    n, d, blocks = tower.tokens, tower.dim, len(tower.blocks)
    hidden = int(tower.blocks[0].up.weight.shape[0])
    height, width = images.spec.output_size
    whole = n * (4 * d * d + 2 * d * hidden) + 2 * n * n * d
    last = n * 2 * d * d + 2 * d * d + 2 * d * hidden + 2 * n * d  # only the class token asks
    patches = 3 * height * width * d  # each pixel is in one patch
    return 2 * ((blocks - 1) * whole + last + patches)


def _measured(
    ways: list[Way],
    head: dict[str, Any],
    rounds: int,
    device: str,
    quick: bool,
    progress: Callable[[str], None],
) -> list[dict]:
    """A row for each way."""
    outputs = [way.call() for way in ways]  # also plans, copies weights, warms up
    dtypes = dict.fromkeys(way.products for way in ways)
    rates: dict[torch.dtype, list[float]] = {dtype: [] for dtype in dtypes}

    def rate() -> None:
        for dtype in dtypes:
            rates[dtype].append(machine.matmul_rate(device, quick, dtype)["best"])

    rate()
    for turn in range(rounds):
        progress(f"{head['what']}, {head['backbone']}, {head['count']}: round {turn + 1} of {rounds}")
        for way in ways:
            way.seconds.append(machine.seconds_of(way.call, device))
        rate()
    exact = steps.spread(ways[0].seconds)
    rows = []
    for way, output in zip(ways, outputs, strict=True):
        timing, best = steps.spread(way.seconds), max(rates[way.products])
        rows.append(
            {
                **head,
                "way": way.name,
                "products": str(way.products).removeprefix("torch."),
                **timing,
                "per_second_median": head["count"] / timing["median_s"],
                "speedup_median": exact["median_s"] / timing["median_s"],
                "speedup_best": exact["best_s"] / timing["best_s"],
                "matmul_gflops": best,
                **steps.rates(way.work, timing, best),
                **_apart(output, outputs[0]),
            }
        )
    return rows


def _apart(found: tuple[Tensor, Tensor | None], exact: tuple[Tensor, Tensor | None]) -> dict[str, float]:
    """How far features and gradients are from those in float32."""
    features, expected = found[0], exact[0]
    result = {
        "feature_max_relative_difference": float((features - expected).abs().max() / expected.abs().max()),
        "feature_least_cosine": float(F.cosine_similarity(features, expected, dim=-1).min()),
    }
    if found[1] is not None and exact[1] is not None:
        cosine = F.cosine_similarity(found[1].flatten(), exact[1].flatten(), dim=0)
        result["gradient_cosine"] = float(cosine)
    return result


COLUMNS = (
    ("what", "what", "s"),
    ("backbone", "backbone", "s"),
    ("count", "classes or images", "d"),
    ("way", "way", "s"),
    ("median_s", "median s", ".4f"),
    ("best_s", "best s", ".4f"),
    ("repeats", "n", "d"),
    ("speedup_median", "float32/this", ".2f"),
    ("speedup_best", "(best)", ".2f"),
    ("share_median", "of matmul", ".0%"),
    ("share_best", "(best)", ".0%"),
    ("feature_max_relative_difference", "feature diff", ".1e"),
    ("feature_least_cosine", "cosine", ".5f"),
    ("gradient_cosine", "of gradients", ".5f"),
)
