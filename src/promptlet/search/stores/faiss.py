"""A FAISS index file, exact by inner product over float16, and beside it the paths of its rows.

OUT       faiss.IndexScalarQuantizer (fp16), METRIC_INNER_PRODUCT; row i is image i
OUT.json  {"promptlet_vectors": 1, "backbone", "fingerprint", "folder", "paths": [...]}
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.errors import MissingExtraError
from promptlet.report.files import write_whole
from promptlet.search.file import BLOCK, Stored
from promptlet.search.stores.names import storable
from promptlet.search.stores.whole import whole


def installed() -> Any:
    """The faiss package. Raises MissingExtraError."""
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError(
            "FAISS files need the optional package faiss-cpu: pip install 'promptlet[faiss]'"
        ) from error
    return faiss


def paths_file(path: Path) -> Path:
    """What lies beside the index file."""
    return path.with_name(f"{path.name}.json")


def write(stored: Stored, path: Path, _name: str = "") -> None:
    """Both files. Raises OptionError, MissingExtraError."""
    faiss = installed()
    kind = faiss.ScalarQuantizer.QT_fp16
    index = faiss.IndexScalarQuantizer(stored.dim, kind, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True  # float16 has nothing to learn
    for start in range(0, len(stored), BLOCK):
        index.add(np.ascontiguousarray(stored.features[start : start + BLOCK], np.float32))
    facts = {
        "promptlet_vectors": 1,
        **asdict(stored.facts),
        "paths": [storable(name) for name in stored.paths],
    }
    with whole(path, stored.features.nbytes) as draft:
        try:
            faiss.write_index(index, str(draft))
        except RuntimeError as error:  # of its own, also where a disk is full
            raise OSError(str(error)) from error
        write_whole(paths_file(path), json.dumps(facts).encode())
