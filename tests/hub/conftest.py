"""The stand-in of the hub, which the library's own client asks; prompts to push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_stand_in import Hub, standing_in


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub of this test alone, an empty cache, and the token of jane, who may write."""
    with standing_in(monkeypatch, tmp_path_factory.mktemp("hub")) as there:
        yield there


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A classifier of six drawn patterns on the embedded backbone, and the folder of its pictures."""
    import promptlet as pl
    from promptlet.mini import datasets

    root = tmp_path_factory.mktemp("mini") / "all"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "PARTS", {"train": 4, "val": 1, "test": 1})
        datasets.draw_dataset("mini-land", root)
    images = sorted((root / "train").rglob("*.*"))
    names = sorted({path.parent.name for path in images})[:6]
    images = [path for path in images if path.parent.name in names]
    classifier = pl.PromptClassifier(backbone="mini", cache=False, epochs=2)
    classifier.fit(images, [path.parent.name for path in images])
    return classifier, images


@pytest.fixture
def prompt(fitted: Any, tmp_path: Path) -> Path:
    """Its prompt file."""
    fitted[0].save(tmp_path / "pets.prompt")
    return tmp_path / "pets.prompt"
