"""Splits without images, for the tests beside this file."""

from __future__ import annotations

from pathlib import Path

from promptlet.data import Item, Split


def split_of(counts: list[tuple[int, int, int]], names: list[str] | None = None, name: str = "toy") -> Split:
    """A split with (train, val, test) items per class; row numbers run through all of them."""
    names = names or [f"class {label}" for label in range(len(counts))]
    rows = iter(range(10**6))
    parts = (
        tuple(
            Item(Path(f"{names[label]}/{part}-{i:04d}.jpg"), label, names[label], next(rows))
            for label, count in enumerate(counts)
            for i in range(count[part])
        )
        for part in range(3)
    )
    return Split(name, tuple(names), *parts)
