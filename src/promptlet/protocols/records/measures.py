"""What each protocol measures, by the names that records and tables use. Loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BASE_TO_NEW, ALL_NAMES, FEW_SHOT = "base-to-new", "all-names", "few-shot"
CROSS_DATASET, DOMAIN_SHIFT = "cross-dataset", "domain-shift"
HALVES = (BASE_TO_NEW, ALL_NAMES)
"""Protocols that train on half of the classes, base, and test on that half and the other one, new."""
TRANSFERS = (CROSS_DATASET, DOMAIN_SHIFT)
"""Protocols that train on one data set, the source, and test on others."""
ON_SOURCE = "source_accuracy"


@dataclass(frozen=True)
class Measures:
    """scores: accuracies and areas (percent), of which rows have a deviation; extras: other numbers of each
    record.

    shown: what a line about one run says, in words, by name. headline: what methods are ranked by; spoken:
    the same within a sentence. has_h: whether rows have H, the harmonic mean of mean ``base`` and mean
    ``new``. told: what a reader of its tables has to know.
    """

    scores: tuple[str, ...]
    extras: tuple[str, ...]
    shown: Mapping[str, str]
    headline: str = "accuracy"
    spoken: str = "accuracy"
    has_h: bool = False
    told: str = ""

    @property
    def of_rows(self) -> tuple[str, ...]:
        """The names of what rows give with a deviation."""
        return (*self.scores, "H") if self.has_h else self.scores

    @property
    def compared(self) -> tuple[str, ...]:
        """The names of what methods are compared in: what is shown, but that on the source."""
        return tuple(name for name in self.shown if name != ON_SOURCE)

    def words(self, record: Mapping[str, Any]) -> str:
        """``base 71.20 new 60.00 H 65.12``."""
        return " ".join(f"{word} {record[name]:.2f}" for name, word in self.shown.items())


_BASE_AND_NEW = {"base": "base", "new": "new", "H": "H"}
_OF_HALVES = ("base_ece", "new_ece", "base_macro_f1", "new_macro_f1")
_TRANSFER = Measures(
    scores=("accuracy", ON_SOURCE),
    extras=("ece", "macro_f1"),
    shown={"accuracy": "accuracy", ON_SOURCE: "on source"},
)
MEASURES: dict[str, Measures] = {
    BASE_TO_NEW: Measures(
        scores=("base", "new"),
        extras=_OF_HALVES,
        shown=_BASE_AND_NEW,
        headline="H",
        spoken="H",
        has_h=True,
    ),
    ALL_NAMES: Measures(
        scores=("all", "all_base", "all_new", "openworld_auc", "detection_auc", "base", "new"),
        extras=("all_ece", "all_macro_f1", *_OF_HALVES),
        shown={"all": "all", "openworld_auc": "OpenworldAUC", **_BASE_AND_NEW},
        headline="all",
        spoken="accuracy among all names",
        has_h=True,
        told="all: base and new test images among base and new names at once; on base/new: the base and the "
        "new ones of them. base, new: each half among its own names, as in base-to-new, and H. OpenworldAUC "
        "(Hua et al., ICML 2025): of a base and a new image, how often each is answered rightly among the "
        "names of its half and the base one looks more like base. How much it does is the log-odds of the "
        "base names among all; that score is ours, the area theirs.",
    ),
    FEW_SHOT: Measures(("accuracy",), ("ece", "macro_f1"), {"accuracy": "accuracy"}),
    CROSS_DATASET: _TRANSFER,
    DOMAIN_SHIFT: _TRANSFER,
}
"""By protocol."""
