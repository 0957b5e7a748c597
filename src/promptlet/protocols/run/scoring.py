"""How a method answers on test images: accuracy, macro-F1, calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from promptlet.data import Split
from promptlet.evaluation import accuracy, calibration_error, macro_f1
from promptlet.methods import Method
from promptlet.methods.inputs import all_logits
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource
from promptlet.session import own_arithmetic


@dataclass(frozen=True)
class Answers:
    """What a method says of N images among C names: logits (N, C), float32; labels (N,) are their columns."""

    logits: Tensor
    labels: np.ndarray

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(N, C)."""
        found: np.ndarray = self.logits.softmax(-1).cpu().numpy()
        return found

    @cached_property
    def predicted(self) -> np.ndarray:
        """The likeliest column of each image (N,)."""
        found: np.ndarray = self.probabilities.argmax(axis=1)
        return found

    @property
    def hits(self) -> np.ndarray:
        """Whether each image is answered rightly (N,) bool."""
        found: np.ndarray = self.predicted == self.labels
        return found

    def scores(self) -> dict[str, Any]:
        """Accuracy, macro-F1, calibration error (percent), and of how many images and classes."""
        images, classes = self.logits.shape
        return {
            "accuracy": accuracy(self.predicted, self.labels),
            "macro_f1": macro_f1(self.predicted, self.labels, classes),
            "ece": calibration_error(self.probabilities, self.labels),
            "images": images,
            "classes": classes,
        }


@own_arithmetic()
def answers(method: Method, dataset: BenchDataset, features: FeatureSource, split: Split) -> Answers:
    """Of the method on the test images of ``split``, which is cut from ``dataset``, among its classes."""
    method.set_classes(split.class_names)
    with features.all_named(dataset):
        inputs = features.inputs(method.info.reads, dataset, split.test)
        logits = all_logits(method.scorer(), inputs, features.backbone.device)
    return Answers(logits, np.array([item.label for item in split.test]))


def scores(method: Method, dataset: BenchDataset, split: Split, features: FeatureSource) -> dict[str, Any]:
    """Accuracy, macro-F1, calibration error (percent) on the test images of ``split`` among its classes."""
    return answers(method, dataset, features, split).scores()
