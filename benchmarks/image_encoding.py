"""Images a second: the bare tower, the library's forward, and the whole way from JPEG files; all in turns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks import machine, models, photos, steps, turns
from promptlet.backbones.arithmetic.precision import ARITHMETICS
from promptlet.backbones.backbone import Backbone
from promptlet.data.images.opening import content_hash, image_in_turn, reduced_in_turn
from promptlet.data.images.reduced import whole
from promptlet.decoding.ahead import decoders, threads_beside
from promptlet.decoding.pixels import View, batches
from promptlet.decoding.reading import check_all, read_ahead
from promptlet.features import BATCH, GPU_BATCH, encode_images, reads_reduced
from promptlet.preprocessing import views
from promptlet.preprocessing.spec import ImageSpec
from promptlet.session import cores

ARITHMETIC = ("float32", "mixed")
TOWERS = {"ViT-B/16": 64, "ViT-S/32": 96}
"""How many images a turn has."""
GPU_TIMES = 16
"""As many more on a GPU."""
SIZES = ((500, 375), (4000, 3000))
ROUNDS = 3
PARTS_OF = 8
"""Photos whose decoding is timed part by part, on one thread."""


@dataclass
class Way:
    """One way of encoding, of so many images."""

    what: str
    run: Callable[[], object]
    images: int
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: for each tower and arithmetic, a row for each way."""
    towers = {"ViT-B/16": 8} if quick else TOWERS
    sizes = ((100, 75), (400, 300)) if quick else SIZES
    rounds = 2 if quick else ROUNDS
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        for tower, count in towers.items():
            count *= GPU_TIMES if device.startswith("cuda") else 1
            progress(f"{tower}: photos are drawn")
            paths = {size: photos.write(Path(folder) / str(count), count, size) for size in sizes}
            backbone: Any = models.vision_backbone(device, quick, tower=tower)
            spec = backbone.images.spec
            backbone.images.spec = replace(spec, resize="shortest", crop=spec.size)  # as CLIP's
            for word in ARITHMETIC:
                backbone.compute_in(ARITHMETICS[word])
                ways = _ways(backbone, paths, count, device)
                _timed(ways, rounds, device, turns.of(f"{tower}, {word}", progress))
                rows += [{"tower": tower, "arithmetic": word, **row} for row in _rows(ways)]
    settings = {
        "batch": GPU_BATCH if device.startswith("cuda") else BATCH,
        "cores": cores(),
        "photos": f"JPEG, quality {photos.QUALITY}, drawn, in the file system's cache",
        "weights": f"random, torch seed {models.SEED}",
        "order": "the ways of a tower and an arithmetic take turns in one process",
        "bare tower": "Backbone.images.encode of pixel values that are ready",
        "library": "the library model's own forward in float32",
        "photos of": "promptlet.features.encode_images without a cache: reading, hashing, decoding, encoding",
        "parts": "milliseconds of one thread a photo, medians",
        "without a tower": "the same but for encoding",
        "reachable": "share of the bare tower's rate if tower and decoders shared the cores without loss",
    }
    return settings, rows


def _ways(backbone: Backbone, paths: dict[tuple[int, int], list[Path]], count: int, device: str) -> list[Way]:
    images, size = backbone.images, GPU_BATCH if device.startswith("cuda") else BATCH
    height, width = images.spec.output_size
    draw = torch.Generator().manual_seed(0)
    ready = torch.randn(min(size, count), 3, height, width, generator=draw)
    ways = [
        Way("bare tower", partial(_all, images.encode, ready, count), count),
        Way("library", partial(_all, images.encode_reference, ready, count), count),
    ]
    for (wide, high), files in paths.items():
        facts = {
            "is_reduced": reads_reduced(backbone),
            "file_bytes": int(median(path.stat().st_size for path in files)),
            **parts(files[:PARTS_OF], images.spec, reads_reduced(backbone)),
        }
        name = f"photos of {wide} x {high}"
        ways.append(Way(name, partial(encode_images, backbone, files), count, facts))
        ways.append(Way(f"{name}, without a tower", partial(_decoded, backbone, files, size), count))
    return ways


def _all(encode: Callable[[Tensor], Tensor], ready: Tensor, count: int) -> None:
    """As many images, a batch at a time; what comes out is read once."""
    found = [encode(ready[: min(len(ready), count - start)]) for start in range(0, count, len(ready))]
    torch.cat(found).cpu()


