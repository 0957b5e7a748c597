"""How a method answers on test images: accuracy, macro-F1, calibration error."""

from __future__ import annotations

from typing import Any

import numpy as np

from promptlet.data import Split
from promptlet.errors import DataError
from promptlet.evaluation import accuracy, calibration_error, macro_f1
from promptlet.methods import Method
from promptlet.methods.inputs import all_logits
from promptlet.protocols.datasets import BenchDataset, FeatureSource


def check_test(dataset: BenchDataset, split: Split, protocol: str, whose: str = "") -> None:
    """Raise DataError where ``split`` has no test images; ``whose`` says of which classes they would be."""
    if not split.test:
        raise DataError(
            f"{dataset.name}: no test images{whose}; {protocol} needs train and test parts: a folder with "
            "train/ and test/, or a split file"
        )


def scores(method: Method, dataset: BenchDataset, split: Split, features: FeatureSource) -> dict[str, Any]:
    """Accuracy, macro-F1, calibration error (percent) on the test images of ``split`` among its classes."""
    labels = np.array([item.label for item in split.test])
    method.set_classes(split.class_names)
    inputs = features.inputs(method.info.reads, dataset, split.test)
    logits = all_logits(method.scorer(), inputs, features.backbone.device)
    probabilities = logits.softmax(-1).cpu().numpy()
    predicted = probabilities.argmax(axis=1)
    return {
        "accuracy": accuracy(predicted, labels),
        "macro_f1": macro_f1(predicted, labels, len(split.class_names)),
        "ece": calibration_error(probabilities, labels),
        "images": len(labels),
        "classes": len(split.class_names),
    }
