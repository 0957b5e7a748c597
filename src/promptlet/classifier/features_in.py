"""How wide the features were that a classifier learned from, and what their columns were called."""

from __future__ import annotations

from typing import Any

import numpy as np

from promptlet.classifier.given.parts import Given
from promptlet.classifier.reading import are_vectors
from promptlet.errors import DataError

FEATURES_IN = ("n_features_in_", "feature_names_in_")


def features_in(given: Given) -> dict[str, Any]:
    """``n_features_in_`` and ``feature_names_in_``, as scikit-learn has them; nothing for images."""
    if not are_vectors(given.images):
        return {}
    facts: dict[str, Any] = {"n_features_in_": len(given.images[0])}
    if given.columns is not None:
        facts["feature_names_in_"] = np.array(given.columns, dtype=object)
    return facts


def check_columns(given: Given, fitted: Any) -> None:
    """Raise DataError, in scikit-learn's words, where features are not as wide as those of fit, or a data
    frame's are called or ordered otherwise."""
    width, known = getattr(fitted, "n_features_in_", None), getattr(fitted, "feature_names_in_", None)
    own = np.size(given.images[0]) if are_vectors(given.images) else width
    if width is not None and own != width:
        raise DataError(
            f"X has {own} features, but {type(fitted).__name__} is expecting {width} features as input: "
            f"features of {own} numbers do not fit this backbone, which has {width}"
        )
    if known is None or given.columns is None or list(known) == list(given.columns):
        return
    lists = {
        "Feature names unseen at fit time:": [name for name in given.columns if name not in known],
        "Feature names seen at fit time, yet now missing:": [n for n in known if n not in given.columns],
    }
    told = [line for head, names in lists.items() if names for line in (head, *(f"- {n}" for n in names[:5]))]
    told = told or ["Feature names must be in the same order as they were in fit."]
    raise DataError(
        "\n".join(["The feature names should match those that were passed during fit.", *told, ""])
    )
