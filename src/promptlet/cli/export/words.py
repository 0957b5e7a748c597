"""What is said of an export, and of an exported folder that is looked at."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from promptlet.cli.shell import say

if TYPE_CHECKING:
    from promptlet.export.check import Checked
    from promptlet.export.folder import Made
    from promptlet.exported import Graph, Vectors

BATCHES = "1, 3, 8 and 33"
"""As `promptlet.export.agreement` has them."""


def tell_vectors(vectors: Vectors, path: Path) -> None:
    """What was written."""
    say(f"wrote {path}: {len(vectors.names):,} classes of {vectors.dim} features")
    say("how to answer with them: docs/reference/vectors.md")


def facts_of_vectors(vectors: Vectors, path: Path) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "out": str(path),
        "to": "vectors",
        "classes": list(vectors.names),
        "dim": vectors.dim,
        "bytes": path.stat().st_size,
    }


def tell_folder(made: Made) -> None:
    """What was written, how far it is from torch, and what can be done with it."""
    size = sum(made.files.values()) / 2**20
    say(f"wrote {made.folder}: {len(made.names):,} classes, {made.kind} in {made.precision}, {size:,.1f} MiB")
    for graph in made.graphs:
        say(f"  {graph.file:16} {_ports(graph)}")
    say(
        f"features differ from torch's by {made.largest:.1g} at most, on 33 drawn pictures, {BATCHES} at once"
    )
    if made.left_out:
        say(f"no graph takes whole pictures, as preprocessing is done outside: {made.left_out}")
    if made.verdict is not None:
        say(f"{made.precision}: {made.verdict} ({made.verdict.kind})")
    if made.kind == "onnx":
        say(f"next: promptlet predict {quote(str(made.folder))} IMAGE")
    say(f"      promptlet export --check {quote(str(made.folder))}, where it is used")


def _ports(graph: Graph) -> str:
    taken, given = (", ".join(port.name for port in ports) for ports in (graph.inputs, graph.outputs))
    whole = "; preprocessing inside" if graph.inside else ""
    return f"{taken} -> {given}{whole}"


def facts_of_folder(made: Made) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "out": str(made.folder),
        "to": made.kind,
        "precision": made.precision,
        "classes": list(made.names),
        "graphs": [graph.file for graph in made.graphs],
        "files": made.files,
        "largest_difference": made.largest,
        "left_out": made.left_out or None,
        "images": None
        if made.verdict is None
        else {**asdict(made.verdict), "agreement": made.verdict.agreement},
    }


def tell_check(checked: Checked) -> None:
    """What each graph answered."""
    manifest = checked.exported.manifest
    say(f"{checked.exported.folder}: {len(manifest.files)} files are as they were exported")
    for one in checked.graphs:
        word = "as it should" if one.is_sound else "NOT AS IT SHOULD"
        say(f"  {one.file:16} answers {word}: a feature is {one.off:.1g} off, {one.tolerance:g} is allowed")
    if not checked.is_sound:
        say("what is installed here computes otherwise; export anew with it, or take fp32")


def facts_of_check(checked: Checked) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "folder": str(checked.exported.folder),
        "sound": checked.is_sound,
        "files": len(checked.exported.manifest.files),
        "graphs": [
            {
                "file": one.file,
                "precision": one.precision,
                "difference": _finite(one.off),
                "tolerance": one.tolerance,
                "probabilities_difference": _finite(one.probabilities_off),
                "sound": one.is_sound,
            }
            for one in checked.graphs
        ],
    }


def _finite(number: float) -> float | None:
    """For JSON, which has no infinity."""
    return number if number < float("inf") else None
