"""Published numbers, as they were read in papers and README files, with their sources. None was run here.

They are of OpenAI's CLIP (ViT-B/16, some of RN50), so they can stand beside results of that backbone alone.
`FILES` are kept as they were collected; this file says which of their names are ours.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from promptlet.data.catalog import DATASETS
from promptlet.errors import check_option
from promptlet.protocols.records.measures import (
    BASE_TO_NEW,
    CROSS_DATASET,
    DOMAIN_SHIFT,
    FEW_SHOT,
    MEASURES,
)
from promptlet.report.statistics.comparisons import AVERAGE, grouped

FILES = ("published_results.csv", "published_2026.csv")
"""In the order in which they were collected. A later one repeats some rows of an earlier one."""
SAME_NAME: Mapping[str, str] = {"CoOp + AnchorOPT": "CoOp+AnchorOPT"}
"""Names of a later file, as the first one writes them."""
VIT_B16 = "CLIP ViT-B/16 (OpenAI)"
NAMES_OF_VIT_B16 = (
    "openai/clip-vit-base-patch16",
    "open_clip:ViT-B-16/openai",
    "open_clip:ViT-B-16-quickgelu/openai",
)
"""How that backbone is called here."""
SOURCE_DATASET = "imagenet"
"""What published cross-dataset and domain-shift results are trained on."""

PROTOCOL_OF: Mapping[str, str] = {
    "base_to_new": BASE_TO_NEW,
    "few_shot_all_classes": FEW_SHOT,
    "cross_dataset": CROSS_DATASET,
    "domain_generalization": DOMAIN_SHIFT,
}
AVERAGED = {"Average-11": 11, "Average-10": 10, "Average-4": 4}
"""Averages, and over how many data sets."""
DATASET_OF: Mapping[str, str] = {
    **{spec.title: spec.name for spec in DATASETS.values()},
    "ImageNet-V2": "imagenetv2",
    "ImageNet(source)": SOURCE_DATASET,
    **dict.fromkeys(AVERAGED, AVERAGE),
}
METHOD_OF: Mapping[str, str] = {
    "CLIP (zero-shot)": "zero_shot",
    "Zero-shot CLIP": "zero_shot",
    "CoOp": "coop",
    "CoOp (DePT re-run)": "coop",
    "CoOp (KgCoOp paper's 4-token version)": "coop",
    "CoCoOp": "cocoop",
    "CoCoOp (DePT re-run)": "cocoop",
    "KgCoOp": "kgcoop",
    "KgCoOp (DePT re-run)": "kgcoop",
    "ProGrad": "prograd",
    "ProGrad (KgCoOp readme)": "prograd",
    "ProGrad (as quoted by QPrompt)": "prograd",
    "QCoOp": "qcoop",
    "VPT (DePT re-run)": "vpt",
    "VPT-deep (Deep Vision Prompting, MaPLe repo)": "vpt",
    "IVLP 2+2 ctx, 5 epochs (MaPLe repo)": "ivlp",
    "IVLP 4+4 ctx, 20 epochs (PromptSRC repo)": "ivlp",
    "MaPLe": "maple",
    "MaPLe (DePT re-run)": "maple",
    "PromptSRC": "promptsrc",
    "PromptSRC (DePT re-run)": "promptsrc",
    "MMLoP": "mmlop",
    "CLIP-Adapter": "clip_adapter",
    "CLIP-Adapter (DePT re-run)": "clip_adapter",
    "Tip-Adapter": "tip_adapter",
    "Tip-Adapter-F": "tip_adapter_f",
    "Linear probe": "linear_probe",
    "CLIP-LoRA": "clip_lora",
    "GDA": "gda",
    "LP++": "lp_pp",
    "CLIP-SVD": "clip_svd",
    "2SFS": "two_sfs",
}
"""The same method under other settings keeps its published name. Of RLP and DIP only gains could be
collected, no accuracy; so no published number stands for them."""


@dataclass(frozen=True)
class Published:
    """One published number, in percent.

    name: the method as the source calls it; method: ours, None where we have none. dataset: ours, or
    ``average``; averaged: over how many data sets that is. metric: ``base``, ``new``, ``H``, ``accuracy``, or
    ``source_accuracy`` (on the data set that was trained on). shots: 0 for methods that are not trained.
    """

    protocol: str
    name: str
    method: str | None
    dataset: str
    averaged: int | None
    metric: str
    value: float
    backbone: str
    shots: int
    source: str
    note: str


def published(
    protocol: str, method: str | None = None, dataset: str | None = None, metric: str | None = None
) -> list[Published]:
    """Published numbers by our names, in the order of the file; None: any.

    What several sources print is there once per source; a later file that repeats a row of an earlier one
    adds its notes alone. Raises OptionError for a protocol that is not known.
    """
    check_option("protocol", protocol, MEASURES)
    return [
        one
        for one in _every()
        if one.protocol == protocol
        and method in (None, one.method)
        and dataset in (None, one.dataset)
        and metric in (None, one.metric)
    ]


def origin(source: str) -> str:
    """Where a number was read: its source without what follows the first comma, how it was made of that."""
    return source.partition(", ")[0]


@cache
def lines(file: str | None = None) -> tuple[dict[str, str], ...]:
    """The lines of a file, or of all, as they are, by column."""
    if file is None:
        return tuple(line for name in FILES for line in lines(name))
    text = resources.files("promptlet.report.published").joinpath(file).read_text(encoding="utf-8")
    return tuple(csv.DictReader(io.StringIO(text)))


@cache
def _every() -> tuple[Published, ...]:
    found: list[Published] = []
    for file in FILES:
        own = [_read(line) for line in lines(file) if line["protocol"] in PROTOCOL_OF]
        found = _with_later(found, own) if found else own
    return tuple(found)


def _with_later(known: Sequence[Published], later: Sequence[Published]) -> list[Published]:
    """``known`` and what ``later`` adds: numbers whose whole row is known give their notes alone."""
    found = list(known)
    for row in grouped(later, lambda one: (_row_of(one), origin(one.source))):
        twins = [i for i, one in enumerate(known) if _row_of(one) == _row_of(row[0])]
        values = {known[i].metric: (i, known[i].value) for i in reversed(twins)}
        if all(values.get(one.metric, (0, None))[1] == one.value for one in row):
            for one in row:
                i, _ = values[one.metric]
                notes = dict.fromkeys(filter(None, (found[i].note, one.note)))
                found[i] = replace(found[i], note="; ".join(notes))
        else:
            found += row
    return found


def _row_of(one: Published) -> tuple[object, ...]:
    return (one.protocol, one.name, one.dataset, one.backbone, one.shots)


def _read(line: Mapping[str, str]) -> Published:
    name = SAME_NAME.get(line["method"], line["method"])
    return Published(
        protocol=PROTOCOL_OF[line["protocol"]],
        name=name,
        method=METHOD_OF.get(name),
        dataset=DATASET_OF[line["dataset"]],
        averaged=AVERAGED.get(line["dataset"]),
        metric="source_accuracy" if line["dataset"] == "ImageNet(source)" else line["metric"],
        value=float(line["value"]),
        backbone=line["backbone"],
        shots=int(line["shots"]),
        source=line["source"],
        note=line["note"],
    )
