"""Class names as a backbone reads them: two that it reads alike cannot be told apart by any prompt."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from promptlet.errors import DataError

SHOWN = 5


@dataclass(frozen=True)
class NameRead:
    """A class name, what is compared of it, and that in words; ``key`` None where nothing is known of it."""

    name: str
    key: Hashable
    told: str


def check_distinct(read: Iterable[NameRead], backbone: str) -> None:
    """Raise DataError naming the first two names that ``backbone`` reads alike, and what it reads."""
    for first, second in alike(read):
        raise DataError(told_alike(first, second, backbone))


def alike(read: Iterable[NameRead]) -> Iterator[tuple[NameRead, NameRead]]:
    """Each name that is read as one before it, after that one."""
    seen: dict[Hashable, NameRead] = {}
    for one in read:
        first = one if one.key is None else seen.setdefault(one.key, one)
        if first is not one:
            yield first, one


def told_alike(first: NameRead, second: NameRead, backbone: str) -> str:
    """The two and what to do, in words."""
    if first.name == second.name:
        return f"the class name {first.name!r} is there twice; rename one class, or merge the two"
    return (
        f"the class names {first.name!r} and {second.name!r} are the same to {backbone!r}: it reads "
        f"{first.told} for both, so no prompt tells them apart; rename one in words that "
        "differ for it, or merge the two"
    )


def with_unknown(names: Iterable[str], backbone: str) -> str:
    """A note of ``names`` with characters that the tokenizer of ``backbone`` does not know; "" for none."""
    found = list(dict.fromkeys(names))
    if not found:
        return ""
    shown = ", ".join(map(repr, found[:SHOWN]))
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        f"the tokenizer of {backbone} does not know all characters of {shown}{more}: it "
        "reads one sign for all that it does not know; spell them in letters that it knows"
    )
