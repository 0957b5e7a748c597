"""Tip-Adapter and Tip-Adapter-F (Zhang et al., ECCV 2022, arXiv 2111.03930): a cache of training images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.errors import OptionError
from promptlet.methods.features.by_class import BesideZeroShot
from promptlet.methods.inputs import FeatureInputs, Inputs, TrainingData, every_view
from promptlet.methods.many import HELD, in_parts, over_images
from promptlet.methods.method import AT_ONCE, MethodInfo, frozen
from promptlet.methods.official import FEW_SHOT, Case, Official
from promptlet.methods.templates import TEMPLATE, check_templates
from promptlet.methods.text_prompt import check_weight
from promptlet.papers import bibtex

GRID = (200, 20)
"""Values of beta and of alpha that the official search tries."""
SEARCHED_AT_ONCE = 512  # validation images
SOURCE = "Tip-Adapter's repository, configs/"
BY_DATASET = (
    "alpha, beta, their range and perhaps further epochs differ by data set there, here they are SUN397's"
)
IMAGENET = Case(options=frozen(template="select"), datasets=("imagenet",))
CROPS = "large-crops:10"
OFFICIAL = Official(SOURCE, cases=(IMAGENET,), views=CROPS, told=BY_DATASET)
OFFICIAL_F = Official(
    SOURCE,
    schedule=frozen(
        optimizer="adamw",
        lr=0.001,
        epochs=20,
        batch_size=256,
        weight_decay=0.01,
        drop_last=False,
        warmup_lr=None,
    ),
    cases=(Case(schedule=frozen(epochs=100), datasets=("eurosat",)), IMAGENET),
    views=CROPS,
    told="the epoch that is best on test images is kept there, here it is the last; keys are trained there "
    f"on a new crop of each image in every epoch, here on the ten of the cache in turn; {BY_DATASET}",
)

NOTES = (
    "names that were not trained get zero-shot logits alone, a disadvantage beside trained ones. alpha and "
    "beta are searched on the official grid, 20 x 200 values from 0.1 to alpha_max and beta_max, where there "
    "are validation images; else they stay as given. Official values differ by data set: alpha 1.17 "
    "(ImageNet) to 10, alpha_max 3 to 50, beta_max 7 to 50; ours are those of SUN397. The mean "
    "of crops alone (--views large-crops:10) is taken before they are normalised, as there; with the plain "
    "reading among them, as --views 10, behind it"
)


class _Cache(BesideZeroShot):
    """Logits of an image x: zero-shot ones plus alpha * sum over a class's keys k of exp(-beta (1 - x k)).

    keys (C, K, D): K training images of each class, as unit vectors; where a class has fewer, zeros follow,
    which do not count. They belong to ``cached_names`` (C), whatever the classes of now are.
    """

    keys: Tensor

    def __init__(
        self,
        backbone: Backbone,
        class_names: Sequence[str],
        template: str = TEMPLATE,
        alpha: float = 1.17,
        beta: float = 1.0,
        search: bool = True,
        alpha_max: float = 10.0,
        beta_max: float = 12.0,
    ) -> None:
        self.template = check_templates(template)
        self.given = self.alpha, self.beta = check_weight("alpha", alpha), check_weight("beta", beta)
        self.search = _check_search(search)
        self.largest = check_weight("alpha_max", alpha_max), check_weight("beta_max", beta_max)
        self.cached_names: tuple[str, ...] = ()
        super().__init__(backbone, class_names)
        self._put(torch.zeros(0, 0, backbone.feature_dim, dtype=torch.float32, device=backbone.device))

    def extra_repr(self) -> str:
        return (
            f"template={self.template!r}, alpha={self.alpha}, beta={self.beta}, search={self.search}, "
            f"alpha_max={self.largest[0]}, beta_max={self.largest[1]}"
        )

    @abstractmethod
    def _put(self, keys: Tensor) -> None:
        """Make ``keys`` the cache."""

    def class_keys(self) -> Tensor:
        """Keys (C, K, D) of the classes of now; those of a name that was not trained do not count."""
        if self.class_names == self.cached_names:
            return self.keys
        row_of = {name: row for row, name in enumerate(self.cached_names)}
        rows = [row_of.get(name, len(row_of)) for name in self.class_names]
        return torch.cat([self.keys, self.keys.new_zeros(1, *self.keys.shape[1:])])[rows]

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        keys = self.class_keys()
        return over_images(self._cross_entropy, inputs, labels, _width(keys), self.class_features(), keys)

    def _cross_entropy(
        self, inputs: Tensor, labels: Tensor, classes: Tensor, keys: Tensor
    ) -> tuple[Tensor, Tensor]:
        logits = self._logits(classes, keys, self.alpha, self.beta, inputs)
        return F.cross_entropy(logits, labels), logits

    def logits(self, inputs: Tensor) -> Tensor:
        return self._logits(self.class_features(), self.class_keys(), self.alpha, self.beta, inputs)

    def scorer(self) -> Callable[[Tensor], Tensor]:
        keys = self.class_keys().detach().clone()
        return partial(self._scores, self.class_features(), keys, self.alpha, self.beta)

    @torch.no_grad()
    def _scores(self, classes: Tensor, keys: Tensor, alpha: float, beta: float, inputs: Tensor) -> Tensor:
        return in_parts(partial(self._logits, classes, keys, alpha, beta), inputs, _width(keys))

    def _logits(self, classes: Tensor, keys: Tensor, alpha: float, beta: float, inputs: Tensor) -> Tensor:
        cached = cache_logits(affinities(inputs, keys), counting(keys), beta)
        return self.backbone.logits(inputs, classes) + alpha * cached

    def begin_training(self, data: TrainingData) -> None:
        self.class_features()  # in full precision, not in that of the steps
        self.alpha, self.beta = self.given
        self._put(by_class(mean_reading(data.inputs), data.labels, len(self.class_names)))
        self.cached_names = self.class_names

    @torch.no_grad()
    def end_training(self, data: TrainingData) -> None:
        """Take alpha and beta of the best validation accuracy, the first best in the official order."""
        if not self.search or data.val is None or data.val_labels is None:
            return
        grid = alphas, betas = steps(self.largest[0], GRID[1]), steps(self.largest[1], GRID[0])
        keys, classes = self.keys, self.class_features()
        hits = torch.zeros(len(betas), len(alphas), dtype=torch.int64, device="cpu")
        features = every_view(data.val)[0]
        size = min(SEARCHED_AT_ONCE, max(1, HELD // _width(keys)))
        for start in range(0, len(features), size):
            part = slice(start, start + size)
            x, y = features[part], data.val_labels[part]
            zero_shot = self.backbone.logits(x, classes)
            hits += grid_hits(zero_shot, affinities(x, keys), counting(keys), y, *grid)
        best = int(hits.flatten().numpy().argmax())  # NumPy's is the first of equals
        if hits.max() > 0:
            self.alpha, self.beta = alphas[best % len(alphas)], betas[best // len(alphas)]

    def state(self) -> dict[str, np.ndarray]:
        return {"keys": self.keys.detach().cpu().numpy().copy()} if self.cached_names else {}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take the keys (C, K, D) of the C classes of now, for any K."""
        shapes = {name: tuple(np.shape(array)) for name, array in tensors.items()}
        wanted = f"keys ({len(self.class_names)}, K, {self.backbone.feature_dim}), K 1 or more"
        if set(shapes) != {"keys"} or len(shapes["keys"]) != 3 or 0 in shapes["keys"]:
            raise OptionError(f"the learned tensors have shapes {shapes}; this cache has {wanted}")
        if shapes["keys"][::2] != (len(self.class_names), self.backbone.feature_dim):
            raise OptionError(
                f"the learned keys have the shape {shapes['keys']}, but {len(self.class_names)} class names "
                f"and {self.backbone.feature_dim} features are given, which need {wanted}; give the class "
                "names of the training, in its order"
            )
        keys = torch.from_numpy(np.array(tensors["keys"], dtype=np.float32))
        self._put(keys.to(self.backbone.device))
        self.cached_names = self.class_names

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"template": self.template, "alpha": self.alpha, "beta": self.beta}


