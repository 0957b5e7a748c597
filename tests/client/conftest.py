"""A server in this process, a client that asks it, and no waiting."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_service import Fake

from promptlet.client import Client, connection


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def client(fake: Fake) -> Iterator[Client]:
    with fake.client() as one:
        yield one


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a client would have slept."""
    told: list[float] = []
    monkeypatch.setattr(connection, "sleep", told.append)
    return told
