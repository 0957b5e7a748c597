"""What a program of torch.export may hold: a graph of torch's own operators, and weights as raw bytes.

`torch.export.load` runs whatever else is in a file: pickles, compiled code, expressions and guards that it
evaluates, functions by any name below ``torch``. What `promptlet.export.torch_program` writes has none.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from promptlet.errors import ExportError, shown
from promptlet.export.told import first_line

MOST_TEXT = 1 << 26
"""Bytes of JSON."""
WEIGHTS, CONSTANTS = "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"
GRAPH, SAMPLES = "models/model.json", "data/sample_inputs/model.pt"
FACTS = frozenset(
    {"archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id"}
)
NUMBERS = re.compile(r"data/(weights/weight|constants/tensor)_[0-9]+")
OPERATOR = re.compile(
    r"torch\.ops\.aten\.(?!from_file\.)[a-z0-9_]+\.[A-Za-z0-9_]+"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
)
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SYMBOL = re.compile(r"[su][0-9]+")
SIGNS = re.compile(r"(?:[A-Za-z0-9_ ()=,'-]|[0-9]\.(?=[0-9]))*")
"""Of an expression over the sizes of tensors, as SymPy writes it: nothing is reached through a dot."""
WORDS = {
    *("Symbol", "Integer", "Rational", "positive", "nonnegative", "integer", "True", "False"),
    *("Add", "Mul", "Max", "Min", "Mod", "PythonMod", "Abs", "FloorDiv", "CleanDiv"),
    *("ModularIndexing", "IntTrueDiv", "ToFloat", "TruncToInt", "And", "Or", "Not", "Eq", "Ne"),
    *("Equality", "Unequality", "GreaterThan", "StrictGreaterThan", "LessThan", "StrictLessThan"),
}
CONTAINERS = ("builtins.tuple", "builtins.list", "builtins.dict", None)


def check_plain(program: Path) -> None:
    """Raise ExportError for a program that holds more than a graph and numbers."""
    try:
        with zipfile.ZipFile(program) as archive:
            wrong = _wrong(archive)
    except (OSError, ValueError, KeyError, RecursionError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ExportError(f"{program.name} is no program of torch.export ({first_line(error)})") from error
    if wrong:
        raise ExportError(
            f"{program.name} holds {wrong}, which may be code, and which promptlet export does not write: it "
            "is not loaded; export anew"
        )


def _wrong(archive: zipfile.ZipFile) -> str:
    """What must not be there; nothing where all is right."""
    held = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
    if len(held) != len(archive.infolist()):
        return "two files of one name"
    for name, entry in held.items():
        is_known = name in FACTS or name in (WEIGHTS, CONSTANTS, GRAPH, SAMPLES) or NUMBERS.fullmatch(name)
        if not is_known or (name == SAMPLES and entry.file_size):
            return f"the file {shown(entry.filename)}"
        if entry.compress_type != zipfile.ZIP_STORED:
            return f"the packed file {shown(entry.filename)}"
    if len({entry.filename.partition("/")[0] for entry in held.values()}) > 1:
        return "several programs"
    for name in (WEIGHTS, CONSTANTS):
        for one in _document(archive, held[name])["config"].values():
            if one["use_pickle"] or not NUMBERS.fullmatch(f"{name.rpartition('/')[0]}/{one['path_name']}"):
                return f"a pickle, {shown(one['path_name'])}"
    return next(_strange(_document(archive, held[GRAPH])), "")


def _document(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Any:
    if entry.file_size > MOST_TEXT:
        raise ValueError(f"{entry.filename} has {entry.file_size:,} bytes")
    return json.loads(archive.read(entry))


def _strange(graph: Any) -> Iterator[str]:
    """What torch would look up, or evaluate, beyond operators and sizes."""
    for key, value in _values(graph):
        if key in ("target", "as_operator") and not _fits(value, OPERATOR):
            yield f"the function {shown(value)}"
        elif key == "expr_str" and not _is_size(value):
            yield f"the expression {shown(value)}"
        elif key in ("guards_code", "treespec_namedtuple_fields", "custom_obj_values") and value:
            yield f"{key} {shown(value)}"
        elif key == "range_constraints" and not all(SYMBOL.fullmatch(name) for name in value):
            yield f"the sizes {shown(list(value))}"
        elif key in ("in_spec", "out_spec") and not _is_plain_tree(value):
            yield f"the structure {shown(value)}"


def _values(document: Any) -> Iterator[tuple[str, Any]]:
    """(key, value) of all objects in it."""
    waiting = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
        inner: Iterable[Any] = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        waiting.extend(inner)


def _fits(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_size(value: Any) -> bool:
    if not _fits(value, SIGNS):
        return False
    return all(word in WORDS or SYMBOL.fullmatch(word) for word in WORD.findall(value))


def _is_plain_tree(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    return all(one in CONTAINERS for key, one in _values(json.loads(value)) if key == "type")
