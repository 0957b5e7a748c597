"""What tells "none of these" in a prompt file: format 4."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import promptfile_spec_reader as spec
import pytest
from promptfile_golden import GOLDEN, GOLDEN_4, LOW_RANK, REJECTION, WITH_REJECTION
from test_promptfile_hostile import parts, refused, signed

from promptlet.errors import PromptFileError
from promptlet.promptfile import Rejection, dumps, loads


@pytest.mark.parametrize("name", GOLDEN_4)
def test_golden_bytes(name: str) -> None:
    prompt, precision = GOLDEN_4[name]
    golden = (WITH_REJECTION / name).read_bytes()
    assert dumps(prompt, precision) == golden
    back = loads(golden)
    assert (back.format_version, back.precision, back.class_names) == (4, precision, prompt.class_names)
    assert_same(back.rejection)
    assert dumps(back, precision) == golden


def test_the_golden_folder_holds_nothing_else() -> None:
    assert {path.name for path in WITH_REJECTION.iterdir()} == set(GOLDEN_4)


def assert_same(found: Rejection | None) -> None:
    assert found is not None
    assert np.array_equal(found.centre, REJECTION.centre) and found.centre.dtype == np.float32
    assert np.array_equal(found.signs, REJECTION.signs)
    assert found.thresholds == REJECTION.thresholds


@pytest.mark.parametrize("name", GOLDEN_4)
def test_a_reader_written_from_the_specification_finds_the_same(name: str) -> None:
    metadata, tensors = spec.read((WITH_REJECTION / name).read_bytes())
    told = metadata["rejection"]
    assert_same(Rejection(told["centre"], told["signs"], told["thresholds"]))
    prompt, precision = GOLDEN_4[name]
    plain = spec.read(dumps(replace(prompt, rejection=None), precision))[1]
    assert tensors.keys() == plain.keys()
    assert all(np.array_equal(tensors[key], plain[key]) for key in plain)


@pytest.mark.parametrize("name", GOLDEN_4)
def test_without_it_a_file_is_byte_for_byte_what_it_was(name: str) -> None:
    prompt, precision = GOLDEN_4[name]
    without = replace(loads(dumps(prompt, precision)), rejection=None)
    assert dumps(without, precision) == dumps(GOLDEN[name][0], precision)


def test_a_compact_file_leaves_it_out() -> None:
    assert loads(dumps(replace(LOW_RANK, rejection=REJECTION), compact=True)).rejection is None


def change(**entries: Any) -> Callable[[dict[str, Any]], None]:
    def apply(header: dict[str, Any]) -> None:
        for key, value in entries.items():
            header["__metadata__"][key] = value

    return apply


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda header: header.pop(name)


BAD = [
    (change(rejection="[]"), "rejection must be an object of thresholds"),
    (change(rejection="{}"), "rejection must be an object of thresholds"),
    (change(rejection='{"60":1}'), "has a threshold for '60' %; allowed: 50, 75, 80"),
    (change(rejection='{"50":1,"50.0":2}'), "has a threshold for '50.0' %"),
    (change(rejection='{"50":"1"}'), r"rejection\[50\] must be a number from -2 to 2, not '1'"),
    (change(rejection='{"50":true}'), r"rejection\[50\] must be a number from -2 to 2, not True"),
    (change(rejection='{"50":1e999}'), "from -2 to 2"),
    (change(rejection='{"50":1e300}'), "from -2 to 2"),
    (change(rejection='{"50":NaN}'), "NaN is not a number of JSON"),
    (change(rejection='{"50":1,"90":1.5}'), "must fall from each percentage to the next"),
    (change(rejection="{"), "rejection is not valid JSON"),
    (change(promptlet="3"), r"unknown \['rejection'\]"),
    (change(class_names='["a","b"]'), "knows 5 classes, but it has 2 class names"),
]


@pytest.mark.parametrize(("spoil", "message"), BAD)
def test_a_wrong_one_is_refused(spoil: Callable[[dict[str, Any]], None], message: str) -> None:
    header, payload = parts((WITH_REJECTION / "low-rank-fp32.prompt").read_bytes())
    spoil(header)
    with pytest.raises(PromptFileError, match=message):
        loads(signed(header, payload))


def test_format_4_needs_it() -> None:
    header, payload = parts((WITH_REJECTION / "low-rank-fp32.prompt").read_bytes())
    del header["__metadata__"]["rejection"]
    assert "lacks ['rejection']" in refused(signed(header, payload))


def tensors(centre: np.ndarray, signs: np.ndarray) -> bytes:
    """A zero-shot file whose rejection is these arrays."""
    header, _ = parts((WITH_REJECTION / "zero-shot-fp32.prompt").read_bytes())
    kinds = {"float16": "F16", "uint8": "U8", "float32": "F32", "int8": "I8"}
    header = {"__metadata__": header["__metadata__"]}
    payload = b""
    for name, array in (("rejection.centre", centre), ("rejection.signs", signs)):
        offsets = [len(payload), len(payload) + array.nbytes]
        header[name] = {
            "dtype": kinds[array.dtype.name], "shape": list(array.shape), "data_offsets": offsets
        }  # fmt: skip
        payload += array.tobytes()
    return signed(json.loads(json.dumps(header)), payload)


CENTRE, SIGNS = np.zeros(5, np.float16), np.zeros((5, 1), np.uint8)


@pytest.mark.parametrize(
    ("centre", "signs", "message"),
    [
        (CENTRE.astype(np.float32), SIGNS, "must be F16"),
        (CENTRE, SIGNS.astype(np.int8), "must be F16 and its rejection.signs U8"),
        (CENTRE[None], SIGNS, "do not fit each other"),
        (CENTRE, SIGNS[:, 0], "do not fit each other"),
        (CENTRE, np.zeros((5, 2), np.uint8), "do not fit each other"),
        (np.zeros(9, np.float16), SIGNS, "do not fit each other"),
        (CENTRE, SIGNS + 32, "unused last bits"),
        (CENTRE + np.float16(np.inf), SIGNS, "not those of fp16"),
        (CENTRE + np.float16(np.nan), SIGNS, "not those of fp16"),
    ],
)
def test_wrong_tensors_are_refused(centre: np.ndarray, signs: np.ndarray, message: str) -> None:
    assert loads(tensors(CENTRE, SIGNS)).rejection is not None
    assert message in refused(tensors(centre, signs))


def test_a_file_that_lacks_its_tensors_is_refused() -> None:
    header, _ = parts((WITH_REJECTION / "zero-shot-fp32.prompt").read_bytes())
    assert "which needs the tensors" in refused(signed({"__metadata__": header["__metadata__"]}))


def test_few_bytes_do_not_become_much_memory() -> None:
    many = np.zeros((70_000, 64), np.uint8)
    assert "may have 33,554,432 signs" in refused(tensors(np.zeros(512, np.float16), many))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"centre": np.zeros(4)}, "needs a centre"),
        ({"signs": np.zeros((0, 5))}, "needs a centre"),
        ({"signs": np.zeros((5, 5))}, "must be 1 or -1"),
        ({"centre": np.full(5, 1e-9)}, "not those of fp16"),
        ({"centre": np.full(5, 1e9)}, "not those of fp16"),
        ({"thresholds": None}, "object of thresholds"),
    ],
)
def test_a_wrong_record_cannot_be_made(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PromptFileError, match=message):
        replace(REJECTION, **changes)


def test_a_prompt_takes_only_one_that_fits() -> None:
    with pytest.raises(PromptFileError, match="must be a Rejection or None"):
        replace(LOW_RANK, rejection={})
    with pytest.raises(PromptFileError, match="knows 5 classes, but it has 0"):
        replace(LOW_RANK, rejection=REJECTION, class_names=())
    own = replace(LOW_RANK, method="mine", n_ctx=0, rank=None, init="none", tensors={"W": np.ones((2, 2))})
    taken = {"rejection.signs": np.ones((2, 2))}
    assert loads(dumps(replace(own, tensors=taken))).tensors.keys() == taken.keys()  # as before
    with pytest.raises(PromptFileError, match="is that of the rejection"):
        replace(own, tensors=taken, rejection=REJECTION)
