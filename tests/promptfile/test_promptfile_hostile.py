"""What is refused, and that refusing is always a `PromptFileError`."""

from __future__ import annotations

import io
import json
import math
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import promptfile_spec_reader as spec
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from promptfile_golden import (
    COMPACT,
    FULL,
    GOLDEN,
    GOLDEN_4,
    LOW_RANK,
    META_NET,
    OLDER,
    PER_CLASS,
    PROBE,
    PROMPTS,
    ZERO_SHOT,
)

from promptlet.errors import PromptFileError
from promptlet.promptfile import KMEANS, PRECISIONS, PromptFile, dumps, loads


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header: object, payload: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + payload


def signed(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """`join`, with a digest that is right: what is wrong beside it must be noticed all the same."""
    texts = {key: text for key, text in header["__metadata__"].items() if key != "digest"}
    tensors = {name: value for name, value in header.items() if name != "__metadata__"}
    try:
        right = spec.digest(texts, tensors, payload)
    except (TypeError, KeyError, AttributeError, ValueError):  # no digest could be made of it
        right = "0" * 12
    return join(header | {"__metadata__": {**texts, "digest": right}}, payload)


def forged(data: bytes) -> bytes:
    """The same with a digest that is right."""
    return signed(*parts(data))


def older(name: str) -> bytes:
    """The bytes of a golden file of format 1 or 2."""
    return (OLDER / f"{name}.prompt").read_bytes()


def refused(data: bytes) -> str:
    with pytest.raises(PromptFileError) as caught:
        loads(data)
    return str(caught.value)


def stays_safe(data: bytes) -> bool:
    """Loads, or is a `PromptFileError`; what loads is also a file for the official package."""
    try:
        prompt = loads(data)
    except PromptFileError:
        return False
    safetensors.numpy.load(data)
    assert all(np.isfinite(x).all() for x in prompt.tensors.values())
    dumps(prompt)
    return True


def pickled(protocol: int) -> bytes:
    return pickle.dumps({"state_dict": [0.5] * 100}, protocol)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", pickled(2))
    return buffer.getvalue()


@pytest.mark.parametrize("data", [pickled(2), pickled(4), pickled(5), zipped()])
def test_pickles_are_named(data: bytes) -> None:
    assert "this looks like a pickle / torch checkpoint; Promptlet never loads pickles" in refused(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes, too few"),
        (b"\0" * 7, "7 bytes, too few"),
        (b"<!DOCTYPE html><html>", "no safetensors file, so no prompt file: it begins with"),
        (pickled(0), "no safetensors file"),
        (b"\xff" * 8 + b"{}", "no safetensors file"),
        ((2**20 + 1).to_bytes(8, "little") + b"{" * 2**21, "no safetensors file"),
        ((50).to_bytes(8, "little") + b"{}", "should have 50 bytes but 2 follow"),
        ((0).to_bytes(8, "little"), "not valid JSON"),
        (join(b"{nope}"), "not valid JSON"),
        (join(b"{" + b'"a":{' * 100_000), "nested too deeply"),
        (join(b'{"a":' + b"[" * 100_000), "nested too deeply"),
        (join(b'{"a":"\xff"}'), "not UTF-8"),
        (join(b'{"a":1,"a":2}'), "the key 'a' occurs twice"),
        (join(b'{"a":NaN}'), "NaN is not a number of JSON"),
        (join(b'{"a":' + b"9" * 500_000 + b"}"), "beyond 2**53 - 1"),
        (join(b'{"__metadata__":{"a":"\\ud800"}}'), "lone surrogate"),
        (join(b"{}"), "no prompt file: its metadata has no 'promptlet'"),
        (join({"__metadata__": []}), "must be an object of texts"),
        (join({"__metadata__": {"promptlet": 1}}), "must be a text"),
        (
            join({"__metadata__": {"promptlet": "5"}, "x": {"dtype": "F8"}}),
            "made by a newer Promptlet: format 5; this one reads 1 to 4",
        ),
        (join({"__metadata__": {"promptlet": "one"}}), "must be a whole number"),
        (join({"__metadata__": {"promptlet": "1"}}), "its metadata lacks ['backbone', 'class_names'"),
        (join({"__metadata__": {"promptlet": "2"}}), "its metadata lacks ['dim', 'fingerprint', 'method']"),
        (
            join({"__metadata__": {"promptlet": "3"}}),
            "its metadata lacks ['digest', 'dim', 'fingerprint', 'method']",
        ),
        (
            safetensors.numpy.save({"w": np.zeros(3, np.float32)}),
            "it is a safetensors file but no prompt file",
        ),
    ],
)
def test_other_files(data: bytes, message: str) -> None:
    assert message in refused(data)


