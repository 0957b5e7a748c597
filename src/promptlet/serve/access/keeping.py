"""The file of tokens: names, ids, hashes of secrets, what each may ask. No token stands in it."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import stat
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from promptlet.errors import OptionError, did_you_mean, shown, why
from promptlet.serve.toml import read_toml

_ID: Final = r"[0-9a-z]{4,32}"
TOKEN: Final = rf"pl_({_ID})_([0-9A-Za-z]{{32,128}})"
_LETTERS: Final = string.ascii_letters + string.digits
_SECRET: Final = 43
"""Letters of a secret: 256 bits."""
MOST: Final = 100_000
"""Tokens in a file."""
MOST_PATTERNS: Final = 10_000
_KEYS: Final = ("name", "id", "sha256", "prompts", "admin")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ @-]{0,99}", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PATTERN: Final = re.compile(r"[A-Za-z0-9._*?!\[\]-]{1,100}", re.ASCII)
HEAD: Final = """\
# Tokens of promptlet serve, made by promptlet serve-token. Only hashes are kept: a token that is lost is
# made anew, and one that is not wanted any more is removed here. A running server reads the file again.
"""
_logger = logging.getLogger("promptlet.serve")

Identity = tuple[int, int, int, int]


@dataclass(frozen=True)
class Entry:
    """A token as the file has it."""

    name: str
    id: str
    sha256: str
    prompts: tuple[str, ...] = ("*",)
    admin: bool = False


def identity(path: Path) -> Identity | None:
    """Another one where the file was changed or replaced; None where there is none."""
    try:
        seen = path.stat()
    except (OSError, ValueError):
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns


def read_entries(path: Path) -> dict[str, Entry]:
    """The tokens of a file by their ids. Raises OptionError that says what is wrong, and in which."""
    _check_mode(path)
    table = read_toml(path, "the token file")
    unknown = [key for key in table if key != "token"]
    if unknown:
        raise OptionError(
            f"{path}: {shown(unknown[0])} is not known; it holds [[token]] alone."
            f"{did_you_mean(unknown[0], ['token'])}"
        )
    rows = table.get("token", [])
    if not isinstance(rows, list) or len(rows) > MOST:
        raise OptionError(f"{path}: token must be a list of up to {MOST:,}, each begun with [[token]]")
    entries: dict[str, Entry] = {}
    for number, row in enumerate(rows, 1):
        entry = _entry(row, f"{path}: token {number}")
        if entry.id in entries:
            raise OptionError(
                f"{path}: token {number} has the id {entry.id} of another; make one of them anew"
            )
        entries[entry.id] = entry
    return entries


def _entry(row: Any, where: str) -> Entry:
    if not isinstance(row, dict):
        raise OptionError(f"{where} is no table; begin it with [[token]]")
    for key in row:
        if key not in _KEYS:
            raise OptionError(
                f"{where}: {shown(key)} is not known; allowed: {', '.join(_KEYS)}.{did_you_mean(key, _KEYS)}"
            )
    name = check_name(row.get("name"), where)
    where = f"{where} ({name})"
    if not isinstance(row.get("id"), str) or not re.fullmatch(_ID, row["id"], re.ASCII):
        raise OptionError(
            f"{where}: id={shown(row.get('id'))} is none; make the token by promptlet serve-token"
        )
    if not isinstance(row.get("sha256"), str) or not _HASH.fullmatch(row["sha256"]):
        raise OptionError(
            f"{where}: sha256 must be the SHA-256 of the secret in 64 hexadecimal digits; make the token by "
            "promptlet serve-token"
        )
    admin = row.get("admin", False)
    if not isinstance(admin, bool):
        raise OptionError(f"{where}: admin={shown(admin)} is not allowed; give true or false")
    return Entry(name, row["id"], row["sha256"], check_patterns(row.get("prompts", ["*"]), where), admin)


def check_name(name: Any, where: str) -> str:
    """The name of a token. Raises OptionError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OptionError(
            f"{where}: name={shown(name)} is not allowed; give up to 100 letters, digits and . _ - @, "
            "beginning with a letter or digit"
        )
    return name


def check_patterns(patterns: Any, where: str) -> tuple[str, ...]:
    """The prompts that a token may ask: names, or patterns as in a shell. Raises OptionError."""
    if not isinstance(patterns, (list, tuple)) or not 0 < len(patterns) <= MOST_PATTERNS:
        raise OptionError(f'{where}: prompts must be a list of names or patterns, such as ["pets", "acme-*"]')
    for one in patterns:
        is_pattern = isinstance(one, str) and _PATTERN.fullmatch(one)
        if not is_pattern or one.count("[") != one.count("]"):
            raise OptionError(
                f"{where}: {shown(one)} is no name or pattern of prompts; give names of letters, digits, "
                "dots, _ and -, with *, ? and [abc] as in a shell"
            )
        if one.endswith(".prompt"):
            raise OptionError(f"{where}: {shown(one)}: prompts are named without .prompt")
    return tuple(patterns)


def _check_mode(path: Path) -> None:
    """Refuse a file that others may write, and say of one that they may read."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # reading it says why
    if os.name == "nt" or not stat.S_ISREG(mode):
        return
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OptionError(
            f"the token file {path} may be written by others, who could make tokens of their own: chmod 600 "
            f"{path}"
        )
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        who = "everybody" if mode & stat.S_IROTH else "its group"
        _logger.warning("the token file %s may be read by %s: chmod 600 %s", path, who, path)


def new_token() -> tuple[str, str, str]:
    """A token, its id, and the hash of its secret."""
    key = secrets.token_hex(6)
    secret = "".join(secrets.choice(_LETTERS) for _ in range(_SECRET))
    return f"pl_{key}_{secret}", key, hashlib.sha256(secret.encode("ascii")).hexdigest()


def add_token(
    path: Path, name: str, prompts: tuple[str, ...] = ("*",), admin: bool = False
) -> tuple[str, Entry]:
    """Make a token and add its hash to the file, which is made where there is none. The token is told here
    and never again. Raises OptionError where the file is damaged, or cannot be written."""
    check_name(name, "the token")
    check_patterns(prompts, "the token")
    if os.path.lexists(path):
        read_entries(path)
    token, key, digest = new_token()
    entry = Entry(name, key, digest, prompts, admin)
    try:
        _append(path, _text(entry))
    except (OSError, ValueError) as error:
        raise OptionError(
            f"the token file {path} cannot be written ({why(error)}); check the path"
        ) from error
    return token, entry


def _text(entry: Entry) -> str:
    rows: Mapping[str, str] = {
        "name": f'"{entry.name}"',
        "id": f'"{entry.id}"',
        "sha256": f'"{entry.sha256}"',
        "prompts": "[" + ", ".join(f'"{one}"' for one in entry.prompts) + "]",
        "admin": str(entry.admin).lower(),
    }
    return "\n[[token]]\n" + "".join(f"{key} = {value}\n" for key, value in rows.items())


def _append(path: Path, text: str) -> None:
    """At the end, by one write: who reads meanwhile sees all of it or nothing; owner and mode stay."""
    number = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        before = os.fstat(number).st_size
        data = (text if before else HEAD + text).encode("ascii")
        if before and os.lseek(number, before - 1, os.SEEK_SET) >= 0 and os.read(number, 1) != b"\n":
            data = b"\n" + data
        try:
            if os.write(number, data) != len(data):
                raise OSError("the disk is full")
            os.fsync(number)
        except BaseException:
            os.ftruncate(number, before)
            raise
    finally:
        os.close(number)
