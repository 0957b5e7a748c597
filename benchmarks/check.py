"""What `promptlet check` finds of faults that were planted among labelled images, and what else it tells."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from promptlet import load_backbone, rng
from promptlet.backbones import Backbone
from promptlet.data import FeatureCache, open_image, read_coop_split
from promptlet.data.load import read_own
from promptlet.data.readers.mini_world import read_mini
from promptlet.own_images.checking.result import COPIES, DOUBTFUL, LEAK, TWO_CLASSES, Findings
from promptlet.own_images.checking.run import check

EMBEDDED = ("mini-flowers", "mini-people", "mini-cats")
CLASSES, OF_TEST = 20, 4
MISLABELLED, DUPLICATES, LEAKS = 5, 5, 2
NEAR = ("saved again", "resized", "mirrored")
COLUMNS = (
    ("data", "data", "s"),
    ("images_a_class", "images a class", ".0f"),
    ("seeds", "seeds", ".0f"),
    ("images", "images", ".0f"),
    ("mislabelled", "mislabelled", "s"),
    ("first_five", "of them among the first 5", "s"),
    ("false_labels", "other labels told", ".1f"),
    ("duplicates", "duplicates", "s"),
    ("near", "near-duplicates", "s"),
    ("leaks", "leaks", "s"),
    ("false_copies", "other photos told", ".1f"),
    ("seconds", "s", ".1f"),
)


@dataclass(frozen=True)
class Planted:
    """Names of images: mislabelled ones, and pairs of one photo."""

    mislabelled: frozenset[str]
    duplicates: tuple[frozenset[str], ...]
    near: tuple[frozenset[str], ...]
    leaks: tuple[frozenset[str], ...]


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one per data set and number of images a class."""
    seeds = (1,) if quick else (1, 2, 3, 4, 5)
    rows = []
    with tempfile.TemporaryDirectory() as room:
        cache = FeatureCache(Path(room) / "cache")
        for name, backbone, classes in _sources(quick, device):
            for count in (12,) if quick else (12, 24):
                records = []
                for seed in seeds:
                    folder = Path(room) / "photos"
                    planted = plant(folder, {own: files[:count] for own, files in classes.items()}, seed)
                    began = time.perf_counter()
                    findings = check(read_own(folder), folder, backbone, cache=cache)
                    records.append({**judged(findings, planted), "seconds": time.perf_counter() - began})
                    progress(f"{name}, {count} images a class, seed {seed}")
                rows.append(_row(name, count, records))
    planting = {"mislabelled": MISLABELLED, "duplicates": DUPLICATES, "near": NEAR, "leaks": LEAKS}
    return {"seeds": seeds, "classes": CLASSES, "planted": planting, "test_share": f"1 of {OF_TEST}"}, rows


def _sources(quick: bool, device: str) -> Iterator[tuple[str, Backbone, dict[str, list[Path]]]]:
    """Data sets with their backbone, and files by class."""
    realbed = Path(os.environ.get("PROMPTLET_REALBED", "../shared/realbed"))
    if realbed.is_dir() and not quick:
        split = read_coop_split(realbed / "data/caltech-101/split_zhou_Caltech101.json")
        yield "realbed caltech101", load_backbone(realbed / "model", device), _files(split)
    mini = load_backbone("mini", device)
    for name in EMBEDDED[:1] if quick else EMBEDDED:
        yield name, mini, _files(read_mini(name))


def _files(split: Any) -> dict[str, list[Path]]:
    """Those of 20 classes, drawn."""
    found: dict[str, list[Path]] = {}
    for item in split.every_item:
        found.setdefault(item.class_name, []).append(item.path)
    names = sorted(name for name, files in found.items() if len(files) >= 24)
    order = rng.generator("check-classes", 0).permutation(len(names))[:CLASSES]
    return {names[i]: found[names[i]] for i in sorted(order.tolist())}


