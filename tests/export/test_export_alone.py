"""What stays out while an exported folder is looked at: torch, and whoever would be told of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from tiny_graphs import SPEC, folder, vectors

from promptlet.export.drawn import drawn_picture, preprocessed, sizes_of

CHECK = """
import sys
from promptlet.export.check import check_export
checked = check_export(sys.argv[1])
assert checked.is_sound, checked.graphs
heavy = sorted({"torch", "transformers", "sklearn", "scipy", "onnx"} & set(sys.modules))
assert not heavy, heavy
"""
OPENVINO = """
import socket, sys, threading
def refuse(*given): raise AssertionError(f"somebody is told: {given}")
socket.socket.connect = socket.getaddrinfo = refuse
from promptlet.export.running.openvino import import_openvino
openvino = import_openvino()
openvino.Core()
assert "openvino_telemetry" not in sys.modules
assert threading.active_count() == 1
import importlib.util
print(importlib.util.find_spec("openvino_telemetry") is not None)
"""


def run(code: str, *words: object, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_check_loads_no_torch(tmp_path: Path) -> None:
    import numpy as np
    from tiny_graphs import WEIGHT, unit

    from promptlet.exported import Golden, write_manifest
    from promptlet.exported.manifest import manifest_of

    place = folder(tmp_path / "out", vectors())
    picture = drawn_picture(0, sizes_of(SPEC)[0])
    picture.save(place / "golden.png")
    np.save(place / "golden.npy", unit(preprocessed(picture, SPEC).reshape(1, -1) @ WEIGHT).astype("<f4"))
    facts = json.loads((place / "export.json").read_text())
    facts["golden"] = vars(Golden("golden.png", "golden.npy"))
    facts["files"] |= {name: {"bytes": 1, "sha256": "0" * 64} for name in facts["golden"].values()}
    write_manifest(place, manifest_of(facts))
    run(CHECK, place)


@pytest.mark.slow
def test_openvino_tells_nobody_that_it_is_imported(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    run(OPENVINO, HOME=str(tmp_path), CI="")
    assert list(tmp_path.iterdir()) == []
