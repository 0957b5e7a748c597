"""Codebooks: nearest codes, exact where they can be, the same for the same numbers."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from promptlet.errors import OptionError, PromptFileError
from promptlet.promptfile import cluster
from promptlet.rng import normal


def test_the_codes_of_a_small_tensor() -> None:
    book, codes = cluster(np.array([[0.0, 1.0], [1.1, 4.0]], np.float32), 1)
    assert book.tolist() == [np.float16(0.7), 4.0] and codes.tolist() == [[0, 0], [0, 1]]
    assert (book.dtype, codes.dtype) == (np.float32, np.uint8)


def test_a_tie_goes_to_the_lower_code() -> None:
    book, codes = cluster(np.array([-3, -3, 0, 1, 3], np.float32), 1)
    assert book.tolist() == [-2, 2] and codes.tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_values_are_stored_exactly(bits: int) -> None:
    few = np.float16([-3.5, 0.1, 7e-8, 65504, *range(100, 112)][: 2**bits]).astype(np.float32)
    for values in (few, np.repeat(few, 50)[::-1], few[:1], np.zeros((2, 2), np.float32)):
        book, codes = cluster(values, bits)
        assert (book[codes] == values).all() and (np.diff(book) >= 0).all() and len(book) == 2**bits


@given(hnp.arrays(np.float32, 40, elements=st.floats(-60000, 60000, width=32)), st.sampled_from([1, 2, 4]))
@settings(max_examples=200, deadline=None)
def test_cluster(values: np.ndarray, bits: int) -> None:
    book, codes = cluster(values, bits)
    far = np.abs(values.astype(np.float64)[:, None] - book.astype(np.float64))
    assert (codes == far.argmin(axis=1)).all()  # nearest, the lower code on a tie
    assert (book == book.astype(np.float16)).all() and not np.signbit(book[book == 0]).any()
    used = np.unique(codes)
    assert used.tolist() == list(range(len(used))) and (book[len(used) :] == book[len(used) - 1]).all()
    again, same = cluster(book[codes], bits)
    assert (again == book).all() and (same == codes).all()


def test_clusters_fit_the_numbers() -> None:
    """Of normal numbers the best codes of 1, 2 and 4 bits leave 36, 12 and 1 % of the variance (Max 1960).

    A little less here: sums of 12 words have shorter tails.
    """
    values = normal("test", 5, (20_000,), 1.0)
    for bits, share in [(1, 0.3634), (2, 0.1175), (4, 0.0095)]:
        book, codes = cluster(values, bits)
        assert 0.9 * share < np.var(values - book[codes]) < 1.01 * share


def test_what_cannot_be_clustered() -> None:
    with pytest.raises(OptionError, match="bits=3 is not allowed; give 1, 2 or 4"):
        cluster(np.zeros(3), 3)
    for values in ([], [np.nan, 1], [np.inf], [1e5]):
        with pytest.raises(PromptFileError, match="one or more finite numbers within fp16"):
            cluster(np.array(values), 1)