def meta(**changes: str | None) -> Callable[[dict], None]:
    def change(header: dict) -> None:
        header["__metadata__"] |= changes
        for key in [key for key, value in changes.items() if value is None]:
            del header["__metadata__"][key]

    return change


def entry(name: str, **changes: Any) -> Callable[[dict], None]:
    return lambda header: header[name].update(changes)


HEADERS = [
    (meta(method=None), "lacks ['method']"),
    (meta(extra="1"), "unknown ['extra']"),
    (meta(options="{}"), "unknown ['options']"),
    (meta(init="none"), "init must be 'words:"),
    (meta(n_ctx="0"), "'n_ctx' must be a whole number above 0"),
    (meta(backbone=""), "metadata 'backbone' must be a text"),
    (meta(method="../../rlp"), "method must be"),
    (meta(n_ctx="-3"), "'n_ctx' must be a whole number above 0"),
    (meta(n_ctx="3.0"), "'n_ctx' must be"),
    (meta(n_ctx="٣"), "'n_ctx' must be"),
    (meta(n_ctx="9" * 400), "'n_ctx' must be"),
    (meta(n_ctx="999999999"), "'U' has the shape [3, 2]"),
    (meta(dim="6"), "'V' has the shape [2, 5]"),
    (meta(rank="0"), "'rank' must be"),
    (meta(rank="3"), "has the shape"),
    (meta(rank="full"), "it holds the tensors ['U', 'V'], expected ['P']"),
    (meta(method="zero_shot", rank="full"), "expected []"),
    (meta(init="seed:1e9"), "init must be"),
    (meta(fingerprint="--"), "three parts"),
    (meta(backbone="b" * 2000), "backbone must be a text"),
    (meta(class_names="cat"), "class_names is not valid JSON"),
    (meta(class_names='"cat"'), "must be a list"),
    (meta(class_names='["cat","cat"]'), "occurs twice"),
    (meta(class_names='["cat",1]'), "a class name must be"),
    (meta(class_names='["\\ud800"]'), "lone surrogate"),
    (meta(class_names="[" * 50_000), "nested too deeply"),
    *((meta(class_names="[" * n + "]" * n), "class") for n in range(970, 1000)),
    (meta(training="[]"), "must be an object"),
    (meta(training='{"a":{}}'), "must be a text, a number"),
    (meta(training='{"a":1,"a":1}'), "occurs twice"),
    (meta(training='{"a":1e999}'), "finite"),
    (meta(training='{"a":Infinity}'), "not a number of JSON"),
    (entry("U", dtype="BF16"), "has dtype 'BF16'; allowed: F32, F16, I8, U8"),
    (entry("U", dtype=["F32"]), "has dtype"),
    (entry("U", dtype="I8", shape=[3, 8]), "differ in dtype: float32, int8"),
    (entry("U", shape=[2, 3]), "'U' has the shape [2, 3]"),
    (entry("U", shape=[6]), "'U' has the shape [6]"),
    (entry("U", shape=[1, 1, 1, 6]), "has the shape"),
    (entry("U", shape=[-3, -2]), "has the shape"),
    (entry("U", shape=[3, 2.0]), "has the shape"),
    (entry("U", shape=[3, True]), "has the shape"),
    (entry("U", shape="32"), "has the shape"),
    (entry("U", shape=[2**40, 2**40]), "has the shape"),
    (entry("U", shape=[2**30, 2**30]), "has 24 bytes, which do not fit"),
    (entry("U", data_offsets=[0, 20]), "has 20 bytes, which do not fit [3, 2]"),
    (entry("U", data_offsets=[-24, 0]), "has the data_offsets"),
    (entry("U", data_offsets=[24, 0]), "has the data_offsets"),
    (entry("U", data_offsets=[0]), "has the data_offsets"),
    (lambda header: header.update({"\ud800": header.pop("V")}), "a tensor's name holds a lone surrogate"),
    (entry("U", data_offsets=[0, 2**50]), "has the data_offsets"),
    (entry("U", data_offsets=[0, 2**60]), "beyond 2**53 - 1"),
    (entry("U", data_offsets={"0": 24}), "has the data_offsets"),
    (entry("V", data_offsets=[23, 63]), "overlap or hole"),
    (entry("V", data_offsets=[25, 65]), "overlap or hole"),
    (entry("V", data_offsets=[0, 40]), "overlap or hole"),
    (entry("V", extra=1), "nothing else"),
    (lambda header: header.update(V=[]), "needs dtype, shape and data_offsets"),
    (lambda header: header.pop("V"), "40 bytes follow the last tensor"),
    (
        lambda header: header.update(W={"dtype": "U8", "shape": [1], "data_offsets": [64, 65]}),
        "ends at byte 65 of the payload, which has 64",
    ),
]


