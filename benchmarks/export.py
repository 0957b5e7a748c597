"""Exports against torch: features and answers on 500 images, images a second, bytes; and the gate of int8."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import models, photos, steps
from benchmarks.clip_folder import make_clip
from promptlet.backbones import load_backbone
from promptlet.classifier import PromptLearner
from promptlet.data import read_coop_split
from promptlet.data.images.opening import raise_together
from promptlet.decoding.ahead import decoders
from promptlet.decoding.pixels import View, batches
from promptlet.errors import ExportError, ImageError
from promptlet.export.folder import Made, export_folder
from promptlet.export.gate import LEAST_AGREEMENT
from promptlet.export.running.onnx import features_by as by_onnxruntime
from promptlet.export.running.openvino import features_by as by_openvino
from promptlet.export.running.openvino import import_openvino
from promptlet.export.towers import tower_of
from promptlet.exported import Vectors, open_exported
from promptlet.preprocessing.spec import ImageSpec
from promptlet.session import cores

IMAGES, OF_GATE = 500, 300
BATCHES = {1: 4, 32: 1}
"""Images at once, and how often a way is asked in one turn."""
ROUNDS = 5
SHOTS = 4
EXPORTS = (("onnx", "fp32"), ("onnx", "fp16"), ("onnx", "int8"), ("openvino", "fp32"), ("openvino", "fp16"))
FREE = "openvino fp32, left to choose"
"""Of the arithmetic, it takes bfloat16 where the processor has it."""
COLUMNS = (
    ("model", "model", "s"),
    ("what", "what", "s"),
    ("largest_difference", "largest difference", ".2g"),
    ("least_cosine", "least cosine", ".6f"),
    ("agreement", "same class %", ".1f"),
    ("accuracy", "accuracy %", ".1f"),
    ("images_per_s_1", "images/s at 1", ".1f"),
    ("images_per_s_32", "at 32", ".1f"),
    ("folder_bytes", "folder", "MiB"),
    ("export_s", "export s", ".1f"),
    ("gate", "gate", "s"),
)

Run = Callable[[np.ndarray], np.ndarray]


@dataclass
class Way:
    """What makes features of pixel values (B, 3, H, W)."""

    what: str
    run: Run
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[int, list[float]] = field(default_factory=dict)
    features: list[np.ndarray] = field(default_factory=list)


@dataclass
class Case:
    """A model with a prompt, the images it is asked about with their classes' rows, and those of the gate."""

    model: str
    classifier: PromptLearner
    paths: list[str]
    rows: list[int]
    of_gate: list[str]


