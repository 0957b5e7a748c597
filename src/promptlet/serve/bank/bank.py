"""The bank: all prompts of a source over one backbone, and what answers for them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from promptlet.backbones import Backbone
from promptlet.classifier.inputs import asked_names
from promptlet.data import FeatureCache, check_class_names
from promptlet.errors import AnswerError, BusyError, PromptletError, ServiceError
from promptlet.methods.new_names import check_rule
from promptlet.promptfile import PromptFile
from promptlet.serve.bank.answerers import Answerer, FailedError, answerer_of, score_of
from promptlet.serve.bank.disk import ClassFeatures
from promptlet.serve.bank.facts import file_facts
from promptlet.serve.bank.listing import BEING_WRITTEN, READY, SETTLED, Gate, Listed, UnfitError
from promptlet.serve.bank.shelf import ChangedError, Shelf
from promptlet.serve.bank.sources import Source, check_name
from promptlet.serve.meters import Meters
from promptlet.serve.recent import Recent
from promptlet.serve.turns.once import Asking, NoTurnError, Once
from promptlet.serve.turns.room import Room

_logger = logging.getLogger("promptlet.serve")
T = TypeVar("T")
MEMORY = 512 * 2**20
QUEUE, WAIT_SECONDS = 256, 5.0
FILE_THREADS = 2
THREADS, THREADS_OF_TENANT = 3, 2
"""That compute class features: a long list of names does not keep other tenants waiting, nor their prompts
one another."""
AT_ONCE = 2 * THREADS_OF_TENANT
"""Of one `Bank.answerers`: who asks for a thousand prompts does not stand in front of all others."""
TRIES = 8
Names = tuple[str, ...]
Key = tuple[str, Names | None, str | None]
"""Digest of the prompt; names, None for its own; rule for new names, None for its own."""


class Bank:
    """Prompts of ``source``, listed when it is made; `refresh` looks again, and `watching` does so in time.

    memory_bytes: that answerers may take. cache: where class features are kept on the disk, in a folder that
    holds nothing else (`class_cache`); None for nowhere. queue: prompts whose class features are waited for,
    `AT_ONCE` of a call at most, ``tenant_share`` of them of one tenant. wait_seconds: how long a call waits
    while none of its prompts has its turn. Raises ServiceError where the source cannot be listed.
    """

    def __init__(
        self,
        source: Source,
        backbone: Backbone,
        *,
        memory_bytes: int = MEMORY,
        cache: FeatureCache | None = None,
        queue: int = QUEUE,
        tenant_share: float = 1.0,
        wait_seconds: float = WAIT_SECONDS,
        meters: Meters | None = None,
    ) -> None:
        self.source, self.backbone = source, backbone
        self._meters = Meters() if meters is None else meters
        self._disk = ClassFeatures(cache, backbone)
        self._gate = Gate(backbone)
        self._shelf = Shelf(source, self._gate, self._meters)
        self._kept: Recent[Answerer] = Recent(memory_bytes)
        self._room = Room(queue, tenant_share)
        self._making: Once[Answerer] = Once(
            THREADS, THREADS_OF_TENANT, self._room, wait_seconds, "prompts", "class-features"
        )
        self._meters.queue_prompts.set_function(lambda: self._room.held)
        self._files = ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="prompt-files")
        is_plain = backbone.has_towers and not backbone.text.exact_sharing  # that path serves one at a time
        self._alone: AbstractContextManager[Any] = threading.Lock() if is_plain else nullcontext()
        self.refresh()
        if self.problem:
            raise ServiceError(self.problem)

    # -- which there are -------------------------------------------------------------------------------

    @property
    def problem(self) -> str:
        """Why the source could not be listed the last time; "" where it could."""
        return self._shelf.problem

    @property
    def is_unsettled(self) -> bool:
        """Whether a prompt is being written, so that it is worth looking again soon."""
        return self._shelf.is_unsettled

    def refresh(self, names: Iterable[str] | None = None) -> None:
        """Look at all files, or at those of ``names``, and read those that are others than they were.

        For a thread; `refresh_soon` is for everything else. Where the source cannot be listed, ``problem``
        says why, and what was there goes on being served.
        """
        self._shelf.refresh(names)

    async def refresh_soon(self, names: Iterable[str] | None = None) -> None:
        """`refresh` in a thread."""
        await self._in_thread(partial(self._shelf.refresh, names))

    def listed(self) -> list[Listed]:
        """All of them, by name."""
        return self._shelf.listed()

    def get(self, name: str) -> Listed | None:
        """One of them; None where there is none of this name."""
        return self._shelf.get(name)

    def facts(self, name: str) -> dict[str, Any]:
        """What the file of a served prompt says, as plain values (`file_facts`). Reads it.

        Raises KeyError, PromptFileError with the reason where it is not served, BusyError.
        """
        for _ in range(TRIES):
            listed = self._shelf.sound(name)
            try:
                file = self._shelf.read(name, listed.digest)
            except ChangedError:
                self.refresh([name])
                _check_not_being_written(self._shelf.sound(name))
                continue
            return file_facts(listed, file)
        raise _too_fast(name)

    # -- changing them ---------------------------------------------------------------------------------

    async def put(self, name: str, data: bytes) -> Listed:
        """Add a prompt, or replace one. It is checked whole before anything is written, and listed when this
        returns; who stops waiting does not stop what was begun. What was put is told, also where the place
        cannot be listed behind it. Raises OptionError for the name, PromptFileError for the file, and where
        it cannot be written."""
        return await self._in_thread(partial(self._shelf.put, check_name(name), bytes(data)))

    async def delete(self, name: str) -> None:
        """Take one away. Raises KeyError where there is none, PromptFileError where that cannot be done."""
        await self._in_thread(partial(self._shelf.delete, name))

    def close(self) -> None:
        """Work that has not begun is dropped."""
        self._making.close()
        self._files.shutdown(wait=False, cancel_futures=True)

    # -- what answers for them -------------------------------------------------------------------------

    async def answerer(
        self,
        name: str,
        class_names: Iterable[str] | None = None,
        new_names: str | None = None,
        *,
        tenant: str = "",
    ) -> Answerer:
        """What answers for a prompt, among its own names or others; new_names: as in `predict_proba`.

        Made once for all who ask at the same time, in the tenant's turn. Raises KeyError; PromptFileError
        with the reason where the prompt is broken; OptionError, DataError and AnswerError for what it cannot
        answer; BusyError while it is being written and the former version is not at hand, and where there is
        no room for it, or no turn in time.
        """
        names, rule = _asked(class_names, new_names)
        found = self._at_hand(name, names, rule)
        if found is not None:
            return found
        with self._asking(tenant, [0], ()) as asking:
            return await self._answerer(asking, name, names, rule)

    async def answerers(
        self,
        prompts: Sequence[str],
        class_names: Iterable[str] | None = None,
        new_names: str | None = None,
        *,
        tenant: str = "",
    ) -> list[Answerer | PromptletError | KeyError]:
        """`answerer` of many prompts, each or what it raises, a FailedError for what nobody expected. Raises
        DataError and OptionError for names and a rule that no prompt could answer, BusyError where there is
        no room for those that are not at hand, or no turn in time."""
        names, rule = _asked(class_names, new_names)
        found: dict[int, Answerer | PromptletError | KeyError] = {}
        missing = []
        for place, name in enumerate(prompts):
            at_hand = self._at_hand(name, names, rule)
            if at_hand is None:
                missing.append(place)
            else:
                found[place] = at_hand
        if missing:
            with self._asking(tenant, missing, found) as asking:

                async def fill(place: int) -> None:
                    try:
                        found[place] = await self._answerer(asking, prompts[place], names, rule)
                    except NoTurnError:
                        raise
                    except (PromptletError, KeyError) as error:
                        found[place] = error
                    except Exception as error:  # of one prompt, which must not cost the others
                        _logger.error("the prompt %r cannot be made ready", prompts[place], exc_info=error)
                        found[place] = FailedError()

                await asking.each(missing, fill)
        return [found[place] for place in range(len(prompts))]

    @contextmanager
    def _asking(
        self, tenant: str, places: Sequence[int], found: Container[int]
    ) -> Iterator[Asking[Answerer]]:
        """One who asks for prompts that are not at hand, by their places; refused are those not found."""
        try:
            with self._making.asking(tenant, min(len(places), AT_ONCE)) as asking:
                yield asking
        except NoTurnError:
            self._meters.class_features_refused.inc(sum(place not in found for place in places))
            raise

    def _at_hand(self, name: str, names: Names | None, rule: str | None) -> Answerer | None:
        """What is in memory of a prompt that is served."""
        listed = self.get(name)
        if listed is None or listed.state != READY:
            return None
        return self._from_memory(name, (listed.digest, names, rule))

    def _from_memory(self, name: str, key: Key) -> Answerer | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._meters.made("memory")
        return _called(found, name)

    async def _answerer(
        self, asking: Asking[Answerer], name: str, names: Names | None, rule: str | None
    ) -> Answerer:
        for _ in range(TRIES):
            listed = self._shelf.sound(name)
            if listed.state == BEING_WRITTEN:
                await self.refresh_soon([name])
                listed = self._shelf.sound(name)
            key = listed.digest, names, rule
            found = self._from_memory(name, key)
            if found is not None:
                return found
            _check_not_being_written(listed)
            size = listed.classes if names is None else len(names)
            try:
                return _called(await self._made_for(asking, name, key, size), name)
            except ChangedError:
                await self.refresh_soon([name])
        raise _too_fast(name)

    async def _made_for(self, asking: Asking[Answerer], name: str, key: Key, size: int) -> Answerer:
        """Made once for all prompts of this content. A reason tells the name of one of them, which is nobody
        else's business: others are told their own."""
        work = partial(self._make, name, key)
        try:
            return await asking.get(key, work, size)
        except UnfitError as error:
            if error.prompt == name:
                raise
        return await asking.get((name, *key), work, size)

    def _make(self, name: str, key: Key) -> Answerer:
        """In a thread. Raises ChangedError where the file is another by now."""
        found = self._kept.get(key)
        if found is not None:  # made between a look into memory and this
            return found
        digest, asked, rule = key
        file = self._shelf.read(name, digest)
        try:
            made, came_from = self._made(name, digest, file, asked, rule)
        except UnfitError as error:
            error.prompt = name
            self._shelf.give_up(name, digest, str(error))
            raise
        except AnswerError as error:
            if asked is not None:
                raise
            unfit = UnfitError(f"cannot use {name}: {error}")
            unfit.prompt = name
            self._shelf.give_up(name, digest, str(unfit))
            raise unfit from error
        self._kept.put(key, made, made.nbytes)
        self._meters.made(came_from)
        self._meters.holds(self._kept.bytes)
        return made

    def _made(
        self, name: str, digest: str, file: PromptFile, asked: Names | None, rule: str | None
    ) -> tuple[Answerer, str]:
        own = check_class_names(file.class_names, "its class names") if file.class_names else ()
        names = asked_names(asked, own)
        matrix = self._disk.get(digest, names, rule)
        if matrix is not None:
            return answerer_of(name, digest, names, matrix, self.backbone, file.rejection, own), "disk"
        method, rejection = self._gate.open(file, name)
        score = score_of(method, names, rule, self._alone)
        made = answerer_of(name, digest, names, score, self.backbone, rejection, own)
        if made.matrix is not None:
            self._disk.put(digest, names, rule, made.matrix)
        return made, "computed"

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._files, work)


def _asked(class_names: Iterable[str] | None, new_names: str | None) -> tuple[Names | None, str | None]:
    names = None if class_names is None else asked_names(class_names, ())
    return names, None if new_names is None else check_rule(new_names)


def _called(one: Answerer, name: str) -> Answerer:
    """Of a prompt with the same content, under this name."""
    return one if one.prompt == name else replace(one, prompt=name)


def _check_not_being_written(listed: Listed) -> None:
    if listed.state == BEING_WRITTEN:
        raise BusyError(f"the prompt {listed.name!r} is being written; ask again", retry_after=SETTLED)


def _too_fast(name: str) -> BusyError:
    return BusyError(f"the prompt {name!r} is replaced faster than it can be read; ask again")