@pytest.mark.parametrize(("change", "message"), HEADERS)
def test_headers_of_format_1(change: Callable[[dict], None], message: str) -> None:
    header, payload = parts(older("low-rank-fp32"))
    change(header)
    assert message in refused(join(header, payload))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_trailing_bytes(precision: str) -> None:
    assert "1 bytes follow the last tensor" in refused(dumps(LOW_RANK, precision) + b"\0")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["<f4", "<f2"])
def test_numbers_that_are_not_finite(dtype: str, value: float) -> None:
    data = dumps(FULL, "fp32" if dtype == "<f4" else "fp16")
    bad = np.array(value, dtype).tobytes()
    assert "not finite" in refused(forged(data[: -len(bad)] + bad))


@pytest.mark.parametrize("scale", [np.nan, np.inf, -1.0, 0.0])
@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_scales(precision: str, scale: float) -> None:
    header, payload = parts(dumps(FULL, precision))
    assert header["scale"]["data_offsets"] == [0, 2]
    assert "scales must be finite and above 0" in refused(
        signed(header, np.float16(scale).tobytes() + payload[2:])
    )


def test_scale_of_another_dtype_or_missing() -> None:
    header, payload = parts(dumps(FULL, "int8"))
    header["scale"] |= {"dtype": "I8", "shape": [2]}
    assert "scales must be F16" in refused(signed(header, payload))
    del header["scale"]
    header["P"]["data_offsets"] = [0, 15]
    assert "it holds the tensors ['P']" in refused(signed(header, payload[2:]))


def test_steps_that_no_writer_uses() -> None:
    assert "holds -128" in refused(forged(dumps(FULL, "int8")[:-1] + b"\x80"))
    for int4 in (older("full-int4"), dumps(FULL, "int4")):
        sign = forged if int4 == dumps(FULL, "int4") else bytes
        assert "last half byte is not 0" in refused(sign(int4[:-1] + b"\x11"))
        assert "holds -8" in refused(sign(int4[:-1] + b"\x08"))


def test_one_prompt_per_class_needs_all_of_them() -> None:
    header, payload = parts(dumps(PER_CLASS))
    header["__metadata__"]["class_names"] = '["cat"]'
    assert "1 classes need tensors of shapes {'P': (1, 3, 5)}" in refused(signed(header, payload))
    header, payload = parts(older("per-class-fp32"))
    header["__metadata__"]["class_names"] = '["cat"]'
    assert "'P' has the shape [5, 3, 5]" in refused(join(header, payload))


def test_a_zero_shot_file_with_a_giant_context_is_refused() -> None:
    header, _ = parts(dumps(ZERO_SHOT))
    header["__metadata__"] |= {"n_ctx": "999999999", "dim": "999999999"}
    assert "n_ctx must be a whole number from 1 to 1024" in refused(signed(header))


