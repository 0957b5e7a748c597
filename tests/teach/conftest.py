"""Tests do not wait for a real disk."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power goes off here."""
    monkeypatch.setattr(os, "fsync", lambda number: None)
