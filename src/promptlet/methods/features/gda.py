"""GDA (Wang et al., ICLR 2024, arXiv 2402.04087): Gaussian discriminant analysis, without training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import final

import numpy as np
import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.errors import OptionError, TrainingError
from promptlet.methods.features.by_class import BesideZeroShot, check_rows, images_a_class
from promptlet.methods.inputs import TrainingData, every_view
from promptlet.methods.method import AT_ONCE, MethodInfo
from promptlet.methods.sound import LARGEST
from promptlet.methods.templates import TEMPLATE, check_template
from promptlet.methods.text_prompt import check_weight
from promptlet.papers import bibtex

USUAL = 16
"""Images of a class with which both parts count as they are."""
EQUAL = 1e-9
"""The mean square of a spread that is no more than rounding."""


@final
class GaussianDiscriminant(BesideZeroShot):
    """Logits of an image x: zero-shot ones plus alpha * (x w_c + b_c).

    w_c = P m_c and b_c = -m_c P m_c / 2: what Bayes' rule makes of Gaussian classes with means m_c, one
    covariance whose inverse is P, and equal shares (equation 3); P as in `precision` (equation 4). ``weight``
    (C, D + 1) is alpha * w with alpha * b behind it, for ``fitted_names`` (C). A name that was not trained
    may look like any of these: it gets the mixture of them, log of the mean of exp.
    """

    info = MethodInfo(
        name="gda",
        title="GDA",
        summary="zero-shot logits plus Gaussian discriminant analysis of the images, without training",
        paper="arXiv 2402.04087, equations 3 and 4",
        trains="nothing; it stores C x (D + 1) numbers",
        unseen_classes=True,
        learns=AT_ONCE,
        by_class=True,
        bibtex=bibtex("gda"),
        notes="alpha not given: (K / 16)^2 of K images a class, K / 16 of more than 16, for all data sets "
        "(ours, from validation images of three); the paper chooses it on validation images of each. Every "
        "view is a training image of its own. A name that was not trained gets the mixture of the trained "
        "classes: new names alone are answered zero-shot; the paper makes means for them of near images. "
        "With one reading of one image a class there is no spread within classes, and the spread between "
        "them stands in, which is ours",
    )

    weight: Tensor

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        template: str = TEMPLATE,
        alpha: float | None = None,
    ) -> None:
        self.template, self.given = check_template(template), _check_alpha(alpha)
        self.alpha = self.given or 0.0
        self.fitted_names: tuple[str, ...] = ()
        super().__init__(backbone, class_names)
        empty = torch.zeros(0, backbone.feature_dim + 1, dtype=torch.float32, device=backbone.device)
        self.register_buffer("weight", empty)

    def extra_repr(self) -> str:
        return f"template={self.template!r}, alpha={self.alpha}"

    def _columns(self) -> list[int]:
        """Where the classes of now stand among the fitted ones; behind them those that were not trained."""
        row_of = {name: row for row, name in enumerate(self.fitted_names)}
        return [row_of.get(name, len(row_of)) for name in self.class_names]

    def logits(self, inputs: Tensor) -> Tensor:
        return self.scorer()(inputs)

    def scorer(self) -> Callable[[Tensor], Tensor]:
        return partial(self._logits, self.class_features(), self.weight.clone(), self._columns())

    @torch.no_grad()
    def _logits(self, classes: Tensor, weight: Tensor, columns: list[int], inputs: Tensor) -> Tensor:
        zero_shot = self.backbone.logits(inputs, classes)
        return zero_shot if not len(weight) else zero_shot + gaussians(weight, inputs)[:, columns]

    def begin_training(self, data: TrainingData) -> None:
        self.class_features()  # in full precision, not in that of the steps

    @torch.no_grad()
    def end_training(self, data: TrainingData) -> None:
        views = every_view(data.inputs)
        weight = discriminant(views.flatten(0, 1), data.labels.repeat(len(views)), len(self.class_names))
        self.alpha = usual_alpha(data.labels, len(self.class_names)) if self.given is None else self.given
        weight = (self.alpha * weight).to(self.weight.dtype)
        check_weight_of(views.flatten(0, 1), weight)
        self._take(weight)

    def _take(self, weight: Tensor) -> None:
        self.weight, self.fitted_names = weight.to(self.backbone.device), self.class_names

    def state(self) -> dict[str, np.ndarray]:
        return {"weight": self.weight.cpu().numpy().copy()} if self.fitted_names else {}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take the weights (C, D + 1) of the classes of now."""
        check_rows(
            tensors, {"weight": (len(self.class_names), self.backbone.feature_dim + 1)}, self.class_names
        )
        self._take(torch.from_numpy(np.array(tensors["weight"], dtype=np.float32)))

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"template": self.template, "alpha": self.alpha}


