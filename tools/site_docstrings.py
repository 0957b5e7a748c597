"""For `make docs`: shows our plain docstrings as they are meant, lists of parameters as lists.

A line ``name: meaning``, or ``name : meaning`` as in scikit-learn, becomes an item of a list where ``name``
is a parameter or an attribute of what is described. Its indented lines go with it. An underlined word becomes
bold, and lines after ``>>>`` become code.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

ENTRY = re.compile(r"^((?:\w+, )*\w+) ?: (.+)$")


def as_markdown(text: str, names: set[str]) -> str:
    """The docstring with its lists of parameters as Markdown lists."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        entry = ENTRY.match(line)
        if entry and set(entry[1].split(", ")) & names:
            if not inside and lines and lines[-1]:
                lines.append("")
            lines.append(f"- **`{entry[1]}`**: {entry[2]}")
            inside = True
        elif inside and line.startswith("    "):
            lines.append(f"    {line.strip()}")
        elif line.startswith(">>> "):
            lines.append("    " + re.sub(r" +# doctest: .*", "", line.removeprefix(">>> ")))
        elif re.fullmatch(r"-{3,}", line) and lines:
            lines[-1] = f"**{lines[-1]}**\n"
        else:
            if inside and line:
                lines.append("")
            inside = False
            lines.append(line)
    return "\n".join(lines)


class PlainDocstrings(griffe.Extension):
    """Rewrites docstrings after a package is read."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Of a function: its parameters are the names."""
        _rewrite(func, {parameter.name.lstrip("*") for parameter in func.parameters})

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Of a class: its attributes and what it is made with are the names."""
        names = set(cls.members)
        if cls.docstring:  # attributes that training sets, such as ``classes_``
            names |= set(re.findall(r"^(\w+_) : ", cls.docstring.value, re.MULTILINE))
        init = cls.members.get("__init__")
        if isinstance(init, griffe.Function):
            names |= {parameter.name for parameter in init.parameters}
        _rewrite(cls, names)


def _rewrite(thing: griffe.Object, names: set[str]) -> None:
    if thing.docstring:
        thing.docstring.value = as_markdown(thing.docstring.value, names)