SHAPES = '{"W":[5,5]}'
HEADERS_2 = [
    (meta(extra="1"), "unknown ['extra']"),
    (meta(precision="fp32"), "unknown ['precision']"),
    (meta(method=None), "lacks ['method']"),
    (meta(dim=None, fingerprint=None), "lacks ['dim', 'fingerprint']"),
    (meta(promptlet="1"), "unknown ['digest', 'options', 'shapes']"),
    (meta(n_ctx="00"), "'n_ctx' must be a whole number above 0"),
    (meta(n_ctx="-1"), "'n_ctx' must be"),
    (meta(n_ctx="1025"), "n_ctx must be a whole number from 0 to 1024"),
    (meta(rank="1"), "rank is that of a context and must be None where n_ctx is 0"),
    (meta(rank=None), "rank is that of a context"),
    (meta(init="seed:7"), "init must be 'none' where n_ctx is 0"),
    (meta(init="None"), "init must be"),
    (meta(n_ctx="3", init="nothing"), "init must be 'words:"),
    (meta(options="{"), "options is not valid JSON"),
    (meta(options="[]"), "options must be an object"),
    (meta(options='{"a":{"b":1}}'), "options['a'] must be a text, a number"),
    (meta(options='{"a":[]}'), "options['a'] must be a text, a number"),
    (meta(options='{"a":1,"a":2}'), "the key 'a' occurs twice"),
    (meta(options='{"a":NaN}'), "not a number of JSON"),
    (meta(options='{"":1}'), "a key of options must be a text"),
    (meta(shapes="[]"), "shapes must be an object"),
    (meta(shapes='{"W":[5,5],"W":[5,5]}'), "the key 'W' occurs twice"),
    (meta(shapes='{"W":25}'), "shapes['W'] must be a list of sizes"),
    (meta(shapes='{"W":[5,5.0]}'), "shapes['W'] must be a list of sizes"),
    (meta(shapes='{"W":[true,5]}'), "shapes['W'] must be a list of sizes"),
    (meta(shapes='{"W":[[5],5]}'), "shapes['W'] must be a list of sizes"),
    (meta(shapes='{"W":[9999999999]}'), "shapes['W'] must be a list of sizes"),
    (meta(shapes='{"W":[]}'), "1 to 3 positive sizes go"),
    (meta(shapes='{"W":[1,1,5,5]}'), "1 to 3 positive sizes go"),
    (meta(shapes='{"W":[0,5]}'), "1 to 3 positive sizes go"),
    (meta(shapes='{"W":[-5,-5]}'), "1 to 3 positive sizes go"),
    (meta(shapes='{"W":[1073741824,1073741824,1073741824]}'), "up to 268,435,456 go"),
    (meta(shapes='{"W":[16384,16384],"X":[1]}'), "its tensors have 268,435,457 numbers"),
    (meta(shapes='{"W":[25]}'), "'W' has the shape [5, 5]; its shapes make [25]"),
    (meta(shapes='{"X":[5,5]}'), "it holds the tensors ['W'], expected ['X']"),
    (meta(shapes='{"W":[5,5],"X":[1]}'), "it holds the tensors ['W'], expected ['W', 'X']"),
    (meta(shapes="{}"), "it holds the tensors ['W'], expected []"),
    (meta(shapes=None), "1 to 3 positive sizes go"),
    (meta(shapes=json.dumps({f"W{i}": [1] for i in range(4097)})), "4,097 tensors are too many"),
    *(
        (meta(shapes=json.dumps({name: [5, 5]})), "a tensor cannot be called")
        for name in ["scale", *KMEANS, "", "1W", "W-1", "_W", "é", "W\n", "W" * 97, "../W"]
    ),
    (entry("W", shape=[25]), "'W' has the shape [25]; its shapes make [5, 5]"),
    (entry("W", dtype="U8", shape=[100]), "it holds the tensors ['W'], expected ['W', 'scale']"),
    (lambda header: header.update(kmeans1=header["W"]), "overlap or hole"),
    (lambda header: header.update(kmeans1=header.pop("W")), "its kmeans1 must be U8, not float32"),
]


@pytest.mark.parametrize(("change", "message"), HEADERS_2)
def test_headers_since_format_2(change: Callable[[dict], None], message: str) -> None:
    header, payload = parts(dumps(PROBE))
    change(header)
    assert message in refused(signed(header, payload))
    if header["__metadata__"]["promptlet"] == "3":
        del header["__metadata__"]["digest"]
        header["__metadata__"]["promptlet"] = "2"
        assert message in refused(join(header, payload))


def test_without_options_the_names_of_a_context_mean_a_context() -> None:
    odd = replace(LOW_RANK, tensors={"P": np.zeros((5, 5), np.float32)}, options={"a": 1})
    header, payload = parts(dumps(odd))
    assert loads(join(header, payload)).tensors["P"].shape == (5, 5)
    del header["__metadata__"]["options"]
    assert "need tensors of shapes {'U': (3, 2), 'V': (2, 5)}" in refused(signed(header, payload))


