"""Images of one photo: by content, by features; chains are cut, and no class is swallowed."""

from __future__ import annotations

import numpy as np
import pytest

from promptlet.own_images import duplicates
from promptlet.own_images.duplicates import centred, groups_of, near_pairs


def cone(count: int, classes: int, seed: int, share: float = 0.3, cosine: float = 0.9) -> np.ndarray:
    """Features as CLIP's: all in a narrow cone, classes in narrower ones."""
    draw = np.random.default_rng(seed)
    means = draw.normal(size=(classes, 64))
    own = means[np.arange(count) % classes] + share * draw.normal(size=(count, 64)) * 3
    shift = draw.normal(size=64)
    own *= np.sqrt((1 - cosine) / cosine) * np.linalg.norm(shift) / np.linalg.norm(own, axis=1).mean()
    return (own + shift).astype(np.float32)


def test_the_same_bytes_are_one_photo() -> None:
    assert groups_of(["a", "b", "a", "c", "b"]).tolist() == [0, 1, 0, 2, 1]


def test_features_that_were_given_are_copies_where_they_are_equal() -> None:
    rows = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    assert groups_of(["", "", ""], rows).tolist() == [0, 1, 0]


@pytest.mark.parametrize("cosine", [0.3, 0.7, 0.95])
def test_near_duplicates_are_found_in_a_cone_of_any_width(cosine: float) -> None:
    rows = cone(200, 4, seed=0, cosine=cosine)
    spread = np.linalg.norm(rows - rows.mean(0), axis=1).mean()
    near = rows[:8] + np.random.default_rng(1).normal(size=(8, 64)) * 0.2 * spread / 8
    groups = groups_of([str(i) for i in range(208)], np.concatenate([rows, near.astype(np.float32)]))
    assert groups[200:].tolist() == groups[:8].tolist()
    assert len(np.unique(groups)) == 200


def test_a_class_of_nearly_equal_pictures_is_not_one_photo() -> None:
    """All pictures are alike, as of a camera that stands still."""
    rows = cone(120, 2, seed=2, share=0.02)
    assert len(np.unique(groups_of([str(i) for i in range(120)], rows))) > 100


def test_a_chain_of_frames_is_cut() -> None:
    draw = np.random.default_rng(3)
    turn = np.linspace(0, np.pi / 2, 60)
    ends = np.linalg.qr(draw.normal(size=(64, 2)))[0].T
    frames = np.cos(turn)[:, None] * ends[0] + np.sin(turn)[:, None] * ends[1]
    rows = np.concatenate([frames * 8, draw.normal(size=(140, 64))]).astype(np.float32)
    groups = groups_of([str(i) for i in range(200)], rows)
    sizes = np.bincount(groups)
    assert 2 < sizes.max() < 30
    vectors = centred(rows)
    limit = near_pairs(vectors).limit
    for group in np.flatnonzero(sizes > 1):
        own = vectors[groups == group]
        assert (1 - own @ own.T).max() <= duplicates.WIDE * limit + 1e-5


def test_blocks_give_what_one_matrix_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = cone(90, 3, seed=4)
    rows[50:60] = rows[:10] * 1.001
    vectors = centred(rows)
    whole = near_pairs(vectors)
    monkeypatch.setattr(duplicates, "BLOCK", 7)
    parts = near_pairs(vectors)
    assert {frozenset(pair) for pair in whole.pairs.tolist()} == {frozenset((i, i + 50)) for i in range(10)}
    assert sorted(parts.pairs.tolist()) == sorted(whole.pairs.tolist())
    assert parts.limit == pytest.approx(whole.limit, rel=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_few_images(count: int) -> None:
    rows = np.eye(8, dtype=np.float32)[:count]
    assert groups_of([str(i) for i in range(count)], rows).tolist() == list(range(count))
