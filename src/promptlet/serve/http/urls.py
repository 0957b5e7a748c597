"""Images that are given by their address: loaded from the public internet alone, where it is allowed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from promptlet.serve.http.bodies import Limits, Sent
from promptlet.serve.http.problems import Problem, wrong_field
from promptlet.web.loading import Loader

REQUESTS: Final = 2
"""That load at the same time; others wait."""
MAX_BYTES: Final = 16 * 2**20
"""Of one image."""
_WEB: Final = re.compile(r"https?://[^\s\\]{1,4000}", re.IGNORECASE)
_INWARD: Final = re.compile(r"which is no address of the public internet|the name .* is not found")


class Urls:
    """Loads them in threads, of few requests at a time. loader: what loads one; None: as the limits say."""

    def __init__(self, limits: Limits, loader: Loader | None = None) -> None:
        self.limits = limits
        self.loader = loader or Loader(MAX_BYTES, limits.request_seconds / 2)
        self._turns = asyncio.Semaphore(REQUESTS)

    async def load(self, images: Sequence[Sent]) -> dict[int, str]:
        """Put the bytes of those with an address into them; by place, why some have none. `check` first."""
        places = [place for place, one in enumerate(images) if one.url]
        if not places:
            return {}
        async with self._turns:
            return await asyncio.to_thread(self._load, images, places)

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

    def _load(self, images: Sequence[Sent], places: Sequence[int]) -> dict[int, str]:
        reasons: dict[int, str] = {}
        with self.loader.together([images[place].url for place in places]) as (files, wrong):
            for place in places:
                url = images[place].url
                if url in wrong:
                    reasons[place] = _outward(wrong[url])
                else:
                    images[place].data = Path(files[url]).read_bytes()
        return reasons


def _outward(reason: str) -> str:
    """Without what it tells of names and numbers inside this network."""
    if _INWARD.search(reason):
        return "its address leads to no server of the public internet; check it, or send the image's bytes"
    return reason
