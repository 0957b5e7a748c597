"""The command line: a thin shell over the library, one file per command. Loads no torch to show its help."""

from __future__ import annotations

import os

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SPINS = "1000"
"""Rounds that GNU's threads look again before they sleep, some microseconds: asleep at once, a tower is a
sixth slower on a quiet machine; with 10,000 rounds it stood still beside a busy process."""


def main() -> None:
    """Run the command line.

    Exit code 0, 1 for a failure, 2 for wrong usage, 130 when interrupted, 143 when SIGTERM stopped it.
    """
    wait_asleep()
    from promptlet.cli.stopping import exit_code, stoppable, word
    from promptlet.cli.streams import warn

    with stoppable():
        try:
            from promptlet.cli.app import app

            app(prog_name="promptlet")
        except KeyboardInterrupt:  # before the command began, or behind its end
            warn(f"{word()}: run the same command again")
            raise SystemExit(exit_code()) from None


def wait_asleep() -> None:
    """Let threads of OpenMP soon sleep while they wait for each other, unless the user says how they wait.

    By default they run in circles. Where another process computes as well, the one that is waited for may not
    be running, and a training step of 10 ms takes seconds. Said before torch is loaded, which reads it then.
    """
    if not any(name in os.environ for name in WAITING):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ["GOMP_SPINCOUNT"] = SPINS


__all__ = ["main"]