def run(_device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one for each model and way, and one for each answer of the gate."""
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for case in _cases(folder, quick, progress):
            try:
                rows += _rows(case, folder / "out", quick, progress)
            finally:
                shutil.rmtree(folder / "out", ignore_errors=True)
    settings = {
        "images": 12 if quick else IMAGES,
        "of_gate": f"{OF_GATE} other images, or 60 drawn ones",
        "cores": cores(),
        "rounds": ROUNDS,
        "order": "the ways of a model take turns in one process, batch after batch; medians",
        "test bed": f"the stand-in model (MobileNetV2) of the test bed, rlp from {SHOTS} shots of Caltech101",
        "random CLIP": f"ViT-B/16's size, random weights, torch seed {models.SEED}, zero_shot",
        "torch": "the library's own forward in float32, which exports are compared with",
        "torch, auto": "Backbone.images.encode as it is loaded without a dtype",
        "features": "of length 1; differences and cosines from torch's in float32",
        "gate": f"int8 asked to keep {LEAST_AGREEMENT:g} % of the answers, and where it does not, 0 %",
        FREE: "INFERENCE_PRECISION_HINT is not set",
    }
    return settings, rows


def _cases(folder: Path, quick: bool, progress: Callable[[str], None]) -> Iterator[Case]:
    realbed = Path(os.environ.get("PROMPTLET_REALBED", "../shared/realbed"))
    place = realbed / "data" / "caltech-101"
    if quick or not place.is_dir():
        drawn = [str(path) for path in photos.write(folder, 12 if quick else IMAGES, (120, 90))]
        gate = [str(path) for path in photos.write(folder, 60, (90, 120))]
        names = ["a boat", "a cat", "a tree"]
        backbone = "mini" if quick else make_clip(folder / "clip", quick)
        yield Case("drawn pictures", _zero_shot(backbone, names), drawn, [-1] * len(drawn), gate)
        return
    split = read_coop_split(place / "split_zhou_Caltech101.json")
    names = list(split.class_names)
    tests, others = _spread(split.test, IMAGES), _spread(split.val, OF_GATE)
    paths, gate = [str(item.path) for item in tests], [str(item.path) for item in others]
    rows = [names.index(item.class_name) for item in tests]
    progress("test bed: learning a prompt")
    learner = PromptLearner(_backbone(realbed / "model"), shots=SHOTS, cache=False)
    learner.fit([str(item.path) for item in split.train], [item.class_name for item in split.train])
    yield Case("test bed", learner, paths, [list(learner.classes_).index(names[row]) for row in rows], gate)
    progress("random CLIP: made")
    learner = _zero_shot(make_clip(folder / "clip", False), names)
    yield Case("random CLIP", learner, paths, [-1] * len(paths), gate)


def _spread(items: Any, count: int) -> list[Any]:
    return [items[int(i)] for i in np.linspace(0, len(items) - 1, count)]


def _backbone(source: str | Path) -> Any:
    return load_backbone(source, "cpu", "float32")


def _zero_shot(source: str | Path, names: list[str]) -> PromptLearner:
    noise = np.random.default_rng(0).normal(size=(len(names), 2)).astype(np.float32)
    backbone = _backbone(source)
    features = np.resize(noise, (len(names), backbone.feature_dim))
    return PromptLearner(backbone, method="zero_shot", cache=False).fit(features, names)


def _rows(case: Case, out: Path, quick: bool, progress: Callable[[str], None]) -> list[dict]:
    out.mkdir()
    gate, ways = _exported(case, out, progress)
    vectors = open_exported(out / "onnx-fp32").vectors
    spec: ImageSpec = case.classifier.backbone_.images.spec
    progress(f"{case.model}: {len(case.paths)} images, by {len(ways)} ways")
    pixels = _ask(ways, case.paths, spec)
    _timed(ways, pixels, 2 if quick else ROUNDS, partial(_tell, progress, case.model))
    return [{"model": case.model, **_row(way, ways[0], vectors, np.array(case.rows))} for way in ways] + gate


def _tell(progress: Callable[[str], None], model: str, words: str) -> None:
    progress(f"{model}: {words}")


def _exported(case: Case, out: Path, progress: Callable[[str], None]) -> tuple[list[dict], list[Way]]:
    """Rows of the gate, and torch with all that was exported."""
    tower = tower_of(case.classifier.method_)
    auto = load_backbone(case.classifier.backbone_.name, "cpu")
    ways = [Way("torch", partial(_by_torch, tower)), Way(f"torch, auto ({auto.arithmetic})", _encode(auto))]
    gate: list[dict] = []
    for to, precision in EXPORTS:
        progress(f"{case.model}: exporting to {to} in {precision}")
        place, start = out / f"{to}-{precision}", time.perf_counter()
        if precision == "int8":
            made, told = _by_gate(case, place)
            gate += told
        else:
            made = export_folder(case.classifier, place, to=to, precision=precision)
        seconds = time.perf_counter() - start
        features_by = by_openvino if to == "openvino" else by_onnxruntime
        facts = {"folder_bytes": sum(made.files.values()), "export_s": seconds, "left_out": made.left_out}
        name = "onnxruntime" if to == "onnx" else to
        ways.append(Way(f"{name} {precision}", features_by(place / made.graphs[0].file), facts))
    ways.append(Way(FREE, _left_to_choose(out / "openvino-fp32" / "classifier.xml")))
    return gate, ways


def _by_gate(case: Case, place: Path) -> tuple[Made, list[dict]]:
    """int8 with the limit that is usual, and where that refuses, with none: what was made, and said."""
    told: list[dict] = []
    made = None
    for least in (LEAST_AGREEMENT, 0.0):
        shutil.rmtree(place, ignore_errors=True)
        try:
            made = export_folder(
                case.classifier, place, precision="int8", images=case.of_gate, least_agreement=least
            )
            told.append(_told(case, f"passes {least:g} %: {made.verdict}"))
            break
        except ExportError as error:
            told.append(_told(case, f"refuses {least:g} %: {str(error).partition(': ')[2]}"))
    assert made is not None  # nothing is below 0 %
    return made, told


def _told(case: Case, said: str) -> dict[str, str]:
    return {"model": case.model, "what": "gate of int8", "gate": said}


def _by_torch(tower: Any, pixels: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        given = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        return np.asarray(tower(given))


def _encode(backbone: Any) -> Run:
    def encode(pixels: np.ndarray) -> np.ndarray:
        return np.asarray(
            torch.nn.functional.normalize(backbone.images.encode(torch.from_numpy(pixels)), dim=-1)
        )

    return encode


def _left_to_choose(model: Path) -> Run:
    compiled = import_openvino().Core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": cores()})
    return lambda pixels: np.array(compiled(pixels)["features"])


def _ask(ways: list[Way], paths: list[str], spec: ImageSpec) -> np.ndarray:
    """Features of all images, by all ways; the pixel values of the first batch."""
    errors: list[ImageError] = []
    first = None
    with decoders() as pool:
        views = [View(path, path, "", 0) for path in paths]
        for _, pixels in batches(pool, views, spec, max(BATCHES), False, errors):
            first = pixels if first is None else first
            for way in ways:
                way.features.append(way.run(pixels))
    raise_together(errors)
    assert first is not None
    return np.resize(first, (max(BATCHES), *first.shape[1:]))


def _timed(ways: list[Way], pixels: np.ndarray, rounds: int, progress: Callable[[str], None]) -> None:
    for count, times in BATCHES.items():
        some = np.ascontiguousarray(pixels[:count])
        for way in ways:
            way.run(some)
        for turn in range(rounds):
            progress(f"{count} at once, round {turn + 1} of {rounds}")
            for way in ways:
                start = time.perf_counter()
                for _ in range(times):
                    way.run(some)
                seconds = (time.perf_counter() - start) / times
                way.seconds.setdefault(count, []).append(seconds)


def _row(way: Way, exact: Way, vectors: Vectors, rows: np.ndarray) -> dict[str, Any]:
    found, expected = np.concatenate(way.features), np.concatenate(exact.features)
    best, own = ((features @ vectors.classes.T).argmax(1) for features in (found, expected))
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    known = rows >= 0
    right = {"accuracy": 100 * float((best == rows)[known].mean())} if known.any() else {}
    return {
        "what": way.what,
        "largest_difference": float(np.abs(found - expected).max()),
        "least_cosine": float(((found * expected).sum(1) / lengths).min()),
        "agreement": 100 * float((best == own).mean()),
        **right,
        **{
            f"images_per_s_{count}": count / steps.spread(seconds)["median_s"]
            for count, seconds in way.seconds.items()
        },
        **way.facts,
    }
