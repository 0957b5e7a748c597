"""Answers where torch is not: with it kept out of this environment, and in an environment that has none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from tiny_graphs import folder

import promptlet
from promptlet.promptfile import PromptFile, save_prompt_file
from promptlet.runtime import Classifier

ROOT = Path(__file__).parents[2]
SOURCE = Path(promptlet.__file__).parents[1]
KEPT_OUT = (
    *("torch", "transformers", "sklearn", "scipy", "matplotlib", "safetensors", "sentencepiece", "jinja2"),
    *("platformdirs", "onnx", "pandas", "pyarrow", "fastapi", "httpx", "joblib", "pydantic_settings"),
)
BLOCKED = (
    "import sys\n"
    "class Out:\n"
    "    def find_spec(self, name, *_):\n"
    f"        if name.partition('.')[0] in {KEPT_OUT!r}:\n"
    "            raise ModuleNotFoundError(f'{name} is kept out', name=name)\n"
    "sys.meta_path.insert(0, Out())\n"
)
PROMPT = PromptFile(
    method="coop",
    n_ctx=1,
    dim=2,
    rank=None,
    init="seed:1",
    backbone="mini",
    fingerprint="aaaa1111bbbb-cccc2222dddd-eeee3333ffff",
    class_names=("cat", "dog"),
    training={},
    tensors={"P": np.zeros((1, 2), np.float32)},
)
PREDICT = BLOCKED + "from promptlet.cli import main\nmain()\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported folder ``pets``, and three photos."""
    work = tmp_path_factory.mktemp("alone")
    folder(work / "pets")
    for row in range(3):
        draw = np.random.default_rng(row).integers(0, 256, (30 + row, 20, 3)).astype(np.uint8)
        Image.fromarray(draw).save(work / f"{row}.{'jpg' if row else 'png'}")
    return work


def photos(place: Path) -> list[Path]:
    return sorted([*place.glob("*.jpg"), *place.glob("*.png")])


def check(document: Any, place: Path) -> None:
    """The answers are those of this environment."""
    told = Classifier(place / "pets").predict_proba(photos(place))
    found = [list(one["probabilities"].values()) for one in document["predictions"]]
    np.testing.assert_allclose(found, told, atol=1e-6, rtol=0)


def run(command: list[str], source: Path | None = None, **given: Any) -> subprocess.CompletedProcess[str]:
    """source: where promptlet is imported from, where it is not installed."""
    others = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = others if source is None else {**others, "PYTHONPATH": str(source)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, **given)
    assert done.returncode == 0, done.stderr
    return done


def test_nothing_heavy_is_imported_for_answers(place: Path) -> None:
    code = (
        f"{BLOCKED}from promptlet.runtime import Classifier\n"
        "import json\n"
        "print(json.dumps(Classifier(sys.argv[1]).predict_proba(sys.argv[2:]).tolist()))\n"
    )
    done = run([sys.executable, "-c", code, str(place / "pets"), *map(str, photos(place))], SOURCE)
    told = Classifier(place / "pets").predict_proba(photos(place))
    np.testing.assert_allclose(json.loads(done.stdout), told, atol=1e-6, rtol=0)


@pytest.mark.parametrize("form", [["--json", "--wide"], ["--csv"], ["--out", "answers.jsonl"], ["--reject"]])
@pytest.mark.slow
def test_the_command_answers_without_what_the_library_needs(
    form: list[str], place: Path, tmp_path: Path
) -> None:
    words = ["predict", str(place / "pets"), *map(str, photos(place)), *form]
    done = run([sys.executable, "-c", PREDICT, *words], SOURCE, cwd=tmp_path)
    assert done.stderr == ""
    if "--json" in form:
        check(json.loads(done.stdout), place)


@pytest.mark.parametrize("words", [["predict", "x.prompt", "0.png"], ["backbones", "mini"], ["methods"]])
def test_what_needs_the_library_says_so_where_it_is_not(words: list[str], tmp_path: Path) -> None:
    save_prompt_file(tmp_path / "x.prompt", PROMPT)
    (tmp_path / "0.png").write_bytes(b"")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-c", PREDICT, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: this needs torch, which is not installed here: pip install promptlet. Without it, "
    )


def made_environment(folder: Path) -> Path:
    """Python of an environment with what requirements/runtime.txt pins and this package, and nothing more."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip("uv is not here to make an environment")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT)
    run([uv, "venv", "-q", "--python", sys.executable, str(folder / "env")])
    python = folder / "env" / "bin" / "python"
    pins = ["-r", str(ROOT / "requirements" / "runtime.txt")]
    done = subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *pins], capture_output=True)
    if done.returncode:
        pytest.skip("the packages of requirements/runtime.txt cannot be had here")
    [wheel] = folder.glob("*.whl")
    run([uv, "pip", "install", "-q", "--python", str(python), "--no-deps", str(wheel)])
    return python


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the environment's folders are named as on Unix")
def test_an_environment_without_torch_answers(place: Path, tmp_path: Path) -> None:
    python = made_environment(tmp_path)
    for name in ("torch", "transformers", "sklearn", "scipy"):
        code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is not None)"
        run([str(python), "-c", code])
    command = [str(python.with_name("promptlet")), "predict", str(place / "pets")]
    done = run([*command, *map(str, photos(place)), "--json", "--wide"], cwd=tmp_path)
    check(json.loads(done.stdout), place)
    assert promptlet.__version__ in run([str(python.with_name("promptlet")), "--version"]).stdout
    held = sum(path.stat().st_size for path in (tmp_path / "env").rglob("*") if path.is_file())
    print(f"{held / 2**20:.0f} MiB")
    assert held < 300 * 2**20
