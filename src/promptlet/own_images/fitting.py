"""One prompt from a person's own data: trained, rounded as it will be stored, and tested."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from promptlet.classifier import PromptClassifier
from promptlet.data import FeatureFile
from promptlet.data.items import Item
from promptlet.own_images.data import OwnData

Progress = Callable[[str, int, int, str], None]
"""Called with what is done ("encoding", "training", "testing"), how far, of how much, and a word on it."""


@dataclass(frozen=True)
class FitReport:
    """What is to be told of a fit; numbers are None where there is nothing to say.

    loss, train_accuracy: of the last epoch, in percent; test_accuracy: of the stored numbers, in percent.
    seconds: of ``encoding`` and ``training``. learns: as in `promptlet.methods.MethodInfo`.
    """

    method: str
    rank: int | None
    n_ctx: int | None
    new_names: str | None
    class_names: tuple[str, ...]
    images: int
    short_classes: tuple[str, ...]
    trainable: int
    learns: str
    schedule: str | None
    epochs: int
    loss: float | None
    train_accuracy: float | None
    test_accuracy: float | None
    test_images: int
    seconds: dict[str, float]
    backbone: str
    fingerprint: str
    notes: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }


def fit(
    classifier: PromptClassifier,
    data: OwnData,
    precision: str | None = None,
    on_progress: Progress | None = None,
) -> FitReport:
    """Train ``classifier`` in place, round it to ``precision``, and test it as it will be stored.

    Raises PromptletError with what to do next.
    """
    split = data.split if isinstance(data, FeatureFile) else data
    features = data.features if isinstance(data, FeatureFile) else None
    tell = on_progress or _nothing

    def inputs(items: Sequence[Item]) -> tuple[list[Any], list[str]]:
        sources = [item.path if features is None else features[item.row] for item in items]
        return sources, [item.class_name for item in items]

    encoding = _train(classifier, inputs(split.train), inputs(split.val) if split.val else (None, None), tell)
    classifier.round_to(precision)
    accuracy = None
    if split.test:
        classifier.on_encode = lambda done, total: tell("testing", done, total, "")
        accuracy = 100.0 * classifier.score(*inputs(split.test))
    return _report(classifier, encoding, accuracy, len(split.test))


def _train(
    classifier: PromptClassifier,
    train: tuple[list[Any], list[str]],
    val: tuple[list[Any], list[str]] | tuple[None, None],
    tell: Progress,
) -> float:
    """Seconds until the last image was encoded."""
    took = [0.0]
    began = time.perf_counter()

    def on_encode(done: int, total: int) -> None:
        took[0] = time.perf_counter() - began
        tell("encoding", done, total, "")

    classifier.on_encode = on_encode
    classifier.on_epoch = lambda report: tell(
        "training", report.epoch, report.epochs, f"loss {report.loss:.3f}"
    )
    classifier.fit(*train, *val)
    return took[0]


def _report(classifier: PromptClassifier, encoding: float, accuracy: float | None, tested: int) -> FitReport:
    method, history, training = classifier.method_, classifier.history_, classifier.training_
    last = history[-1] if history else None
    return FitReport(
        method=classifier.method,
        rank=getattr(method, "rank", None),
        n_ctx=getattr(method, "n_ctx", None),
        new_names=method.new_names,
        class_names=tuple(classifier.class_names_),
        images=training["images"],
        short_classes=tuple(classifier.short_classes_),
        trainable=method.trainable_count(),
        learns=method.info.learns,
        schedule=training.get("schedule"),
        epochs=len(history),
        loss=last.loss if last else None,
        train_accuracy=last.accuracy if last else None,
        test_accuracy=accuracy,
        test_images=tested,
        seconds={"encoding": encoding, "training": sum(report.seconds for report in history)},
        backbone=classifier.backbone_.name,
        fingerprint=classifier.backbone_.fingerprint,
        notes=tuple(method.notes()),
    )


def _nothing(_what: str, _done: int, _total: int, _word: str) -> None:
    pass
