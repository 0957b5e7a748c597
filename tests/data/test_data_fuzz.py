"""Damaged and hostile data inputs: each is read or refused with a reason, soon and in little memory."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest

QUICK = 15
EACH = 350
"""Of eight kinds: 2,800 in all."""
OPTIONAL = ("parquet", "saved folders")
"""Those that need the package `datasets`."""


@pytest.mark.filterwarnings("ignore")  # Pillow's and NumPy's, of damaged tags and headers
@pytest.mark.parametrize("kind", [kind for kind in fuzz.KINDS if kind not in OPTIONAL])
def test_a_few_of_each_kind(kind: str, tmp_path: Path) -> None:
    found = fuzz.judge(kind, tmp_path / "in", QUICK)
    assert not found["faults"]
    assert found["slowest"] < 5
    assert found["read"] + found["refused"] == QUICK


@pytest.mark.slow
def test_thousands(tmp_path: Path) -> None:
    kinds = [kind for kind in fuzz.KINDS if kind not in OPTIONAL or importlib.util.find_spec("datasets")]
    places = {
        "PROMPTLET_CACHE": str(tmp_path / "cache"),
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
    }
    environment = {**os.environ, **places}
    command = [sys.executable, fuzz.__file__, str(tmp_path / "in"), str(EACH), *kinds]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["kinds"]) == set(kinds)
    for kind, seen in found["kinds"].items():
        assert not seen["faults"], kind
        assert seen["slowest"] < 5, kind
        assert seen["read"] > 0 and seen["read"] + seen["refused"] == EACH, kind
        assert kind == "known data sets" or seen["refused"] > EACH / 4, kind
    assert len(kinds) * EACH >= 2000
    assert found["megabytes"] < 500
