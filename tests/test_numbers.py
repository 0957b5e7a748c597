"""Every kind of number is refused beyond its bounds, in words, by whoever is given it first."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import promptlet
from promptlet.errors import OptionError
from promptlet.numbers import KINDS, LARGEST, Whole, check_number, check_numbers
from promptlet.protocols.engines import Engine
from promptlet.protocols.planning import Settings, parse_methods

NEVER = ["1", None.__class__, [], True, math.nan, 1j, np.array([1, 2])]
HUGE = 10**5000


@pytest.mark.parametrize("name", KINDS)
def test_bounds(name: str) -> None:
    kind = KINDS[name]
    for wrong in NEVER:
        with pytest.raises(OptionError, match=f"^{name}="):
            check_number(name, wrong)
    assert check_number(name, None) is None
    if isinstance(kind, Whole):
        for good in (kind.least, kind.most, np.int64(kind.least)):
            assert check_number(name, good) == good and type(check_number(name, good)) is int
        for wrong in (kind.least - 1, kind.most + 1, -HUGE, HUGE, 1.0, Fraction(3, 2)):
            with pytest.raises(OptionError, match=f"^{name}="):
                check_number(name, wrong)
    else:
        assert check_number(name, 0.5) == 0.5 == check_number(name, np.float32(0.5))
        for wrong in (-1, math.inf, -math.inf, HUGE, float("1e400")):
            with pytest.raises(OptionError, match="and finite"):
                check_number(name, wrong)


def test_a_message_is_short_whatever_was_given() -> None:
    for wrong in (HUGE, -HUGE, "9" * 10**5, [0] * 10**5):
        with pytest.raises(OptionError) as error:
            check_number("epochs", wrong)
        assert len(str(error.value)) < 250


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, 1e300, LARGEST + 1, -HUGE], ids=["nan", "inf", "big", "more", "huge"]
)
def test_options_of_methods(value: Any) -> None:
    with pytest.raises(OptionError, match="dropout="):
        check_numbers({"words": "x", "flag": True, "dropout": value})


@pytest.mark.parametrize(
    "text", ["rlp:rank=0", "rlp:dropout=1e400", "coop:n_ctx=99999999999", f"rlp:budget={10**12}"]
)
def test_options_in_words(text: str) -> None:
    with pytest.raises(OptionError):
        parse_methods(text)


PARAMETERS = ("rank", "n_ctx", "shots", "views", "epochs", "batch_size", "lr", "seed")


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(
    "value", [-1, HUGE, math.nan, math.inf, "3"], ids=["-1", "huge", "nan", "inf", "text"]
)
def test_a_classifier_refuses_before_it_reads_anything(name: str, value: Any) -> None:
    """Neither the folder nor the backbone is there."""
    with pytest.raises(OptionError, match=f"^{name}="):
        promptlet.PromptClassifier(backbone="./absent", **{name: value}).fit("no such folder")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("shots", {"shots": HUGE}),
        ("shots", {"shots": [16, 0]}),
        ("seeds", {"seeds": [10**30]}),
        ("seeds", {"seeds": range(30_000_000)}),
        ("epochs", {"settings": Settings(epochs=HUGE)}),
        ("lr", {"settings": Settings(lr=math.nan)}),
        ("batch_size", {"settings": Settings(batch_size=0)}),
        ("views", {"settings": Settings(views=HUGE)}),
        ("rank", {"methods": [("rlp", {"rank": HUGE})]}),
        ("dropout", {"methods": {"rlp": {"dropout": math.inf}}}),
        ("n_ctx", {"options": {"n_ctx": -1}}),
    ],
)
def test_a_bench_refuses_before_it_reads_anything(name: str, given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"{name}="):
        promptlet.open_bench("no such data", backbone="./absent", out=tmp_path / "runs", **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "workers", [0, -1, 10**9, HUGE, 1.5, True], ids=["0", "-1", "1e9", "huge", "1.5", "true"]
)
def test_workers(workers: Any) -> None:
    with pytest.raises(OptionError, match=r"^workers="):
        Engine("processes", workers)
