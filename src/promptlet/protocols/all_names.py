"""All names at once: train on half of the classes, base; answer about all test images among all names.

Draws, cut and training are those of base-to-new, and each half is asked among its own names as there. Base
and new test images are then asked among base and new names together, as whoever uses the method would ask:
nobody says beforehand which half an image is of.

OpenworldAUC (Hua et al., ICML 2025, arXiv 2505.05180) joins the three: of a base and a new image, how often
each is classified rightly among the names of its half, and the base image has the higher detection score. The
area is theirs; the score is ours: the log-odds of the base names under the softmax over all names.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from promptlet.data import Split, together
from promptlet.evaluation import accuracy, detection_auc, openworld_auc
from promptlet.protocols.planning import plan_runs
from promptlet.protocols.records.measures import ALL_NAMES
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run import halves
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource
from promptlet.protocols.run.fitting import OnEpoch
from promptlet.protocols.run.scoring import Answers

NAME = ALL_NAMES
plan = partial(plan_runs, NAME)


def execute(
    run: Run, dataset: BenchDataset, features: FeatureSource, on_epoch: OnEpoch | None = None
) -> dict[str, Any]:
    """Train once, ask among all names and among those of each half; what is stored of it.

    Raises PromptletError with the reason.
    """
    return halves.execute(run, dataset, features, measure, on_epoch)


def measure(ask: halves.Ask, base: Split, new: Split) -> dict[str, Any]:
    """The scores of a record, in percent."""
    among_all, of_base, of_new = ask(together(base, new)), ask(base), ask(new)
    scores = {f"all_{name}": value for name, value in among_all.scores().items()}
    return {
        "all": scores.pop("all_accuracy"),
        **_by_half(among_all, of_base, of_new),
        **halves.of_halves(of_base, of_new),
        **scores,
    }


def _by_half(among_all: Answers, of_base: Answers, of_new: Answers) -> dict[str, float]:
    """Accuracies among all names, and areas. Base images come first in ``among_all``, and base names."""
    images, names = of_base.logits.shape
    score = log_odds(among_all.logits, names)
    hits = of_base.hits, of_new.hits
    predicted, labels = among_all.predicted, among_all.labels
    return {
        "all_base": accuracy(predicted[:images], labels[:images]),
        "all_new": accuracy(predicted[images:], labels[images:]),
        "openworld_auc": openworld_auc(score[:images], score[images:], *hits),
        "detection_auc": detection_auc(score[:images], score[images:]),
    }


def log_odds(logits: Tensor, first: int) -> np.ndarray:
    """Log-odds (N,) of the ``first`` names against the others under the softmax of logits (N, C), float64.

    Not the probability, which is 1 to all digits for many images and would tie them.
    """
    base, new = (part.cpu().double().logsumexp(-1) for part in (logits[:, :first], logits[:, first:]))
    found: np.ndarray = (base - new).numpy()
    return found
