"""Large JPEGs decoded smaller against all their pixels: levels of 256, and cosines of features."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks import photos
from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones.arithmetic.precision import ARITHMETICS
from promptlet.data.images.opening import image_in_turn, open_image, reduced_in_turn
from promptlet.data.images.reduced import FACTORS, whole
from promptlet.preprocessing import views
from promptlet.preprocessing.spec import ImageSpec

COUNT = 8
NOISE = 8.0
"""Levels, standard deviation: what enlarged photos lack."""
TILE = (300, 200)
LONGEST_SHORT_SIDE = 3000
"""Of 12 megapixels: larger pictures are left out."""
LEFT = (views.SAFETY, 2)
"""Pixels left for each that is made, along a side: the rule's least, and less, to see what it is for."""


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: for each backbone, kind of picture, factor and what is left."""
    realbed = Path(os.environ.get("PROMPTLET_REALBED", "../shared/realbed"))
    real = [] if quick or not realbed.is_dir() else sorted(realbed.glob("data/caltech-101/101_*/*/*.jpg"))
    backbones: dict[str, Any] = {"mini": load_backbone("mini", device, dtype="float32")}
    if real:
        backbones["test bed"] = load_backbone(realbed / "model", device, dtype="float32")
    rows = []
    for name, backbone in backbones.items():
        short = backbone.images.spec.size[0]
        for factor in FACTORS[-1:] if quick else FACTORS:
            for left in LEFT:
                side = left * factor * short
                if side > LONGEST_SHORT_SIDE:
                    continue
                for kind, pictures in _pictures(side, real, 2 if quick else COUNT):
                    progress(f"{name}: {kind}, {left} pixels left of {factor}")
                    found = _compared(backbone, list(pictures), factor)
                    about = {"pictures": kind, "short_side": side, "factor": factor, "left": left}
                    rows.append({"backbone": name, **about, **found})
    settings = {
        "pictures": COUNT,
        "drawn": "as in image-encoding",
        "enlarged": f"photos of Caltech101, enlarged, with noise of {NOISE:.0f} levels",
        "side by side": f"photos of Caltech101 at {TILE[0]} x {TILE[1]}, as many as fit",
        "exact": "all pixels decoded and resized, as with float32",
        "mixed_cosine": "of features in mixed arithmetic against float32, of all pixels",
        "torch": "its bicubic with antialias of all pixels, as transformers' faster image processors have it",
        "rule": f"{views.SAFETY} pixels or more are left",
        "backbones": "mini (64 pixels), and the test bed's image tower (224 pixels) where it is there",
    }
    return settings, rows


def _pictures(side: int, real: list[Path], count: int) -> Iterator[tuple[str, Iterator[bytes]]]:
    """JPEG files of 4 : 3 whose short side is so long."""
    size = side * 4 // 3, side
    yield "drawn", (photos.jpeg(*size, seed) for seed in range(count))
    if real:
        draw = np.random.default_rng(0)
        yield "enlarged", (_enlarged(real[i], size, draw) for i in draw.integers(len(real), size=count))
        yield "side by side", (_side_by_side(real, size, draw) for _ in range(count))


def _enlarged(path: Path, size: tuple[int, int], draw: np.random.Generator) -> bytes:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.float32)
    return _saved(Image.fromarray(_bytes(pixels + draw.normal(0, NOISE, (size[1], size[0], 1)))))


def _side_by_side(real: list[Path], size: tuple[int, int], draw: np.random.Generator) -> bytes:
    whole_picture = Image.new("RGB", size)
    for left in range(0, size[0], TILE[0]):
        for top in range(0, size[1], TILE[1]):
            with Image.open(real[draw.integers(len(real))]) as image:
                whole_picture.paste(image.convert("RGB").resize(TILE, Image.Resampling.BICUBIC), (left, top))
    return _saved(whole_picture)


def _bytes(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _saved(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=photos.QUALITY)
    return file.getvalue()


def _compared(backbone: Any, pictures: list[bytes], factor: int) -> dict[str, float]:
    spec = backbone.images.spec
    exact, reduced = (np.stack([_pixels(data, spec, by) for data in pictures]) for by in (1, factor))
    levels = np.abs(exact - reduced) * np.asarray(spec.std, np.float32)[:, None, None] / spec.scale
    by_torch = np.stack([_by_torch(data, spec) for data in pictures])
    backbone.compute_in(ARITHMETICS["mixed"])
    mixed = _features(backbone, exact)
    backbone.compute_in(ARITHMETICS["float32"])
    features = _features(backbone, exact)
    return {
        "mean_levels": float(levels.mean()),
        "levels_999": float(np.quantile(levels, 0.999)),
        "most_levels": float(levels.max()),
        "least_cosine": float((features * _features(backbone, reduced)).sum(1).min()),
        "torch_cosine": float((features * _features(backbone, by_torch)).sum(1).min()),
        "mixed_cosine": float((features * mixed).sum(1).min()),
    }


def _pixels(data: bytes, spec: ImageSpec, factor: int) -> np.ndarray:
    if factor == 1:
        with image_in_turn(data) as image:
            return views.pixels_of(whole(image), spec, "", 0)
    with reduced_in_turn(data, lambda *_: factor) as picture:
        assert picture.factor == factor
        return views.pixels_of(picture, spec, "", 0)


def _by_torch(data: bytes, spec: ImageSpec) -> np.ndarray:
    image = open_image(data)
    cut = views.cut_of(*image.size, spec, "", 0)
    levels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(levels, cut.size[::-1], mode="bicubic", antialias=True)
    found = Image.fromarray(small[0].permute(1, 2, 0).contiguous().numpy())
    return views.normalised(found if cut.crop is None else found.crop(cut.crop), spec)


def _features(backbone: Backbone, pixels: np.ndarray) -> np.ndarray:
    found = backbone.images.encode(torch.from_numpy(pixels)).double()
    return np.asarray(torch.nn.functional.normalize(found, dim=1).cpu())


COLUMNS = (
    ("backbone", "backbone", "s"),
    ("pictures", "pictures", "s"),
    ("short_side", "short side", "d"),
    ("factor", "factor", "d"),
    ("left", "left", "d"),
    ("mean_levels", "mean levels", ".2f"),
    ("levels_999", "99.9 %", ".1f"),
    ("most_levels", "most", ".0f"),
    ("least_cosine", "least cosine", ".6f"),
    ("torch_cosine", "of torch's", ".6f"),
    ("mixed_cosine", "of mixed", ".6f"),
)