def test_a_file_is_the_same_with_its_defaults_written_out() -> None:
    data = dumps(COMPACT, "kmeans1")
    header, payload = parts(data)
    header["__metadata__"] |= {
        "n_ctx": "4",
        "rank": "1",
        "init": "words:a photo of a",
        "class_names": "[]",
        "training": "{}",
        "options": "{}",
        "shapes": '{"V":[1,5],"U":[4,1]}',
    }
    assert dumps(loads(signed(header, payload)), "kmeans1") == data


def test_a_zero_below_zero_is_refused_as_other_readers_do() -> None:
    data = dumps(LOW_RANK)
    assert b'"data_offsets":[0,' in data
    longer = data.replace(b'"data_offsets":[0,', b'"data_offsets":[-0,')
    length = (int.from_bytes(data[:8], "little") + 1).to_bytes(8, "little")
    assert "-0 is no whole number to other readers" in refused(length + longer[8:])


def test_a_name_that_is_no_text_is_refused_in_every_format() -> None:
    for data in (dumps(LOW_RANK), older("low-rank-fp32")):
        header, payload = parts(data)
        header["\ud800"] = header.pop("V")
        assert "a tensor's name holds a lone surrogate" in refused(signed_where_it_can(join(header, payload)))


def test_codes_that_no_writer_uses() -> None:
    header, payload = parts(dumps(COMPACT, "kmeans1"))  # 2 codebooks of 2, 9 codes
    assert header["kmeans1"]["shape"] == [10] and len(payload) == 10
    assert "unused last bits are not 0" in refused(signed(header, payload[:-1] + bytes([payload[-1] | 2])))
    assert "unused last bits are not 0" in refused(signed(header, payload[:-1] + bytes([payload[-1] | 128])))
    for bad in (np.nan, np.inf, -np.inf):
        for at in (0, 2, 4, 6):
            book = payload[:at] + np.float16(bad).tobytes() + payload[at + 2 :]
            assert "codebooks must be finite and ascending" in refused(signed(header, book))
    turned = payload[2:4] + payload[:2] + payload[4:]
    assert "codebooks must be finite and ascending" in refused(signed(header, turned))


@pytest.mark.parametrize("length", [1, 9, 11, 40])
def test_codes_of_another_length(length: int) -> None:
    header, _ = parts(dumps(COMPACT, "kmeans1"))
    header["kmeans1"] |= {"shape": [length], "data_offsets": [0, length]}
    assert f"'kmeans1' has the shape [{length}]; its shapes make [10]" in refused(
        signed(header, bytes(length))
    )


def test_the_tensor_that_tells_the_precision_stands_alone_and_fits() -> None:
    header, payload = parts(dumps(COMPACT, "kmeans1"))
    both = header | {"U": {"dtype": "U8", "shape": [1], "data_offsets": [10, 11]}}
    assert "which do not go together" in refused(signed(both, payload + b"\0"))
    header["kmeans2"] = header.pop("kmeans1")
    assert "'kmeans2' has the shape [10]; its shapes make [19]" in refused(signed(header, payload))
    header["kmeans8"] = header.pop("kmeans2")
    message = "it holds the tensors ['kmeans8'], expected ['U', 'V', 'scale']"
    assert message in refused(signed(header, payload))


def test_format_1_knows_no_codes() -> None:
    header, payload = parts(dumps(LOW_RANK, "kmeans1"))
    header["__metadata__"] = parts(older("low-rank-fp32"))[0]["__metadata__"]
    assert "it holds the tensors ['kmeans1'], expected ['U', 'V', 'scale']" in refused(join(header, payload))


def test_int4_since_format_2() -> None:
    data = dumps(PROBE, "int4")
    assert "last half byte is not 0" in refused(forged(data[:-1] + bytes([data[-1] | 16])))
    header, payload = parts(data)
    assert header["W"]["shape"] == [13]
    header["W"]["shape"] = [1, 13]
    assert "'W' has the shape [1, 13]; its shapes make [13]" in refused(signed(header, payload))


@pytest.mark.parametrize("name", GOLDEN)
def test_truncation_at_every_byte(name: str) -> None:
    data = dumps(*GOLDEN[name])
    for end in range(len(data)):
        with pytest.raises(PromptFileError):
            loads(data[:end])


