"""What commands load: libraries that take a second to import are left out where nothing of them is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from promptlet import PromptClassifier
from promptlet.cli import SPINS, WAITING, wait_asleep

SPARED = (
    *("transformers", "sklearn", "scipy", "pandas", "joblib", "matplotlib", "jinja2", "sympy", "networkx"),
    *("torch._dynamo", "torch._inductor", "torchvision", "open_clip", "timm", "peft", "datasets", "pyarrow"),
    *("IPython", "requests", "httpx", "onnx", "ray"),
)
"""Modules that none of these commands needs, with mini or another CLIP folder."""
PROGRAM = """
import atexit, json, sys
atexit.register(lambda: print("loaded:", json.dumps(sorted(sys.modules)), file=sys.stderr))
from promptlet.cli import main
main()
"""


def loaded_by(*arguments: object) -> set[str]:
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    [line] = [line for line in done.stderr.splitlines() if line.startswith("loaded: ")]
    return set(json.loads(line.removeprefix("loaded: ")))


@pytest.mark.parametrize(
    "own", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "5"}, {"KMP_BLOCKTIME": "1"}]
)
def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(
    own: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in WAITING:
        monkeypatch.delenv(name, raising=False)
    for name in WAITING:
        monkeypatch.setenv(name, "")  # so that it is as before afterwards
        monkeypatch.delenv(name)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    wait_asleep()
    said = {name: os.environ[name] for name in WAITING if name in os.environ}
    assert said == (own or {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": SPINS})


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name, colour in (("red apple", "red"), ("green leaf", "green")):
        (folder / name).mkdir()
        for k in range(4):
            Image.new("RGB", (70, 64 + k), colour).save(folder / name / f"{k}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["mini", "a folder"])
def test_predict_and_evaluate(backbone: str, images: Path, clip_folder: Path, tmp_path: Path) -> None:
    source = "mini" if backbone == "mini" else str(clip_folder)
    prompt = tmp_path / "x.prompt"
    PromptClassifier(source, epochs=1, cache=False).fit(images).save(prompt)
    one = images / "red apple" / "0.png"
    loaded = loaded_by("predict", prompt, one, "--backbone", source)
    assert "torch" in loaded
    assert loaded & set(SPARED) == set()
    loaded = loaded_by("evaluate", prompt, images, "--backbone", source)
    assert loaded & set(SPARED) - {"jinja2", "matplotlib"} == set()


@pytest.mark.slow
def test_fit(images: Path, tmp_path: Path) -> None:
    loaded = loaded_by(
        *("fit", images, "--backbone", "mini", "--epochs", "1", "--out", tmp_path / "x.prompt"),
        *("--estimate", "none", "--method", "rlp"),
    )
    assert "torch" in loaded
    assert loaded & set(SPARED) == set()


@pytest.mark.slow
def test_backbones(clip_folder: Path) -> None:
    assert loaded_by("backbones", clip_folder) & set(SPARED) == set()


@pytest.mark.slow
def test_the_check_would_see_it(siglip_folder: Path) -> None:
    """A folder that is the library's."""
    assert {"transformers", "torch._dynamo"} & loaded_by("backbones", siglip_folder)
