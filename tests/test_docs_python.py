"""The page on Python runs as it stands, from the first block to the last."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import promptlet

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "python.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_on_python_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    command = [sys.executable, "-c", "\n".join(blocks)]
    environment = {**os.environ, "PYTHONPATH": str(Path(promptlet.__file__).parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "fitted: method rlp, classes" in done.stdout
