"""Numbers about predictions: scores, intervals, what is taken for what. NumPy alone."""

from promptlet.evaluation.classes import ClassScores, class_scores
from promptlet.evaluation.confidence import Answered, Bin, at_thresholds, reliability, risk_coverage
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
    "Answered",
    "Bin",
    "ClassScores",
    "Confused",
    "accuracy",
    "at_thresholds",
    "calibration_error",
    "class_scores",
    "confused_pairs",
    "confusion_matrix",
    "detection_auc",
    "deviation",
    "harmonic_mean",
    "macro_f1",
    "mean",
    "openworld_auc",
    "paired_difference",
    "reliability",
    "risk_coverage",
    "wilson",
]
