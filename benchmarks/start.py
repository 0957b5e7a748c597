"""Whole processes of the command line: seconds until one image is answered, and what they go into.

Each command runs in processes of its own; the file system's cache is warm. "own" is the program as it is;
"library" has transformers read every folder, and scikit-learn imported, as it was before there was another
way. "first" finds an empty cache folder, so that weights are digested and engines compared; "later" finds
what the first has left there.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.clip_folder import make_clip
from benchmarks.processes import ROOT, process, with_sources
from benchmarks.start_parts import CHILD, LIBRARY, OWN

FIRST, LATER = "first", "later"
VIT, MINI = "ViT-B/16 (random)", "mini"
COLUMNS = (
    ("command", "command", "s"),
    ("backbone", "backbone", "s"),
    ("way", "way", "s"),
    ("run", "run", "s"),
    ("cpu_s", "CPU s", ".2f"),
    ("wall_s", "wall s", ".2f"),
    ("best_cpu_s", "best CPU s", ".2f"),
    ("runs", "runs", "d"),
    ("interpreter", "interpreter", ".2f"),
    ("torch", "torch", ".2f"),
    ("promptlet", "promptlet", ".2f"),
    ("other imports", "other imports", ".2f"),
    ("weights", "weights", ".3f"),
    ("tokenizer", "tokenizer", ".3f"),
    ("checks", "checks", ".3f"),
    ("class features", "class features", ".3f"),
    ("decode, encode", "decode, encode", ".3f"),
)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one a command, backbone, way and run, and one of parts for each `predict`."""
    runs = 1 if quick else 5
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        backbones = {MINI: "mini", VIT: str(make_clip(work / "vit", quick))}
        made = time.time()
        images = drawn_images(work / "images")
        prompts = {name: made_prompt(source, images, work / "cache") for name, source in backbones.items()}
        if not quick:
            progress("until what is found of new files is kept")
            time.sleep(max(0.0, made + _seconds_to_settle() - time.time()))
        rows: list[dict] = []
        for words, arguments in _commands(backbones, prompts, images, work).items():
            ways = (OWN, LIBRARY) if "torch" in words else (OWN,)
            rows += _timed(words[:2], arguments, ways, runs, work, progress)
        for name, source in backbones.items():
            progress(f"parts of predict, {name}")
            rows += _parts(name, prompts[name], source, images, runs, work)
    return {"device": device, "runs": runs, "images": 1, "cores": os.cpu_count()}, rows


def _seconds_to_settle() -> float:
    from promptlet.backbones.found import SETTLED

    return SETTLED + 1.0


def drawn_images(folder: Path) -> Path:
    """Two classes of two drawn pictures."""
    from promptlet.mini.datasets import EVERY_DATASET

    data = EVERY_DATASET["mini-cats"]
    for name in data.class_names[:2]:
        (folder / name).mkdir(parents=True)
        for number in range(2):
            data.picture(name, "train", number).save(folder / name / f"{number}.png")
    return folder


def made_prompt(source: str, images: Path, cache: Path) -> Path:
    """A prompt file of a backbone, which lies beside the images."""
    prompt = images.parent / f"{Path(source).name}.prompt"
    options = ["--backbone", source, "--out", str(prompt), "--epochs", "2", "--estimate", "none"]
    _process([*_program(OWN), "fit", str(images), *options], cache)
    return prompt


def _commands(
    backbones: dict[str, str], prompts: dict[str, Path], images: Path, work: Path
) -> dict[tuple[str, str, str], list[str]]:
    """By command and backbone; "torch" where it loads a model."""
    [one, *_] = sorted(images.rglob("*.png"))
    out = str(work / "again.prompt")
    found = {
        ("--help", "", ""): ["--help"],
        ("inspect", "", ""): ["inspect", str(prompts[MINI])],
        ("backbones", MINI, "torch"): ["backbones", "mini"],
        ("fit", MINI, "torch"): ["fit", str(images), "--backbone", "mini", "--out", out, "--force"],
    }
    for name, source in backbones.items():
        found["predict", name, "torch"] = ["predict", str(prompts[name]), str(one), "--backbone", source]
    return found


def _program(way: str) -> list[str]:
    return [sys.executable, "-m", "promptlet"] if way == OWN else [sys.executable, "-c", CHILD[LIBRARY]]


def _timed(
    words: Sequence[str],
    arguments: list[str],
    ways: Sequence[str],
    runs: int,
    work: Path,
    progress: Callable[[str], None],
) -> list[dict]:
    """Ways in turns, each with an empty cache folder and then with what it left there."""
    seconds: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for turn in range(runs):
        progress(f"{' '.join(words)}, round {turn + 1} of {runs}")
        for way in ways:
            cache = work / f"cache-{way}-{turn}-{'-'.join(words).replace('/', '')}"
            for run in (FIRST, LATER) if len(ways) > 1 else (LATER,):
                seconds.setdefault((way, run), []).append(_process([*_program(way), *arguments], cache))
    return [
        {
            "command": words[0],
            "backbone": words[1],
            "way": way,
            "run": run,
            "cpu_s": statistics.median(cpu for cpu, _ in found),
            "wall_s": statistics.median(wall for _, wall in found),
            "best_cpu_s": min(cpu for cpu, _ in found),
            "runs": len(found),
        }
        for (way, run), found in seconds.items()
    ]


def _process(command: list[str], cache: Path) -> tuple[float, float]:
    """Seconds of CPU (user and system) and of wall time of a process."""
    used = process(command, _environment(cache))
    return used.cpu, used.wall


def _environment(cache: Path) -> dict[str, str]:
    return with_sources(PROMPTLET_CACHE=str(cache))


def _parts(name: str, prompt: Path, source: str, images: Path, runs: int, work: Path) -> list[dict]:
    """What `predict` goes into, by a process that does its steps one by one."""
    [one, *_] = sorted(images.rglob("*.png"))
    rows = []
    for way in (OWN, LIBRARY):
        for run in (FIRST, LATER):
            found = []
            for turn in range(runs):
                cache = work / f"parts-{way}-{turn}-{name.replace('/', '')}"
                command = [sys.executable, "-m", "benchmarks.start_parts", way, source, str(prompt), str(one)]
                done = subprocess.run(
                    command, cwd=ROOT, capture_output=True, text=True, check=True, env=_environment(cache)
                )
                found.append(json.loads(done.stdout.splitlines()[-1]))
            parts = {key: statistics.median(one[key] for one in found) for key in found[0]}
            rows.append({"command": "parts", "backbone": name, "way": way, "run": run, "runs": runs, **parts})
    return rows
