"""`promptlet`, with a part that fails in a way a real one may. BREAK says which, and BREAK_FILE, once it is
there, when. Run as a script, in a process of its own."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from promptlet.promptfile import files
from promptlet.serve import encoder, parts

HOW, WHEN = os.environ["BREAK"], Path(os.environ["BREAK_FILE"])


def fail() -> None:
    if HOW == "stuck":
        time.sleep(3600)
    if HOW == "raises":
        raise RuntimeError("the device is lost")
    if HOW == "dies":
        raise SystemExit("a thread is ended from inside")


def break_tower() -> None:
    make = parts.make_backbone

    def make_backbone(*given: Any) -> Any:
        backbone = make(*given)
        own = backbone.images.encode

        def encode(pixels: Any) -> Any:
            if WHEN.exists():
                fail()
            return own(pixels)

        object.__setattr__(backbone.images, "encode", encode)
        return backbone

    parts.make_backbone = make_backbone
    encoder.LocalEncoder.__init__.__kwdefaults__["probe_seconds"] = 1.0


def break_writing() -> None:
    """Half of a prompt file is on the disk, and the rest takes long."""

    def write(path: Path, data: bytes) -> None:
        with path.open("xb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            WHEN.write_text(path.name, encoding="utf-8")
            time.sleep(3600)

    files._write_through = write


if __name__ == "__main__":
    if HOW == "writing":
        break_writing()
    else:
        break_tower()
    from promptlet.cli import main

    main()
