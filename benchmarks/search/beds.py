"""Beds of features with class names as vectors, and average precision."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from promptlet.backbones import Backbone, load_backbone
from promptlet.data import read_feature_file
from promptlet.methods.templates import hand_written

PLACES = {"realbed": "../shared/realbed", "realclip": "../shared/realclip"}
REAL_TEXT = "ViT-B/16 caltech101"
"""Real image features and real class texts, as far as these were found again; no tower."""
WITH_TOWER = (
    ("realbed", "caltech101"),
    ("realclip", "caltech101"),
    ("realclip", "oxford_pets"),
    ("realclip", "ucf101"),
)


@dataclass(frozen=True, eq=False)
class Part:
    """x (N, D) of length 1, y (N,) labels."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, eq=False)
class Bed:
    """texts (C, D): "a photo of a NAME." of length 1, by the bed's text tower or as they are given. backbone:
    None where there is no tower."""

    name: str
    names: tuple[str, ...]
    texts: np.ndarray
    scale: float
    train: Part
    val: Part
    test: Part
    backbone: Backbone | None

    def part(self, name: str) -> Part:
        """By its name."""
        found: Part = getattr(self, name)
        return found

    @property
    def all(self) -> Part:
        """Every image."""
        parts = (self.train, self.val, self.test)
        return Part(np.concatenate([one.x for one in parts]), np.concatenate([one.y for one in parts]))

    def write(self, words: Sequence[str]) -> np.ndarray:
        """Vectors (n, D) of other words in the same template."""
        assert self.backbone is not None
        return hand_written(self.backbone, "a photo of a {}.", words).cpu().numpy()


def place_of(name: str) -> Path | None:
    """Where real images or features lie; None where they do not."""
    path = Path(os.environ.get(f"PROMPTLET_{name.upper()}", PLACES[name]))
    return path if path.is_dir() else None


def beds() -> Iterator[Bed]:
    """All that are there."""
    for place, data in WITH_TOWER:
        if place_of(place) is not None:
            yield bed(place, data)
    folder = place_of("realclip")
    if folder is not None:
        yield real_text(folder / "caltech101_vitb16_with_text.npz")


@cache
def bed(place: str, data: str) -> Bed:
    """Features of a data set, with the towers beside them."""
    folder = place_of(place)
    assert folder is not None
    backbone = _backbone(folder / "model")
    file = folder / "features" / f"{data}.npz"
    names = read_feature_file(file).split.class_names
    return _bed(f"{place} {data}", file, hand_written(backbone, "a photo of a {}.", names).numpy(), backbone)


@cache
def real_text(file: Path) -> Bed:
    """Real features with class texts that are in the file."""
    with np.load(file) as held:
        texts = unit(held["text_features"].astype(np.float32))
    return _bed(REAL_TEXT, file, texts, None)


@cache
def _backbone(folder: Path) -> Backbone:
    return load_backbone(folder, device="cpu", dtype="float32")


def _bed(name: str, file: Path, texts: np.ndarray, backbone: Backbone | None) -> Bed:
    content = read_feature_file(file)
    split = content.split
    parts = []
    for items in (split.train, split.val, split.test):
        rows = np.array([item.row for item in items], np.int64)
        labels = np.array([item.label for item in items], np.int64)
        parts.append(Part(unit(content.features[rows].astype(np.float32)), labels))
    scale = 100.0 if backbone is None else backbone.logit_scale
    train, val, test = parts
    return Bed(name, split.class_names, texts, scale, train, val, test, backbone)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    found: np.ndarray = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return found


def average_precision(scores: np.ndarray, is_right: np.ndarray) -> float:
    """Mean over the right images of the precision at their rank, in percent."""
    order = np.argsort(-scores, kind="stable")
    ranks = np.flatnonzero(is_right[order])
    return float(100 * np.mean(np.arange(1, len(ranks) + 1) / (ranks + 1)))


def at_the_top(scores: np.ndarray, is_it: np.ndarray, count: int = 20) -> float:
    """The share of the first images that are of a kind, in percent."""
    return float(100 * is_it[np.argsort(-scores, kind="stable")[:count]].mean())
