"""Loading without noise or network: what the libraries print is held back, and nothing stays changed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back progress bars, load reports and log lines of transformers and open_clip inside a block.

    open_clip logs to the root logger, which Python then gives a handler for good: a placeholder prevents it.
    """
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars
    from transformers.utils import logging as transformers_logging

    verbosity, hub_bars_off = transformers_logging.get_verbosity(), are_progress_bars_disabled()
    bars = transformers_logging.is_progress_bar_enabled()
    root, placeholder = logging.getLogger(), logging.NullHandler()
    hub = logging.getLogger("huggingface_hub")
    hub_level = hub.level
    root.addHandler(placeholder)
    hub.setLevel(logging.CRITICAL)
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
        if hub_bars_off:
            disable_progress_bars()
        root.removeHandler(placeholder)
        hub.setLevel(hub_level)


@contextmanager
def offline() -> Iterator[None]:
    """Let huggingface_hub read its cache alone inside a block, as if HF_HUB_OFFLINE were set."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
