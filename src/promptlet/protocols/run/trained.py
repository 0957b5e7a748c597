"""What was trained on all classes of a data set, kept so that no other run trains it again.

DIR/trained/KEY.prompt   the trained method as a prompt file, at the precision at which nothing is lost
DIR/trained/KEY.json     what it took, the digest of the prompt file, and its scores on its own test images

Few-shot asks for the scores; cross-dataset and domain-shift take the method to other data sets. KEY is
`Run.training_key`. A pair of files that does not fit together, or cannot be read, is made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.backbones import Backbone
from promptlet.classifier.files import restore
from promptlet.data import Split
from promptlet.errors import PromptletError
from promptlet.methods import Method
from promptlet.methods.method import NOTHING
from promptlet.promptfile import PromptFile, dumps, load_prompt_file, save_prompt_file
from promptlet.protocols.records.circumstances import circumstances
from promptlet.protocols.records.measures import FEW_SHOT
from promptlet.protocols.records.runs import Run
from promptlet.protocols.records.shapes import Kept, Tested, measured_by
from promptlet.protocols.records.store import SCHEMA, RunStore, read_json
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource
from promptlet.protocols.run.fitting import OnEpoch, file_of, fit, new_method, what_it_took
from promptlet.protocols.run.scoring import scores
from promptlet.typed import what_is_wrong

CIRCUMSTANCES = ("device", "peak_memory", "versions", "date")


@dataclass(frozen=True)
class Trained:
    """method: over the classes it was trained on. took: see `what_it_took`. scores: on the test images of
    these classes. reused: whether another run had trained it. origin: when and with what it was trained.
    """

    method: Method
    took: Mapping[str, Any]
    scores: Mapping[str, Any]
    origin: Mapping[str, Any]
    reused: bool

    def facts(self, run: Run, backbone: Backbone) -> dict[str, Any]:
        """Under what circumstances ``run`` was measured, and where its method comes from where it learned.

        The memory is that of the training, too, where another process had trained.
        """
        now = circumstances(backbone)
        if self.method.info.learns == NOTHING:
            return now
        peaks = [peak for peak in (now["peak_memory"], self.origin.get("peak_memory")) if peak is not None]
        now["peak_memory"] = max(peaks, default=None)
        return {**now, "trained": {"key": run.training_key, "reused": self.reused, **self.origin}}


@dataclass(frozen=True)
class Task:
    """A run's training: ``split`` is drawn from ``dataset``, whose images have these ``features``."""

    run: Run
    dataset: BenchDataset
    split: Split
    features: FeatureSource
    on_epoch: OnEpoch | None = None

    def build(self, **tuned: Any) -> Method:
        """The untrained method."""
        return new_method(self.run, self.split.class_names, self.split.class_names, self.features, **tuned)

    def score(self, method: Method) -> dict[str, Any]:
        """Of the trained method on the test images."""
        return scores(method, self.dataset, self.split, self.features)


def trained(task: Task, store: RunStore | None) -> Trained:
    """The trained method: from ``store`` where it is there, else trained here and left there for others.

    Waits while another process trains it. Methods that learn nothing are not stored.
    """
    method = task.build()
    if store is None or method.info.learns == NOTHING:
        _, took = _train(task, method)
        return Trained(method, took, task.score(method), {}, False)
    with store.claim(f"trained-{task.run.training_key}", wait=True):
        return _kept_or_new(task, method, _Shelf(store, task.run.training_key))


def take_training(store: RunStore, key: str) -> tuple[bytes, bytes] | None:
    """The prompt file and the facts of a training, as they lie in ``store``; None where one is missing."""
    shelf = _Shelf(store, key)
    try:
        return shelf.prompt.read_bytes(), shelf.facts.read_bytes()
    except OSError:
        return None


def leave_training(store: RunStore, key: str, files: tuple[bytes, bytes]) -> None:
    """Lay them into another store, unless a whole training with its scores lies there already."""
    shelf = _Shelf(store, key)
    with store.claim(f"trained-{key}", wait=True):
        if shelf.is_scored():
            return
        store.make_folder("trained")
        for path, content in zip((shelf.prompt, shelf.facts), files, strict=True):
            store.write_bytes(path, content)


def _kept_or_new(task: Task, method: Method, shelf: _Shelf) -> Trained:
    kept = shelf.read(task)
    if kept is None:
        file, took = _train(task, method)
        content = shelf.write(file, method.stored_precision(), took, task.features)
    else:
        method, content = kept
    if content["scores"] is None:  # after training is stored: whoever is killed here need not train again
        content = {**content, "scores": task.score(method)}
        shelf.write_facts(content)
    origin = {name: content[name] for name in CIRCUMSTANCES}
    return Trained(method, content["took"], content["scores"], origin, kept is not None)


def _train(task: Task, method: Method) -> tuple[PromptFile, dict[str, Any]]:
    result = fit(task.run, method, task.dataset, task.split, task.features, task.on_epoch)
    file = file_of(task.run, method, task.split)
    return file, what_it_took(method, result, len(dumps(file, method.stored_precision())))


@dataclass(frozen=True)
class _Shelf:
    """The two files of one training."""

    store: RunStore
    key: str

    @property
    def prompt(self) -> Path:
        return self.store.folder / "trained" / f"{self.key}.prompt"

    @property
    def facts(self) -> Path:
        return self.store.folder / "trained" / f"{self.key}.json"

    def read(self, task: Task) -> tuple[Method, dict[str, Any]] | None:
        """The trained method and what is known of it; None where that is missing or cannot be trusted."""
        content, problem = read_json(self.facts)
        if problem or not _is_whole(content, self.key):
            return None
        try:
            if content["digest"] != _digest(self.prompt.read_bytes()):
                return None
            return _loaded(task, load_prompt_file(self.prompt)), content
        except (PromptletError, OSError):
            return None

    def is_scored(self) -> bool:
        """Whether a whole training lies there, and its scores."""
        content, problem = read_json(self.facts)
        if problem or not _is_whole(content, self.key) or content["scores"] is None:
            return False
        try:
            return bool(content["digest"] == _digest(self.prompt.read_bytes()))
        except OSError:
            return False

    def write(
        self, file: PromptFile, precision: str, took: Mapping[str, Any], features: FeatureSource
    ) -> dict[str, Any]:
        """Store a training, not yet scored; what is known of it."""
        self.store.make_folder("trained")
        save_prompt_file(self.prompt, file, precision)
        content = {
            "schema": SCHEMA,
            "key": self.key,
            "digest": _digest(self.prompt.read_bytes()),
            "took": took,
            "scores": None,
            **{n: value for n, value in circumstances(features.backbone).items() if n in CIRCUMSTANCES},
        }
        self.write_facts(content)
        return content

    def write_facts(self, content: Mapping[str, Any]) -> None:
        self.store.write_whole(self.facts, content)


def _loaded(task: Task, file: PromptFile) -> Method:
    """The run's own options are complete; what training tuned beside the tensors is in the file's."""
    return restore(task.build(**file.options), file, task.split.class_names)


def _is_whole(content: Mapping[str, Any], key: str) -> bool:
    if what_is_wrong(content, Kept) or content["key"] != key:
        return False
    found = content["scores"]
    return found is None or not (what_is_wrong(found, Tested) or what_is_wrong(found, measured_by(FEW_SHOT)))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
