"""What is told of class vectors, and of an exported folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptlet.cli.inspect.prompt import listed_names, thresholds
from promptlet.exported import Exported, Graph, Vectors, open_exported, read_vectors
from promptlet.exported.facts import facts_of

Told = tuple[Mapping[str, Any], Mapping[str, str]]


def of_vectors(file: Path) -> Told:
    """Of a file of class vectors. Raises ExportError."""
    vectors = read_vectors(file)
    size = file.stat().st_size
    facts = {"file": str(file), "kind": "vectors", "bytes": size, **_facts(vectors)}
    return facts, {"file": f"{file} ({size:,} bytes), class vectors", **_lines(vectors)}


def of_folder(folder: Path) -> Told:
    """Of an exported folder, every file's sum checked. Raises ExportError."""
    exported = open_exported(folder)
    exported.check()
    manifest, vectors = exported.manifest, exported.vectors
    size = sum(one.bytes for one in manifest.files.values())
    facts = {
        "file": str(folder),
        "kind": manifest.kind,
        "bytes": size,
        "files": {name: one.bytes for name, one in manifest.files.items()},
        "graphs": [_graph_facts(graph) for graph in manifest.graphs],
        "golden": manifest.golden is not None,
        "made_with": dict(manifest.made_with),
        **_facts(vectors),
    }
    count = len(manifest.files)
    lines = {
        "folder": f"{folder} ({size / 2**20:,.1f} MiB, {count} files, all as they were exported)",
        "kind": f"{manifest.kind}, made with " + ", ".join(_made_with(exported)),
        "graphs": "; ".join(map(_graph, manifest.graphs)),
        **_lines(vectors),
        "check": f"promptlet export --check {folder}: does it answer here as it should",
    }
    return facts, lines


def _made_with(exported: Exported) -> list[str]:
    """Versions; what people are told of the export stands in ``export.json``."""
    made = exported.manifest.made_with
    return [f"{name} {text}" for name, text in made.items() if " " not in text] or ["nothing that it tells"]


def _graph(graph: Graph) -> str:
    taken, given = (", ".join(port.name for port in ports) for ports in (graph.inputs, graph.outputs))
    return f"{graph.file} {graph.precision}, {taken} -> {given}"


def _graph_facts(graph: Graph) -> dict[str, Any]:
    return {
        "file": graph.file,
        "precision": graph.precision,
        "inputs": [port.name for port in graph.inputs],
        "outputs": [port.name for port in graph.outputs],
        "inside": list(graph.inside),
        "tolerance": graph.tolerance,
    }


def _facts(vectors: Vectors) -> dict[str, Any]:
    """As the file tells them, but for what is long; names as of a prompt file."""
    told = facts_of(vectors)
    own = ("format", "version", "names", "rejection", "sha256")
    return {
        "class_names": told["names"],
        **{key: value for key, value in told.items() if key not in own},
        "none_of_these": thresholds(vectors.rejection),
    }


def _lines(vectors: Vectors) -> dict[str, str]:
    spec = vectors.preprocessing
    lines = {
        "method": vectors.method,
        "classes": listed_names(vectors.names),
        "numbers": f"{vectors.dim} features a class, logit scale {vectors.logit_scale:.4g}"
        + (f", bias {vectors.logit_bias:.4g}" if vectors.logit_bias else ""),
        "backbone": f"{vectors.backbone or 'not named'} ({vectors.fingerprint})"
        + ("" if vectors.tower == "frozen" else ", its image tower changed by the method"),
        "images": "as features alone"
        if spec is None
        else f"resized ({spec.resize}) to {' x '.join(map(str, spec.output_size))} pixels",
    }
    if vectors.rejection is not None:
        most = max(vectors.rejection.thresholds)
        lines["none"] = f"of these can be told, with up to {most:g} % of own images accepted"
    return lines
