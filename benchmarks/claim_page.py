"""The tables of docs/results/claim.md, from packed records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from promptlet.evaluation import harmonic_mean

Record = Mapping[str, Any]
Key = tuple[str, str, int]  # bed, data set, shots

TITLES = {
    "realbed": "first bed (stand-in images and text)",
    "realclip": "second bed (real CLIP ViT-B/32 image features, student text tower)",
    "mini": "embedded suite",
}
JUDGED = (
    ("realbed", "caltech101", 16),
    ("realclip", "caltech101", 16),
    ("realclip", "oxford_pets", 16),
    ("realclip", "ucf101", 16),
)
"""Beds of the aim: where the tower knows the names, and there is something to learn."""
SCORES = ("base", "new", "all", "all_base", "all_new", "openworld_auc")
HEAD = (
    "method",
    "base",
    "new",
    "H",
    "all at once",
    "on base",
    "on new",
    "OpenworldAUC",
    "numbers",
    "seconds",
)


def label_of(record: Record) -> str:
    """A row's name: the method, and what makes it another than the method as published."""
    options, method = record["options"], record["method"]
    rule = options.get("new_names")
    words = []
    if method == "rlp":
        words.append("rank " + _rank(record))
        if options.get("v_rate") == 1.0:
            words.append("settings of 0.1.0")
    if record["settings"].get("name") == "coop":
        words.append("the field's schedule")
    title = {"rlp": "RLP", "coop": "CoOp", "kgcoop": "KgCoOp", "prograd": "ProGrad", "zero_shot": "zero-shot"}
    shown = title.get(method, method.upper().replace("_", " "))
    kind = "" if rule in (None, "learned") else " decoupled" if rule == "zero-shot" else f" {rule}"
    return f"{shown}{kind}" + (f" ({', '.join(words)})" if words else "")


def _rank(record: Record) -> str:
    rank = record["options"].get("rank")
    if rank is None:
        return "by budget"
    return "full" if rank == record["options"]["n_ctx"] else str(rank)


def rows_of(records: Iterable[Record]) -> dict[Key, dict[str, list[Record]]]:
    """Records by data set, then by label, in order of seeds."""
    found: dict[Key, dict[str, list[Record]]] = {}
    for record in sorted(records, key=lambda record: record["seed"]):
        key = (record["bed"], record["dataset"], record["shots"])
        found.setdefault(key, {}).setdefault(label_of(record), []).append(record)
    return found


def means(records: Sequence[Record]) -> dict[str, float]:
    """Over seeds; H is that of the means."""
    found = {name: float(np.mean([record[name] for record in records])) for name in SCORES}
    seconds = float(np.mean([record["seconds"] for record in records]))
    numbers = float(max(record["trainable"] for record in records))
    return {**found, "H": harmonic_mean(found["base"], found["new"]), "numbers": numbers, "seconds": seconds}


def over(rows: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean over data sets of one method's means; H as the mean of theirs."""
    names = next(iter(rows.values())).keys()
    return {name: float(np.mean([row[name] for row in rows.values()])) for name in names}


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Methods by H, largest first."""
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    for label, row in sorted(rows.items(), key=lambda item: -item[1]["H"]):
        cells = [f"{row[name]:.1f}" for name in ("base", "new", "H", *SCORES[2:])]
        lines.append(_line([label, *cells, f"{row['numbers']:,.0f}", f"{row['seconds']:.1f}"]))
    return "\n".join(lines)


def differences(ours: Sequence[Record], theirs: Sequence[Record]) -> list[str]:
    """Of base, new, H and all at once, by seed: mean, and its 95 % interval by Student's t."""
    pairs = list(zip(ours, theirs, strict=True))
    cells = []
    for name in ("base", "new", "H", "all"):
        values = np.array([_value(a, name) - _value(b, name) for a, b in pairs])
        spread = values.std(ddof=1) if len(values) > 1 else 0.0
        half = float(stats.t.ppf(0.975, len(values) - 1)) * spread / len(values) ** 0.5 if spread else 0.0
        cells.append(f"{values.mean():+.1f} [{values.mean() - half:+.1f}, {values.mean() + half:+.1f}]")
    return cells


def _value(record: Record, name: str) -> float:
    return harmonic_mean(record["base"], record["new"]) if name == "H" else float(record[name])


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


OURS = "RLP decoupled (rank by budget)"
PAIRS = (
    (OURS, "CoOp"),
    (OURS, "CoOp decoupled"),
    (OURS, "KgCoOp"),
    (OURS, "zero-shot"),
    ("RLP (rank by budget)", "CoOp"),
)


def page(records: Sequence[Record]) -> str:
    """All tables, in the order of the page."""
    found = rows_of(records)
    parts = ["## The four beds of the aim\n", _judged(found)]
    parts += ["\n## Differences by bed\n", *_paired(found)]
    parts.append("\n## Every data set\n")
    for (bed, dataset, shots), rows in found.items():
        if bed != "mini":
            parts += [f"\n### {dataset}, {TITLES[bed]}, {shots} shots\n", _of(rows)]
    parts += ["\n## The embedded suite\n", _embedded(found)]
    return "\n".join(parts)


def _of(rows: Mapping[str, Sequence[Record]]) -> str:
    return table({label: means(own) for label, own in rows.items()})


def _judged(found: Mapping[Key, Mapping[str, Sequence[Record]]]) -> str:
    beds = [key for key in JUDGED if key in found]
    labels = [label for label in found[beds[0]] if all(label in found[key] for key in beds)]
    return table({label: over({str(k): means(found[k][label]) for k in beds}) for label in labels})


def _paired(found: Mapping[Key, Mapping[str, Sequence[Record]]]) -> list[str]:
    parts = []
    for ours, theirs in PAIRS:
        lines = [_line(["data set", "shots", "seeds", "base", "new", "H", "all at once"]), _line(["---"] * 7)]
        for (bed, dataset, shots), rows in found.items():
            if bed == "mini" or ours not in rows or theirs not in rows:
                continue
            seeds = {record["seed"] for record in rows[ours]} & {record["seed"] for record in rows[theirs]}
            pair = [[one for one in rows[name] if one["seed"] in seeds] for name in (ours, theirs)]
            cells = differences(*pair)
            lines.append(_line([f"{dataset} ({bed})", str(shots), str(len(seeds)), *cells]))
        parts += [f"\n**{ours} minus {theirs}**\n", *lines]
    return parts


def _embedded(found: Mapping[Key, Mapping[str, Sequence[Record]]]) -> str:
    from promptlet.mini.names import MINI_NAMES

    parts = []
    groups = {
        "the eleven": lambda name: name in MINI_NAMES,
        "with room to learn": lambda name: name not in MINI_NAMES,
    }
    for title, belongs in groups.items():
        keys = [key for key in found if key[0] == "mini" and belongs(key[1])]
        if not keys:
            continue
        labels = [label for label in found[keys[0]] if all(label in found[key] for key in keys)]
        rows = {label: over({str(k): means(found[k][label]) for k in keys}) for label in labels}
        parts += [f"\n### Mean of {len(keys)} embedded data sets, {title}\n", table(rows)]
    return "\n".join(parts)
