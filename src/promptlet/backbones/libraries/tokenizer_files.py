"""The files of a tokenizer, looked at before the library that runs them reads them.

They say how a text is changed, step by step; steps that make it ever longer are refused. 34 that each double
a letter make 16 billion of one, and the library then ends the whole process, since memory that is not there
is no error in it. What it does not know of a token, it prints to standard output. It keeps words of the
kind Unigram as a tree, a branch a letter, whose end it cannot reach where one is very long: the process ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from promptlet.backbones.libraries.asked import AGAIN, read_asked
from promptlet.errors import BackboneError

MOST_GROWTH = 10_000
"""How many times longer a text may become. Real tokenizers keep it; normal forms of Unicode make it at most
18 times longer, and each stands once."""
MOST_STEPS = 64
MOST_LETTERS = 1_000
"""Bytes of a token of Unigram, in UTF-8. Real ones have some dozens."""
MOST_BESIDE = 10
"""Bytes of what stands beside a token in a model of SentencePiece."""
NUMBER, LENGTH, FIXED = 0, 2, {1: 8, 5: 4}
"""Kinds of fields of protocol buffers; the last with their bytes."""
NO_TREES = ("BPE", "WordPiece", "WordLevel")
SETTINGS = ("tokenizer_config.json", "special_tokens_map.json")
LISTS = ("added_tokens_decoder", "added_tokens", "additional_special_tokens", "extra_special_tokens")
TOKEN = ("content", "single_word", "lstrip", "rstrip", "normalized", "special", "id", "__type")
"""What is known of a token that stands outside of the vocabulary."""
GROWS = {"NFD": 4, "NFKC": 18, "NFKD": 18, "Precompiled": 18, "ByteLevel": 4}
"""Kinds of steps that make a text longer without saying by how much."""


class Steps(msgspec.Struct):
    """What tokenizer.json says of a text's way and of tokens beside its vocabulary, which is passed over."""

    normalizer: Any = None
    pre_tokenizer: Any = None
    post_processor: Any = None
    added_tokens: Any = None
    model: msgspec.Raw = msgspec.Raw(b"null")


class Kind(msgspec.Struct):
    """What tokenizer.json says of its vocabulary, but for the vocabulary."""

    type: Any = None


class Words(msgspec.Struct):
    """The vocabulary: for Unigram a list of pairs, a token and a number."""

    vocab: Any = None


def check_tokenizer_files(folder: Path, source: str) -> None:
    """Raise BackboneError where a folder's tokenizer would make a text too long, or in too many steps, or
    where what it says of a token or of itself is out of bounds."""
    for name in SETTINGS:
        if (folder / name).exists():
            _check_tokens(read_asked(folder / name, source), f"{source!r} has no usable tokenizer: {name}")
    for path in folder.glob("tokenizer*.json"):
        if path.name not in SETTINGS:
            _check_steps(path, source)
    for path in filter(Path.is_file, folder.glob("*.model")):  # read also beside another, where that is asked
        longest = max(lengths_of_pieces(path.read_bytes()), default=0)
        _check_longest(longest - MOST_BESIDE, f"{source!r} has no usable tokenizer: {path.name}")


def _check_tokens(value: Any, where: str, is_token: bool = False) -> None:
    if isinstance(value, list):
        for part in value:
            _check_tokens(part, where, is_token)
    elif isinstance(value, dict):
        strange = [name for name in value if name not in TOKEN]
        if strange and (is_token or "content" in value or "__type" in value):
            raise BackboneError(
                f"{where} says {strange[0][:60]!r} of a token; known: {', '.join(TOKEN)}. {AGAIN}"
            )
        for name, part in value.items():
            inner = part.values() if name == "added_tokens_decoder" and isinstance(part, dict) else [part]
            for one in inner:
                _check_tokens(one, where, name in LISTS or name.endswith("_token"))


def _check_steps(path: Path, source: str) -> None:
    try:
        steps = msgspec.json.decode(path.read_bytes(), type=Steps)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BackboneError(
            f"{source!r} has no usable tokenizer: {path.name} is damaged ({error}). {AGAIN}"
        ) from error
    where = f"{source!r} has no usable tokenizer: {path.name}"
    _check_tokens({"added_tokens": steps.added_tokens}, where)
    _check_tree(steps.model, where)
    parts = [
        part for way in (steps.normalizer, steps.pre_tokenizer, steps.post_processor) for part in _parts(way)
    ]
    growth = math.prod(map(_growth, parts[: MOST_STEPS + 1]))
    if len(parts) > MOST_STEPS or growth > MOST_GROWTH:
        raise BackboneError(
            f"{source!r} has no usable tokenizer: the steps in {path.name} make a text up to "
            f"{min(growth, 10**9)} times longer in {len(parts)} steps; {MOST_GROWTH} times "
            f"in {MOST_STEPS} are the most. {AGAIN}"
        )


def _check_tree(model: msgspec.Raw, where: str) -> None:
    """Where the model is no table, nothing is said: the library does."""
    try:
        if msgspec.json.decode(model, type=Kind).type in NO_TREES:
            return
        vocabulary = msgspec.json.decode(model, type=Words).vocab
    except msgspec.DecodeError:
        return
    pairs = vocabulary if isinstance(vocabulary, list) else []
    tokens = (pair[0] for pair in pairs if isinstance(pair, list) and pair and isinstance(pair[0], str))
    _check_longest(max((len(token.encode("utf-8", "replace")) for token in tokens), default=0), where)


def _check_longest(longest: int, where: str) -> None:
    if longest > MOST_LETTERS:
        raise BackboneError(
            f"{where} has a token of {longest:,} bytes; {MOST_LETTERS:,} are the most. {AGAIN}"
        )


def lengths_of_pieces(data: bytes) -> Iterator[int]:
    """Bytes of each token of a model of SentencePiece, with its score and kind: the first field of a message
    of protocol buffers (https://protobuf.dev/programming-guides/encoding). Ends where it is damaged."""
    place = 0
    with suppress(IndexError):
        while place < len(data):
            key, place = _number(data, place)
            if key & 7 == LENGTH:
                length, place = _number(data, place)
                place += length
                if key >> 3 == 1:
                    yield length
            elif key & 7 == NUMBER:
                _, place = _number(data, place)
            elif key & 7 in FIXED:
                place += FIXED[key & 7]
            else:
                return


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A number, seven bits a byte, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128 or shift > 63:
            return value, place


def _parts(way: Any, depth: int = 0) -> list[dict[str, Any]]:
    """The single steps of a way, whose sequences can hold sequences."""
    if not isinstance(way, dict) or depth > MOST_STEPS:
        return []
    inner = [
        part for value in way.values() if isinstance(value, list) for part in value if isinstance(part, dict)
    ]
    if way.get("type") == "Sequence":
        return [step for part in inner for step in _parts(part, depth + 1)]
    return [way]


def _growth(step: dict[str, Any]) -> int:
    kind = step.get("type")
    if kind in ("Replace", "Prepend"):
        text, pattern = step.get("content" if kind == "Replace" else "prepend"), step.get("pattern")
        everywhere = kind == "Replace" and pattern not in (
            {"String": " "},
            {"Regex": r"\s+"},
            {"Regex": " {2,}"},
        )
        return max(1, len(text) + everywhere) if isinstance(text, str) else 1
    if kind == "TemplateProcessing":
        pieces = step.get("single")
        texts = [piece for piece in pieces if "Sequence" in str(piece)] if isinstance(pieces, list) else []
        return max(1, len(texts))
    return GROWS.get(str(kind), 1)
