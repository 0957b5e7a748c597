"""Thousands of prompts over one backbone: which there are, and what each answers.

`places` hold prompt files (`sources` says what a place is): a folder, or an object store. `listing` looks
at one file, and the `shelf` has all of them. `bank` joins these with `answerers`, which are made once for a
prompt and some names, and kept in memory within a size (`recent`) and on the disk (`disk`). `answering`
asks many of them about one image at once. `following` sees what changes.
"""

from promptlet.serve.bank.answerers import Answerer
from promptlet.serve.bank.answering import answer_each
from promptlet.serve.bank.bank import Bank
from promptlet.serve.bank.disk import class_cache
from promptlet.serve.bank.following import watching
from promptlet.serve.bank.listing import Listed
from promptlet.serve.bank.places import open_source
from promptlet.serve.bank.sources import Seen, Source

__all__ = [
    "Answerer",
    "Bank",
    "Listed",
    "Seen",
    "Source",
    "answer_each",
    "class_cache",
    "open_source",
    "watching",
]
