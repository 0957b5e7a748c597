"""Good records with one thing in them of another kind, as a hand, a disk or a stranger leaves them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptlet.protocols.plan.studies import STUDIES
from promptlet.protocols.records.measures import MEASURES, TRANSFERS
from promptlet.protocols.records.runs import Run

GONE = "(gone)"
KINDS: dict[str, str] = {
    "nothing": "null",
    "truth": "true",
    "five": "5",
    "less": "-1",
    "part": "1.5",
    "NaN": "NaN",
    "infinite": "1e999",
    "most": "1e308",
    "giant": "1" + "0" * 400,
    "beyond reading": "1" + "0" * 5000,
    "text": '"x"',
    "number as text": '"5"',
    "no text": '""',
    "half a character": '"\\ud800"',
    "control": '"a\\u0000\\n\\u001b[31m|$\\\\"',
    "long": json.dumps("y" * 3000),
    "list": "[]",
    "list of text": '["a"]',
    "list of all": '[1, null, ["a"], {}]',
    "object": "{}",
    "object of all": '{"a": [1, {"b": NaN}], "": null}',
    "object of text": '{"name": 5, "key": [], "device": {}, "versions": 7, "lr": "x", "epochs": "y"}',
    "deep": "[" * 900 + "]" * 900,
    "deep object": '{"a":' * 900 + "1" + "}" * 900,
}
PLACES = ("options", "settings", "backbone", "versions", "trained")
"""Fields whose inner fields are changed, too."""


def run_of(protocol: str, seed: int, method: str = "rlp") -> Run:
    """A run with the settings that a bench writes."""
    told: dict[str, Any] = {"options": {**STUDIES["rank"].baseline.options, "template": "a {}."}}
    told["settings"] = {"name": "fast", "lr": 0.01, "epochs": 2, "batch_size": None, "optimizer": "adamw"}
    if method == "zero_shot":
        told = {"options": {"template": "a {}."}, "settings": {}}
    if protocol in TRANSFERS:
        told |= {"source": "imagenet", "source_data": "i-1"}
    told |= {"shots": 16, "views": 1, "sampler": "coop", "fingerprint": "a-b-c", "dtype": "float32"}
    return Run(protocol=protocol, dataset="pets", data="p-1", method=method, seed=seed, **told)


def record_of(run: Run, status: str = "done") -> dict[str, Any]:
    """With every field that a bench may write."""
    record: dict[str, Any] = {"schema": 1, "status": status, **run.describe()}
    if status == "failed":
        return {**record, "reason": "no images", "traceback": "line 1\nline 2"}
    measures = MEASURES[run.protocol]
    numbers = dict.fromkeys((*measures.scores, *measures.extras), 50.0 + run.seed % 7)
    machine = {"device": "cpu", "peak_memory": 2**20, "versions": {"torch": "2.9.0"}}
    machine |= {"date": "2026-01-02T03:04:05+00:00"}
    epoch = {"epoch": 1, "epochs": 2, "loss": 0.5, "accuracy": 50.0, "lr": 0.01, "seconds": 0.1}
    return {
        **record,
        **numbers,
        **({"H": 50.0} if measures.has_h else {}),
        "trainable": 516,
        "file_bytes": 2600,
        "text_passes": 2,
        "seconds": 2.0,
        "seconds_total": 3.0,
        "history": [epoch, epoch],
        "samples": ["a.jpg", "b.jpg"],
        "val_samples": [1, 2],
        "rule": "by hand",
        "short_classes": ["cat"],
        "notes": ["a note"],
        "backbone": {"name": "mini", "fingerprint": "a-b-c"},
        "threads": 1,
        **machine,
        "trained": {"key": "t-1", "reused": True, **machine},
    }


def damages(run: Run, status: str, every: int = 1) -> Iterator[tuple[str, str, Run]]:
    """What is changed, the text of the file, and the run whose name it has.

    Every field, and every inner one, in every kind; of these every n-th where ``every`` is n.
    """
    record = record_of(run, status)
    fields: list[tuple[str, ...]] = [(name,) for name in (*record, "unknown")]
    fields += [(place, name) for place in PLACES for name in (*(record.get(place) or {}), "other")]
    changes = [(path, kind) for path in fields for kind in (*KINDS, GONE)]
    for number, (path, kind) in enumerate(changes):
        if number % every:
            continue
        own = replace(run, seed=(100 if status == "done" else 10_000) + number)
        copy = json.loads(json.dumps(record_of(own, status)))
        inner = copy.get(path[0]) if len(path) > 1 else copy
        if not isinstance(inner, dict):
            continue
        if kind == GONE:
            inner.pop(path[-1], None)
        else:
            inner[path[-1]] = "HERE IT IS"
        yield f"{'.'.join(path)}: {kind}", json.dumps(copy).replace('"HERE IT IS"', KINDS.get(kind, "")), own


def lay(folder: Path, text: str, run: Run) -> None:
    """A record under the name of ``run``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{run.key}.json").write_text(text, encoding="utf-8")
