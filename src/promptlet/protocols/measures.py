"""What each protocol measures, by the names that records and tables use. Loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BASE_TO_NEW, FEW_SHOT = "base-to-new", "few-shot"
CROSS_DATASET, DOMAIN_SHIFT = "cross-dataset", "domain-shift"
TRANSFERS = (CROSS_DATASET, DOMAIN_SHIFT)
"""Protocols that train on one data set, the source, and test on others."""


@dataclass(frozen=True)
class Measures:
    """scores: accuracies (percent), of which rows have a deviation; extras: other numbers of each record.

    shown: what a line about one run says, in words, by name.
    """

    scores: tuple[str, ...]
    extras: tuple[str, ...]
    shown: Mapping[str, str]

    def words(self, record: Mapping[str, Any]) -> str:
        """``base 71.20 new 60.00 H 65.12``."""
        return " ".join(f"{word} {record[name]:.2f}" for name, word in self.shown.items())


_TRANSFER = Measures(
    scores=("accuracy", "source_accuracy"),
    extras=("ece", "macro_f1"),
    shown={"accuracy": "accuracy", "source_accuracy": "on source"},
)
MEASURES: dict[str, Measures] = {
    BASE_TO_NEW: Measures(
        scores=("base", "new"),
        extras=("base_ece", "new_ece", "base_macro_f1", "new_macro_f1"),
        shown={"base": "base", "new": "new", "H": "H"},
    ),
    FEW_SHOT: Measures(("accuracy",), ("ece", "macro_f1"), {"accuracy": "accuracy"}),
    CROSS_DATASET: _TRANSFER,
    DOMAIN_SHIFT: _TRANSFER,
}
"""By protocol."""