def plant(root: Path, classes: Mapping[str, Sequence[Path]], seed: int) -> Planted:
    """Copy images below ``root`` as train/ and test/, with faults among those of train/."""
    shutil.rmtree(root, ignore_errors=True)
    draw = rng.generator("check-planted", seed)
    train: list[Path] = []
    test: list[Path] = []
    for name, files in classes.items():
        order = draw.permutation(len(files)).tolist()
        for place, i in enumerate(order):
            part = test if place < len(files) // OF_TEST else train
            folder = root / ("test" if part is test else "train") / name.replace(" ", "_")
            folder.mkdir(parents=True, exist_ok=True)
            part.append(Path(shutil.copy(files[i], folder / f"{place:03d}{files[i].suffix}")))
    chosen = [train[i] for i in draw.permutation(len(train))[: MISLABELLED + DUPLICATES + len(NEAR)].tolist()]
    wrong, rest = chosen[:MISLABELLED], chosen[MISLABELLED:]

    def told(*paths: Path) -> frozenset[str]:
        return frozenset(path.relative_to(root).as_posix() for path in paths)

    duplicates = [told(path, _copied(path, path.parent, "d")) for path in rest[:DUPLICATES]]
    near = [told(path, _changed(path, how)) for path, how in zip(rest[DUPLICATES:], NEAR, strict=True)]
    leaks = []
    for i in draw.permutation(len(test))[:LEAKS].tolist():
        leaks.append(told(test[i], _copied(test[i], root / "train" / test[i].parent.name, "l")))
    moved = []
    for path in wrong:
        others = [folder for folder in sorted((root / "train").iterdir()) if folder != path.parent]
        moved.append(path.rename(others[int(draw.integers(len(others)))] / f"m_{path.name}"))
    return Planted(told(*moved), tuple(duplicates), tuple(near), tuple(leaks))


def _copied(path: Path, folder: Path, mark: str) -> Path:
    return Path(shutil.copy(path, folder / f"{mark}_{path.name}"))


def _changed(path: Path, how: str) -> Path:
    image = open_image(path)
    if how == "saved again":
        to = path.with_name(f"n_{path.stem}.jpg")
        image.save(to, quality=60)
        return to
    to = path.with_name(f"n_{path.stem}.png")
    half = (max(1, image.width // 2), max(1, image.height // 2))
    (ImageOps.mirror(image) if how == "mirrored" else image.resize(half, Image.Resampling.BICUBIC)).save(to)
    return to


def judged(findings: Findings, planted: Planted) -> dict[str, int]:
    """How many of each kind were found, and how much else was told."""
    doubtful = [finding.photos[0].name for finding in findings.of(DOUBTFUL)]
    told = [
        frozenset(photo.name for photo in finding.photos)
        for kind in (COPIES, LEAK, TWO_CLASSES)
        for finding in findings.of(kind)
    ]
    every = (*planted.duplicates, *planted.near, *planted.leaks)
    return {
        "images": len(findings.photos),
        "mislabelled": len(planted.mislabelled & set(doubtful)),
        "first_five": len(planted.mislabelled & set(doubtful[:MISLABELLED])),
        "false_labels": len(set(doubtful) - planted.mislabelled),
        **{
            name: sum(any(pair <= group for group in told) for pair in getattr(planted, name))
            for name in ("duplicates", "near", "leaks")
        },
        "false_copies": sum(not any(pair <= group for pair in every) for group in told),
    }


def _row(name: str, count: int, records: list[dict[str, Any]]) -> dict[str, Any]:
    def found(key: str, each: int) -> str:
        return f"{sum(record[key] for record in records)} of {each * len(records)}"

    def mean(key: str) -> float:
        return sum(record[key] for record in records) / len(records)

    return {
        "data": name,
        "images_a_class": count,
        "seeds": len(records),
        "images": mean("images"),
        "mislabelled": found("mislabelled", MISLABELLED),
        "first_five": found("first_five", MISLABELLED),
        "false_labels": mean("false_labels"),
        "duplicates": found("duplicates", DUPLICATES),
        "near": found("near", len(NEAR)),
        "leaks": found("leaks", LEAKS),
        "false_copies": mean("false_copies"),
        "seconds": sorted(record["seconds"] for record in records)[len(records) // 2],
        "records": records,
    }


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of the page on cleaning a folder."""
    labels = ("wrong labels", "among the first 5", "other labels told")
    head = ("data", "images", *labels, "copies", "nearly the same", "leaks", "other photos told")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        found = [row[key] for key in ("mislabelled", "first_five")]
        copies = [row[key] for key in ("duplicates", "near", "leaks")]
        told = [f"{row[key]:.1f}" for key in ("false_labels", "false_copies")]
        cells = [row["data"], f"{row['images']:.0f}", *found, told[0], *copies, told[1]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
