"""The graph of an exported folder that answers here, and onnxruntime's session over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from promptlet.errors import ExportError, MissingExtraError, OptionError, listed
from promptlet.exported import Exported, Graph
from promptlet.exported.manifest import FEATURES, PIXELS, PRECISIONS, Port
from promptlet.preprocessing.settings import CHANNELS
from promptlet.preprocessing.spec import ImageSpec
from promptlet.runtime.arithmetic import Numbers
from promptlet.session import cores

CPU = "CPUExecutionProvider"
ERRORS_ALONE = 3
"""onnxruntime's level of what it says."""
ASLEEP = ("session.intra_op.allow_spinning", "0")
"""Its threads sleep while they wait: in circles they take the cores from those that decode."""
MOST_AT_ONCE = 4096
"""Images, of a graph that takes no other number of them."""
LENGTHS = (0.99, 1.01)
"""Of a feature; those of a graph in half precision are not of length 1 to the last digit."""


class ImageTower:
    """Features of pixel values, by the first graph of a folder that takes them, or that of a precision.

    Shapes may differ from call to call: onnxruntime would keep memory for each that it has met, so its memory
    pattern is off. Raises ExportError, OptionError, MissingExtraError.
    """

    def __init__(
        self,
        exported: Exported,
        precision: str | None = None,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
    ) -> None:
        self.graph = _chosen(exported, precision)
        self.dim = exported.vectors.dim
        self.pixels = _port(self.graph.inputs, PIXELS, exported)
        _port(self.graph.outputs, FEATURES, exported)
        self._path = exported.file(self.graph.file)
        self._check_port(exported.vectors.preprocessing)
        for name in self.graph.more_files:
            exported.file(name)
        self._session = self._opened(threads, providers)

    @property
    def most(self) -> int | None:
        """Images that it takes at once, where it takes no other number."""
        size = self.pixels.shape[0]
        return size if isinstance(size, int) else None

    def _opened(self, threads: int | None, providers: Sequence[str] | None) -> Any:
        chosen = checked_providers(import_onnxruntime(), providers)
        session = session_of(str(self._path), str(self._path), threads, chosen)
        held = {one.name for one in session.get_inputs()}, {one.name for one in session.get_outputs()}
        if held[0] != {port.name for port in self.graph.inputs} or FEATURES not in held[1]:
            raise ExportError(
                f"{self._path}: it takes {listed(sorted(held[0]))} and gives {listed(sorted(held[1]))}, "
                "which is not what export.json tells; export anew"
            )
        return session

    def features(self, pixels: Numbers) -> Numbers:
        """Features (B, D), float32, of length 1, of pixel values (B, 3, H, W). Raises ExportError."""
        count, most = len(pixels), self.most
        given = pixels if most is None or count == most else _padded(pixels, most)
        try:
            [found] = self._session.run([FEATURES], {PIXELS: given.astype(self.pixels.dtype, copy=False)})
        except Exception as error:  # of a library's own kinds
            raise ExportError(
                f"{self._path}: onnxruntime failed ({_first_line(error)}); give a smaller batch_size where "
                "it is memory, else run promptlet export --check FOLDER"
            ) from error
        features = np.asarray(found, np.float32)[:count]
        if features.shape != (count, self.dim):
            raise ExportError(
                f"{self._path} gives features of shape {list(features.shape)}, expected {[count, self.dim]}: "
                "its class vectors are of another graph; export anew"
            )
        self._check_lengths(features)
        return features

    def _check_lengths(self, features: Numbers) -> None:
        """Of finite ones; what is no number is an answer that is none, and told with its image."""
        with np.errstate(all="ignore"):
            lengths = np.linalg.norm(features, axis=1)
        odd = np.isfinite(lengths) & ~((lengths >= LENGTHS[0]) & (lengths <= LENGTHS[1]))
        if odd.any():
            raise ExportError(
                f"{self._path} gives features of length {lengths[odd][0]:.3g}, not 1: it is no image tower "
                "of promptlet export"
            )

    def _check_port(self, spec: ImageSpec | None) -> None:
        """Before anything is decoded. Raises ExportError where the graph takes what nobody makes."""
        if spec is not None and spec.resize != "patches":
            self.check_pixels((CHANNELS, *spec.output_size))
        if (self.most or 0) > MOST_AT_ONCE:
            raise ExportError(
                f"{self._path} takes {self.most:,} images at once and no other number, and up to "
                f"{MOST_AT_ONCE:,} are possible; export anew"
            )

    def check_pixels(self, shape: Sequence[int]) -> None:
        """Raise ExportError where pixel values (3, H, W) are not what the graph takes."""
        told = self.pixels.shape[1:]
        if len(told) != len(shape) or any(
            isinstance(size, int) and size != own for size, own in zip(told, shape, strict=True)
        ):
            raise ExportError(
                f"{self._path} takes images of {list(told)}, and the preprocessing beside it makes "
                f"{list(shape)}; export anew"
            )


