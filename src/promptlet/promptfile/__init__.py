"""Prompt files: what was learned, in 2 KB or less, readable by any language (docs/prompt-file.md)."""

from promptlet.promptfile.codec import FORMAT_VERSION, dumps, loads
from promptlet.promptfile.files import load_prompt_file, save_prompt_file
from promptlet.promptfile.precision import PRECISIONS
from promptlet.promptfile.record import PromptFile

__all__ = [
    "FORMAT_VERSION",
    "PRECISIONS",
    "PromptFile",
    "dumps",
    "load_prompt_file",
    "loads",
    "save_prompt_file",
]
