"""Plain arrays: features (N, D) float16 of length 1, paths (N,) below ``folder``, and of what backbone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from promptlet.data.arrays import write_arrays
from promptlet.search.file import Stored
from promptlet.search.stores.names import storable


def write(stored: Stored, path: Path, _name: str = "") -> None:
    """The file."""
    facts = stored.facts
    arrays = {
        "features": stored.features,
        "paths": np.array([storable(name) for name in stored.paths], dtype=str),
        "folder": np.array(facts.folder),
        "backbone": np.array(facts.backbone),
        "fingerprint": np.array(facts.fingerprint),
    }
    write_arrays(path, arrays)
