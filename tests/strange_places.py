"""What may stand in the place of a file, and is none."""

from __future__ import annotations

import os
import socket
from pathlib import Path

KINDS = ["pipe", "zero", "tty", "socket", "folder"]


def strange(folder: Path, kind: str, name: str) -> Path:
    """Something of that name that waits, never ends, or is no file; by way of a link where it is a device."""
    path = folder / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        there = Path.cwd()
        os.chdir(folder)  # its name may be no longer than 107 bytes
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(name)
        finally:
            os.chdir(there)
    else:
        path.symlink_to(f"/dev/{kind}")
    return path
