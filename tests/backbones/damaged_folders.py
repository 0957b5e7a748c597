"""Changing a file of a model's folder, and the message with which the folder is then refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptlet.backbones import load_backbone
from promptlet.errors import BackboneError


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON file in place."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def refused(source: Any, said: str, **options: Any) -> str:
    """The message with which a backbone is refused."""
    with pytest.raises(BackboneError, match=said) as caught:
        load_backbone(source, **{"device": "cpu", **options})
    return str(caught.value)
