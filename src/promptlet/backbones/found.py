"""What was found of the files of a model before, for as long as they are the same files.

Its digests take a pass over all weights, half a second for CLIP's 600 MB. They are kept in the cache folder
under the identity of the files: device, inode, size, time of the last change of content and time of the last
change at all (ctime), and a sample of their content. A program can set back size and the first time after it
has edited a file in place, but not the second: that is the kernel's own clock. Where the two times could hide
a change, nothing is kept and nothing taken: within a minute of a change, since clocks of file systems tick,
those of other machines differ, and what is written through a map may get its time when it is flushed, half a
minute later; and on Windows, whose ctime is another thing. The sample is for file systems that keep no such
time.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from promptlet.data.cache.agreed import remember, remembered
from promptlet.data.files import open_regular

FORMAT = "files 2"
"""Of what is kept: another number for every change of what is found of the same files, such as that of a rule
in `fingerprint` or `sound`, or what an older version found would be taken."""
SETTLED = 60.0
"""Seconds after its last change from which on another change is sure to be seen."""
BLOCKS, BLOCK = 64, 4096
"""What is read of a file: so many blocks of so many bytes, from its first to its last."""


class Found:
    """What is found of the model in some files: nothing is taken from before where they may have changed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self.identity = identity(self.paths)

    def settle(self) -> None:
        """To be called once the files are read: nothing more is kept where they are no longer the same."""
        if self.identity and identity(self.paths) != self.identity:
            self.identity = ""

    def once(self, what: str, find: Callable[[], str]) -> str:
        """What ``find`` gives, which depends on the files, on ``what`` and on `FORMAT` alone, in letters and
        digits."""
        if not self.identity:
            return find()
        key = hashlib.sha256(f"{FORMAT}\n{self.identity}\n{what}".encode()).hexdigest()[:40]
        for line in remembered():
            if line.startswith(f"{key}="):
                return line.partition("=")[2]
        value = find()
        remember(f"{key}={value}")
        return value


def identity(paths: Sequence[Path]) -> str:
    """The same for the same files alone; "" where that cannot be said."""
    if os.name == "nt":
        return ""
    told = hashlib.sha256()
    for path in paths:
        try:
            with open_regular(path) as file:
                before = os.fstat(file.fileno())
                told.update(_sample(file.fileno(), before.st_size))
        except OSError:
            return ""
        if not time.time() - max(before.st_mtime, before.st_ctime) > SETTLED:
            return ""
        facts = before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns
        told.update(repr((path.name, facts)).encode())
    return told.hexdigest()


def _sample(descriptor: int, size: int) -> bytes:
    if size <= BLOCKS * BLOCK:
        return os.pread(descriptor, size, 0)
    last = size - BLOCK
    return b"".join(os.pread(descriptor, BLOCK, last * i // (BLOCKS - 1)) for i in range(BLOCKS))
