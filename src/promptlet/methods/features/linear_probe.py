"""Linear probe: logistic regression on image features (CLIP, arXiv 2103.00020, section 3.3)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.errors import OptionError, TrainingError, did_you_mean
from promptlet.methods.features.by_class import check_rows
from promptlet.methods.inputs import TrainingData, every_view
from promptlet.methods.method import AT_ONCE, Method, MethodInfo
from promptlet.papers import bibtex
from promptlet.session import generators_kept

Array = npt.NDArray[np.float64]

POWERS = (6.0, 4.0, 2.0, 0.0, -2.0, -4.0, -6.0)
"""log10 of the values of C that are tried first, in CoOp's order."""
HALVINGS = 8
MAX_ITER = 1000


@final
class LinearProbe(Method):
    """Logits x W^T + b: multinomial logistic regression with an L2 penalty on W, by scikit-learn's lbfgs.

    It minimises C * sum of the cross-entropies + |W|^2 / 2. ``weight`` (C, D + 1) is W with b behind it.
    """

    info = MethodInfo(
        name="linear_probe",
        title="Linear probe",
        summary="logistic regression on the image features; the text tower is not used",
        paper="arXiv 2103.00020, section 3.3; the search for C as in arXiv 2109.01134",
        trains="C x (D + 1) numbers",
        unseen_classes=False,
        learns=AT_ONCE,
        uses_val=True,
        by_class=True,
        bibtex=bibtex("linear_probe"),
        notes="it knows only the classes it was trained on; C is searched as in CoOp's lpclip where there "
        "are validation images, else it stays as given (10 is our choice); features are normalised here, not "
        "in lpclip, where the same C therefore penalises less; every view is a training image of its own",
    )

    weight: Tensor

    reads_names = False

    def __init__(self, backbone: Backbone, class_names: Sequence[str], C: float = 10.0) -> None:  # noqa: N803
        self.given = self.C = _check_strength(C)
        self.known: tuple[str, ...] = ()
        super().__init__(backbone, class_names)
        empty = torch.zeros(0, backbone.feature_dim + 1, dtype=torch.float32, device=backbone.device)
        self.register_buffer("weight", empty)

    def extra_repr(self) -> str:
        return f"C={self.C}"

    def set_classes(self, class_names: Sequence[str]) -> None:
        """Classes it was trained on: all or some of them, in any order."""
        for name in class_names if self.known else ():
            if name not in self.known:
                raise OptionError(
                    f"the class {name!r} was not trained: a linear probe knows only its {len(self.known)} "
                    "classes, all or some of them, in any order; for others use a method with a text side, "
                    f"such as tip_adapter or coop.{did_you_mean(name, self.known)}"
                )
        super().set_classes(class_names)

    def class_features(self) -> NoReturn:
        raise OptionError(
            "a linear probe has no class features: its weights are not normalised and have a bias; "
            "state()['weight'] holds them"
        )

    def logits(self, inputs: Tensor) -> Tensor:
        return linear(self._rows(), inputs)

    def _rows(self) -> Tensor:
        """Weights of the classes of now (a copy)."""
        if not self.known:
            raise OptionError("this linear probe is not trained yet; train it, or load a state")
        return self.weight[[self.known.index(name) for name in self.class_names]]

    def scorer(self) -> Callable[[Tensor], Tensor]:
        return partial(linear, self._rows())

    def notes(self) -> tuple[str, ...]:
        """None: its numbers hang on no text."""
        return ()

    def begin_training(self, data: TrainingData) -> None:
        _check_labels(data.labels, self.class_names)
        self.known, self.C = (), self.given

    def end_training(self, data: TrainingData) -> None:
        views = every_view(data.inputs)
        x, y = _array(views.flatten(0, 1)), data.labels.repeat(len(views)).cpu().numpy()
        fits = _Fits(x, y)
        if data.val is not None and data.val_labels is not None:
            self.C = search(_array(every_view(data.val)[0]), data.val_labels.cpu().numpy(), fits)
        weight = torch.from_numpy(as_rows(fits.at(self.C)).astype(np.float32))
        self._take(weight)

    def _take(self, weight: Tensor) -> None:
        self.weight = weight.to(self.backbone.device)
        self.known = self.class_names

    def trainable_count(self) -> int:
        """How many numbers were fitted; 0 before."""
        return self.weight.numel()

    def state(self) -> dict[str, np.ndarray]:
        return {"weight": self.weight.cpu().numpy().copy()} if self.known else {}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take the weights (C, D + 1) of the classes of now."""
        check_rows(
            tensors, {"weight": (len(self.class_names), self.backbone.feature_dim + 1)}, self.class_names
        )
        self._take(torch.from_numpy(np.array(tensors["weight"], dtype=np.float32)))


def linear(weight: Tensor, inputs: Tensor) -> Tensor:
    """Logits (B, C) of inputs (B, D) for weights with the bias behind them (C, D + 1)."""
    return inputs @ weight[:, :-1].T + weight[:, -1]


class _Fits:
    """Fitted models for training images x (N, D), y (N,), each made once."""

    def __init__(self, x: Array, y: npt.NDArray[np.int64]) -> None:
        self.x, self.y = x, y
        self.made: dict[float, Any] = {}

    def at(self, strength: float) -> Any:
        """The scikit-learn model at C = ``strength``."""
        key = round(math.log10(strength), 9)
        if key not in self.made:
            self.made[key] = _fit(self.x, self.y, strength)
        return self.made[key]


def _fit(x: Array, y: npt.NDArray[np.int64], strength: float) -> Any:
    with generators_kept():
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of a large C; lpclip stops there, too
        warnings.filterwarnings("ignore", "The number of unique classes")  # one or two images a class
        return LogisticRegression(C=strength, max_iter=MAX_ITER).fit(x, y)


def search(x: Array, y: npt.NDArray[np.int64], fits: _Fits) -> float:
    """C as CoOp's lpclip finds it on validation images x (M, D), y (M,).

    The best of seven powers of ten, the first of equals; then eight times the better end of an interval of
    two powers around it, which is halved towards that end. An end counts as better only when it is the left
    one or strictly better.
    """

    def right(power: float) -> int:
        return int((fits.at(10.0**power).predict(x) == y).sum())

    peak = max(POWERS, key=right)
    low, high = peak - 1, peak + 1
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if right(low) < right(high):
            best, low = high, middle
        else:
            best, high = low, middle
    return float(10.0**best)


def as_rows(model: Any) -> Array:
    """Weights and bias (C, D + 1) of a scikit-learn model; its single row for two classes becomes two."""
    rows: Array = np.column_stack([model.coef_, model.intercept_])
    return np.concatenate([np.zeros_like(rows), rows]) if len(rows) == 1 else rows


def _array(features: Tensor) -> Array:
    return features.cpu().numpy().astype(np.float64)


def _check_labels(labels: Tensor, class_names: Sequence[str]) -> None:
    if len(class_names) < 2:
        raise TrainingError(
            f"a linear probe needs two classes or more, not {len(class_names)} ({', '.join(class_names)}); "
            "give images of another class"
        )
    counts = labels.bincount(minlength=len(class_names)).tolist()
    missing = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if missing:
        raise TrainingError(
            f"there is no training image of {len(missing)} classes: {', '.join(map(repr, missing[:5]))}; "
            "a linear probe needs one or more of each: add some, or leave out the class"
        )


def _check_strength(strength: float) -> float:
    if not 0.0 < strength < math.inf:
        raise OptionError(
            f"C={strength!r} must be a number above 0 and finite; larger fits the images closer"
        )
    return float(strength)
