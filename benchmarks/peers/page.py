"""The tables of docs/results/peers.md, from packed records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.peers.runs import CURVES, FEW, HALVES, IN_TEXT, IN_WEIGHTS, ON_FEATURES, SHOTS
from promptlet.evaluation import harmonic_mean
from promptlet.methods import METHODS
from promptlet.report.statistics.chosen import marked, of_records, together

Record = Mapping[str, Any]
Groups = dict[str, dict[str, list[Record]]]  # records by method as asked for, then by data set

BEDS = {
    "clip": "Caltech101, real CLIP ViT-B/16 features, no tower",
    "realclip": "Caltech101, Oxford Pets and UCF101: real CLIP ViT-B/32 image features, student text tower",
    "realbed": "Caltech101, first bed (stand-in images and text)",
    "mini": "The embedded suite, eleven data sets",
}
HEAD = ("method", "base", "new", "H", "all at once", "numbers", "seconds")
SCORES = ("base", "new", "all")


def asked(record: Record) -> str:
    """The method with the option that makes it another row."""
    rank = record["options"].get("r") if record["method"] == "prolip" else None
    return record["method"] if rank is None else f"{record['method']}:r={rank}"


def title(method: str, rows: Mapping[str, Sequence[Record]]) -> str:
    """The name of a row, with its marks."""
    name, _, options = method.partition(":")
    shown = METHODS[name].info.title + (f" ({options})" if options else "")
    return marked(shown, together(of_records(own) for own in rows.values()))


def grouped(records: Iterable[Record]) -> Groups:
    """By method, then by data set, in the order of seeds."""
    found: Groups = {}
    for record in sorted(records, key=lambda record: record["seed"]):
        found.setdefault(asked(record), {}).setdefault(record["dataset"], []).append(record)
    return found


def means(rows: Mapping[str, Sequence[Record]], *names: str) -> list[float]:
    """Over seeds, and then over data sets."""
    return [
        float(np.mean([np.mean([one[name] for one in records]) for records in rows.values()]))
        for name in names
    ]


def halves(records: Sequence[Record]) -> str:
    """Methods by H, largest first; H is that of the means, and in a mean of data sets the mean of theirs."""
    found = grouped(records)
    rows = []
    for method in (*ON_FEATURES, *IN_TEXT, *IN_WEIGHTS):
        if method not in found:
            continue
        base, new, at_once, seconds = means(found[method], *SCORES, "seconds")
        h = np.mean([harmonic_mean(*means({"": one}, "base", "new")) for one in found[method].values()])
        numbers = max(one["trainable"] for own in found[method].values() for one in own)
        cells = [f"{value:.1f}" for value in (base, new, h, at_once)]
        rows.append((float(h), [title(method, found[method]), *cells, f"{numbers:,}", f"{seconds:.1f}"]))
    ordered = [cells for _, cells in sorted(rows, key=lambda row: -row[0])]
    return _table(HEAD, ordered)


def curves(records: Sequence[Record]) -> str:
    """Accuracy over all classes by shots, each the mean over seeds, and over data sets."""
    found = {shots: grouped(one for one in records if one["shots"] == shots) for shots in SHOTS}
    rows = []
    for method in CURVES:
        own = {shots: groups[method] for shots, groups in found.items() if method in groups}
        cells = [f"{means(own[shots], 'accuracy')[0]:.1f}" if shots in own else "-" for shots in SHOTS]
        rows.append([title(method, own[max(own)]), *cells] if own else [method, *cells])
    return _table(("method", *map(str, SHOTS)), rows)


def page(records: Sequence[Record]) -> str:
    """All tables, in the order of the page."""
    parts = ["## Half of the classes taught"]
    for bed, what in BEDS.items():
        parts += [
            f"### {what}",
            halves([one for one in records if one["bed"] == bed and one["protocol"] == HALVES]),
        ]
    parts.append("## Over the shots")
    for bed, what in BEDS.items():
        own = [one for one in records if one["bed"] == bed and one["protocol"] == FEW]
        parts += [f"### {what}, all classes", curves(own)]
    return "\n\n".join(parts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
