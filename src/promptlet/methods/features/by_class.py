"""What methods on features share: zero-shot's features of classes, a state with a row for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from promptlet.errors import OptionError
from promptlet.methods.method import Method
from promptlet.methods.templates import hand_written


class BesideZeroShot(Method):
    """A method whose class features are zero-shot's. ``template`` is there before classes are set."""

    template: str

    def set_classes(self, class_names: Sequence[str]) -> None:
        super().set_classes(class_names)
        self._classes: Tensor | None = None

    def class_features(self) -> Tensor:
        """Those of zero-shot, normalised (C, D), encoded when they are first asked for."""
        if self._classes is None:
            self._classes = hand_written(self.backbone, self.template, self.class_names)
        return self._classes


def images_a_class(labels: Tensor, classes: int) -> float:
    """The images of a class, of labels (N,): the mean over those of the classes that have some."""
    return len(labels) / max(1, int((labels.bincount(minlength=classes) > 0).sum()))


def check_rows(
    tensors: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[int, ...]], class_names: Sequence[str]
) -> None:
    """Raise OptionError for learned tensors of other shapes than the classes of now need, or without any."""
    given = {name: tuple(np.shape(array)) for name, array in tensors.items()}
    if given != wanted or not class_names:
        raise OptionError(
            f"the learned tensors have shapes {given}, but {len(class_names)} class names need "
            f"{dict(wanted)}; give the class names of the training, in its order"
        )
