"""`promptlet inspect`: what is in a prompt file, in exported class vectors, or in an exported folder. Loads
neither torch nor a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlet.cli.given.options import Inspected
from promptlet.cli.given.places import on_disk
from promptlet.cli.shell import Json, emit_json, examples, say

EXAMPLES = examples(
    "inspect pets.prompt", "inspect pets.prompt --json", "inspect hf://jane/pets", "inspect pets-onnx"
)


def command(file: Inspected, json: Json = False) -> None:
    """Show what is in a prompt file: method, numbers, classes, backbone, bytes, how it was trained. Of an
    export: classes, graphs, preprocessing, and whether its files are as they were written."""
    facts, lines = _told(file)
    if json:
        emit_json(dict(facts))
        return
    for name, text in lines.items():
        say(f"{name:9} {text}")


def _told(file: Path) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """For machines, and for people line by line."""
    from promptlet.cli.inspect.exported import of_folder, of_vectors
    from promptlet.cli.inspect.prompt import of_prompt
    from promptlet.exported.files.choosing import is_vectors_name
    from promptlet.exported.folder import is_exported

    if is_exported(file):
        return of_folder(file)
    if is_vectors_name(file):
        return of_vectors(file)
    return of_prompt(on_disk(file))
