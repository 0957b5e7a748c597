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
from promptlet.data import select_classes
from promptlet.methods import METHODS
from promptlet.own_images.comparing.result import Comparison
from promptlet.own_images.comparing.run import compare
from promptlet.own_images.estimating.estimate import CV, Estimate, choose_way, estimate, of_undrawn
from promptlet.own_images.estimating.undrawn import read_undrawn
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
    ("seconds_fit", "fit s", ".2f"),
    ("seconds_estimate", "estimate s", ".2f"),
    ("shots_estimate", "--shots: estimate", ".1f"),
    ("shots_true", "test", ".1f"),
    ("shots_width", "interval", ".1f"),
    ("shots_covered", "covered", "s"),
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
    """One draw, as two folders: one of these images alone, and one of which ``--shots`` draws them."""
    features, names = _given(bed, bed.content.split.train)
    test = read_material(bed.backbone, *_given(bed, bed.content.split.test))
    drawn = read_material(bed.backbone, features, names, shots=shots, seed=seed)
    alone = replace(drawn, shares=np.bincount(drawn.targets) / len(drawn.targets))
    rest = read_undrawn(bed.backbone, features, names, drawn, shots=shots, seed=seed)
    classifier = PromptClassifier(bed.backbone, seed=seed, epochs=epochs, cache=False)
    methods: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in METHODS_COMPARED]
    found = compare(classifier, bed.backbone, alone, methods, folds=5)
    record: dict[str, Any] = {
        "found": found,
        "true": {},
        "estimates": _estimates(classifier, bed, alone, found),
    }
    record["of_shots"] = {}
    for name in METHODS_COMPARED:
        fitted, record["true"][name] = _true(bed, name, drawn, test, seed, epochs)
        record["of_shots"][name] = _of_shots(fitted, bed, drawn, rest)
    return record


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
        estimates[row.method] = _told(estimate(_own(classifier, row.method), bed.backbone, train, way)[0])
    return estimates


def _own(classifier: PromptClassifier, method: str) -> PromptClassifier:
    return PromptClassifier(**classifier.get_params(deep=False)).set_params(method=method)


def _of_shots(
    fitted: PromptClassifier, bed: Bed, drawn: Material, rest: Material | None
) -> tuple[float, float, float, float]:
    """The same of a folder that holds more than was drawn."""
    if rest is None:
        return _told(estimate(fitted, bed.backbone, drawn, choose_way(CV, fitted.method, 0.0))[0])
    return _told(of_undrawn(fitted.method_, bed.backbone, rest, 0.0)[0])


def _told(one: Estimate) -> tuple[float, float, float, float]:
    assert one.accuracy is not None and one.low is not None and one.high is not None
    return one.accuracy, one.low, one.high, one.seconds


def _given(bed: Bed, items: Any) -> tuple[list[np.ndarray], list[str]]:
    features = bed.content.features[np.array([item.row for item in items], np.int64)].astype(np.float32)
    return list(features), [item.class_name for item in items]


def _true(
    bed: Bed, method: str, train: Material, test: Material, seed: int, epochs: int | None
) -> tuple[PromptClassifier, dict[str, float]]:
    """The fitted classifier; accuracy on the test part, of all images and of classes, in percent, and seconds
    of the fit."""
    began = time.perf_counter()
    fitted = PromptClassifier(bed.backbone, method, seed=seed, epochs=epochs, cache=False)
    fitted.fit(train.features[0], train.classes[train.targets])
    fitted.round_to(None)
    seconds = time.perf_counter() - began
    hits = fitted.predict(test.features[0]) == test.classes[test.targets]
    classes = [hits[test.targets == label].mean() for label in np.unique(test.targets)]
    true = {"all": 100 * float(hits.mean()), "classes": 100 * float(np.mean(classes)), "seconds": seconds}
    return fitted, true


def _rows(data: str, shots: int, records: list[dict[str, Any]]) -> list[dict]:
    rows = []
    for method in METHODS_COMPARED:
        true = [record["true"][method] for record in records]
        alone = [
            (*record["estimates"][method], one["classes"]) for record, one in zip(records, true, strict=True)
        ]
        of_shots = [
            (*record["of_shots"][method], one["all"]) for record, one in zip(records, true, strict=True)
        ]
        rows.append(
            {
                "data": data,
                "shots": shots,
                "method": method,
                **_summed(alone),
                "seconds_fit": _median(one["seconds"] for one in true),
                **{f"shots_{key}": value for key, value in _summed(of_shots).items()},
            }
        )
    return [*rows, *(_recommended(data, shots, records, closed) for closed in (True, False))]


def _summed(found: list[tuple[float, float, float, float, float]]) -> dict[str, Any]:
    """Of (estimate, low, high, seconds, truth), one for each draw."""
    return {
        "estimate": _median(one[0] for one in found),
        "true": _median(one[4] for one in found),
        "bias": float(np.mean([one[0] - one[4] for one in found])),
        "width": _median(one[2] - one[1] for one in found),
        "covered": _share(one[1] <= one[4] <= one[2] for one in found),
        "seconds_estimate": _median(one[3] for one in found),
        "by_seed": [[*one[:3], one[4]] for one in found],
    }


def _recommended(data: str, shots: int, records: list[dict[str, Any]], closed: bool) -> dict[str, Any]:
    """How much worse than the best on the test part is what was recommended."""
    allowed = [name for name in METHODS_COMPARED if closed or METHODS[name].info.unseen_classes]
    regrets, chosen = [], []
    for record in records:
        found: Comparison = record["found"]
        name = found.closed if closed else found.open_
        assert name is not None
        chosen.append(name)
        best = max(record["true"][other]["classes"] for other in allowed)
        regrets.append(best - record["true"][name]["classes"])
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
            record["true"][row.method]["classes"],
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
    parts = [
        _estimates_table(methods, ""),
        _estimates_table(methods, "shots_"),
        _regrets_table([row for row in rows if "chosen" in row]),
    ]
    return "\n".join(parts)


def _estimates_table(rows: Sequence[Mapping[str, Any]], key: str) -> str:
    title = "A folder of these images alone, by folds" if not key else "`--shots` of a larger folder"
    lines = [
        f"### {title}\n",
        "| data | images a class | method | estimated % | on the test part % | mean difference | interval, "
        "width | covered | seconds: fit, estimate |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['data']} | {row['shots']} | {row['method']} | {row[f'{key}estimate']:.1f} "
        f"| {row[f'{key}true']:.1f} | {row[f'{key}bias']:+.1f} | {row[f'{key}width']:.1f} "
        f"| {row[f'{key}covered']} | {row['seconds_fit']:.2f}, {row[f'{key}seconds_estimate']:.2f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _regrets_table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "### Recommendations\n",
        "| data | images a class | recommended for | methods | mean regret | largest |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['data']} | {row['shots']} | {row['method'].removeprefix('recommended: ')} | {row['chosen']} "
        f"| {row['regret']:.1f} | {row['worst_regret']:.1f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
