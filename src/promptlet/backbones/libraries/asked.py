"""What the files of a model may ask for, looked at before any library reads them.

A configuration is a page of numbers, and a library builds whatever it says: ten million layers, a vocabulary
of a billion words. So its numbers are bounded here, by what a number means where that is known. That the
model belongs to its weights is seen while it is built (`built`).
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptlet.data.files import open_regular
from promptlet.errors import BackboneError, why

MOST_BYTES = 4 << 20
"""Of a configuration; the longest of real models hold 20,000 labels."""
MOST_DEPTH = 32
MOST_FILES = 10_000
MOST_NUMBER = 1 << 24
SPARE_BYTES, BYTES_A_WORD = 4 << 20, 512
"""Of a tokenizer's file: Gemma's has 134 bytes for each of its 256,000 words."""

LAYERS, WIDTH, LENGTH, SIDE = (1, 512), (1, 1 << 18), (1, 4096), (1, 4096)
BOUNDS = {
    **dict.fromkeys(("num_hidden_layers", "layers", "depth", "depths", "num_layers"), LAYERS),
    **dict.fromkeys(("hidden_size", "hidden_sizes", "intermediate_size", "width", "embed_dim"), WIDTH),
    **dict.fromkeys(("projection_dim", "projection_size", "num_patches", "attn_pooler_queries"), WIDTH),
    **dict.fromkeys(("num_block_repeats",), LAYERS),
    **dict.fromkeys(("in_channels", "out_channels"), WIDTH),
    **dict.fromkeys(("encoder_layers", "decoder_layers", "num_decoder_layers"), LAYERS),
    **dict.fromkeys(("d_model", "d_ff", "encoder_ffn_dim", "decoder_ffn_dim"), WIDTH),
    **dict.fromkeys(("num_attention_heads", "heads", "head_width", "attn_pooler_heads"), LENGTH),
    **dict.fromkeys(("max_position_embeddings", "context_length"), LENGTH),
    **dict.fromkeys(("image_size", "patch_size"), SIDE),
    "num_channels": (3, 3),
    "vocab_size": (1, 1 << 22),
    "num_labels": (0, 1 << 17),
    "mlp_ratio": (0, 64),
    "extra_ids": (0, 1 << 10),
}
"""By the name of a field, at any depth: the least and the most. A list's numbers are bounded each."""
FREE = ("model_max_length", "max_length")
"""Limits of texts, which tokenizers give as 10^30 where there are none."""
AGAIN = "Save the whole model there, or copy it again."
LEADS_AWAY = ("configuration_files", "transformers_weights")
"""Fields that name other files, which libraries would read in the place of those that are looked at."""
READ_AS_TEXT = (".json", ".txt", ".model", ".jinja", ".tiktoken")


def read_asked(path: Path, source: str) -> dict[str, Any]:
    """The object in a JSON file of a model, whose numbers are finite and within bounds.

    Raises BackboneError naming the file and the field.
    """
    where = f"cannot load {source!r}: {path.name}"
    _check_bytes(path, MOST_BYTES, where)
    try:
        with open_regular(path) as file:
            found = json.loads(file.read(MOST_BYTES + 1).decode())
    except (OSError, ValueError, RecursionError) as error:
        raise BackboneError(
            f"{where} is no readable JSON ({type(error).__name__}: {str(error)[:120]}). {AGAIN}"
        ) from error
    if not isinstance(found, dict):
        raise BackboneError(f"{where} holds {_kind(found)} where an object is expected. {AGAIN}")
    _check_stays(found, where)
    for field, value in _leaves(found, "", where):
        _check_number(field, value, where)
    return found


def _check_stays(found: dict[str, Any], where: str) -> None:
    """Raise BackboneError where a file leads to others that are not looked at."""
    others = found.get("fast_tokenizer_files") or []  # those beside it are looked at, too
    beside = isinstance(others, list) and all(
        isinstance(one, str) and Path(one).name == one for one in others
    )
    for name in (*LEADS_AWAY, *(() if beside else ("fast_tokenizer_files",))):
        if found.get(name) is not None:
            raise BackboneError(
                f"{where}: {name} names other files, which are not followed; take that field out, or save "
                "the model anew"
            )


def check_folder(folder: Path, source: str, vocabulary: int) -> None:
    """Raise BackboneError for a folder in which a file is no plain file, or far longer than a vocabulary of
    this size needs."""
    most = SPARE_BYTES + BYTES_A_WORD * vocabulary
    for count, path in enumerate(folder.iterdir()):
        if count == MOST_FILES:
            raise BackboneError(
                f"cannot load {source!r}: it holds over {MOST_FILES} files; give a folder of one model"
            )
        if not (path.is_file() or path.is_dir() or path.is_symlink()) or _is_device(path):
            raise BackboneError(f"cannot load {source!r}: {path.name} is no plain file. {AGAIN}")
        if path.suffix in READ_AS_TEXT and path.is_file():
            _check_bytes(path, most, f"cannot load {source!r}: {path.name}")


def _is_device(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:  # a link to nothing, which no library can open
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _check_bytes(path: Path, most: int, where: str) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise BackboneError(f"{where} cannot be read ({why(error)}). {AGAIN}") from error
    if not stat.S_ISREG(status.st_mode):
        raise BackboneError(f"{where} is no plain file. {AGAIN}")
    if status.st_size > most:
        raise BackboneError(
            f"{where} has {status.st_size:,} bytes, and a file of this model has {most:,} at the most. "
            f"{AGAIN}"
        )


def _leaves(value: Any, field: str, where: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(dotted field, value) of everything that is no object and no list; a list's parts under its name."""
    if depth > MOST_DEPTH:
        raise BackboneError(f"{where}: {field[:60]} is nested over {MOST_DEPTH} deep. {AGAIN}")
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, f"{field}.{key}" if field else key, where, depth + 1)
    elif isinstance(value, list):
        if field.rpartition(".")[2] in BOUNDS and len(value) > LAYERS[1]:
            raise BackboneError(f"{where}: {field} has {len(value)} parts; {LAYERS[1]} are the most. {AGAIN}")
        for part in value:
            yield from _leaves(part, field, where, depth + 1)
    else:
        yield field, value


def _check_number(field: str, value: Any, where: str) -> None:
    """A field with bounds holds a number within them, or null; any other number is finite and not huge."""
    name = field.rpartition(".")[2]
    if value is None or name in FREE:
        return
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name in BOUNDS:
        least, most = BOUNDS[name]
        whole = name == "mlp_ratio" or isinstance(value, int)
        if not is_number or not whole or not least <= value <= most:
            allowed = str(least) if least == most else f"{least} to {most}"
            raise BackboneError(f"{where}: {field} is {_shown(value)}; allowed: {allowed}. {AGAIN}")
    elif is_number and not abs(value) <= MOST_NUMBER:  # NaN is not, either
        raise BackboneError(
            f"{where}: {field} is {_shown(value)}; allowed: -{MOST_NUMBER} to {MOST_NUMBER}. {AGAIN}"
        )


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**20:
        return f"a number of {len(str(abs(value)))} digits" if abs(value) < 10**4000 else "a huge number"
    return repr(value)[:60]


def _kind(value: Any) -> str:
    return {list: "a list", str: "text", type(None): "null"}.get(type(value), "a number")
