"""What is said of a prompt before anyone knows: the estimate and the recommendation against the test part."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.validation import Bed, beds
from promptlet import rng
from promptlet.classifier import PromptClassifier
from promptlet.data import sample_shots, select_classes
from promptlet.methods import METHODS
from promptlet.own_images.comparing.result import Comparison
from promptlet.own_images.comparing.run import compare
from promptlet.own_images.estimating.estimate import CV, choose_way, estimate
from promptlet.own_images.material import Material, read_material

METHODS_COMPARED = ("zero_shot", "rlp", "tip_adapter", "clip_adapter", "linear_probe")
EMBEDDED = ("mini-flowers", "mini-people", "mini-cats", "mini-textures-colours")
CLASSES = 20
COLUMNS = (
    ("data", "data", "s"),
    ("shots", "shots", ".0f"),
    ("method", "method", "s"),
    ("estimate", "estimate", ".1f"),
    ("true", "test", ".1f"),
    ("bias", "estimate - test", "+.1f"),
    ("width", "interval", ".1f"),
    ("covered", "covered", "s"),
    ("covered_by_class", "covered, class mean", "s"),
    ("seconds_fit", "fit s", ".2f"),
    ("seconds_estimate", "estimate s", ".2f"),
    ("chosen", "chosen", "s"),
    ("regret", "regret", ".1f"),
    ("worst_regret", "worst", ".1f"),
)


def run(_device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one per data set, shots and method; and one for each recommendation."""
    seeds = (1, 2) if quick else tuple(range(1, 11))
    rows: list[dict] = []
    for bed in _beds():
        for shots in (4,) if quick else (8, 16):
            records = []
            for seed in seeds:
                records.append(_record(bed, shots, seed, epochs=5 if quick else None))
                progress(f"{bed.name}, {shots} shots, seed {seed}")
            rows += _rows(bed.name, shots, records)
    settings = {"seeds": seeds, "folds": 5, "methods": METHODS_COMPARED, "caltech101_classes": CLASSES}
    return settings, rows


def _beds() -> Iterator[Bed]:
    realbed = Path(os.environ.get("PROMPTLET_REALBED", "../shared/realbed"))
    if realbed.is_dir():
        [caltech] = [bed for bed in beds(realbed, None, None) if bed.name.endswith("caltech101")]
        names = caltech.content.split.class_names
        chosen = sorted(rng.generator("own-images-classes", 0).permutation(len(names))[:CLASSES].tolist())
        split = select_classes(caltech.content.split, chosen)
        yield replace(caltech, content=replace(caltech.content, split=split))
    yield from (
        bed for group in ("mini", "mini-harder") for bed in beds(None, None, group) if bed.name in EMBEDDED
    )


def _record(bed: Bed, shots: int, seed: int, epochs: int | None) -> dict[str, Any]:
    split = sample_shots(bed.content.split, shots, seed)
    train, test = (_material(bed, items) for items in (split.train, split.test))
    given = [item.label for item in bed.content.split.train]  # all, of which shots are drawn
    train = replace(train, shares=np.bincount(given) / len(given))
    classifier = PromptClassifier(bed.backbone, seed=seed, epochs=epochs, cache=False)
    methods: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in METHODS_COMPARED]
    found = compare(classifier, bed.backbone, train, methods, folds=5)
    true = {name: _true(bed, name, train, test, seed, epochs) for name in METHODS_COMPARED}
    return {"found": found, "true": true, "estimates": _estimates(classifier, bed, train, found)}


def _estimates(
    classifier: PromptClassifier, bed: Bed, train: Material, found: Comparison
) -> dict[str, tuple[float, float, float, float]]:
    """Accuracy, both ends of its interval, and seconds, as ``fit`` estimates them by method: in as many folds
    as it takes, which for some are those of the comparison."""
    estimates = {}
    for row in found.rows:
        way = choose_way(CV, row.method, 0.0)
        if way.folds == found.folds:
            estimates[row.method] = row.accuracy, row.low, row.high, found.folds * row.seconds
            continue
        own = classifier.set_params(method=row.method)
        one, _ = estimate(own, bed.backbone, train, way)
        assert one.accuracy is not None and one.low is not None and one.high is not None
        estimates[row.method] = one.accuracy, one.low, one.high, one.seconds
    return estimates


def _material(bed: Bed, items: Any) -> Material:
    features = bed.content.features[np.array([item.row for item in items], np.int64)].astype(np.float32)
    return read_material(bed.backbone, list(features), [item.class_name for item in items])


