"""Lines that came together with the first one are told too."""

from __future__ import annotations

import subprocess
import sys

import pytest
from told import rest_of


@pytest.mark.slow
def test_nothing_that_was_read_ahead_is_lost() -> None:
    code = "import os; os.write(1, b'one\\ntwo\\nthree\\n')"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "one\n"
    assert (rest_of(process, 30), process.returncode) == ("two\nthree\n", 0)


@pytest.mark.slow
def test_a_process_that_does_not_end_is_ended() -> None:
    code = "import time; print('one', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "one\n"
    assert rest_of(process, 0.1) == "" and process.returncode < 0
