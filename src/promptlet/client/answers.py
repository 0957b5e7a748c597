"""What a server answers, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

Problem = Mapping[str, Any]
"""An RFC 9457 problem document; empty where there is no problem."""


@dataclass(frozen=True)
class Prediction:
    """What one prompt says of one image.

    class_name: None where it is none of the classes, or where there is an error. top: the likeliest classes
    with their probabilities. digest: of the prompt's file, so that a replaced one is noticed. error: why
    there is no answer, in words; empty where there is one. problem: the same as the server's document.
    """

    prompt: str
    class_name: str | None = None
    top: tuple[tuple[str, float], ...] = ()
    digest: str = ""
    error: str = ""
    problem: Problem = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """Of one image. name: its path as it was given, of others what they are called, such as ``image 3``.
    predictions: one of each prompt. error: why the image has none; empty where it has."""

    name: str
    predictions: tuple[Prediction, ...] = ()
    error: str = ""
    problem: Problem = field(default_factory=dict)


@dataclass(frozen=True)
class Embedding:
    """Of one image. features: the D numbers of the image tower; empty where there is an error."""

    name: str
    features: tuple[float, ...] = ()
    error: str = ""
    problem: Problem = field(default_factory=dict)


Answer = TypeVar("Answer", Result, Embedding)
Reader = Callable[[str, Mapping[str, Any]], Answer]
"""From an image's name and the server's item to the answer."""


def result(name: str, item: Mapping[str, Any]) -> Result:
    """An item of /v1/predict. Raises KeyError, TypeError, ValueError, AttributeError for what is none."""
    if "error" in item:
        return Result(name, error=in_words(item["error"]), problem=item["error"])
    return Result(name, tuple(map(_prediction, item["predictions"])))


def embedding(name: str, item: Mapping[str, Any]) -> Embedding:
    """An item of /v1/features. Raises as `result`."""
    if "error" in item:
        return Embedding(name, error=in_words(item["error"]), problem=item["error"])
    return Embedding(name, tuple(map(float, item["features"])))


def _prediction(item: Mapping[str, Any]) -> Prediction:
    if "error" in item:
        return Prediction(item["prompt"], error=in_words(item["error"]), problem=item["error"])
    top = tuple((str(one["class_name"]), float(one["probability"])) for one in item["top"])
    return Prediction(item["prompt"], item["class_name"], top, item.get("digest", ""))


def in_words(problem: Problem) -> str:
    """The problem in a sentence: what the server says of this one, else what it is called."""
    said = [str(problem.get(key) or "") for key in ("title", "detail")]
    title, detail = said
    if title and detail and title.rstrip(".").lower() not in detail.lower():
        return f"{title.rstrip('.')}: {detail}"
    return detail or title or "no reason is given"


def in_order(items: Sequence[Mapping[str, Any]], names: Sequence[str], read: Reader[Answer]) -> list[Answer]:
    """The answers for images of these names, by the index that each item tells. Raises as `result`, and
    ValueError where an image has no item, or two."""
    by_index = {int(item["index"]): item for item in items}
    if len(items) != len(names) or sorted(by_index) != list(range(len(names))):
        raise ValueError(f"{len(items)} items for {len(names)} images")
    return [read(name, by_index[i]) for i, name in enumerate(names)]
