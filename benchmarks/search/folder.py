"""A real folder: seconds to index, to follow and to ask; average precision on Caltech101's test images."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.beds import average_precision, bed
from benchmarks.search.words import mixed_up
from promptlet.backbones import Backbone, load_backbone
from promptlet.classifier import PromptLearner
from promptlet.data import read_coop_split, sample_shots
from promptlet.data.items import Split
from promptlet.search import ClassOf, Index, Query
from promptlet.search.asking import ask_of
from promptlet.search.question import Question
from promptlet.search.ranking import all_scores

Row = dict[str, Any]
DATA = "data/caltech-101"
BACKGROUND = "BACKGROUND_Google"
SEEDS = (1, 2, 3)
MIXED_UP = 3


def rows(place: Path, quick: bool, progress: Callable[[str], None]) -> Iterator[Row]:
    """The folder without the images of backgrounds."""
    backbone = load_backbone(place / "model", device="cpu")
    split = read_coop_split(place / DATA / "split_zhou_Caltech101.json")
    with tempfile.TemporaryDirectory() as work:
        folder = _linked(place / DATA / "101_ObjectCategories", Path(work) / "photos", quick)
        progress("caltech101: indexing")
        index = Index(folder, backbone, Path(work) / "photos.index", cache=False)
        seconds = _timed(index.update)
        again = _timed(index.update)
        row = {"table": "folder", "bed": "realbed caltech101", "images": len(index), "index_s": seconds}
        row |= {"follow_s": again, "index_bytes": index.file.stat().st_size}
        texts = {name: _timed(lambda: index.search("a sunflower")) for name in ("first_s", "words_s")}
        like = Query(images=[index.paths[0]])
        yield {**row, **texts, "image_s": _timed(lambda: index.search(like))}
        if not quick:
            yield from _precisions(index, backbone, split, Path(work), progress)


def _linked(source: Path, target: Path, quick: bool) -> Path:
    """The same files in another folder, without the backgrounds."""
    for number, own in enumerate(sorted(source.iterdir())):
        if own.name == BACKGROUND or not own.is_dir() or (quick and number > 3):
            continue
        (target / own.name).mkdir(parents=True)
        for path in own.iterdir():
            try:
                os.link(path, target / own.name / path.name)
            except OSError:  # another disk
                shutil.copy(path, target / own.name / path.name)
    return target


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _precisions(
    index: Index, backbone: Backbone, split: Split, work: Path, progress: Callable[[str], None]
) -> Iterator[Row]:
    """Average precision over the classes, of test images among test images."""
    places = {path: row for row, path in enumerate(index.stored.paths)}
    known = [(places[_below(item.path)], item.label) for item in split.test]
    x = np.array(index.stored.features[[row for row, _ in known]])
    y = np.array([label for _, label in known])
    names = split.class_names

    def of(what: str, ask: Callable[[int], Question], seed: int | None = None) -> Row:
        found = [average_precision(all_scores(x, ask(row)), y == row) for row in range(len(names))]
        who = {"table": "caltech101", "bed": "realbed caltech101", "images": len(y), "form": what}
        return {**who, "seed": seed, "queries": len(names), "average_precision": np.mean(found)}

    nothing = np.zeros(backbone.feature_dim, np.float32)
    own = bed("realbed", "caltech101")

    def by_words(row: int, others: int) -> Question:
        left_out = [names[label] for label in mixed_up(own, row, others)] if others else []
        return ask_of(Query([names[row]], not_words=left_out), backbone, nothing, None).question

    progress("caltech101: names")
    yield of("name alone, cosine", lambda row: _plain(own.texts[row], backbone))
    yield of("name alone", lambda row: by_words(row, 0))
    yield of(f"name, not {MIXED_UP} it is mixed up with", lambda row: by_words(row, MIXED_UP))
    for method in ("rlp", "coop"):
        for seed in SEEDS:
            progress(f"caltech101: {method}, seed {seed}")
            file, classes = _learned(index, backbone, split, method, seed, work)
            yield of(f"{method}, cosine", lambda row, own=classes: _plain(own[row], backbone), seed)  # type: ignore[misc]

            def by_class(row: int, file: str = file) -> Question:
                query = Query(classes=[ClassOf(file, names[row])])
                return ask_of(query, backbone, nothing, None).question

            yield of(method, by_class, seed)


def _plain(wanted: np.ndarray, backbone: Backbone) -> Question:
    return Question(wanted, np.zeros((0, len(wanted)), np.float32), backbone.logit_scale)


def _below(path: Path) -> str:
    """As the index calls an image of the split."""
    return "/".join(path.parts[-2:])


def _learned(
    index: Index, backbone: Backbone, split: Split, method: str, seed: int, work: Path
) -> tuple[str, np.ndarray]:
    """A prompt file of 16 training images a class, and its class features."""
    items = sample_shots(split, 16, seed).train
    places = {path: row for row, path in enumerate(index.stored.paths)}
    x = np.array(index.stored.features[[places[_below(item.path)] for item in items]], np.float32)
    classifier = PromptLearner(backbone, method, seed=seed, cache=False, verbose=False)
    classifier.fit(list(x), [item.class_name for item in items])
    file = work / f"{method}-{seed}.prompt"
    classifier.save(file)
    return str(file), classifier.class_features(split.class_names)
