"""Processes as a person starts them."""

from __future__ import annotations

import signal


def at_a_terminal() -> None:
    """For ``preexec_fn``: a shell's background jobs ignore Ctrl-C, and so would what they start."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
