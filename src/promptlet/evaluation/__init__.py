"""Numbers about predictions: scores, intervals, what is taken for what. NumPy alone."""

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
    "accuracy",
    "calibration_error",
    "detection_auc",
    "deviation",
    "harmonic_mean",
    "macro_f1",
    "mean",
    "openworld_auc",
]
