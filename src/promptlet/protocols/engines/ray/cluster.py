"""A connection to a Ray cluster: the one at an address, or one started on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from promptlet.errors import EngineError, MissingExtraError, why

TO_CONNECT, TO_ANSWER = 10.0, 40.0
"""Seconds that an address has to accept a connection, and to answer as Ray does."""
SILENCE = 8.0
"""Seconds after which a head that cannot be reached is given up."""
LONGEST = 44
"""Characters of a folder below which the names of Ray's sockets are not too long for the system."""
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it would report to its makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # said in a warning otherwise
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
PROBE = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='CRITICAL')"


@contextmanager
def cluster(address: str | None, place: Path | None = None, option: str = "--address") -> Iterator[Any]:
    """A connection to Ray for the time of a block; one that was there before is used, and left open.

    place: where the files of a cluster that is started here are, if its name is short enough for sockets.
    option: by which a command was given the address.

    Raises EngineError for an address that does not answer, MissingExtraError without Ray.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "the engine ray needs the package ray: pip install 'promptlet[ray]', here and on every node"
        ) from error
    were_here = ray.is_initialized()
    if not were_here:
        with silence(), _own_signals():
            try:
                _connect(ray, address, place, option)
            except BaseException:
                ray.shutdown()
                raise
    try:
        yield ray
    finally:
        if not were_here:
            with silence():
                ray.shutdown()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM to itself, with an end of its own; who had it keeps it."""
    before = signal.getsignal(signal.SIGTERM)
    is_ours = callable(before) and threading.current_thread() is threading.main_thread()
    try:
        yield
    except SystemExit as error:
        if error.code == signal.SIGTERM and callable(before):
            before(signal.SIGTERM, None)
        raise
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def silence() -> Iterator[None]:
    """Drop standard output, which is for results: there Ray's own threads tell of lost nodes."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield


def _connect(ray: Any, address: str | None, place: Path | None, option: str) -> None:
    if address is not None:
        _check_address(address, option)
        _check_answer(address, option)
    own: dict[str, Any] = {"include_dashboard": False} if address is None else {}
    if address is None and place is not None and len(str(place)) <= LONGEST:
        own["_temp_dir"] = str(place)
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="CRITICAL", **own)
    except Exception as error:  # Ray raises its own, Python's, and plain ones
        raise _unusable(address, last_line(str(error)), option) from error


def _check_address(address: str, option: str) -> None:
    """Raise EngineError for what is no address, and at once where nobody listens."""
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit()) or "//" in host:
        raise EngineError(
            f"address={address!r} is no address of a Ray cluster; give host:port or auto, and the command on "
            "a node of the cluster"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise _unusable(address, why(error), option) from error


def _check_answer(address: str, option: str) -> None:
    """Raise EngineError where it is not Ray that listens: by another process, since Ray tries for minutes."""
    command = [sys.executable, "-c", PROBE, address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TO_ANSWER, check=False)
    except subprocess.TimeoutExpired:
        raise _unusable(address, f"no answer within {TO_ANSWER:.0f} s", option) from None
    if done.returncode:
        raise _unusable(address, last_line(done.stderr), option)


def head_of(ray: Any) -> str:
    """The address, host:port, of the head that this process is connected to."""
    return str(ray.get_runtime_context().gcs_address)


def check_head(address: str) -> None:
    """Raise EngineError where the head of the cluster has been silent for `SILENCE` seconds: asked for
    anything, Ray itself would wait for a minute and then end this process without a word."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + SILENCE
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), 2.0).close()
        except (OSError, ValueError, OverflowError) as error:
            if time.monotonic() > until:
                raise EngineError(
                    f"the head of the Ray cluster at {address} does not answer any more "
                    f"({why(error)}): what was finished is stored; start the "
                    "cluster again, and run the same command again to go on"
                ) from error
            time.sleep(1.0)
        else:
            return


def _unusable(address: str | None, reason: str, option: str) -> EngineError:
    if address is None:
        return EngineError(f"no Ray cluster could be started on this machine ({reason})")
    return EngineError(
        f"address={address!r}: no Ray cluster answers there ({reason}); start one by `ray start --head` "
        f"with the RAY_AUTH_MODE of this shell, or leave {option} out, and one is started on this machine"
    )


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), text)
