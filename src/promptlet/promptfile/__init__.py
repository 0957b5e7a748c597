"""Prompt files: what was learned, in a few KB or less, readable by any language.

The formats are specified in docs/reference/prompt-file.md.
"""

from promptlet.promptfile.backbone import check_names_known_backbone, is_known_name
from promptlet.promptfile.codec import dumps, loads
from promptlet.promptfile.files import load_prompt_file, save_prompt_file
from promptlet.promptfile.kmeans import KMEANS, cluster
from promptlet.promptfile.magnitudes import check_magnitudes
from promptlet.promptfile.precision import PRECISIONS
from promptlet.promptfile.record import FORMAT_VERSION, PromptFile
from promptlet.promptfile.rejection import SHARES, Rejection

__all__ = [
    "FORMAT_VERSION",
    "KMEANS",
    "PRECISIONS",
    "SHARES",
    "PromptFile",
    "Rejection",
    "check_magnitudes",
    "check_names_known_backbone",
    "cluster",
    "dumps",
    "is_known_name",
    "load_prompt_file",
    "loads",
    "save_prompt_file",
]
