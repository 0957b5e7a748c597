"""``promptlet fit`` in this process, told apart: ``python -m benchmarks.fit.ours BEGAN OUT ARGUMENT...``.

BEGAN: when the process was asked for, in seconds since the epoch. OUT: a file for the parts, as JSON. The
command is what `promptlet` runs; its functions are timed from outside.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.fit.parts import Parts

WATCHED = (
    ("promptlet.backbones:load_backbone", "load the model", False),
    ("promptlet.features:hash_and_encode", "wait for files and pixels", False),
    ("promptlet.features:feature_identity", "fingerprint", False),
    ("promptlet.backbones.image.encoder:ImageEncoder.encode", "encode", False),
    ("promptlet.classifier.learning:train", "text steps", False),
    ("promptlet.own_images.fitting:judge", "estimate", True),
    ("promptlet.cli.fit.command:store", "save", False),
)
"""What is timed: where it is looked up, what it is called, and whether all inside belongs to it."""
PARTS = ("start", *(part for _, part, _ in WATCHED), "other")


def main() -> None:
    """Run the command, write the parts."""
    began, out = float(sys.argv[1]), Path(sys.argv[2])
    parts = Parts()
    for place, part, whole in WATCHED:
        parts.watch(place, part, whole)
    from promptlet.cli import main as command

    sys.argv = ["promptlet", "fit", *sys.argv[3:]]
    try:
        command()
    finally:
        seconds = {**parts.seconds, "start": parts.first.get("load the model", time.time()) - began}
        out.write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
