"""What the tests of protocols watch."""

from __future__ import annotations

from typing import Any

import pytest

from promptlet.protocols.run import fitting


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods that are trained from now on, in order."""
    seen: list[str] = []
    real = fitting.train

    def counted(method: Any, *rest: Any, **more: Any) -> Any:
        seen.append(method.info.name)
        return real(method, *rest, **more)

    monkeypatch.setattr(fitting, "train", counted)
    return seen
