"""Memory that an image tower frees is kept by the process: each batch needs as much again.

Of a thread that is not the main one, glibc gives it back to the system after each batch, and each page is
fetched anew for the next one, which takes a fifth of a small tower's time.
"""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's settings (``malloc.h``)."""
KEPT_BYTES = 256 << 20
LARGEST_KEPT = 32 << 20
"""Bytes of one block; glibc allows no more."""


def keep_freed_memory() -> bool:
    """For the whole process, so it is for servers' own ones; False where there is no such setting."""
    try:
        setting = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    return bool(setting(TRIM_THRESHOLD, KEPT_BYTES)) and bool(setting(MMAP_THRESHOLD, LARGEST_KEPT))
