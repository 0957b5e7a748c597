"""LP++ (Huang et al., CVPR 2024, arXiv 2404.02285): a linear probe whose weights are blended with text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import final

import numpy as np
import torch
from torch import Tensor

from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.features.by_class import BesideZeroShot, check_rows
from promptlet.methods.inputs import TrainingData, every_view
from promptlet.methods.method import AT_ONCE, MethodInfo
from promptlet.methods.templates import TEMPLATE, check_template
from promptlet.methods.text_prompt import check_weight
from promptlet.numbers import LARGEST
from promptlet.papers import bibtex

ITERATIONS = 300
START = 25.0


@final
class BlendedProbe(BesideZeroShot):
    """Logits x (w_c + a_c t_c) of an image x, with t_c the hand-written prompt's feature.

    Both blocks, w (C, D) and a (C), learn from all images at once by majorise-minimise: in turn each goes
    down the gradient of the cross-entropy by the step that the curvature allows, 1 / `curvatures`, so that
    the loss never rises. ``weight`` (C + 1, D + 1) is w with a behind it, for ``fitted_names`` (C) and, in
    the last row, their mean, which stands for names that were not trained.
    """

    info = MethodInfo(
        name="lp_pp",
        title="LP++",
        summary="a linear probe with a learned share of the hand-written prompt in each class's weights",
        paper="arXiv 2404.02285",
        trains="C x (D + 1) numbers",
        unseen_classes=True,
        learns=AT_ONCE,
        by_class=True,
        bibtex=bibtex("lp_pp"),
        notes="the official code has no licence and was not read. Its objective, its two blocks and steps "
        "from the curvature are the paper's; the bounds of the curvature here are our own proof (the paper's "
        "are approximations, and may be longer steps), and so is the start: w the class's mean feature, a "
        "one `start` for all, 25 from validation images. There is no temperature beside a. New names "
        "get the mean w and a of the trained ones: among themselves they are answered zero-shot",
    )

    weight: Tensor

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        template: str = TEMPLATE,
        iterations: int = ITERATIONS,
        start: float = START,
    ) -> None:
        self.template, self.start = check_template(template), check_weight("start", start)
        self.iterations = _check_iterations(iterations)
        self.fitted_names: tuple[str, ...] = ()
        super().__init__(backbone, class_names)
        self._take(self._untrained(), ())

    def _untrained(self) -> Tensor:
        """Of no class but the one that stands for new names: zero-shot."""
        row = torch.zeros(1, self.backbone.feature_dim + 1, dtype=torch.float32, device=self.backbone.device)
        row[0, -1] = self.backbone.logit_scale
        return row

    def extra_repr(self) -> str:
        return f"template={self.template!r}, iterations={self.iterations}, start={self.start}"

    def _blended(self) -> Tensor:
        """w_c + a_c t_c (C, D) of the classes of now."""
        row_of = {name: row for row, name in enumerate(self.fitted_names)}
        rows = self.weight[[row_of.get(name, len(row_of)) for name in self.class_names]]
        return rows[:, :-1] + rows[:, -1:] * self.class_features()

    def logits(self, inputs: Tensor) -> Tensor:
        return linear(self._blended(), inputs)

    def scorer(self) -> Callable[[Tensor], Tensor]:
        return partial(linear, self._blended())

    def begin_training(self, data: TrainingData) -> None:
        self.class_features()  # in full precision, not in that of the steps

    @torch.no_grad()
    def end_training(self, data: TrainingData) -> None:
        views = every_view(data.inputs)
        fit = Blocks(views.flatten(0, 1), data.labels.repeat(len(views)), self.class_features(), self.start)
        for _ in range(self.iterations):
            fit.step()
        rows = torch.cat([fit.weight, fit.shares[:, None]], dim=1)
        self._take(torch.cat([rows, rows.mean(0, keepdim=True)]), self.class_names)

    def _take(self, weight: Tensor, names: tuple[str, ...]) -> None:
        self.register_buffer("weight", weight.to(self.backbone.device))
        self.fitted_names = names

    def trainable_count(self) -> int:
        """How many numbers were fitted; 0 before."""
        return self.weight[:-1].numel()

    def state(self) -> dict[str, np.ndarray]:
        return {"weight": self.weight.cpu().numpy().copy()} if self.fitted_names else {}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take the weights (C + 1, D + 1) of the C classes of now and of new names."""
        check_rows(
            tensors, {"weight": (len(self.class_names) + 1, self.backbone.feature_dim + 1)}, self.class_names
        )
        self._take(torch.from_numpy(np.array(tensors["weight"], dtype=np.float32)), self.class_names)

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"template": self.template}


def linear(weight: Tensor, inputs: Tensor) -> Tensor:
    """Logits (B, C) of inputs (B, D)."""
    return inputs @ weight.T


class Blocks:
    """w (C, D) as ``weight`` and a (C,) as ``shares``, for images (N, D), labels (N,) and texts t (C, D)."""

    def __init__(self, images: Tensor, labels: Tensor, texts: Tensor, start: float) -> None:
        self.images, self.labels = images, labels
        self.cosines = images @ texts.T
        counts = labels.bincount(minlength=len(texts))
        sums = torch.zeros_like(texts).index_add_(0, labels, images)
        self.weight = sums / counts.clamp(min=1)[:, None]
        self.shares = torch.full_like(self.weight[:, 0], start)
        self.of_weight, self.of_shares = curvatures(images, self.cosines)
        self.by_weight = images @ self.weight.T

    def step(self) -> None:
        """One turn: w and then a."""
        self.weight = self.weight - self._wrong().T @ self.images / self.of_weight
        self.by_weight = self.images @ self.weight.T
        slope = (self._wrong() * self.cosines).sum(0)
        self.shares = self.shares - torch.where(self.of_shares > 0, slope / self.of_shares, 0.0)

    def _wrong(self) -> Tensor:
        """Probabilities less what they should be (N, C), over N: the gradient in the logits."""
        wrong = (self.by_weight + self.shares * self.cosines).softmax(-1)
        own = self.labels[:, None]
        return wrong.scatter_add(1, own, -torch.ones_like(own, dtype=wrong.dtype)) / len(wrong)


def curvatures(images: Tensor, cosines: Tensor) -> tuple[float, Tensor]:
    """No second derivative of the mean cross-entropy is above these, in w and in each a_c (C,).

    That in the logits of an image is diag(p) - p p', whose eigenvalues are 1/2 at most. So the one in w is
    half the largest eigenvalue of the mean of x x', and the one in a half the mean square of x t_c.
    """
    gram = images.double().T @ images.double() / len(images)
    largest = float(torch.linalg.eigvalsh(gram)[-1])
    return max(largest, torch.finfo(torch.float32).tiny) / 2, cosines.square().mean(0) / 2


def _check_iterations(iterations: int) -> int:
    is_whole = isinstance(iterations, int) and not isinstance(iterations, bool)
    if not (is_whole and 0 <= iterations <= LARGEST):
        raise OptionError(f"iterations={iterations!r} is not allowed; give a whole number, 0 or more")
    return iterations
