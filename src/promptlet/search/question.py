"""A question as vectors, and the score of an image (docs/explanation/search.md).

A thing is looked for along its *direction*: its feature minus what is in all features of its kind alike (for
words the mean of common words, for a class the mean of the prompt's other classes, for an image the mean of
the folder). With x the feature of an image, t the backbone's logit scale, p the mean direction of what is
looked for and o_j those of all that it shall not be, and of a prompt's other classes, its score is

    s(x) = x p + w / t log( e^(t x p) / (e^(t x p) + sum_j e^(t x o_j)) ).

The first term alone ranks by similarity, the second alone is the softmax between one and the others. Plain
subtraction x p - x o was worse than no negative at all; the sum was best (docs/explanation/search.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WEIGHT = 2.0
"""w, chosen on validation images."""
OF_IMAGE = 1 / 3
"""What the direction of an image counts among what is not looked for, where no image is looked for: images
lie two to three times as near to each other as to words."""


@dataclass(frozen=True, eq=False)
class Question:
    """wanted (D,): p. others (M, D): o_j, possibly none. scale: t."""

    wanted: np.ndarray
    others: np.ndarray
    scale: float

    @property
    def matrix(self) -> np.ndarray:
        """p and all o_j (D, 1 + M), float32."""
        rows = np.concatenate([self.wanted[None], self.others.reshape(-1, len(self.wanted))])
        return np.ascontiguousarray(rows.T, np.float32)

    def scores(self, products: np.ndarray) -> np.ndarray:
        """Scores (B,) of images by their products (B, 1 + M) with the matrix."""
        wanted = products[:, 0]
        if products.shape[1] == 1:
            return np.array(wanted)
        logits = self.scale * products
        share = logits[:, 0] - _log_sum(logits)
        return np.asarray(wanted + WEIGHT / self.scale * share, np.float32)


def _log_sum(logits: np.ndarray) -> np.ndarray:
    """log of the sum of e to these (B, K), (B,)."""
    most = logits.max(axis=1)
    found: np.ndarray = most + np.log(np.exp(logits - most[:, None]).sum(axis=1))
    return found