def _decoded(backbone: Backbone, files: list[Path], size: int) -> None:
    with decoders(threads_beside(backbone.device)) as pool:
        portions = read_ahead(pool, files, check_all(pool, files), [])
        views = (View(one.source, "", one.content, 0) for portion in portions for one in portion)
        for _ in batches(pool, views, backbone.images.spec, size, reads_reduced(backbone), []):
            pass


def _timed(ways: list[Way], rounds: int, device: str, progress: Callable[[str], None]) -> None:
    for way in ways:  # kernels are built, and the peak of memory is found
        progress(f"{way.what}, once before")
        held = machine.reset_peak(device)
        way.run()
        way.facts["peak_bytes"] = machine.peak_bytes(device) - held
    for turn in range(rounds):
        progress(f"round {turn + 1} of {rounds}")
        for way in ways:
            way.seconds.append(machine.seconds_of(way.run, device))


def _rows(ways: list[Way]) -> list[dict[str, Any]]:
    """Rates, and shares of the bare tower's."""
    rows = []
    bare = 0.0
    for way in ways:
        timing = steps.spread([seconds / way.images for seconds in way.seconds])
        bare = bare or timing["median_s"]
        row = {
            "what": way.what,
            "images": way.images,
            "images_per_s": 1 / timing["median_s"],
            "best_images_per_s": 1 / timing["best_s"],
            "repeats": timing["repeats"],
            "share": bare / timing["median_s"],
            **way.facts,
        }
        if "decoding_ms" in row:
            row["reachable"] = bare / (bare + row["decoding_ms"] / 1000 / cores())
        rows.append(row)
    return rows


def parts(files: list[Path], spec: ImageSpec, is_reduced: bool) -> dict[str, float]:
    """Milliseconds of one thread for each part of a photo's way to pixel values, resizing with the crop, and
    for all (``decoding_ms``)."""
    found: dict[str, list[float]] = {}
    for path in [files[0], *files]:  # the first warms up
        for name, seconds in _parts_of(path, spec, is_reduced).items():
            found.setdefault(name, []).append(1000 * seconds)
    medians = {name: median(values[1:]) for name, values in found.items()}
    return {**medians, "decoding_ms": sum(medians.values())}


def _parts_of(path: Path, spec: ImageSpec, is_reduced: bool) -> dict[str, float]:
    marks = [time.thread_time()]
    data = path.read_bytes()
    marks.append(time.thread_time())
    content_hash(data)
    marks.append(time.thread_time())
    if is_reduced:
        opened: Any = reduced_in_turn(data, lambda w, h: views.factor_of(w, h, spec, "", 0))
    else:
        opened = image_in_turn(data)
    with opened as image:
        marks.append(time.thread_time())
        pixels = views.pixels_of(image if is_reduced else whole(image), spec, "", 0)
    marks.append(time.thread_time())
    _normalised(pixels.shape, spec)
    marks.append(time.thread_time())
    read, hashed, decoded, resized, normalised = np.diff(marks).tolist()
    return {
        "read_ms": read,
        "hash_ms": hashed,
        "jpeg_ms": decoded,
        "resize_ms": max(0.0, resized - normalised),
        "normalise_ms": normalised,
    }


def _normalised(shape: tuple[int, ...], spec: ImageSpec) -> None:
    """The last part of `pixels_of` alone: of a picture that has its size already."""
    blank = Image.new("RGB", (shape[2], shape[1]))
    views.normalised(blank, spec)


COLUMNS = (
    ("tower", "tower", "s"),
    ("arithmetic", "arithmetic", "s"),
    ("what", "way", "s"),
    ("images_per_s", "images/s", ".1f"),
    ("best_images_per_s", "best", ".1f"),
    ("share", "of bare", ".0%"),
    ("reachable", "reachable", ".0%"),
    ("is_reduced", "reduced", "d"),
    ("read_ms", "read ms", ".2f"),
    ("hash_ms", "hash", ".2f"),
    ("jpeg_ms", "decode", ".2f"),
    ("resize_ms", "resize", ".2f"),
    ("normalise_ms", "normalise", ".2f"),
    ("decoding_ms", "in all", ".2f"),
    ("peak_bytes", "peak", "MiB"),
    ("repeats", "n", "d"),
)
