"""What the prompt of a project says of images that are in it, and which taught ones are like another."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np

from promptlet.backbones import Backbone
from promptlet.classifier import PromptLearner
from promptlet.errors import PromptletError
from promptlet.methods.method import FEATURES
from promptlet.search.ranking import best
from promptlet.serve.bank.listing import digest_of
from promptlet.teach.learning.refusals import NotNowError
from promptlet.teach.learning.vectors import Vectors
from promptlet.teach.projects.project import Seen

NEAREST: Final = 8
KEPT: Final = 8
"""Prompts that are kept ready."""
AT_ONCE: Final = 1024


class Prompts:
    """Classifiers of prompt files over one backbone, made once for each content. For any thread."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._kept: OrderedDict[str, PromptLearner] = OrderedDict()
        self.lock = threading.Lock()
        """Held while one is asked: its answers are made ready when it is asked first."""

    def of(self, path: Path) -> PromptLearner:
        """Raises NotNowError where there is none, or it is of no use here; the lock is held."""
        try:
            digest = digest_of(path.read_bytes())
        except OSError:
            raise NotNowError(
                "nothing was learned here yet, so there is nothing to suggest; press Train first"
            ).keyed("untrained") from None
        found = self._kept.get(digest)
        if found is None:
            found = self._kept[digest] = self._loaded(path)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(digest)
        return found

    def _loaded(self, path: Path) -> PromptLearner:
        try:
            found = PromptLearner.load(path, self._backbone)
        except PromptletError as error:
            raise NotNowError(f"the prompt of this project cannot be used here: {error}") from error
        if found.method_.info.reads != FEATURES or not found.class_names_:
            raise NotNowError(
                f"the prompt of this project ({found.method}) makes no suggestions; train it on this page"
            )
        return found


def suggestions(
    prompts: Prompts, path: Path, seen: Seen, vectors: Vectors, limit: int
) -> list[dict[str, Any]]:
    """Classes for images without one, of those that are encoded by now; the most doubtful first."""
    known = vectors.of(seen.unlabelled)
    with prompts.lock:
        classifier = prompts.of(path)
        if not known:
            return []
        x = np.stack([one.features for one in known.values()])
        told = np.concatenate(
            [classifier.predict_proba(x[at : at + AT_ONCE]) for at in range(0, len(x), AT_ONCE)]
        )
        names = list(classifier.class_names_)
    ranked = np.argsort(-told, axis=1, kind="stable")[:, :2]
    margins = np.take_along_axis(told, ranked, axis=1)
    margin = margins[:, 0] - margins[:, 1] if told.shape[1] > 1 else margins[:, 0]
    images = list(known)
    return [
        {
            "image": images[row],
            "class": names[ranked[row, 0]],
            "probability": float(margins[row, 0]),
            "second": names[ranked[row, 1]] if told.shape[1] > 1 else None,
            "second_probability": float(margins[row, 1]) if told.shape[1] > 1 else None,
        }
        for row in np.argsort(margin, kind="stable")[:limit]
    ]


def nearest(features: np.ndarray, seen: Seen, vectors: Vectors) -> list[dict[str, Any]]:
    """The taught images nearest to features (D,), by their cosine; of those that are encoded by now."""
    classes = {image: one.name for one in seen.classes for image in one.images}
    known = vectors.of(list(classes))
    if not known:
        return []
    x = np.stack([one.features for one in known.values()]).astype(np.float32)
    scores = (x @ np.asarray(features, np.float32)) / np.maximum(
        np.linalg.norm(x, axis=1) * float(np.linalg.norm(features)), 1e-12
    )
    images = list(known)
    return [
        {"image": images[row], "class": classes[images[row]], "similarity": float(scores[row])}
        for row in best(scores, NEAREST)
    ]