def gaussians(weight: Tensor, inputs: Tensor) -> Tensor:
    """x w_c + b_c (B, C + 1) of inputs (B, D); behind them the log of the mean of their exp."""
    own = inputs @ weight[:, :-1].T + weight[:, -1]
    return torch.cat([own, own.logsumexp(1, keepdim=True) - math.log(len(weight))], dim=1)


def check_weight_of(features: Tensor, weight: Tensor) -> None:
    """Raise TrainingError where images (N, D) differ so little that numbers made of it say nothing: the
    precision is one over it."""
    logits = (features.to(weight) @ weight[:, :-1].T).abs()
    if not bool((logits <= LARGEST).all()):
        raise TrainingError(
            f"the {len(features)} training images are so much alike that what tells classes apart is "
            f"rounding (a logit is {logits.max():.3g}); give images that differ, not copies of one, or take "
            "a method without covariance: zs_lp, or linear_probe"
        )


def usual_alpha(labels: Tensor, classes: int) -> float:
    """The blend where none is given, of the images a class (labels (N,))."""
    images = images_a_class(labels, classes)
    return float(min(1.0, images / USUAL) * images / USUAL)


def _check_alpha(alpha: float | None) -> float | None:
    if alpha is None or (isinstance(alpha, int | float) and not isinstance(alpha, bool)):
        return None if alpha is None else check_weight("alpha", alpha)
    raise OptionError(
        f"alpha={alpha!r} is no number, 0 or more; leave it out for (K / {USUAL})^2 of K images"
    )


def discriminant(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """w_c with b_c behind it (C, D + 1), float64, of features (N, D) and labels (N,). The mean of a class
    without images is that of all means."""
    x = features.double()
    counts = labels.bincount(minlength=classes)
    seen = counts > 0
    means = x.new_zeros(classes, x.shape[1]).index_add_(0, labels, x) / counts.clamp(min=1)[:, None]
    middle = means[seen].mean(0)
    means = torch.where(seen[:, None], means, middle)
    spreads = (x - means[labels], x - middle)
    inverse = precision(next((spread for spread in spreads if has_spread(spread)), spreads[0]))
    rows = means @ inverse
    return torch.cat([rows, -torch.linalg.vecdot(rows, means)[:, None] / 2], dim=1)


def has_spread(centred: Tensor) -> bool:
    """Whether centred features (N, D) are more than the rounding of equal ones of length 1."""
    return bool(centred.square().sum() > EQUAL * len(centred))


def precision(centred: Tensor) -> Tensor:
    """P (D, D) = D ((N - 1) S + tr(S) I)^-1 of the covariance S of centred features (N, D): the ridge-like
    estimate of Kubokawa and Srivastava, for fewer images than dimensions, too. Zeros where there is no
    spread."""
    count, dim = centred.shape
    scatter = centred.T @ centred
    if not has_spread(centred):
        return torch.zeros_like(scatter)
    ridge = scatter.trace() / max(1, count - 1)
    whole = scatter + ridge * torch.eye(dim, dtype=scatter.dtype, device=scatter.device)
    inverse: Tensor = torch.linalg.inv(whole)
    return dim * inverse
