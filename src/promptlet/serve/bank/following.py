"""What changes in a source is followed: at once in a folder, and by listing it again everywhere.

A folder on a disk in a network tells nothing of what others change there, and a link may lead to a file
outside: so it is listed again, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from promptlet.errors import MissingExtraError, why
from promptlet.serve.bank.bank import Bank
from promptlet.serve.bank.listing import SETTLED
from promptlet.serve.bank.sources import name_of

_logger = logging.getLogger("promptlet.serve")
EVERY = 10.0
DEBOUNCE_MS, STEP_MS = 100, 20
"""What changes within this time is looked at together."""
REWATCH_SECONDS = 5.0


@asynccontextmanager
async def watching(bank: Bank, every: float = EVERY) -> AsyncIterator[None]:
    """Inside, the bank follows its source; every: seconds between two listings."""
    tasks = [asyncio.create_task(_list_again(bank, every))]
    if bank.source.folder is not None:
        tasks.append(asyncio.create_task(_watch(bank, bank.source.folder)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _list_again(bank: Bank, every: float) -> None:
    """At first soon, for what changed before the watch began."""
    wait = min(every, 1.0)
    while True:
        await asyncio.sleep(wait)
        await _refresh(bank, None)
        wait = min(every, SETTLED / 4) if bank.is_unsettled else every


async def _watch(bank: Bank, folder: Path) -> None:
    try:
        from watchfiles import awatch
    except ImportError as error:
        raise MissingExtraError(
            "a folder is watched by watchfiles, which is not installed; install it: "
            "pip install 'promptlet[serve]'"
        ) from error
    while True:
        try:
            async for changes in awatch(
                folder, watch_filter=None, recursive=False, debounce=DEBOUNCE_MS, step=STEP_MS
            ):
                await _follow(bank, [Path(path).name for _, path in changes])
        except (OSError, RuntimeError) as error:  # gone, or too many watches on this machine
            _logger.warning(
                "%s cannot be watched (%s): it is listed every few seconds instead", folder, why(error)
            )
        await asyncio.sleep(REWATCH_SECONDS)


async def _follow(bank: Bank, files: Iterable[str]) -> None:
    """Look at the prompts that changed; at all of them where a hidden link may lead to others."""
    found = {file: name_of(file) for file in files}
    names = {name for name in found.values() if name is not None}
    if any(file.startswith("..") for file in found):  # Kubernetes' own, behind every file of a volume
        await _refresh(bank, None)
    elif names:
        await _refresh(bank, sorted(names))


async def _refresh(bank: Bank, names: list[str] | None) -> None:
    try:
        await bank.refresh_soon(names)
    except Exception:  # must go on following whatever happens to one file
        _logger.exception("the prompts could not be looked at")
