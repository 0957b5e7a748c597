"""Prediction without torch: megabytes of its environment, and from the shell to the first answer.

Beside the library's own `predict` of the same prompt, image and machine, with its caches warm, in turns. The
environment holds what requirements/runtime.txt pins, and this package, and nothing more.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from benchmarks.clip_folder import make_clip
from benchmarks.processes import ROOT, Used, peak_bytes, process, with_sources
from benchmarks.start import MINI, VIT, drawn_images, made_prompt

LIBRARY, RUNTIME = "library", "without torch"
COLUMNS = (
    ("way", "way", "s"),
    ("backbone", "backbone", "s"),
    ("environment_bytes", "environment", "MiB"),
    ("packages", "packages", "d"),
    ("wall_s", "wall s", ".2f"),
    ("cpu_s", "CPU s", ".2f"),
    ("best_wall_s", "best wall s", ".2f"),
    ("peak_bytes", "memory", "MiB"),
    ("import_s", "import s", ".2f"),
    ("runs", "runs", "d"),
)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one of each environment, one of each way and backbone."""
    runs = 1 if quick else 7
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        progress("an environment without torch")
        python = _environment(work)
        held = _held(work / "env")
        names = _closure("promptlet")
        rows: list[dict] = [
            {"way": LIBRARY, "environment_bytes": sum(map(_bytes, names.values())), "packages": len(names)},
            {"way": RUNTIME, "environment_bytes": held, "packages": _packages(work / "env")},
        ]
        sources = {MINI: "mini", VIT: str(make_clip(work / "vit", quick))}
        images = drawn_images(work / "images")
        for name, source in sources.items():
            progress(f"answers of {name}")
            rows += _answers(name, source, images, python, work, runs)
    return {"device": device, "runs": runs, "images": 1, "cores": os.cpu_count()}, rows


def _answers(name: str, source: str, images: Path, python: Path, work: Path, runs: int) -> list[dict]:
    cache = work / "cache"
    library = with_sources(PROMPTLET_CACHE=str(cache))
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    prompt, folder = made_prompt(source, images, cache), work / f"onnx-{name.replace('/', '')}"
    program = [sys.executable, "-m", "promptlet"]
    process(
        [*program, "export", str(prompt), "--to", "onnx", "-o", str(folder), "--backbone", source], library
    )
    [one, *_] = sorted(images.rglob("*.png"))
    ways = {
        LIBRARY: ([*program, "predict", str(prompt), str(one), "--backbone", source], library),
        RUNTIME: ([str(python.with_name("promptlet")), "predict", str(folder), str(one)], own),
    }
    imports = {
        LIBRARY: ([sys.executable, "-c", "import promptlet; promptlet.PromptClassifier"], library),
        RUNTIME: ([str(python), "-c", "import promptlet.runtime"], own),
    }
    bare = ([str(python), "-c", ""], own)
    for command, environment in (*ways.values(), *imports.values()):  # compiled files and caches are there
        process(command, environment)
    used: dict[str, list[Used]] = {way: [] for way in ways}
    imported: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(runs):
        empty = process(*bare).wall
        for way in ways:
            used[way].append(process(*ways[way]))
            imported[way].append(process(*imports[way]).wall - empty)
    return [
        {**_row(way, name, found, imported[way]), "peak_bytes": peak_bytes(*ways[way])}
        for way, found in used.items()
    ]


def _row(way: str, name: str, used: list[Used], imported: list[float]) -> dict[str, Any]:
    return {
        "way": way,
        "backbone": name,
        "wall_s": statistics.median(one.wall for one in used),
        "cpu_s": statistics.median(one.cpu for one in used),
        "best_wall_s": min(one.wall for one in used),
        "import_s": statistics.median(imported),
        "runs": len(used),
    }


def _environment(work: Path) -> Path:
    """Its Python."""
    uv = str(Path(sys.executable).with_name("uv"))
    python = work / "env" / "bin" / "python"
    _call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(work))
    _call(uv, "venv", "-q", "--python", sys.executable, str(work / "env"))
    install = (uv, "pip", "install", "-q", "--python", str(python))
    _call(*install, "-r", str(ROOT / "requirements" / "runtime.txt"))
    [wheel] = work.glob("*.whl")
    _call(*install, "--no-deps", str(wheel))
    return python


def _call(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def _held(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _packages(environment: Path) -> int:
    return len(list(environment.rglob("*.dist-info")))


def _closure(name: str) -> dict[str, Distribution]:
    """A package and all that it needs, as it is installed here, without its extras."""
    found: dict[str, Distribution] = {}
    left = [name]
    while left:
        asked = _canonical(left.pop())
        if asked in found:
            continue
        try:
            found[asked] = distribution(asked)
        except PackageNotFoundError:  # of another system
            continue
        left += _needed(found[asked].requires or ())
    return found


def _needed(requirements: Iterable[str]) -> list[str]:
    """Names of what is needed without an extra."""
    return [re.split(r"[\s;\[<>=!~(]", one, maxsplit=1)[0] for one in requirements if "extra ==" not in one]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _bytes(package: Distribution) -> int:
    files = (Path(str(package.locate_file(file))) for file in package.files or ())
    return sum(path.stat().st_size for path in files if path.is_file())