def _true(
    bed: Bed, method: str, train: Material, test: Material, seed: int, epochs: int | None
) -> dict[str, float]:
    """Accuracy on the test part, of all images and of classes, in percent, and seconds of the fit."""
    began = time.perf_counter()
    fitted = PromptClassifier(bed.backbone, method, seed=seed, epochs=epochs, cache=False)
    fitted.fit(train.features[0], train.classes[train.targets])
    seconds = time.perf_counter() - began
    hits = fitted.predict(test.features[0]) == test.classes[test.targets]
    classes = [hits[test.targets == label].mean() for label in np.unique(test.targets)]
    return {"all": 100 * float(hits.mean()), "classes": 100 * float(np.mean(classes)), "seconds": seconds}


def _rows(data: str, shots: int, records: list[dict[str, Any]]) -> list[dict]:
    rows = []
    for method in METHODS_COMPARED:
        estimates = [record["estimates"][method] for record in records]
        true = [record["true"][method] for record in records]
        pairs = list(zip(estimates, true, strict=True))
        rows.append(
            {
                "data": data,
                "shots": shots,
                "method": method,
                "estimate": _median(one[0] for one in estimates),
                "true": _median(one["all"] for one in true),
                "bias": float(np.mean([one[0] - real["all"] for one, real in pairs])),
                "width": _median(one[2] - one[1] for one in estimates),
                "covered": _share(one[1] <= real["all"] <= one[2] for one, real in pairs),
                "covered_by_class": _share(one[1] <= real["classes"] <= one[2] for one, real in pairs),
                "seconds_fit": _median(one["seconds"] for one in true),
                "seconds_estimate": _median(one[3] for one in estimates),
                "by_seed": [[*one[:3], real["all"], real["classes"]] for one, real in pairs],
            }
        )
    return [*rows, *(_recommended(data, shots, records, closed) for closed in (True, False))]


def _recommended(data: str, shots: int, records: list[dict[str, Any]], closed: bool) -> dict[str, Any]:
    """How much worse than the best on the test part is what was recommended."""
    allowed = [name for name in METHODS_COMPARED if closed or METHODS[name].info.unseen_classes]
    regrets, chosen = [], []
    for record in records:
        found: Comparison = record["found"]
        name = found.closed if closed else found.open_
        assert name is not None
        chosen.append(name)
        best = max(record["true"][other]["all"] for other in allowed)
        regrets.append(best - record["true"][name]["all"])
    counts = {name: chosen.count(name) for name in dict.fromkeys(chosen)}
    return {
        "data": data,
        "shots": shots,
        "method": "recommended: " + ("closed set" if closed else "new names later"),
        "chosen": ", ".join(f"{name} {count}" for name, count in counts.items()),
        "by_seed": [_compared(record) for record in records],
        "regret": float(np.mean(regrets)),
        "worst_regret": max(regrets),
    }


def _compared(record: dict[str, Any]) -> dict[str, list[float]]:
    """By method: how far it is behind the best, the ends of that interval, bytes, and the truth."""
    return {
        row.method: [
            row.behind,
            row.behind_low,
            row.behind_high,
            row.bytes,
            record["true"][row.method]["all"],
        ]
        for row in record["found"].rows
    }


def _median(values: Any) -> float:
    return float(np.median(list(values)))


def _share(values: Any) -> str:
    found = list(values)
    return f"{sum(found)} of {len(found)}"


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The tables of docs/results/own-images.md."""
    methods = [row for row in rows if "estimate" in row]
    lines = [
        "| data | images a class | method | estimated % | on the test part % | mean difference | interval, "
        "width | covered | seconds: fit, estimate |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['data']} | {row['shots']} | {row['method']} | {row['estimate']:.1f} | {row['true']:.1f} "
        f"| {row['bias']:+.1f} | {row['width']:.1f} | {row['covered']} "
        f"| {row['seconds_fit']:.2f}, {row['seconds_estimate']:.2f} |"
        for row in methods
    ]
    lines += ["", "| data | images a class | recommended for | methods | mean regret | largest |"]
    lines += ["|---|---|---|---|---|---|"]
    lines += [
        f"| {row['data']} | {row['shots']} | {row['method'].removeprefix('recommended: ')} | {row['chosen']} "
        f"| {row['regret']:.1f} | {row['worst_regret']:.1f} |"
        for row in rows
        if "chosen" in row
    ]
    return "\n".join(lines) + "\n"
