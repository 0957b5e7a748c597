"""Accuracy, macro-F1, calibration error, areas, harmonic mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptlet.evaluation.confidence import bin_of


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 accuracy over all images, in percent; predicted and labels (N,) int."""
    hits = np.asarray(predicted) == np.asarray(labels)
    return float(100.0 * np.mean(hits)) if len(labels) else float("nan")


def macro_f1(predicted: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """Mean F1 of the classes that occur in ``labels``, in percent (as CoOp's evaluator prints it)."""
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    scores = []
    for label in range(classes):
        true = labels == label
        if not true.any():
            continue
        hits = float(np.sum(true & (predicted == label)))
        scores.append(2 * hits / (float(true.sum()) + float(np.sum(predicted == label))))
    return 100.0 * float(np.mean(scores)) if scores else float("nan")


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error in percent: |confidence - accuracy| over equal-width bins of confidence,
    weighted by their share (Guo et al., arXiv 1706.04599, equation 3). probabilities (N, C), labels (N,)."""
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if not len(labels):
        return float("nan")
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    where = bin_of(confidence, bins)
    total = 0.0
    for i in range(bins):
        inside = where == i
        if inside.any():
            gap = abs(float(confidence[inside].mean()) - float(correct[inside].mean()))
            total += gap * float(inside.mean())
    return 100.0 * total


def detection_auc(base: np.ndarray, new: np.ndarray) -> float:
    """How often the score of a base image is above that of a new one, in percent, ties half: the area under
    the ROC curve of telling base from new. base (N,), new (M,); NaN where one of them is empty."""
    return openworld_auc(base, new, np.ones(len(base), bool), np.ones(len(new), bool))


def openworld_auc(base: np.ndarray, new: np.ndarray, base_hits: np.ndarray, new_hits: np.ndarray) -> float:
    """OpenworldAUC in percent (Hua et al., ICML 2025, arXiv 2505.05180): of a base and a new image, how often
    both are classified rightly, each among the names of its half, and the base image has the higher score.

    base (N,), new (M,): detection scores, higher for what looks like base; ties count half. base_hits (N,),
    new_hits (M,) bool. NaN without a pair. By ranks, in O((N + M) log M).
    """
    base, new = np.asarray(base), np.asarray(new)
    if not (len(base) and len(new)):
        return float("nan")
    right = base[np.asarray(base_hits, bool)]
    ranked = np.sort(new[np.asarray(new_hits, bool)])
    below, up_to = (np.searchsorted(ranked, right, side).sum() for side in ("left", "right"))
    return 100.0 * float(below + up_to) / (2.0 * len(base) * len(new))


def harmonic_mean(a: float, b: float) -> float:
    """2ab / (a + b); 0 when both are 0. "Average H" is taken of averages, never an average of H."""
    return 2 * a * b / (a + b) if a + b else 0.0


def mean(values: Sequence[float]) -> float:
    """The mean, NaN for none."""
    return float(np.mean(values)) if len(values) else float("nan")


def deviation(values: Sequence[float]) -> float:
    """Population standard deviation, as CoOp's script reports it over seeds."""
    if len(values) and min(values) == max(values):  # without what rounding would leave
        return 0.0
    return float(np.std(values)) if len(values) else float("nan")
