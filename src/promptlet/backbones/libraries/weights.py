"""Files of weights, looked at before a library reads them: what they hold is no more than their bytes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from promptlet.backbones.libraries.asked import AGAIN, MOST_BYTES, read_asked
from promptlet.backbones.libraries.refusal import REASON, refusing
from promptlet.errors import BackboneError

READ_BY_TRANSFORMERS = ("model.safetensors", "pytorch_model.bin")
"""In the order in which it looks for them, each whole or as shards."""
MOST_HEADER, MOST_TENSORS = 4 << 20, 20_000
"""Of a file: the largest CLIP has 2,000 tensors, and a header of 250 KB."""


def weights_in(folder: Path, source: str) -> int:
    """Bytes of the weights that transformers reads in a folder, each file checked. 0 where there are none."""
    for index in folder.glob("*.index.json"):
        _check_index(index, source)
    kinds = (_files_of(folder, name, source) for name in READ_BY_TRANSFORMERS)
    return check_weights(next((paths for paths in kinds if paths), []), source)


def _files_of(folder: Path, name: str, source: str) -> list[Path]:
    """The file of weights of this name, or else the shards that its index names, as far as they are there."""
    if (folder / name).is_file():
        return [folder / name]
    index = folder / f"{name}.index.json"
    shards = set(read_asked(index, source)["weight_map"].values()) if index.is_file() else ()
    return [folder / shard for shard in sorted(shards) if (folder / shard).is_file()]


def check_weights(paths: Sequence[Path], source: str) -> int:
    """Bytes of these files together. Raises BackboneError for one that would take more memory than that."""
    for path in paths:
        with refusing(
            source, f"cannot load {source!r}: the weights {path.name} cannot be read ({REASON}). {AGAIN}"
        ):
            if path.suffix == ".safetensors":
                check_header(path, source)
            else:
                _check_stored(path, source)
                if path.suffix not in (".npz", ".npy"):
                    _check_tensors(path, source)
    return sum(path.stat().st_size for path in paths)


def _check_index(path: Path, source: str) -> None:
    shards = read_asked(path, source).get("weight_map")
    names = list(shards.values()) if isinstance(shards, dict) else [None]
    if not all(isinstance(name, str) and name and Path(name).name == name for name in names):
        raise BackboneError(
            f"cannot load {source!r}: {path.name} names weights outside of its folder. {AGAIN}"
        )


def check_header(path: Path, source: str) -> None:
    """A safetensors header: its length and number of tensors; the library sees that they fill the file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        room = path.stat().st_size - 8
        if not 2 <= length <= min(room, MOST_HEADER):
            raise BackboneError(
                f"cannot load {source!r}: the header of {path.name} says it has {length:,} bytes; 2 to "
                f"{max(min(room, MOST_HEADER), 2):,} are possible. {AGAIN}"
            )
        header = json.loads(file.read(length))
    if not isinstance(header, dict) or len(header) > MOST_TENSORS:
        raise BackboneError(
            f"cannot load {source!r}: the header of {path.name} is no list of at most "
            f"{MOST_TENSORS:,} tensors. {AGAIN}"
        )


def _check_stored(path: Path, source: str) -> None:
    """An archive of arrays or of torch: stored as it is, since what is packed could be of any size."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    packed = [part.filename for part in parts if part.compress_type != zipfile.ZIP_STORED]
    pickles = [part for part in parts if part.filename.endswith(".pkl") and part.file_size > MOST_BYTES]
    if packed or pickles or sum(part.file_size for part in parts) > path.stat().st_size:
        raise BackboneError(
            f"cannot load {source!r}: {path.name} is an archive with packed content, or with more than its "
            "bytes; save the weights as safetensors"
        )


def _check_tensors(path: Path, source: str) -> None:
    """Tensors of torch: each one's numbers stand in the file; a view of one number can be of any size."""
    import torch

    most = path.stat().st_size
    content = torch.load(path, map_location="meta", weights_only=True)
    for name, tensor in _tensors(content):
        if tensor.numel() * tensor.element_size() > most:
            raise BackboneError(
                f"cannot load {source!r}: {path.name} holds a tensor {name[:60]} of shape "
                f"{tuple(tensor.shape)}, which is larger than the file. {AGAIN}"
            )


def _tensors(content: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, part in content.items():
            yield from _tensors(part, str(key))
    elif hasattr(content, "element_size"):
        yield name, content
