"""What the user's environment says has no part in the tests."""

from __future__ import annotations

import os

import pytest
from clean_environment import OURS, clean


def test_what_others_are_told_goes_and_what_the_tests_need_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ("HF_HUB_OFFLINE", "HF_HOME", "TRANSFORMERS_OFFLINE", "PROMPTLET_CACHE", "MPLBACKEND", "LC_ALL")
    theirs += ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TZ", "XDG_CACHE_HOME", "RAY_ADDRESS", "PYTHONWARNINGS")
    kept = (*OURS, "OMP_NUM_THREADS", "PYTHONPATH", "CUDA_VISIBLE_DEVICES", "HOME")
    for name in (*theirs, *kept):
        monkeypatch.setenv(name, "1")
    clean()
    assert not [name for name in theirs if name in os.environ]
    assert not [name for name in kept if name not in os.environ]


def test_it_came_before_the_libraries() -> None:
    from huggingface_hub import constants

    assert not constants.HF_HUB_OFFLINE
    assert "/proc/" not in constants.HF_HOME
