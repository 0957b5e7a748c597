"""Published accuracies of which it is also known how many numbers were trained.

A method is here only where the file has a count that is certainly of the run whose accuracy was printed. Left
out: RLP and DIP (a count, but no accuracy), KgCoOp and the other re-runs (no count), ProGrad of SkipTuning
and KgCoOp (4 or 16 context vectors, not said), QCoOp and QMaPLe (bytes, not numbers), CLIP-LoRA (who ran it
at which rank is not said), 2SFS (a vector a class: another count on each data set), MaPLe and PromptSRC on
cross-dataset and domain-shift (3 layers deep there, counted for 9), and all that is trained in few-shot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promptlet.protocols.records.measures import BASE_TO_NEW, CROSS_DATASET, DOMAIN_SHIFT, MEASURES
from promptlet.report.published.numbers import VIT_B16, Published, lines, published

COOP_4 = ("params_computed", "CoOp 4 ctx")
COCOOP_4 = ("params_computed", "CoCoOp 4 ctx")
PROGRAD_16 = ("params_computed", "CoOp / ProGrad 16 ctx")
COUNT_OF: Mapping[str, Mapping[str, tuple[str, str]]] = {
    BASE_TO_NEW: {
        "CoOp": COOP_4,  # vit_b16_ctxv1: "a photo of a"
        "CoOp (DePT re-run)": COOP_4,  # *_ep10_bs4_lr35: 4 context vectors
        "CoOp (KgCoOp paper's 4-token version)": COOP_4,
        "CoCoOp": COCOOP_4,  # vit_b16_c4_ep10_batch1_ctxv1
        "ProGrad (as quoted by QPrompt)": PROGRAD_16,  # stored in 16.4 KB of fp16 there
        "MaPLe": ("params_computed", "MaPLe 2 ctx depth 9"),  # vit_b16_c2_ep5_batch4_2ctx
        "PromptSRC": ("params_computed", "PromptSRC 4+4 ctx depth 9"),  # vit_b16_c2_ep20_batch4_4+4ctx
        "MMLoP": ("params", "MMLoP"),
    },
    CROSS_DATASET: {"CoOp": COOP_4, "CoOp (DePT re-run)": COOP_4, "CoCoOp": COCOOP_4},
    DOMAIN_SHIFT: {"CoOp": COOP_4, "CoCoOp": COCOOP_4},  # the trainings of cross-dataset: as good on ImageNet
}
"""By protocol and published name: protocol and method of the count's line in the file."""
COMPUTED: Mapping[str, Mapping[str, tuple[int, str]]] = {
    BASE_TO_NEW: {
        "CLIP-SVD": (
            12 * 6 * (768 + 512),  # configs/base2new: all layers, both towers, six matrices each
            "computed here from the official code's shapes; it prints them as 0.04 % of U, s and V",
        ),
    }
}
"""By protocol and published name: counts of which the file has no line."""
UNTRAINED = "zero_shot"
THOUSANDS = "trainable parameters (K)"
ONES = "trainable parameters"


@dataclass(frozen=True)
class Counted:
    """A published accuracy (H or top-1) and how many numbers were trained for it.

    is_quoted: the source prints the count; else it was computed from the shapes in the official code. Of a
    method that trains nothing the count is 0 by definition.
    """

    published: Published
    numbers: int
    is_quoted: bool
    count_source: str


def counted(protocol: str, dataset: str, shots: int = 16) -> list[Counted]:
    """Those on one data set, or on the field's average, of CLIP ViT-B/16; by count."""
    found = []
    for one in published(protocol, dataset=dataset, metric=MEASURES[protocol].headline):
        if one.backbone != VIT_B16:
            continue
        if one.method == UNTRAINED:
            found.append(Counted(one, 0, False, "nothing is trained"))
        elif one.name in COUNT_OF.get(protocol, {}) and one.shots == shots:
            found.append(_with_count(one, *COUNT_OF[protocol][one.name]))
        elif one.name in COMPUTED.get(protocol, {}) and one.shots == shots:
            count, source = COMPUTED[protocol][one.name]
            found.append(Counted(one, count, False, source))
    return sorted(found, key=lambda one: (one.numbers, one.published.name))


def _with_count(one: Published, protocol: str, name: str) -> Counted:
    [line] = [
        line
        for line in lines()
        if (line["protocol"], line["method"]) == (protocol, name) and line["metric"] in (ONES, THOUSANDS)
    ]
    scale = 1000 if line["metric"] == THOUSANDS else 1
    return Counted(one, round(float(line["value"]) * scale), protocol == "params", line["source"])
