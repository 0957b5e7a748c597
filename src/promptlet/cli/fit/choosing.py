"""`promptlet fit --method auto`: the method is found by comparison before anything is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlet.classifier import PromptLearner
    from promptlet.cli.shell import Bars
    from promptlet.own_images.data import OwnData


def choose(classifier: PromptLearner, data: OwnData, closed: bool, shown: Bars) -> dict[str, Any]:
    """Give the classifier the method that is recommended; what is to be told of the comparison."""
    from promptlet.own_images.comparing.choosing import chosen, compare_own
    from promptlet.own_images.comparing.run import USUAL

    found = compare_own(classifier, data, USUAL, on_progress=shown.show)
    method, options = chosen(found, closed)
    classifier.method, classifier.method_options = method, dict(options) or None
    others = ", ".join(f"{row.method} {row.accuracy:.1f} %" for row in found.rows)
    for name, reason in found.failed.items():
        shown.line(f"note: {name} was left out: {reason}")
    shown.line(f"compared on {found.images:,} images in {found.folds} folds: {others}; taken: {method}")
    return {"compare": found.facts()}
