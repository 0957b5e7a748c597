"""None of these: whether an image is of any taught class, by how near it comes to the images that taught.

The score of an image with the normalised feature x of the frozen backbone, whatever the method, is

    s(x) = max_c cos(x - g, b_c) + cos(x, g) / 2,

g the mean of the class means and b_c the signs (1 or -1) of class c's mean minus g. The first cosine says how
near the nearest class is, the second whether x lies where the images of any class do. It is the distance to
the nearest class mean (Mensink et al. 2013; as a detector, without the covariance, Lee et al. 2018),
centred, of a bit a number. Softmax, logits, energy and common words as a background were measured beside it
on classes that were never taught, and let in more (docs/results/rejection.md); the half was chosen there, on
validation classes.

The threshold that accepts a share a of own images is that of conformal prediction (Vovk et al. 2005; for
outliers Laxhammar and Falkman 2010): of n images, each scored by means without it (and without what equals
it), the floor((1 - a) (n + 1))-th smallest score. Of new images like them at least the share a is accepted on
average.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from promptlet.data.items import clean_class_name
from promptlet.errors import OptionError, did_you_mean, shown
from promptlet.promptfile import SHARES, Rejection
from promptlet.promptfile.rejection import MOST_SIGNS

USUAL = 95.0
"""The percentage of own images that is accepted where nothing else is asked for."""
OF_CENTRE = 0.5
LARGEST = 1000  # images that thresholds are learned from
DIGITS = 5  # of a threshold


def learn_rejection(
    features: np.ndarray, targets: np.ndarray, count: int, groups: np.ndarray | None = None
) -> Rejection | None:
    """From image features (N, D) and their labels (N,) among ``count`` classes.

    groups (N,): images of one group are never compared with each other; None: those that are equal. None is
    given for a single class, a class without images, and where no image has another one of its class.
    """
    if count < 2 or count * features.shape[1] > MOST_SIGNS or len(np.unique(targets)) < count:
        return None
    x = _directions(features)
    scores = own_scores(x, targets, count, groups)
    thresholds = {
        share: threshold for share in SHARES if (threshold := _threshold(scores, share)) is not None
    }
    if not thresholds:
        return None
    sums, sizes = _sums(x, targets, count)
    return Rejection(*_places(sums / sizes[:, None]), thresholds)


def own_scores(
    x: np.ndarray, targets: np.ndarray, count: int, groups: np.ndarray | None = None
) -> np.ndarray:
    """Scores of images (N, D) that taught, each by means without its group: of evenly drawn ones where there
    are many, and none of an image that is its class's only one."""
    if groups is None:
        groups = _alike(x)
    sums, sizes = _sums(x, targets, count)
    means, is_there = sums / np.maximum(sizes, 1)[:, None], sizes > 0
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], groups), np.searchsorted(groups[order], groups, "right")
    found = []
    asked = np.argsort(targets, kind="stable")
    if len(asked) > LARGEST:
        asked = asked[np.linspace(0, len(asked) - 1, LARGEST).astype(int)]
    for row in asked:
        mates = order[starts[0][row] : starts[1][row]]
        touched, places = np.unique(targets[mates], return_inverse=True)  # the others stay as they are
        before = means[touched], is_there[touched]
        left, known = sums[touched], sizes[touched]
        np.subtract.at(left, places, x[mates])
        np.subtract.at(known, places, 1)
        means[touched], is_there[touched] = left / np.maximum(known, 1)[:, None], known > 0
        if is_there[targets[row]] and is_there.sum() > 1:
            some = means if is_there.all() else means[is_there]
            found.append(_scores(*_places(some), x[row : row + 1])[0])
        means[touched], is_there[touched] = before
    return np.array(found, np.float64)


def _alike(x: np.ndarray) -> np.ndarray:
    """For each row (N, D) the place of the first that equals it (N,): by digests, since a sort of whole rows
    takes long and holds them again."""
    first: dict[bytes, int] = {}
    keys = (hashlib.blake2b((row + 0.0).tobytes(), digest_size=16).digest() for row in x)  # -0 becomes 0
    return np.array([first.setdefault(key, row) for row, key in enumerate(keys)], np.int64)


def scores(rejection: Rejection, features: np.ndarray, rows: Sequence[int] | None = None) -> np.ndarray:
    """Scores (N,) of image features (N, D): higher is nearer. rows: of the classes that count; None: all."""
    return scores_of_directions(rejection, _directions(features), rows)