@final
class TipAdapter(_Cache):
    """The cache of training images as it is: nothing is trained."""

    info = MethodInfo(
        name="tip_adapter",
        title="Tip-Adapter",
        summary="zero-shot logits plus the likeness to cached training images, without training",
        paper="arXiv 2111.03930, section 3.1",
        trains="nothing; it stores C x K x D numbers, of K images a class",
        unseen_classes=True,
        learns=AT_ONCE,
        uses_val=True,
        by_class=True,
        official=frozen(**{FEW_SHOT: OFFICIAL}),
        bibtex=bibtex("tip_adapter"),
        notes=NOTES,
    )

    def _put(self, keys: Tensor) -> None:
        self.register_buffer("keys", keys)


@final
class TipAdapterF(_Cache):
    """Training starts at the cache's keys and learns them with cross-entropy, at the given alpha and beta."""

    info = MethodInfo(
        name="tip_adapter_f",
        title="Tip-Adapter-F",
        summary="Tip-Adapter whose cached keys are trained further",
        paper="arXiv 2111.03930, section 3.2",
        trains="C x K x D numbers, of K images a class",
        unseen_classes=True,
        uses_val=True,
        by_class=True,
        fast=frozen(lr=0.001, epochs=20, weight_decay=0.01),
        official=frozen(**{FEW_SHOT: OFFICIAL_F}),
        bibtex=bibtex("tip_adapter_f"),
        notes=f"{NOTES}. The official cosine falls at each step, here after each epoch; AdamW has eps "
        "1e-4 there, 1e-8 here",
    )

    def _put(self, keys: Tensor) -> None:
        self.keys = nn.Parameter(keys)


