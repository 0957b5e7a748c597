"""What is written: bytes, sizes, values, and that others can read it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import promptfile_spec_reader as spec
import pytest
import safetensors.numpy
from hypothesis import given, settings
from promptfile_golden import (
    COMPACT,
    FOLDER,
    GOLDEN,
    LOW_RANK,
    META_NET,
    OLDER,
    PER_CLASS,
    PROMPTS,
    TRAINING,
    make,
)

from promptlet.errors import PromptFileError
from promptlet.promptfile import KMEANS, PRECISIONS, PromptFile, dumps, loads
from promptlet.rng import normal, words

PAYLOAD_BYTES = {"fp32": 2064, "fp16": 1032, "int8": 520, "int4": 262}
COMPACT_BYTES = {
    "fp32": 2336,
    "fp16": 1296,
    "int8": 840,
    "int4": 582,
    "kmeans1": 281,
    "kmeans2": 361,
    "kmeans4": 538,
}
FIELDS = (
    "method",
    "n_ctx",
    "dim",
    "rank",
    "init",
    "backbone",
    "fingerprint",
    "class_names",
    "training",
    "options",
)
EVERY_PRECISION = (*PRECISIONS, *KMEANS)
SPEC = Path(__file__).parents[2] / "docs" / "reference" / "prompt-file.md"


def realistic(class_names: tuple[str, ...] = ("tabby cat", "café")) -> PromptFile:
    u, v = normal("test", 1, (4, 1), 0.1), normal("test", 2, (1, 512), 0.1)
    return PromptFile(
        method="rlp",
        n_ctx=4,
        dim=512,
        rank=1,
        init="words:a photo of a",
        backbone="openai/clip-vit-base-patch16",
        fingerprint="0123456789ab-cdef01234567-89abcdef0123",
        class_names=class_names,
        training=TRAINING,
        tensors={"U": u, "V": v},
    )


def error_bound(x: np.ndarray, precision: str) -> float:
    """The spec's bound: half a scale, where the scale is the peak over 127 or 7, rounded up in fp16.

    k-means has none but the span of the numbers; test_promptfile_kmeans.py knows more.
    """
    if precision == "fp32":
        return 0.0
    peak = float(np.abs(x).max())
    if precision == "fp16":
        return peak * 2**-11 + 2**-25
    if precision in KMEANS:
        return float(np.ptp(x.astype(np.float64))) + peak * 2**-11 + 2**-25
    scale = peak / {"int8": 127, "int4": 7}[precision]
    return (scale * (1 + 2**-10) + 2**-24) / 2 * (1 + 1e-6)


def assert_same(a: PromptFile, b: PromptFile, precision: str) -> None:
    for field in FIELDS:
        assert getattr(a, field) == getattr(b, field), field
    assert set(a.tensors) == set(b.tensors)
    for name, x in a.tensors.items():
        y = b.tensors[name]
        assert y.dtype == np.float32 and y.shape == x.shape and y.flags.writeable
        assert np.abs(x.astype(np.float64) - y).max() <= error_bound(x, precision)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_bytes(name: str) -> None:
    prompt, precision = GOLDEN[name]
    golden = (FOLDER / name).read_bytes()
    assert dumps(prompt, precision) == golden
    assert_same(prompt, loads(golden), precision)
    assert loads(golden).precision == precision
    assert dumps(loads(golden), precision) == golden


@pytest.mark.parametrize("name", GOLDEN)
def test_files_of_formats_1_and_2_stay_readable(name: str) -> None:
    prompt, precision = GOLDEN[name]
    older = (OLDER / name).read_bytes()
    back = loads(older)
    assert_same(prompt, back, precision)
    assert back.format_version == (1 if b'"promptlet":"1"' in older else 2)
    assert not back.is_protected and loads(dumps(back)).is_protected
    assert dumps(back, precision) == (FOLDER / name).read_bytes()


def test_golden_folders_hold_nothing_else() -> None:
    for folder in (FOLDER, OLDER):
        assert {path.name for path in folder.iterdir()} == set(GOLDEN)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_sizes(precision: str) -> None:
    prompt = realistic()
    data = dumps(prompt, precision)
    header = 8 + int.from_bytes(data[:8], "little")
    names = json.dumps(
        json.dumps(prompt.class_names, ensure_ascii=False, separators=(",", ":")), ensure_ascii=False
    )
    assert len(data) - header == PAYLOAD_BYTES[precision]
    assert header % 8 == 0
    assert header - (len(names.encode()) - 2) < 600


@pytest.mark.parametrize("folder", [FOLDER, OLDER])
@pytest.mark.parametrize("name", GOLDEN)
def test_the_official_package_and_the_spec_read_the_same(name: str, folder: Path) -> None:
    data = (folder / name).read_bytes()
    official = safetensors.numpy.load(data)
    with safetensors.safe_open(folder / name, "np") as file:
        told = {key: text for key, text in file.metadata().items() if key != "digest"}
        assert told.items() <= spec.read(data)[0].items()
    metadata, factors = spec.read(data)
    prompt = loads(data)
    assert json.loads(metadata["class_names"]) == list(prompt.class_names)
    assert json.loads(metadata["training"]) == prompt.training
    assert json.loads(metadata.get("options", "{}")) == prompt.options
    assert set(factors) == set(prompt.tensors)
    assert set(official) - {"scale"} == ({prompt.precision} if prompt.precision in KMEANS else set(factors))
    for key, x in prompt.tensors.items():
        np.testing.assert_array_equal(factors[key], x, strict=True)


def test_bytes_do_not_depend_on_the_order_of_dicts() -> None:
    turned = replace(
        LOW_RANK,
        training=dict(reversed(TRAINING.items())),
        tensors=dict(reversed(LOW_RANK.tensors.items())),
    )
    assert dumps(turned, "int8") == dumps(LOW_RANK, "int8")


def test_class_names_are_written_as_themselves() -> None:
    assert "東京タワー".encode() in dumps(LOW_RANK)


@pytest.mark.parametrize("precision", EVERY_PRECISION)
def test_all_zero_factor(precision: str) -> None:
    zero = replace(LOW_RANK, tensors={"U": LOW_RANK.tensors["U"], "V": np.zeros((2, 5), np.float32)})
    assert_same(zero, loads(dumps(zero, precision)), precision)


@pytest.mark.parametrize("precision", EVERY_PRECISION)
def test_one_class_keeps_its_axis(precision: str) -> None:
    one = replace(PER_CLASS, class_names=("cat",), tensors={"P": PER_CLASS.tensors["P"][:1]})
    assert loads(dumps(one, precision)).tensors["P"].shape == (1, 3, 5)


def test_test_vector_of_the_spec() -> None:
    """The numbers printed in the spec are those of the generator."""
    assert ", ".join(map(str, words("context", 7, 3))) in SPEC.read_text(encoding="utf-8")
    for row in normal("context", 7, (2, 3), 0.02).astype(np.float64):
        assert ", ".join(f"{x:.9g}" for x in row) in SPEC.read_text(encoding="utf-8")


def test_importing_it_loads_no_torch() -> None:
    code = (
        "import sys, promptlet.promptfile; print({'torch', 'safetensors', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_file_without_a_rejection_is_of_format_3() -> None:
    for prompt, precision in GOLDEN.values():
        data = dumps(prompt, precision)
        assert b'"promptlet":"3"' in data and loads(data).format_version == prompt.format_version == 3


def test_what_a_default_says_is_left_out() -> None:
    texts = json.loads(dumps(COMPACT)[8:].split(b"}}", 1)[0] + b"}}").get("__metadata__", {})
    assert texts.keys() == {"promptlet", "method", "dim", "fingerprint", "digest"}


def test_sizes_of_compact_files() -> None:
    sizes = {precision: len(dumps(realistic(), precision, compact=True)) for precision in EVERY_PRECISION}
    assert sizes == COMPACT_BYTES
    row = " ".join(line for line in SPEC.read_text(encoding="utf-8").splitlines() if line.startswith("| "))
    assert all(f"{size:,}" in row for size in sizes.values())
    assert len(dumps(replace(realistic(), init="seed:7"), "kmeans1", compact=True)) < 300


@pytest.mark.parametrize("precision", EVERY_PRECISION)
def test_compact_leaves_out_what_can_be_given_later(precision: str) -> None:
    back = loads(dumps(replace(LOW_RANK, options={"alpha": 2}), precision, compact=True))
    assert (back.backbone, back.class_names, back.training) == ("", (), {})
    assert back.options == {"alpha": 2} and back.fingerprint == LOW_RANK.fingerprint
    again = replace(COMPACT, backbone="mini", class_names=("cat",), training=TRAINING)
    assert dumps(again, precision, compact=True) == dumps(COMPACT, precision)
    for options in ({}, {"between": "a"}, {"class_token_position": "front"}):
        file = replace(PER_CLASS, options=options)
        names = loads(dumps(file, precision, compact=True)).class_names
        assert names == PER_CLASS.class_names  # each context belongs to one


def test_options_come_back_as_they_were() -> None:
    back = loads(dumps(META_NET)).options
    assert back == META_NET.options
    assert [type(value) for _, value in sorted(back.items())] == [str, float, int, bool, type(None)]


# Round trips

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
whole = st.integers(-(2**53) + 1, 2**53 - 1)
trainings = st.dictionaries(
    texts,
    st.none()
    | st.booleans()
    | whole
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('aé東\n\\"', max_size=9),
    max_size=5,
)


def arrays(*shape: int, limit: float = 1e4) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float32, shape, elements=st.floats(-limit, limit, width=32))


@st.composite
def prompts(draw: st.DrawFn) -> PromptFile:
    kind = draw(st.sampled_from(list(PROMPTS)))
    n_ctx, dim = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    names = tuple(draw(st.lists(texts, unique=True, min_size=1, max_size=4)))
    rank = draw(st.integers(1, min(n_ctx, dim))) if kind == "low-rank" else None
    tensors = {}
    if kind == "low-rank":
        tensors = {"U": draw(arrays(n_ctx, rank)), "V": draw(arrays(rank, dim))}
    elif kind != "zero-shot":
        lead = (len(names),) if kind == "per-class" else ()
        tensors = {"P": draw(arrays(*lead, n_ctx, dim))}
    return make(
        PROMPTS[kind].method,
        rank,
        tensors,
        n_ctx=n_ctx,
        dim=dim,
        init=draw(st.sampled_from(["seed:0", "seed:7", "words:a photo of a", "zeros:ein Foto:\n von"])),
        backbone=draw(texts),
        class_names=names,
        training=draw(trainings),
    )


@pytest.mark.slow
@given(prompts(), st.sampled_from(EVERY_PRECISION))
@settings(max_examples=200, deadline=None)
def test_round_trip(prompt: PromptFile, precision: str) -> None:
    data = dumps(prompt, precision)
    back = loads(data)
    assert_same(prompt, back, precision)
    safetensors.numpy.load(data)
    for name, x in spec.read(data)[1].items():
        np.testing.assert_array_equal(x, back.tensors[name])


@st.composite
def methods(draw: st.DrawFn) -> PromptFile:
    """A prompt file of another method: any tensors, with options or a name that no context has."""
    names = draw(st.lists(st.from_regex(r"\A[A-Za-z][A-Za-z0-9_.]{0,5}\Z"), unique=True, max_size=4))
    tensors = {
        name: draw(arrays(*draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))))
        for name in names
        if name != "scale"
    }
    n_ctx = draw(st.integers(0, 5))
    return make(
        "cocoop",
        draw(st.sampled_from([None, 1])) if n_ctx else None,
        tensors,
        n_ctx=n_ctx,
        init=draw(st.sampled_from(["none", "seed:7", "words:a photo of a"])) if n_ctx else "none",
        backbone=draw(texts | st.just("")),
        class_names=tuple(draw(st.lists(texts, unique=True, max_size=3))),
        training=draw(trainings),
        options=draw(trainings) | {"depth": 9},
    )


@pytest.mark.slow
@given(methods(), st.sampled_from(EVERY_PRECISION))
@settings(max_examples=300, deadline=None)
def test_round_trip_of_any_tensors(prompt: PromptFile, precision: str) -> None:
    data = dumps(prompt, precision)
    back = loads(data)
    assert_same(prompt, back, precision)
    assert back.precision == (precision if prompt.tensors else "fp32")
    safetensors.numpy.load(data)
    for name, x in spec.read(data)[1].items():
        np.testing.assert_array_equal(x, back.tensors[name], strict=True)


@pytest.mark.slow
@given(prompts() | methods(), st.sampled_from(["fp32", "fp16", *KMEANS]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_was_loaded_is_saved_as_the_same_bytes(
    prompt: PromptFile, precision: str, compact: bool
) -> None:
    data = dumps(prompt, precision, compact)
    assert dumps(loads(data), precision) == data
    assert dumps(loads(data), loads(data).precision) == data
    smaller = dumps(loads(data), precision, compact=True)
    assert len(smaller) <= len(data) + 8
    assert dumps(loads(smaller), precision, compact=True) == smaller


@given(arrays(3, 5, limit=2**126), st.sampled_from(EVERY_PRECISION))
@settings(max_examples=200, deadline=None)
def test_large_and_tiny_numbers_are_kept_or_refused(x: np.ndarray, precision: str) -> None:
    prompt = make("coop", None, {"P": x})
    try:
        data = dumps(prompt, precision)
    except PromptFileError as error:
        assert "save it as fp32" in str(error)
        assert np.abs(x).max() > 65504 * {"int8": 127, "int4": 7}.get(precision, 1)
    else:
        assert_same(prompt, loads(data), precision)


# What cannot be made

BAD_FIELDS = [
    ({"method": "RLP!"}, "method must be small letters"),
    ({"method": "zero_shot", "rank": None}, "need tensors of shapes {}"),
    ({"n_ctx": 0}, "n_ctx must be a whole number from 1 to 1024"),
    ({"n_ctx": True}, "n_ctx must be"),
    ({"n_ctx": 4}, "need tensors of shapes"),
    ({"dim": 10**9}, "dim must be"),
    ({"rank": 4}, "rank must be a whole number from 1 to 3"),
    ({"rank": None}, "need tensors of shapes"),
    ({"init": "random"}, "init must be 'words:"),
    ({"init": "words: "}, "init must be"),
    ({"init": "seed:-1"}, "init must be"),
    ({"init": "seed:01"}, "init must be"),
    ({"init": "zeros: "}, "init must be"),
    ({"init": "zeros:a", "format_version": 2}, "init must be words or a seed in format 2, not zeros"),
    ({"options": {"between": "a"}, "dim": 4}, "need tensors of shapes"),
    ({"options": {"class_token_position": "front"}, "rank": None}, "need tensors of shapes"),
    ({"backbone": None}, "backbone must be a text"),
    ({"backbone": "\ud800"}, "lone surrogate"),
    ({"fingerprint": "abc"}, "three parts"),
    ({"class_names": "cat"}, "must be a list"),
    ({"class_names": ("cat", "cat")}, "'cat' occurs twice"),
    ({"class_names": ("cat", 3)}, "a class name must be a text"),
    ({"class_names": ("",)}, "a class name must be a text"),
    ({"class_names": tuple(map(str, range(200_000)))}, "fewer or shorter class names"),
    ({"training": []}, "must be an object"),
    ({"training": {1: 2}}, "a key of training"),
    ({"training": {"lr": float("nan")}}, "finite"),
    ({"training": {"lr": 2**53}}, "beyond"),
    ({"training": {"lr": [1]}}, "must be a text, a number"),
    ({"training": {"lr": np.int64(1)}}, "must be a text, a number"),
    ({"tensors": []}, "must map"),
    ({"tensors": {"U": [[1.0]]}}, "tensor.detach().cpu().numpy()"),
    ({"tensors": {"U": np.zeros((3, 2), np.int64)}}, "must be a NumPy array of floats"),
    ({"tensors": {"U": np.full((3, 2), 1e300), "V": np.zeros((2, 5))}}, "not finite"),
    ({"tensors": {"P": np.zeros((3, 2))}}, "need tensors"),
    ({"tensors": {}}, "need tensors"),
    ({"tensors": {1: np.zeros((3, 2))}}, "a tensor's name must be a text"),
    ({"init": "none"}, "init must be 'words:"),
    ({"precision": "int2"}, "allowed: fp32, fp16, int8, int4, kmeans1, kmeans2, kmeans4. Did you mean"),
    ({"options": []}, "options must be an object"),
    ({"options": {"a": {}}}, "options['a'] must be a text, a number"),
    ({"options": {"a": float("inf")}}, "finite"),
    ({"tensors": {"W": np.zeros(())}}, "1 to 3 positive sizes go"),
    ({"tensors": {"W": np.zeros((0, 2))}}, "1 to 3 positive sizes go"),
    ({"tensors": {"W": np.zeros((1, 1, 1, 1))}}, "1 to 3 positive sizes go"),
    ({"tensors": {"W": np.full(2, np.nan)}}, "not finite"),
    ({"tensors": {"scale": np.zeros(2)}}, "a tensor cannot be called 'scale'"),
    ({"tensors": {"kmeans1": np.zeros(2)}}, "a tensor cannot be called 'kmeans1'"),
    ({"tensors": {"W-1": np.zeros(2)}}, "a tensor cannot be called 'W-1'"),
    ({"tensors": {f"W{i}": np.zeros(1) for i in range(4097)}}, "4,097 tensors are too many"),
    ({"tensors": {"W": np.zeros(2)}, "n_ctx": 0}, "rank is that of a context and must be None"),
    ({"tensors": {"W": np.zeros(2)}, "n_ctx": 0, "rank": None}, "init must be 'none' where n_ctx is 0"),
    ({"tensors": {"W": np.zeros(2)}, "n_ctx": -1}, "n_ctx must be a whole number from 0 to 1024"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_FIELDS)
def test_wrong_fields(changes: dict, message: str) -> None:
    with pytest.raises(PromptFileError) as caught:
        dumps(replace(LOW_RANK, **changes))
    assert message in str(caught.value)


def test_changes_from_outside_are_noticed() -> None:
    prompt = replace(LOW_RANK)
    prompt.tensors["U"][0] = np.nan
    with pytest.raises(PromptFileError, match="not finite"):
        dumps(prompt)
    assert np.isfinite(LOW_RANK.tensors["U"]).all()


def test_unknown_precision() -> None:
    with pytest.raises(PromptFileError, match=r"precision='int16' is not known.*Did you mean"):
        dumps(LOW_RANK, "int16")
