"""Numbers about predictions: scores, intervals, what is taken for what. NumPy alone."""

from promptlet.evaluation.confusion import Confused, confused_pairs, confusion_matrix
from promptlet.evaluation.intervals import paired_difference, wilson
from promptlet.evaluation.scores import (
    accuracy,
    calibration_error,
    detection_auc,
    deviation,
    harmonic_mean,
    macro_f1,
    mean,
    openworld_auc,
)

__all__ = [
    "Confused",
    "accuracy",
    "calibration_error",
    "confused_pairs",
    "confusion_matrix",
    "detection_auc",
    "deviation",
    "harmonic_mean",
    "macro_f1",
    "mean",
    "openworld_auc",
    "paired_difference",
    "wilson",
]
