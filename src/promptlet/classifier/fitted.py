"""Whether a classifier has learned anything."""

from __future__ import annotations

from typing import Any


def check_fitted(learner: Any) -> None:
    """Raise scikit-learn's NotFittedError, in its words, where nothing was learned yet."""
    if not hasattr(learner, "method_"):
        from sklearn.exceptions import NotFittedError

        raise NotFittedError(
            f"This {type(learner).__name__} instance is not fitted yet. Call 'fit' with appropriate "
            "arguments before using this estimator."
        )
