"""Which kernels Apple's devices (mps) have, as torch says in the table that it is built from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

TABLE = "packaged/ATen/native/native_functions.yaml"
OF_TORCH = "prim."


@cache
def _table() -> dict[str, str]:
    """What is said of each function, by its name."""
    found = find_spec("torchgen")
    places = (
        [] if found is None else [Path(place) / TABLE for place in found.submodule_search_locations or ()]
    )
    text = next((place.read_text(encoding="utf-8") for place in places if place.is_file()), None)
    if text is None:
        pytest.skip("this torch comes without the table of its functions")
    return {block.split("(")[0].strip(): block for block in re.split(r"\n- func: ", text)[1:]}


def not_on_apples(kernels: Iterable[str]) -> set[str]:
    """Those of ``kernels``, such as "add.Tensor", that have none for mps."""
    return {one for one in kernels if not one.startswith(OF_TORCH) and not _has(one.removesuffix(".default"))}


def _has(name: str) -> bool:
    said = _table()[name]
    delegate = re.search(r"structured_delegate: (\S+)", said)
    if delegate:
        return _has(delegate[1])
    dispatch = re.search(r"dispatch:\n((?:    .*\n?)+)", said)
    if dispatch is None:
        return True  # made of other functions
    keys = " ".join(line.split(":")[0] for line in dispatch[1].splitlines())
    if "CompositeExplicitAutograd" in keys and "MPS" not in keys:
        base, _, overload = name.partition(".")
        into = f"{base}.{overload}_out" if overload else f"{base}.out"
        return into not in _table() or _has(into) or "CompositeExplicitAutograd" in _table()[into]
    return "MPS" in keys or "Composite" in keys
