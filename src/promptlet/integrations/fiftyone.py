"""FiftyOne: a prompt as a model for ``dataset.apply_model`` and ``dataset.compute_embeddings``.

FiftyOne reads the images and gives arrays, a prompt's answers become its labels. What the protocol asks for
is in `fiftyone.core.models`: `Model`, `EmbeddingsMixin`, `LogitsMixin`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from promptlet.classifier import PromptLearner
from promptlet.classifier.fitted import check_fitted
from promptlet.classifier.inputs import as_names
from promptlet.errors import MissingExtraError
from promptlet.features import encode_images

try:
    from fiftyone.core.labels import Classification
    from fiftyone.core.models import EmbeddingsMixin, LogitsMixin, Model
except ImportError as error:
    raise MissingExtraError(
        f"promptlet.integrations.fiftyone needs the package fiftyone ({error}): pip install fiftyone"
    ) from error

LEAST = 1e-30
"""A probability that is 0 in float32 has this one's logarithm."""


class PromptModel(LogitsMixin, EmbeddingsMixin, Model):  # type: ignore[misc]
    """A fitted classifier, for ``dataset.apply_model(PromptModel(clf), label_field="pets")``.

    Each image gets a `Classification` with the likeliest class and its probability; with ``store_logits`` the
    logarithms of all probabilities, in the order of ``class_names``.

    class_names: answer among these, taught or not; None takes the prompt's own. reject: give an image of none
    of these no label; True, or the percentage of own images that may pass. Embeddings are the frozen
    backbone's features of length 1, whatever the method changes.
    """

    def __init__(
        self,
        classifier: PromptLearner,
        class_names: Iterable[str] | None = None,
        reject: bool | float = False,
    ) -> None:
        LogitsMixin.__init__(self)
        check_fitted(classifier)
        own = classifier.class_names_ if class_names is None else as_names(class_names)
        self.class_names = tuple(own)
        self.classifier, self.reject = classifier, reject
        self.config = None
        self._preprocess = True
        self._embeddings: np.ndarray | None = None

    # -- what FiftyOne asks about ----------------------------------------------------------------------

    media_type = "image"
    has_logits = has_embeddings = True
    can_embed_prompts = ragged_batches = False
    transforms = None
    """FiftyOne changes no image before it gives it: the prompt's backbone has a preprocessing of its own."""

    @property
    def preprocess(self) -> bool:
        """Of no meaning here, and kept as it is set."""
        return self._preprocess

    @preprocess.setter
    def preprocess(self, value: bool) -> None:
        self._preprocess = value

    # -- what FiftyOne asks for ------------------------------------------------------------------------

    def predict(self, arg: np.ndarray) -> Any:
        """The label of one image (H, W, 3) uint8; None where it is none of the classes."""
        return self.predict_all([arg])[0]

    def predict_all(self, args: Sequence[np.ndarray] | np.ndarray) -> list[Any]:
        """The labels of several."""
        images = list(args)
        if self.reject is False:
            told = self.classifier.predict_proba(images, self.class_names)
            like = np.ones(len(images), bool)
        else:
            told, like = self.classifier.answer(images, self.class_names, accepted=self.reject)
        return [self._label(row) if one else None for row, one in zip(told, like, strict=True)]

    def embed(self, arg: np.ndarray) -> np.ndarray:
        """The features (D,) of one image."""
        found: np.ndarray = self.embed_all([arg])[0]
        return found

    def embed_all(self, args: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """The features (N, D) of several."""
        features = encode_images(self.classifier.backbone_, list(args))[0]
        self._embeddings = features / np.linalg.norm(features, axis=1, keepdims=True)
        return self._embeddings

    def get_embeddings(self) -> np.ndarray | None:
        """Those of the last ``embed`` or ``embed_all``."""
        return self._embeddings

    def _label(self, probabilities: np.ndarray) -> Any:
        best = int(probabilities.argmax())
        logits = np.log(np.maximum(probabilities, LEAST)) if self.store_logits else None
        return Classification(
            label=self.class_names[best], confidence=float(probabilities[best]), logits=logits
        )
