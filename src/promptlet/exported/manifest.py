"""``export.json``, which says what an exported folder holds: its graphs, its vectors, every file's sum."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptlet.errors import ExportError
from promptlet.exported.fields import Fields, check_format
from promptlet.promptfile.strict_json import shorten

NAME = "export.json"
FORMAT, VERSION = "promptlet-export", 1
KINDS = ("onnx", "torch", "openvino")
PRECISIONS = ("fp32", "fp16", "int8")
STEPS = ("resize", "crop", "rescale", "normalise")
"""Of preprocessing, in their order."""
PIXELS, FEATURES, PROBABILITIES = "pixels", "features", "probabilities"
"""What graphs take and give: pixels (B, 3, H, W), features (B, D) of length 1, probabilities (B, C)."""
IMAGE = "image"
"""What a graph takes that does the whole preprocessing itself: one picture, uint8 (H, W, 3), RGB."""
MOST_FILES, MOST_BYTES = 100, 1 << 40
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(\.[A-Za-z0-9_-]{1,32}){0,3}")
_SUM = re.compile(r"[0-9a-f]{64}")
_PORT = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}")
_DTYPE = re.compile(r"[a-z]+[0-9]{0,2}")


@dataclass(frozen=True)
class Port:
    """What a graph takes or gives: its name, its dtype as NumPy calls it, and its shape, where a text stands
    for any number: ("batch", 3, 224, 224)."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Graph:
    """One file that computes. inside: which `STEPS` of the preprocessing it does itself; the others are done
    before. tolerance: the largest difference from torch that a feature may have; more_files: what it reads
    beside its own file."""

    file: str
    precision: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    inside: tuple[str, ...] = ()
    tolerance: float = 1e-3
    more_files: tuple[str, ...] = ()

    @property
    def has_probabilities(self) -> bool:
        """Whether the class matrix is in it."""
        return any(port.name == PROBABILITIES for port in self.outputs)


@dataclass(frozen=True)
class Golden:
    """An image, and the features (1, D) that torch made of it (.npy, float32)."""

    image: str
    features: str


@dataclass(frozen=True)
class FileFacts:
    """Bytes of a file, and their SHA-256."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a folder holds. kind: "onnx", "torch" or "openvino". vectors: the name of its .npz of class
    vectors. graphs: the first is that which answers. made_with: versions of libraries, for people. files:
    all, by name, but for ``export.json``."""

    kind: str
    vectors: str
    graphs: tuple[Graph, ...]
    golden: Golden | None = None
    made_with: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    version: str = ""

    def as_facts(self) -> dict[str, Any]:
        """The object of ``export.json``."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "promptlet": self.version,
            "kind": self.kind,
            "vectors": self.vectors,
            "graphs": [_graph_facts(graph) for graph in self.graphs],
            "golden": None if self.golden is None else vars(self.golden),
            "made_with": dict(self.made_with),
            "files": {name: vars(facts) for name, facts in sorted(self.files.items())},
        }


def manifest_of(facts: dict[str, Any]) -> Manifest:
    """What `Manifest.as_facts` gave. Raises ExportError naming what is wrong."""
    check_format(facts, FORMAT, VERSION, "exported folder")
    fields = Fields({key: value for key, value in facts.items() if key not in ("format", "version")})
    has_golden = fields.optional("golden")
    manifest = Manifest(
        kind=fields.choice("kind", KINDS),
        vectors=_file(fields, "vectors"),
        graphs=tuple(_graph(one, f"graphs[{i}]") for i, one in enumerate(fields.items("graphs", MOST_FILES))),
        golden=_golden(fields.inner("golden")) if has_golden else None,
        made_with=_texts(fields.inner("made_with")),
        files=_files(fields.inner("files")),
        version=fields.take("promptlet"),
    )
    fields.end()
    if not isinstance(manifest.version, str) or not manifest.graphs:
        raise ExportError("it must tell Promptlet's version, and one graph or more")
    _check_listed(manifest)
    return manifest


def _check_listed(manifest: Manifest) -> None:
    golden = () if manifest.golden is None else (manifest.golden.image, manifest.golden.features)
    graphs = (name for graph in manifest.graphs for name in (graph.file, *graph.more_files))
    missing = {manifest.vectors, *golden, *graphs} - set(manifest.files)
    if missing:
        raise ExportError(f"{NAME} names {shorten(sorted(missing))} without telling its bytes and sum")


def _graph_facts(graph: Graph) -> dict[str, Any]:
    return {
        "file": graph.file,
        "precision": graph.precision,
        "inputs": [_port_facts(port) for port in graph.inputs],
        "outputs": [_port_facts(port) for port in graph.outputs],
        "inside": list(graph.inside),
        "tolerance": graph.tolerance,
        "more_files": list(graph.more_files),
    }


def _port_facts(port: Port) -> dict[str, Any]:
    return {"name": port.name, "dtype": port.dtype, "shape": list(port.shape)}


def _graph(value: object, where: str) -> Graph:
    fields = Fields(value, where)
    graph = Graph(
        file=_file(fields, "file"),
        precision=fields.choice("precision", PRECISIONS),
        inputs=_ports(fields, "inputs"),
        outputs=_ports(fields, "outputs"),
        inside=fields.texts("inside"),
        tolerance=fields.number("tolerance", 0.0, 2.0),
        more_files=tuple(_checked_file(fields, "more_files", one) for one in fields.texts("more_files")),
    )
    fields.end()
    if not set(graph.inside) <= set(STEPS):
        fields.wrong("inside", f"a list of {', '.join(STEPS)}", graph.inside)
    return graph


def _ports(fields: Fields, field: str) -> tuple[Port, ...]:
    ports = tuple(_port(one, f"{field}[{i}]") for i, one in enumerate(fields.items(field, MOST_FILES)))
    if not ports or len({port.name for port in ports}) < len(ports):
        fields.wrong(field, "a list of one or more, each name once", ports)
    return ports


def _port(value: object, where: str) -> Port:
    fields = Fields(value, where)
    name = fields.text("name", _PORT, "a name of letters, digits and _")
    dtype = fields.text("dtype", _DTYPE, "the name of a dtype, such as 'float32'")
    shape = fields.items("shape", 8)
    fields.end()
    if not all(isinstance(one, str) or (type(one) is int and 1 <= one <= MOST_BYTES) for one in shape):
        fields.wrong("shape", "a list of sizes, or texts for any size", shape)
    return Port(name, dtype, tuple(shape))


def _golden(fields: Fields) -> Golden:
    golden = Golden(_file(fields, "image"), _file(fields, "features"))
    fields.end()
    return golden


def _texts(fields: Fields) -> dict[str, str]:
    return {name: fields.text(name) for name in fields.names()}


def _files(fields: Fields) -> dict[str, FileFacts]:
    names = fields.names()
    if len(names) > MOST_FILES:
        fields.wrong("*", f"{MOST_FILES} files at most", len(names))
    found = {}
    for name in names:
        _checked_file(fields, "a name", name)
        one = fields.inner(name)
        found[name] = FileFacts(
            one.whole("bytes", MOST_BYTES, least=0),
            one.text("sha256", _SUM, "64 small hexadecimal digits"),
        )
        one.end()
    return found


def _file(fields: Fields, field: str) -> str:
    return _checked_file(fields, field, fields.text(field))


def _checked_file(fields: Fields, field: str, name: str) -> str:
    """The name of a file in the folder itself: it leads nowhere else."""
    if not _FILE.fullmatch(name) or name == NAME:
        fields.wrong(field, "the name of a file in the folder: letters, digits, _, - and dots", name)
    return name
