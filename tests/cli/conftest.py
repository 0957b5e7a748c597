"""Drawn images, feature files made by hand, and the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

import promptlet
from promptlet.data import SPLIT_NAMES, FeatureFile, write_feature_file
from promptlet.data.items import Item, Split

COLOURS = {"cat": (200, 30, 30), "dog": (30, 200, 30), "box": (30, 30, 200)}


class Shell:
    """Runs a command line and insists on its exit code: 0, 1 where it ``fails``, 2 where it ``refuses``."""

    def run(self, *words: object, exit_code: int = 0) -> Any:
        from promptlet.cli.app import app

        result = CliRunner().invoke(app, [str(word) for word in words], prog_name="promptlet")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        assert "Traceback" not in result.output
        return result

    def json(self, *words: object, exit_code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", exit_code=exit_code).stdout)

    def fails(self, *words: object, exit_code: int = 1) -> str:
        result = self.run(*words, exit_code=exit_code)
        assert result.stdout == ""
        return str(result.stderr)

    def refuses(self, *words: object) -> str:
        return self.fails(*words, exit_code=2)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The feature cache of a test is its own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PROMPTLET_CACHE", str(folder))
    return folder


@pytest.fixture
def shell() -> Shell:
    return Shell()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and test/ with drawn shapes of three classes: 4 and 2 images each."""
    root = tmp_path_factory.mktemp("pictures")
    for part, count in (("train", 4), ("test", 2)):
        for name, colour in COLOURS.items():
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                image = Image.new("RGB", (48, 40), (20 * i, 10, 10))
                ImageDraw.Draw(image).ellipse((4 + i, 4, 40, 36), fill=colour)
                image.save(folder / f"{part}{i}.png")
    return root


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``toy("name")`` writes a feature file of 4 classes x (4 train, ``val`` val, 3 test) random features."""
    folder = tmp_path_factory.mktemp("features")

    def make(name: str = "toy", dim: int = 16, val: int = 0) -> Path:
        draw = np.random.default_rng(0)
        names = ("cat", "dog", "box", "photo")
        parts = {
            part: tuple(
                Item(Path(f"{name}/{part}{i}.jpg"), label, name)
                for label, name in enumerate(names)
                for i in range(count)
            )
            for part, count in zip(SPLIT_NAMES, (4, val, 3), strict=True)
        }
        split = Split(name, names, *parts.values())
        path = folder / f"{name}.npz"
        write_feature_file(path, FeatureFile.of(split, draw.normal(size=(len(split.every_item), dim))))
        return path

    return make


@pytest.fixture(scope="session")
def prompt(pictures: Path, clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prompt file of the three drawn classes, which names its backbone by an absolute path."""
    out = tmp_path_factory.mktemp("prompt") / "shapes.prompt"
    backbone = promptlet.load_backbone(clip_folder, device="cpu")
    promptlet.PromptClassifier(backbone, epochs=3, cache=False).fit(pictures).save(out)
    return out
