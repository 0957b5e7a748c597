"""A Qdrant collection in a folder, as `QdrantClient(path=...)` opens it: a point an image, with its path."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.errors import MissingExtraError, OptionError, listed
from promptlet.search.file import Stored
from promptlet.search.stores.names import storable
from promptlet.search.stores.whole import whole

OWN = {".lock", "meta.json", "collection", "aliases"}
"""What Qdrant puts into its folder."""
POINTS = 4096
"""That are written at a time."""


def installed() -> Any:
    """The qdrant_client package. Raises MissingExtraError."""
    try:
        import qdrant_client
    except ImportError as error:
        raise MissingExtraError(
            "Qdrant needs the optional package qdrant-client: pip install 'promptlet[qdrant]'"
        ) from error
    return qdrant_client


def check_own(folder: Path) -> None:
    """Raise OptionError for a folder with anything that is not Qdrant's, which must not be replaced."""
    strange = sorted({path.name for path in folder.iterdir()} - OWN)
    if strange:
        raise OptionError(
            f"--out {folder} is there and no folder of Qdrant: it holds {listed(strange)}, so it is not "
            "replaced; give another name"
        )


def write(stored: Stored, path: Path, name: str) -> None:
    """A folder with the collection ``name``. Raises OptionError, MissingExtraError."""
    package = installed()
    models, facts = package.models, stored.facts
    about = {"backbone": facts.backbone, "fingerprint": facts.fingerprint, "folder": facts.folder}
    with whole(path, 4 * stored.features.nbytes) as draft:
        client = package.QdrantClient(path=str(draft))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of more than 20,000 points: docs/how-to/search.md says it
                client.create_collection(
                    name,
                    vectors_config=models.VectorParams(size=stored.dim, distance=models.Distance.COSINE),
                    metadata=about,
                )
                for start in range(0, len(stored), POINTS):
                    rows = range(start, min(start + POINTS, len(stored)))
                    client.upload_collection(
                        name,
                        vectors=np.asarray(stored.features[rows.start : rows.stop], np.float32),
                        payload=[{"path": storable(stored.paths[row])} for row in rows],
                        ids=list(rows),
                    )
        finally:
            client.close()
