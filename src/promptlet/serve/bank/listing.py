"""What is known of one prompt that lies in a source: a few facts, and none of its tensors."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from promptlet.backbones import Backbone
from promptlet.classifier.files import check_usable, method_of, rejection_of
from promptlet.errors import BackboneError, DataError, OptionError, PromptFileError, PromptletError
from promptlet.methods import METHODS, Method
from promptlet.methods.method import IMAGES
from promptlet.promptfile import PromptFile, Rejection, loads
from promptlet.promptfile.backbone import without_folders
from promptlet.promptfile.files import reason_of
from promptlet.serve.bank.sources import Seen, Source

State = Literal["ready", "broken", "being written"]
READY: State = "ready"
BROKEN: State = "broken"
BEING_WRITTEN: State = "being written"
SETTLED = 2.0
"""Seconds: a file that changed so lately may change again within a tick of its clock, and a damaged one is
taken for one that is being written."""
KNOWN = 1024
"""Other backbones whose reason is kept."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A prompt as lists tell of it.

    digest: of the version that is served, "" where there is none, or of a broken one that could be read.
    reason: why it is not served, or not in its newest version. method, classes: as far as they are known.
    modified: in seconds since 1970.
    """

    name: str
    digest: str
    reason: str
    method: str
    classes: int
    bytes: int
    modified: float
    state: State


@dataclass(frozen=True, slots=True)
class Entry:
    """listed: what is told. mark: that of the file when it was read; None where it must be read again."""

    listed: Listed
    mark: Hashable | None


class UnfitError(PromptFileError):
    """A sound prompt file that cannot be served here. prompt: whose name it tells."""

    prompt = ""


def digest_of(data: bytes) -> str:
    """The first 32 digits of its SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]


class Gate:
    """What may be served over one backbone, which is frozen: it is asked for its fingerprint once, since it
    looks at all its layers each time."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._fingerprint = backbone.fingerprint
        self._another = lru_cache(KNOWN)(self._why_another)

    def check(self, file: PromptFile, name: str) -> None:
        """Raise UnfitError for a method that is not here or changes the image tower, and for another
        backbone."""
        try:
            check_usable(file, name)
        except PromptFileError as error:
            raise UnfitError(str(error)) from error
        if METHODS[file.method].info.reads == IMAGES:
            raise UnfitError(
                f"the method {file.method!r} changes the image tower, so every image would have to be "
                "encoded once more for this prompt alone; it is not served: use `promptlet predict` with it"
            )
        another = "" if file.fingerprint == self._fingerprint else self._another(*_made_with(file))
        if another:
            names = {"made_with": without_folders(file.backbone), "here": without_folders(self.backbone.name)}
            raise UnfitError(another).keyed("prompt-other", **names)

    def open(self, file: PromptFile, name: str) -> tuple[Method, Rejection | None]:
        """The method, and what tells "none of these". Raises UnfitError where what the file says does not
        fit together."""
        try:
            return method_of(file, self.backbone), rejection_of(file, self.backbone)
        except (OptionError, DataError, BackboneError) as error:
            raise UnfitError(f"cannot use {name}: {error}") from error

    def check_whole(self, data: bytes, name: str) -> PromptFile:
        """The file. Raises PromptFileError where these bytes are none, or none that can be served."""
        file = loads(data)
        self.check(file, name)
        self.open(file, name)
        return file

    def _why_another(self, fingerprint: str, backbone: str, is_former: bool) -> str:
        """No folders of this machine are told, nor of another."""
        try:
            self.backbone.check_fingerprint(fingerprint, backbone, "the prompt", is_former)
        except BackboneError as error:
            reason = str(error)
            for name in (backbone, self.backbone.name):
                reason = reason.replace(repr(name), repr(without_folders(name)))
            return reason
        return ""


def _made_with(file: PromptFile) -> tuple[str, str, bool]:
    return file.fingerprint, file.backbone, not file.is_protected


def entry_of(name: str, seen: Seen, former: Entry | None, source: Source, gate: Gate) -> Entry | None:
    """What is known of a file; it is read where it is another than it was. None where it is gone."""
    if former is not None and former.mark is not None and former.mark == seen.mark:
        return former
    told = Listed(name, "", seen.problem, "", 0, seen.size, seen.modified, BROKEN)
    if seen.problem:
        return Entry(told, seen.mark)
    now = time.time()
    is_fresh = abs(now - seen.changed) < SETTLED
    mark = None if is_fresh else seen.mark
    try:
        data = source.read(name)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Entry(replace(told, reason=reason_of(error)), None)
    told = replace(told, bytes=len(data))
    digest = digest_of(data)
    if former is not None and former.listed.state != BEING_WRITTEN and former.listed.digest == digest:
        return Entry(replace(former.listed, modified=seen.modified), mark)
    try:
        file = loads(data)
    except PromptletError as error:
        return _damaged(told, str(error), former, mark, is_fresh)
    except Exception as error:  # a file that no check foresaw must not keep the others from being served
        return _damaged(told, f"cannot be read ({type(error).__name__}: {error})", former, mark, is_fresh)
    told = replace(told, digest=digest, method=sys.intern(file.method), classes=len(file.class_names))
    try:
        gate.check(file, name)
    except UnfitError as error:
        return Entry(replace(told, reason=str(error)), mark)
    return Entry(replace(told, state=READY), mark)


def _damaged(told: Listed, reason: str, former: Entry | None, mark: Hashable | None, is_fresh: bool) -> Entry:
    """Broken, or being written, when the former version goes on being served."""
    if not is_fresh:
        return Entry(replace(told, reason=reason), mark)
    told = replace(told, state=BEING_WRITTEN, reason=f"it is being written, or damaged: {reason}")
    if former is not None and former.listed.state != BROKEN:
        was = former.listed
        told = replace(told, digest=was.digest, method=was.method, classes=was.classes)
    return Entry(told, None)


def put_entry(name: str, data: bytes, file: PromptFile) -> Entry:
    """What is known of a sound file that is put now; it is read again at the next look."""
    method, classes = sys.intern(file.method), len(file.class_names)
    return Entry(Listed(name, digest_of(data), "", method, classes, len(data), time.time(), READY), None)


def broken(entry: Entry, reason: str) -> Entry:
    """The same, found to be of no use when it was asked."""
    return Entry(replace(entry.listed, state=BROKEN, reason=reason), entry.mark)


def counts(entries: Mapping[str, Entry]) -> dict[str, int]:
    """How many there are in each state."""
    found = {READY: 0, BROKEN: 0, BEING_WRITTEN: 0}
    for entry in entries.values():
        found[entry.listed.state] += 1
    return {str(state): count for state, count in found.items()}
