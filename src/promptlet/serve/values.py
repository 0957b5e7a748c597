"""How values of settings may be written."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from promptlet.errors import shown

_UNITS: Final = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}
_SIZE: Final = re.compile(r"(\d{1,18}(?:\.\d{1,9})?) ?([KMG]?)(i?B)?", re.ASCII | re.IGNORECASE)
_ORIGIN: Final = re.compile(r"https?://[^/\s,*?#@]+")


def size(value: Any) -> Any:
    """Bytes of ``"64MB"``, ``"1.5 GiB"`` or a number. A kilobyte has 1,024 of them."""
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise ValueError("give a number of bytes, or a size such as 64MB or 2GB")
    unit = f"{found[2]}B" if found[2] else ""
    return (
        int(float(found[1]) * _UNITS[unit.upper()])
        if "." in found[1]
        else int(found[1]) * _UNITS[unit.upper()]
    )


def words(value: Any) -> Any:
    """A list of ``"a, b"``; what is one already as it is."""
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def origins(value: Any) -> Any:
    """A list of places that pages come from."""
    told = words(value)
    for one in told if isinstance(told, (tuple, list)) else ():
        if one != "*" and not _ORIGIN.fullmatch(str(one)):
            raise ValueError(f"{shown(one)} is no origin; give https://example.com, without a path")
    return told


def small(value: Any) -> Any:
    """Words of a choice in small letters."""
    return value.strip().lower() if isinstance(value, str) else value


Size = Annotated[int, BeforeValidator(size)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(origins)]
Engine = Annotated[Literal["local", "ray"], BeforeValidator(small)]
LogFormat = Annotated[Literal["auto", "json", "console"], BeforeValidator(small)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(small)]
