"""Images that are given by their address: loaded from the public internet alone, where it is allowed."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from time import monotonic
from typing import Final

from promptlet.errors import BusyError, ImageError
from promptlet.serve.http.bodies import Limits, Sent
from promptlet.serve.http.limits import HeldBytes
from promptlet.serve.http.problems import Problem, wrong_field
from promptlet.serve.meters import Meters, counting_ends
from promptlet.serve.turns.once import Once
from promptlet.serve.turns.room import Room
from promptlet.web.loading import Loader, Stop

_logger = logging.getLogger("promptlet.serve")

THREADS, THREADS_OF_TENANT, AT_ONCE = 16, 8, 8
"""Images that are loaded at the same time: in all, of one tenant, of one request."""
QUEUE: Final = 64
"""Images of all requests that are loaded, or wait for it, `AT_ONCE` of a request at most."""
HELD_BYTES: Final = 512 * 2**20
MAX_BYTES: Final = 16 * 2**20
"""Of one image."""
_WEB: Final = re.compile(r"https?://[^\s\\]{1,4000}", re.IGNORECASE)
_INWARD: Final = re.compile(r"which is no address of the public internet|the name .* is not found")


class Urls:
    """Loads them in a few threads, in turns of tenants; what nobody waits for any more is cut.

    loader: what loads one; None: as the limits say. held: the memory for bodies, where what is loaded counts
    too. tenant_share, wait_seconds: as of other queues.
    """

    def __init__(
        self,
        limits: Limits,
        loader: Loader | None = None,
        *,
        held: HeldBytes | None = None,
        meters: Meters | None = None,
        tenant_share: float = 1.0,
        wait_seconds: float = 5.0,
    ) -> None:
        self.limits = limits
        self.loader = loader or Loader(MAX_BYTES, limits.request_seconds / 2)
        self._held = held or HeldBytes(HELD_BYTES)
        self._meters = meters
        self._loading: Once[bytes | str] = Once(
            THREADS, THREADS_OF_TENANT, Room(QUEUE, tenant_share), wait_seconds, "addresses", "promptlet-urls"
        )

    @asynccontextmanager
    async def loaded(
        self, images: Sequence[Sent], tenant: str, until: float | None = None
    ) -> AsyncIterator[dict[int, str]]:
        """Inside, those with an address have their bytes; by place, why some have none. `check` first.

        until: when what is not here is late, of `time.monotonic`. Raises BusyError where there is no room, or
        nothing of it has its turn in time.
        """
        places = [place for place, one in enumerate(images) if one.url]
        if not places:
            yield {}
            return
        account = _Account(self._held, tenant)
        try:
            reasons = await self._counted(images, places, account, until)
            yield reasons
        finally:
            account.close()

    async def _counted(
        self, images: Sequence[Sent], places: Sequence[int], account: _Account, until: float | None
    ) -> dict[int, str]:
        """Counted are those of which the encoder hears nothing."""
        try:
            reasons = await self._load(images, places, account, until)
        except BaseException:
            with counting_ends(self._meters, len(images), until):
                raise
        with counting_ends(self._meters, len(reasons)) as ends:
            ends["unloaded"] = len(reasons)
        return reasons

    async def _load(
        self, images: Sequence[Sent], places: Sequence[int], account: _Account, until: float | None
    ) -> dict[int, str]:
        reasons: dict[int, str] = {}
        stop = Stop()
        with self._loading.asking(account.tenant, min(AT_ONCE, len(places))) as asking:

            async def fill(place: int) -> None:
                url = images[place].url
                work = partial(self._outcome, url, stop, account, until)
                outcome = await asking.get((stop, url), work)
                if isinstance(outcome, bytes):
                    images[place].data = outcome
                else:
                    reasons[place] = outcome

            try:
                await asking.each(places, fill)
            finally:
                stop.set()
        return reasons

    def close(self) -> None:
        """What has not begun is refused."""
        self._loading.close()

    def check(self, images: Sequence[Sent]) -> None:
        """Raises Problem for addresses that are not loaded here."""
        places = [place for place, one in enumerate(images) if one.url]
        if places and not self.limits.allow_urls:
            raise wrong_field(
                f"images[{places[0]}].url",
                "this server loads no addresses; load the image yourself, and send its bytes",
            )
        if len(places) > self.limits.max_urls:
            raise Problem(
                "body-too-large",
                f"there are {len(places):,} addresses of images; {self.limits.max_urls:,} are loaded in one "
                "request: send them in several",
                allowed=self.limits.max_urls,
            )
        for place in places:  # anything else would be a path on this machine
            if not _WEB.fullmatch(images[place].url):
                raise wrong_field(
                    f"images[{place}].url", "the address must begin with https:// or http://, without spaces"
                )

    def _outcome(self, url: str, stop: Stop, account: _Account, until: float | None) -> bytes | str:
        """In a thread: what lies there, or why it was not loaded. Raises BusyError.

        It has half of the time that is left: what comes behind it, and the others' answers, have some too.
        """
        seconds = None if until is None else max((until - monotonic()) / 2, 0.01)
        pieces: list[bytes] = []
        try:
            with closing(self.loader.chunks(url, stop, seconds)) as chunks:
                for piece in chunks:
                    account.take(len(piece))
                    pieces.append(piece)
        except BusyError:
            raise
        except ImageError as error:
            account.give_back(sum(map(len, pieces)))
            return _outward(str(error))
        except Exception as error:  # of one address, which must not cost the others
            account.give_back(sum(map(len, pieces)))
            _logger.error("an image cannot be loaded from its address", exc_info=error)
            return "it could not be loaded from its address; the server's log says why; send its bytes"
        return b"".join(pieces)


class _Account:
    """Bytes that are held for one request, by all threads that load for it; none once it is closed."""

    def __init__(self, held: HeldBytes, tenant: str) -> None:
        self.tenant = tenant
        self._held, self._count, self._is_closed = held, 0, False
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Raises BusyError where there is no room, ImageError once it is closed."""
        with self._lock:
            if self._is_closed:
                raise ImageError("it was given up")
            refusal = self._held.take(self.tenant, count)
            if refusal is not None:
                raise BusyError(refusal.detail, float(refusal.members["retry_after"]))
            self._count += count

    def give_back(self, count: int) -> None:
        with self._lock:
            count = min(count, self._count)  # none, where it is closed
            self._count -= count
            self._held.give_back(self.tenant, count)

    def close(self) -> None:
        """All of them are given back."""
        with self._lock:
            self._is_closed = True
            self._held.give_back(self.tenant, self._count)
            self._count = 0


def _outward(reason: str) -> str:
    """Without what it tells of names and numbers inside this network."""
    if _INWARD.search(reason):
        return "its address leads to no server of the public internet; check it, or send the image's bytes"
    return reason