def scores_of_directions(
    rejection: Rejection, directions: np.ndarray, rows: Sequence[int] | None = None
) -> np.ndarray:
    """`scores` of features (N, D) that are float32 of length 1 already."""
    signs = rejection.signs if rows is None else rejection.signs[list(rows)]
    return _scores(rejection.centre, signs, directions)


def threshold_of(rejection: Rejection, accepted: bool | float = True) -> float:
    """The score from which on an image is accepted. accepted: the percentage of own images that are, or True
    for `usual_share`. Between two that are stored it is interpolated. Raises OptionError."""
    share: Any = usual_share(rejection) if accepted is True else accepted
    known = rejection.thresholds
    least, most = min(known), max(known)
    if isinstance(share, bool) or not isinstance(share, Real) or not least <= float(share) <= most:
        over = isinstance(share, Real) and most < float(share) <= SHARES[-1]
        few = "; more images of each class would allow more" if over else ""
        raise OptionError(
            f"{shown(accepted)} is no percentage of own images that can be accepted here; give a number from "
            f"{least:g} to {most:g}{few}"
        )
    return float(np.interp(float(share), list(known), list(known.values())))


def usual_share(rejection: Rejection) -> float:
    """95 % of own images, or less where these were too few to say."""
    return min(USUAL, max(rejection.thresholds))


def rows_of(taught: Sequence[str], asked: Sequence[str]) -> list[int]:
    """Which of the taught classes are asked for. Raises OptionError for a name that was not taught."""
    places = {clean_class_name(name).casefold(): row for row, name in enumerate(taught)}
    keys = [clean_class_name(name).casefold() for name in asked]
    strange = [name for name, key in zip(asked, keys, strict=True) if key not in places]
    if strange:
        raise OptionError(
            f"'none of these' is known of taught classes alone, by their images, and {shown(strange[0])} was "
            f"not taught; ask for taught names, or do not reject.{did_you_mean(strange[0], taught)}"
        )
    return [places[key] for key in keys]


def checked(rejection: Rejection | None) -> Rejection:
    """Raise OptionError where there is none."""
    if rejection is None:
        raise OptionError(
            "this prompt does not know 'none of these': it was saved by an older version, without it or as a "
            "compact file, or learned from one class, or from one image a class. Fit it anew from two images "
            "of each class, or more; or do not reject"
        )
    return rejection


def with_none(answers: np.ndarray, accepted: np.ndarray) -> np.ndarray:
    """The answers (N,) as objects, None where an image is not accepted, bool (N,)."""
    found = answers.astype(object)
    found[~accepted] = None
    return found


def _threshold(scores: np.ndarray, share: float) -> float | None:
    """Rounded down; None where the images are too few to promise that share."""
    rank = math.floor((100.0 - share) * (len(scores) + 1) / 100.0 + 1e-9)
    if rank < 1:
        return None
    return float(math.floor(float(np.sort(scores)[rank - 1]) * 10**DIGITS) / 10**DIGITS)


def _sums(x: np.ndarray, targets: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    sums = np.zeros((count, x.shape[1]), np.float64)
    np.add.at(sums, targets, x)
    return sums, np.bincount(targets, minlength=count)


def _places(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The centre (D,), as a file holds it, and the signs (C, D) of class means (C, D)."""
    centre = means.mean(axis=0).astype(np.float16).astype(np.float32)
    return centre, (means > centre) * np.int8(2) - np.int8(1)


def _scores(centre: np.ndarray, signs: np.ndarray, x: np.ndarray) -> np.ndarray:
    away = _unit(x - centre)
    nearest = (away @ signs.T.astype(np.float32)).max(axis=1) / math.sqrt(len(centre))
    among: np.ndarray = nearest + OF_CENTRE * (x @ _unit(centre[None])[0])
    return among


def _directions(features: np.ndarray) -> np.ndarray:
    """Features (N, D) of whatever length as float32 of length 1. What has such features already does without
    torch."""
    import torch

    from promptlet.backbones.arithmetic.unit import unit

    numbers = np.asarray(features, np.float32)
    writable = numbers if numbers.flags.writeable else numbers.copy()  # torch warns of what is not
    found: np.ndarray = unit(torch.from_numpy(writable)).numpy()
    return found


def _unit(x: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32; zeros stay."""
    x = np.asarray(x, np.float32)
    lengths = np.linalg.norm(x, axis=-1, keepdims=True)
    return x / np.where(lengths > 0, lengths, 1)