def _check_search(search: bool) -> bool:
    if not isinstance(search, bool):
        raise OptionError(f"search={search!r} is not allowed; give True, or False to keep alpha and beta")
    return search


def _width(keys: Tensor) -> int:
    """Numbers that an image takes among keys (C, K, D)."""
    return max(1, keys.shape[0]) * max(1, keys.shape[1])


def by_class(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Features (N, D) by class (C, K, D), in their order; zeros behind where a class has fewer."""
    counts = labels.bincount(minlength=classes)
    order = labels.argsort(stable=True)
    place = torch.arange(len(labels), dtype=torch.int64, device=labels.device)
    place = place - (counts.cumsum(0) - counts)[labels[order]]
    keys = features.new_zeros(classes, int(counts.max()), features.shape[1])
    keys[labels[order], place] = features[order]
    return keys


def mean_reading(inputs: Inputs) -> Tensor:
    """Unit vectors (N, D): of each image the mean over its readings. Of crops alone these are as long as the
    tower gives them, as in the official code."""
    views = every_view(inputs)
    if isinstance(inputs, FeatureInputs) and inputs.in_turn:
        views = views * inputs.lengths[..., None]
    return F.normalize(views.mean(0), dim=-1)


def affinities(features: Tensor, keys: Tensor) -> Tensor:
    """Cosines (B, C, K) of features (B, D) and keys (C, K, D)."""
    return (features @ keys.flatten(0, 1).T).reshape(len(features), *keys.shape[:2])


def counting(keys: Tensor) -> Tensor:
    """Which keys (C, K) are images. The others hold one number: 0, or what a coarse file makes of it."""
    return (keys != keys[..., :1]).any(-1)


def cache_logits(affinity: Tensor, counts: Tensor, beta: float) -> Tensor:
    """sum over k of exp(-beta (1 - affinity)) of the keys that count: (B, C)."""
    return ((beta * (affinity - 1)).exp() * counts).sum(-1)


def steps(largest: float, count: int) -> list[float]:
    """The values that the official search tries: from 0.1 on, below ``largest``."""
    return [i * (largest - 0.1) / count + 0.1 for i in range(count)]


def grid_hits(
    zero_shot: Tensor,
    affinity: Tensor,
    counts: Tensor,
    labels: Tensor,
    alphas: Sequence[float],
    betas: Sequence[float],
) -> Tensor:
    """How many of B images each beta and alpha get right (betas, alphas), on the CPU."""
    hits = []
    for beta in betas:
        cached = cache_logits(affinity, counts, beta)
        hits += [((zero_shot + alpha * cached).argmax(1) == labels).sum() for alpha in alphas]
    return torch.stack(hits).reshape(len(betas), len(alphas)).cpu()
