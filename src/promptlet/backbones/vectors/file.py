"""Files of text features (.npz): vectors of class names and of whole sentences, computed once, elsewhere.

Arrays: ``class_names`` (C,) text with ``text_features`` (C, D) floats, or ``sentences`` (S,) text with
``sentence_features`` (S, D) floats, or all four; may be missing: ``logit_scale`` (a number above 0, as the
factor itself), ``template`` (text: what the names stood in, for people), ``image_backbone`` (text: what the
images are encoded with). Other arrays are passed over, so that a feature file of images can hold these, too.
Vectors need not be of unit length. Pickled content is never loaded.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from promptlet.data import clean_class_name
from promptlet.data.arrays import Arrays, read_arrays, write_arrays
from promptlet.data.vectors import usable_vectors
from promptlet.errors import BackboneError, DataError, check_option

Vectors = npt.NDArray[np.float32]
PAIRS = (("class_names", "text_features"), ("sentences", "sentence_features"))
EXTRAS = ("logit_scale", "template", "image_backbone")
WRITER = "write_text_features"
SHOWN = 5


@dataclass(frozen=True, eq=False)
class TextFeatures:
    """names (C,), cleaned as class names are, with vectors (C, D); sentences (S,), as they are, with vectors
    (S, D). logit_scale: None where it is not told. template, image_backbone: "" where they are not told."""

    names: tuple[str, ...]
    name_vectors: Vectors
    sentences: tuple[str, ...]
    sentence_vectors: Vectors
    logit_scale: float | None
    template: str
    image_backbone: str

    @property
    def dim(self) -> int:
        """D."""
        return int(self.name_vectors.shape[1])

    def digests(self, logit_scale: float) -> tuple[str, str, str]:
        """12 hexadecimal digits each: of vectors and logit scale, of the texts, of where images come from.

        The order of the rows does not matter, nor whether float16 numbers are stored as float16 or float32.
        """
        rows = [
            *((f"name {name}", vector) for name, vector in zip(self.names, self.name_vectors, strict=True)),
            *(
                (f"text {one}", vector)
                for one, vector in zip(self.sentences, self.sentence_vectors, strict=True)
            ),
        ]
        rows.sort(key=lambda row: row[0])
        numbers = b"".join(vector.astype("<f4").tobytes() for _, vector in rows)
        return (
            _digest(f"{logit_scale!r} ".encode() + numbers),
            _digest(repr([text for text, _ in rows]).encode("utf-8", "surrogatepass")),
            _digest(repr((self.dim, self.image_backbone)).encode("utf-8", "surrogatepass")),
        )


def read_text_features(path: str | Path) -> TextFeatures:
    """Read and check such a file. Raises BackboneError naming the array at fault."""
    path = Path(path).expanduser()
    names = (*(name for pair in PAIRS for name in pair), *EXTRAS)
    try:
        arrays = read_arrays(path, (), names, writer=WRITER)
    except DataError as error:
        raise BackboneError(str(error)) from error
    return _checked(arrays, str(path))


def write_text_features(
    path: str | Path,
    class_names: Sequence[str] | None = None,
    text_features: Any = None,
    *,
    sentences: Sequence[str] | None = None,
    sentence_features: Any = None,
    logit_scale: float | None = None,
    template: str = "",
    image_backbone: str = "",
    dtype: str = "float32",
) -> None:
    """Write vectors of texts, for ``load_backbone("features:FILE")``; the file appears whole or not at all.

    class_names: C names, with ``text_features`` (C, D): arrays, lists or tensors. Each stands for its class
        in any hand-written template. sentences: S whole texts such as "a photo of a cat.", with
        ``sentence_features`` (S, D), which come first where a template with a name is one of them.
    logit_scale: the factor itself, such as 100 for CLIP; None tells nothing, and 100 is taken.
    template, image_backbone: what the vectors of names were made with, and which tower encodes the images.
    dtype: "float32" or "float16", as which the vectors are stored.

    Raises BackboneError for what could not be read again, OptionError for another ``dtype``.
    """
    check_option("dtype", dtype, ("float32", "float16"))
    given = ((class_names, text_features), (sentences, sentence_features))
    arrays: Arrays = {}
    for (words, numbers), (names, features) in zip(PAIRS, given, strict=True):
        arrays |= {} if names is None else {words: np.asarray(list(names))}
        arrays |= {} if features is None else {numbers: _as_array(features, numbers, dtype)}
    arrays |= {} if logit_scale is None else {"logit_scale": np.asarray(logit_scale)}
    told = {"template": template, "image_backbone": image_backbone}
    arrays |= {name: np.asarray(text) for name, text in told.items() if text}
    _checked(arrays, str(path))
    try:
        write_arrays(Path(path).expanduser(), arrays)
    except DataError as error:
        raise BackboneError(str(error)) from error


def _as_array(features: Any, name: str, dtype: str) -> npt.NDArray[Any]:
    if isinstance(features, Tensor):
        features = features.detach().cpu().float().numpy()
    try:
        with np.errstate(over="ignore", under="ignore"):  # what does not fit is infinite, which is refused
            return np.asarray(features, dtype=np.float64).astype(dtype)
    except (TypeError, ValueError) as error:
        raise BackboneError(
            f"{name} holds no numbers, or rows of different lengths; give an array (N, D)"
        ) from error


def _checked(arrays: Arrays, where: str) -> TextFeatures:
    """The content, whole and consistent. Raises BackboneError."""
    parts = [_pair(arrays, *pair, where) for pair in PAIRS]
    dims = {vectors.shape[1] for texts, vectors in parts if texts}
    if not dims:
        raise BackboneError(
            f"{where}: has no features of texts; it needs class_names with text_features, or sentences with "
            f"sentence_features; write them with {WRITER}"
        )
    if len(dims) > 1:
        raise BackboneError(
            f"{where}: text_features have {parts[0][1].shape[1]} numbers and sentence_features "
            f"{parts[1][1].shape[1]}; expected equal: of one text tower"
        )
    [dim] = dims
    (names, name_vectors), (sentences, sentence_vectors) = parts
    return TextFeatures(
        names=names,
        name_vectors=name_vectors.reshape(-1, dim),
        sentences=sentences,
        sentence_vectors=sentence_vectors.reshape(-1, dim),
        logit_scale=_scale(arrays, where),
        template=_word(arrays, "template", where),
        image_backbone=_word(arrays, "image_backbone", where),
    )


def _pair(arrays: Arrays, words: str, numbers: str, where: str) -> tuple[tuple[str, ...], Vectors]:
    """Texts and their vectors; none where the file has none."""
    if numbers not in arrays and (words not in arrays or words == "class_names"):
        return (), np.zeros((0, 0), np.float32)  # class names alone are those of a feature file of images
    for name, partner in ((words, numbers), (numbers, words)):
        if name not in arrays:
            raise BackboneError(f"{where}: has {partner} without {name}; give both, or neither")
    texts, vectors = arrays[words], arrays[numbers]
    if texts.dtype.kind != "U" or texts.ndim != 1:
        raise BackboneError(f"{where}: {words} is {_kind(texts)}; expected text (dtype str) with 1 dimension")
    if vectors.dtype.kind != "f" or vectors.ndim != 2:
        raise BackboneError(f"{where}: {numbers} is {_kind(vectors)}; expected floats with 2 dimensions")
    if len(texts) != len(vectors) or 0 in vectors.shape:
        raise BackboneError(
            f"{where}: {words} has {len(texts)} entries and {numbers} the shape {vectors.shape}; expected as "
            "many rows as entries, 1 or more, and 1 number or more in each"
        )
    found = tuple(clean_class_name(text) if words == "class_names" else text for text in texts.tolist())
    _check_texts(found, f"{where}: {words}")
    return found, _usable(vectors, f"{where}: {numbers}")


def _check_texts(texts: Sequence[str], where: str) -> None:
    if not all(text.strip() for text in texts):
        raise BackboneError(f"{where}[{[bool(text.strip()) for text in texts].index(False)}] is empty")
    twice = [text for text, count in Counter(texts).items() if count > 1]
    if twice:
        more = f" and {len(twice) - SHOWN} more" if len(twice) > SHOWN else ""
        raise BackboneError(
            f"{where} has {', '.join(map(repr, twice[:SHOWN]))}{more} more than once ('_' counts as a space "
            "in class names); give each text one vector"
        )


def _usable(vectors: npt.NDArray[Any], where: str) -> Vectors:
    copy: Vectors = usable_vectors(vectors, where, BackboneError, "encode it again")
    copy.setflags(write=False)
    return copy


def _scale(arrays: Arrays, where: str) -> float | None:
    given = arrays.get("logit_scale")
    if given is None:
        return None
    value = float(given.reshape(())) if given.dtype.kind in "fiu" and given.size == 1 else float("nan")
    if not 0.0 < value < float("inf"):
        raise BackboneError(
            f"{where}: logit_scale is {given.tolist()!r}; expected one number above 0 and finite: the factor "
            "itself, such as 100 for CLIP, not its logarithm"
        )
    return value


def _word(arrays: Arrays, name: str, where: str) -> str:
    given = arrays.get(name)
    if given is None:
        return ""
    if given.dtype.kind != "U" or given.size != 1:
        raise BackboneError(f"{where}: {name} is {_kind(given)}; expected one text (dtype str)")
    return str(given.reshape(()))


def _kind(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