def import_onnxruntime() -> Any:
    """Raises MissingExtraError."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(
            "an exported folder is answered from by the optional package onnxruntime: pip install "
            "'promptlet[runtime]', or pip install onnxruntime where torch is not to be installed"
        ) from error
    return onnxruntime


def session_of(
    graph: str | bytes, name: str, threads: int | None = None, providers: Sequence[str] = (CPU,)
) -> Any:
    """onnxruntime's session over a graph, of a file or in memory. name: of it, for people; threads: None
    takes the cores that this process may use. Raises ExportError, MissingExtraError."""
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = cores() if threads is None else threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it would keep memory for each shape that it meets
    options.add_session_config_entry(*ASLEEP)
    options.log_severity_level = ERRORS_ALONE
    try:  # without a second try on the same processor, which it would announce on standard output
        session = runtime.InferenceSession(graph, options, providers=list(providers), enable_fallback=0)
        for one in (*session.get_inputs(), *session.get_outputs()):
            _ = one.name  # of a harmed graph it may be no text
    except Exception as error:  # of a library's own kinds
        raise ExportError(
            f"{name}: onnxruntime {runtime.__version__} cannot run it ({_first_line(error)}); upgrade "
            "onnxruntime, or export anew"
        ) from error
    return session


def checked_providers(runtime: Any, given: Sequence[str] | None) -> list[str]:
    """Providers of onnxruntime, the processor where none is named. Raises OptionError."""
    if given is None:
        return [CPU]
    chosen, there = [given] if isinstance(given, str) else list(given), runtime.get_available_providers()
    strange = [name for name in chosen if name not in there]
    if strange or not chosen:
        raise OptionError(
            f"providers={chosen}: {strange[0] if strange else 'none'} is not in this onnxruntime, which has: "
            f"{', '.join(there)}"
        )
    return chosen


def _chosen(exported: Exported, precision: str | None) -> Graph:
    manifest, folder = exported.manifest, exported.folder
    if manifest.kind != "onnx":
        raise ExportError(
            f"{folder} was exported for {manifest.kind}, and promptlet.runtime runs onnx; export it with "
            "--to onnx"
        )
    if precision is not None and precision not in PRECISIONS:
        raise OptionError(f"precision={precision!r} is not known; allowed: {', '.join(PRECISIONS)}")
    fit = [graph for graph in manifest.graphs if not graph.inside and _takes_pixels(graph)]
    chosen = [graph for graph in fit if precision in (None, graph.precision)]
    if not chosen:
        held = sorted({graph.precision for graph in fit})
        raise ExportError(
            f"{folder} has no graph {'' if precision is None else f'in {precision} '}that takes pixel "
            f"values; it has: {', '.join(held) or 'none'}. Export it so"
        )
    return chosen[0]


def _takes_pixels(graph: Graph) -> bool:
    return [port.name for port in graph.inputs] == [PIXELS]


def _port(ports: Sequence[Port], name: str, exported: Exported) -> Port:
    for port in ports:
        if port.name == name:
            return port
    raise ExportError(f"{exported.folder}: its graph has no {name!r}; export anew")


def _padded(pixels: Numbers, most: int) -> Numbers:
    """As many images as the graph takes; those that are not there are zeros."""
    if len(pixels) > most:
        raise ExportError(f"the graph takes {most} images at once, not {len(pixels)}")
    found = np.zeros((most, *pixels.shape[1:]), pixels.dtype)
    found[: len(pixels)] = pixels
    return found


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:300] if text else type(error).__name__
