"""Pinned numbers: they stand in prompt files and results, so they may never change."""

from __future__ import annotations

import random

import numpy as np
import torch

from promptlet import rng


def test_words_are_pinned() -> None:
    assert rng.words("context", 7, 3).tolist() == [44348, 2380, 14953]
    assert rng.words("order/0", 1, 4).tolist() == [25074, 47974, 51382, 3656]


def test_normal_numbers_are_pinned_and_follow_from_the_words() -> None:
    given = rng.normal("low-rank", 1, (2, 2), 1.0)
    assert given.dtype == np.float32
    assert given.tolist() == np.float32([[-1.2553864, 1.3570251], [-1.1756439, 1.118927]]).tolist()
    words = rng.words("low-rank", 1, 48)
    by_hand = [(int(words[12 * k : 12 * k + 12].sum()) - 393210) / 65536 for k in range(4)]
    assert given.ravel().tolist() == np.float32(by_hand).tolist()


def test_generator_is_pinned() -> None:
    assert rng.generator("shots", 3).integers(0, 1000, 5).tolist() == [951, 679, 876, 414, 641]
    assert rng.generator("order/0", 1).permutation(6).tolist() == [4, 2, 1, 0, 3, 5]


def test_normal_has_mean_0_and_the_asked_deviation() -> None:
    drawn = rng.normal("moments", 0, (200, 500), 0.02)
    assert abs(drawn.mean()) < 5 * 0.02 / np.sqrt(drawn.size)
    assert abs(drawn.std() / 0.02 - 1) < 0.01
    assert np.abs(drawn).max() <= 6 * 0.02


def test_streams_differ_by_purpose_and_seed_and_0_is_a_seed() -> None:
    streams = {tuple(rng.words(p, s, 8)) for p in ("a", "b") for s in (0, 1, -1)}
    assert len(streams) == 6


def test_the_longer_stream_begins_with_the_shorter() -> None:
    assert rng.words("a", 1, 50)[:7].tolist() == rng.words("a", 1, 7).tolist()


def test_global_state_is_neither_read_nor_changed() -> None:
    np.random.seed(1)
    random.seed(1)
    torch.manual_seed(1)
    first = rng.normal("x", 1, (3,), 1.0), rng.generator("x", 1).random(3)
    after = np.random.random(), random.random(), torch.rand(1).item()
    np.random.seed(1)
    random.seed(1)
    torch.manual_seed(1)
    assert (np.random.random(), random.random(), torch.rand(1).item()) == after
    np.random.seed(2)
    second = rng.normal("x", 1, (3,), 1.0), rng.generator("x", 1).random(3)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_numpy_integers_are_the_same_seed() -> None:
    assert rng.words("a", np.int64(3), 4).tolist() == rng.words("a", 3, 4).tolist()  # type: ignore[arg-type]