VALID = [
    *(dumps(prompt, precision) for prompt in PROMPTS.values() for precision in PRECISIONS),
    *(dumps(prompt, q) for prompt in (META_NET, PROBE, COMPACT) for q in (*PRECISIONS, *KMEANS)),
    *(path.read_bytes() for path in sorted(OLDER.iterdir())),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid file with a few bytes replaced, inserted or removed."""
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    if draw(st.booleans()):  # a header length that fits again, so that the damage reaches the deeper checks
        data[:8] = (data.rfind(b"}") + 1 - 8 & 2**64 - 1).to_bytes(8, "little")
    return signed_where_it_can(bytes(data)) if draw(st.booleans()) else bytes(data)


def signed_where_it_can(data: bytes) -> bytes:
    try:
        header, payload = parts(data)
        return signed(header, payload) if "digest" in header["__metadata__"] else data
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):  # it cannot be read
        return data


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["F32", "U8", "full"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def odd_headers(draw: st.DrawFn) -> bytes:
    """A valid file with one value of its header replaced by any other JSON value."""
    header, payload = parts(draw(st.sampled_from(VALID)))
    place, key = header, draw(st.sampled_from(sorted(header)))
    while isinstance(place[key], dict) and draw(st.integers(0, 9)):
        place = place[key]
        key = draw(st.sampled_from(sorted(place)))
    value = draw(JSON_VALUES)
    place[key] = json.dumps(value) if draw(st.booleans()) else value
    return signed_where_it_can(join(header, payload))


@given(mutated() | odd_headers() | st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
@pytest.mark.slow
def test_damage_never_raises_anything_else(data: bytes) -> None:
    stays_safe(data)


@pytest.mark.slow
@given(mutated() | odd_headers())
@settings(max_examples=20_000, deadline=None)
def test_much_damage_never_raises_anything_else(data: bytes) -> None:
    stays_safe(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    "golden", [*GOLDEN.values(), *GOLDEN_4.values()], ids=[*GOLDEN, *(f"4-{name}" for name in GOLDEN_4)]
)
def test_every_flipped_bit_is_noticed(golden: tuple[PromptFile, str]) -> None:
    """Whatever bit of a file changes, in its length, its header or its numbers: it is refused."""
    data = dumps(*golden)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        refused(bytes(flipped))


@pytest.mark.parametrize("precision", ["fp32", "int4", "kmeans1"])
def test_the_digest_is_of_the_payload_and_of_every_text(precision: str) -> None:
    data = dumps(LOW_RANK, precision)
    header, payload = parts(data)
    assert "does not match its digest" in refused(data[:-1] + bytes([data[-1] ^ 1]))
    for key, other in {"init": "seed:8", "method": "coop", "backbone": "other", "class_names": "[]"}.items():
        changed = header | {"__metadata__": header["__metadata__"] | {key: other}}
        assert "does not match its digest" in refused(join(changed, payload))
        loads(signed(changed, payload))  # with its digest made anew it is another file
    for wrong in ("", "0" * 12, header["__metadata__"]["digest"].upper() + "0", "x" * 1000):
        changed = header | {"__metadata__": header["__metadata__"] | {"digest": wrong}}
        assert "digest" in refused(join(changed, payload))


def test_small_files_cannot_ask_for_much_memory() -> None:
    """One bit a number: 4 MiB of a file would become 128 MiB; more is refused before it is unpacked."""
    most = 2**25
    header = parts(dumps(PROBE))[0]
    for precision, shape in (("kmeans1", [2**13, 2**13]), ("int4", [most + 2])):
        count = math.prod(shape)
        size = 4 + count // 8 if precision == "kmeans1" else count // 2
        header["__metadata__"]["shapes"] = json.dumps({"W": shape})
        tensors = {
            ("W" if precision == "int4" else precision): {
                "dtype": "U8",
                "shape": [size],
                "data_offsets": [0, size],
            }
        }
        payload = bytes(size)
        if precision == "int4":
            tensors["scale"] = {"dtype": "F16", "shape": [1], "data_offsets": [size, size + 2]}
            payload += np.float16(1).tobytes()
        big = {"__metadata__": header["__metadata__"], **tensors}
        assert f"as {precision} up to 33,554,432 go" in refused(signed(big, payload))


def test_other_writers_are_welcome() -> None:
    """The official package orders and pads in its own way; the content is the same."""
    data = dumps(LOW_RANK, "int8")
    header, _ = parts(data)
    again = safetensors.numpy.save(safetensors.numpy.load(data), header["__metadata__"])
    assert dumps(loads(again), "int8") == data
