"""The scores that are compared; the higher, the more an image looks like one of the taught classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, logsumexp

from benchmarks.rejection.trained import Seen

Setting = tuple[float, ...]
Score = Callable[[Seen, Setting], np.ndarray]


@dataclass(frozen=True)
class Rule:
    """score: (N,) of what was seen of N images, under a setting. stores: what a prompt file would hold."""

    name: str
    source: str
    score: Score
    settings: tuple[Setting, ...]
    stores: str = "a threshold"


def _softmax(seen: Seen, setting: Setting) -> np.ndarray:
    return np.asarray(log_softmax(seen.logits / setting[0], axis=1).max(axis=1))


def _max_logit(seen: Seen, _: Setting) -> np.ndarray:
    return np.asarray(seen.logits.max(axis=1))


def _energy(seen: Seen, setting: Setting) -> np.ndarray:
    return np.asarray(setting[0] * logsumexp(seen.logits / setting[0], axis=1))


def _words(seen: Seen, setting: Setting) -> np.ndarray:
    return _against(seen.logits, seen, setting)


def _written(seen: Seen, setting: Setting) -> np.ndarray:
    return _against(seen.zero_shot, seen, setting)


def _against(logits: np.ndarray, seen: Seen, setting: Setting) -> np.ndarray:
    temperature, left_out = setting
    words = seen.words[:, int(left_out * seen.words.shape[1]) :]
    return np.asarray(
        logsumexp(logits / temperature, axis=1) - logsumexp(words / temperature, axis=1), np.float64
    )


def _neighbours(seen: Seen, setting: Setting) -> np.ndarray:
    return np.asarray(seen.neighbours[:, : int(setting[0])].mean(axis=1))


def _means(seen: Seen, _: Setting) -> np.ndarray:
    return np.asarray(seen.means.max(axis=1))


def _centred(seen: Seen, setting: Setting) -> np.ndarray:
    return np.asarray(seen.centred.max(axis=1) + setting[0] * seen.centre[:, 0])


def _both(seen: Seen, setting: Setting) -> np.ndarray:
    return np.exp(_softmax(seen, setting)) + _centred(seen, (0.5,))


TEMPERATURES: tuple[Setting, ...] = ((1.0,), (2.0,), (4.0,), (8.0,), (16.0,), (100.0,))  # 100: as in MCM
BACKGROUNDS = tuple((t, left_out) for t in (1.0, 2.0, 4.0) for left_out in (0.0, 0.25, 0.5))

RULES = (
    Rule("maximum softmax", "Hendrycks & Gimpel 2017", _softmax, ((1.0,),)),
    Rule("maximum softmax, temperature", "MCM, Ming et al. 2022", _softmax, TEMPERATURES),
    Rule("maximum cosine (logit)", "Hendrycks et al. 2022", _max_logit, ((),)),
    Rule("energy", "Liu et al. 2020", _energy, ((0.5,), (1.0,), (2.0,), (4.0,))),
    Rule("common words beside the prompt", "a background, as in CLIPN and NegLabel", _words, BACKGROUNDS),
    Rule("common words, all hand-written", "NegLabel, Jiang et al. 2024", _written, BACKGROUNDS),
    Rule("nearest images", "Sun et al. 2022", _neighbours, ((1.0,), (3.0,), (10.0,)), "every image"),
    Rule("nearest class mean", "Mensink et al. 2013", _means, ((),), "a mean a class"),
    Rule(
        "nearest class mean, centred",
        "ours",
        _centred,
        ((0.0,), (0.25,), (0.5,), (1.0,)),
        "a mean a class",
    ),
    Rule("maximum softmax + nearest class mean, centred", "", _both, TEMPERATURES, "a mean a class"),
)
CHOSEN = "nearest class mean, centred, a bit a number"
