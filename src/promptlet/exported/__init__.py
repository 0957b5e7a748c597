"""What leaves the library: a file of class vectors, or a folder with graphs beside it. Loads no torch.

The formats are specified in docs/reference/vectors.md and docs/reference/exported-folder.md.
"""

from promptlet.exported.files.choosing import SUFFIXES, read_vectors, write_vectors
from promptlet.exported.folder import Exported, new_folder, open_exported, write_manifest
from promptlet.exported.manifest import Golden, Graph, Manifest, Port
from promptlet.exported.vectors import Vectors

__all__ = [
    "SUFFIXES",
    "Exported",
    "Golden",
    "Graph",
    "Manifest",
    "Port",
    "Vectors",
    "new_folder",
    "open_exported",
    "read_vectors",
    "write_manifest",
    "write_vectors",
]
