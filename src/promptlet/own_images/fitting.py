"""One prompt from a person's own data: trained, rounded as it will be stored, and judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.classifier import PromptLearner
from promptlet.classifier.fitting import checked_schedule, draw_of, official_notes
from promptlet.classifier.inputs import draw_rows
from promptlet.classifier.reading import Reader
from promptlet.classifier.rejection import usual_share
from promptlet.data import find_unreadable
from promptlet.errors import ImageError, check_option
from promptlet.evaluation.intervals import wilson
from promptlet.methods import METHODS
from promptlet.methods.method import AT_ONCE, FEATURES
from promptlet.own_images.data import OwnData
from promptlet.own_images.estimating.estimate import AUTO
from promptlet.own_images.judging import Judged, judge, prepare
from promptlet.own_images.keeping import keeping_features
from promptlet.own_images.parts import Part, parts_of
from promptlet.promptfile.accuracy import Accuracy, record_of
from promptlet.training import EpochReport

Progress = Callable[[str, int, int, str], None]
"""Called with what is done ("encoding", "training", "testing", "estimating"), how far, of how much, and a
word on it."""


@dataclass(frozen=True)
class FitReport:
    """What is to be told of a fit; numbers are None where there is nothing to say.

    loss, train_accuracy: of the last epoch, in percent; of a method that learns at once, of its answers.
    test_accuracy: of the stored numbers on test images, in percent, with its interval of 95 % (Wilson).
    estimate: of the accuracy on other images, without test images. none_of_these: the percentage of
    own images that ``--reject`` accepts; None where "none of these" is not known. findings: what is odd about
    the images, as sentences. seconds: of ``encoding``, ``training``, and the ``estimate``. learns: as in
    `promptlet.methods.MethodInfo`.
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
    optimizer: str | None
    epochs: int
    loss: float | None
    train_accuracy: float | None
    test_accuracy: float | None
    test_low: float | None
    test_high: float | None
    test_images: int
    estimate: dict[str, Any]
    seconds: dict[str, float]
    backbone: str
    fingerprint: str
    none_of_these: float | None
    notes: tuple[str, ...]
    findings: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }


def fit(
    classifier: PromptLearner,
    data: OwnData,
    precision: str | None = None,
    on_progress: Progress | None = None,
    estimate: str = AUTO,
    where: str = "FOLDER",
) -> FitReport:
    """Train ``classifier`` in place, round it to ``precision``, and judge it as it will be stored.

    estimate: how its accuracy on other images is found out: "cv", "holdout", "none", or "auto".
    where: what the data is called in advice. Raises PromptletError with what to do next.
    """
    parts = parts_of(data)
    tell = on_progress or nothing
    with keeping_features(classifier):
        _read(classifier, parts["test"], tell)
        encoding, training = _train(classifier, parts["train"], parts["val"], tell)
        classifier.round_to(precision)
        taught = _taught(classifier, parts["train"])
        accuracy = _tested(classifier, parts["test"], tell)
        judged = judge(classifier, parts, precision, estimate, training, tell, where)
    classifier.estimate_ = judged.estimate
    report = _report(classifier, encoding, accuracy, parts["test"], judged)
    classifier.training_ |= _accuracies(report, judged)
    return report if taught is None else replace(report, train_accuracy=taught)


def _read(classifier: PromptLearner, test: Part, tell: Progress) -> None:
    """Test images, before a training: one that cannot be read is told at once. Features are kept."""
    check_option("method", classifier.method, METHODS)
    info = METHODS[classifier.method].info
    if not test.labels:
        return
    if info.reads != FEATURES:
        bad = find_unreadable([one for one in test.images if isinstance(one, str | Path)])
        if bad:
            raise ImageError(next(iter(bad.values())))
        return
    prepare(classifier)
    checked_schedule(classifier, classifier.backbone_)
    shown = partial(_tell, tell, "encoding")
    Reader(info, classifier.backbone_, classifier.cache, shown).frozen(test.images)


def _tell(tell: Progress, what: str, done: int, total: int) -> None:
    tell(what, done, total, "")


def _train(classifier: PromptLearner, train: Part, val: Part, tell: Progress) -> tuple[float, float]:
    """Seconds until the last image was encoded, and from there to the end. Callbacks that the classifier came
    with are called, too."""
    took = [0.0]
    began = time.perf_counter()
    own_encode, own_epoch = classifier.on_encode, classifier.on_epoch

    def on_encode(done: int, total: int) -> None:
        took[0] = time.perf_counter() - began
        tell("encoding", done, total, "")
        if own_encode is not None:
            own_encode(done, total)

    def on_epoch(report: EpochReport) -> None:
        tell("training", report.epoch, report.epochs, f"loss {report.loss:.3f}")
        if own_epoch is not None:
            own_epoch(report)

    classifier.on_encode, classifier.on_epoch = on_encode, on_epoch
    classifier.fit(*train, *(val if val.labels else (None, None)))
    before = sum(report.seconds for report in classifier.history_)  # also of a training that was gone on with
    return took[0], max(before, time.perf_counter() - began - took[0])


def _taught(classifier: PromptLearner, train: Part) -> float | None:
    """Of a method that learns at once, and so has no last epoch: in percent, on the images it was given."""
    if classifier.method_.info.learns != AT_ONCE:
        return None
    targets = np.searchsorted(classifier.classes_, np.asarray(train.labels, dtype=str))
    shots, seed = draw_of(classifier)
    rows, _ = draw_rows(targets, classifier.class_names_, shots, seed)
    return 100.0 * classifier.score([train.images[i] for i in rows], [train.labels[i] for i in rows])


def _tested(classifier: PromptLearner, test: Part, tell: Progress) -> float | None:
    """In percent."""
    if not test.labels:
        return None
    classifier.on_encode = partial(_tell, tell, "testing")
    return 100.0 * classifier.score(*test)


def _report(
    classifier: PromptLearner, encoding: float, accuracy: float | None, test: Part, judged: Judged
) -> FitReport:
    method, history, training = classifier.method_, classifier.history_, classifier.training_
    last, rejection = history[-1] if history else None, classifier.rejection_
    low, high = (
        (None, None) if accuracy is None else wilson(accuracy * len(test.labels) / 100, len(test.labels))
    )
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
        optimizer=training.get("optimizer"),
        epochs=len(history),
        loss=last.loss if last else None,
        train_accuracy=last.accuracy if last else None,
        test_accuracy=accuracy,
        test_low=low,
        test_high=high,
        test_images=len(test.labels),
        estimate={key: value for key, value in judged.estimate.facts().items() if key != "seconds"},
        seconds={
            "encoding": encoding,
            "training": sum(report.seconds for report in history),
            "estimate": judged.estimate.seconds,
        },
        backbone=classifier.backbone_.name,
        fingerprint=classifier.backbone_.fingerprint,
        none_of_these=None if rejection is None else usual_share(rejection),
        notes=(*method.notes(), *official_notes(classifier)),
        findings=judged.findings,
    )


def _accuracies(report: FitReport, judged: Judged) -> dict[str, str]:
    """What the prompt file tells of it."""
    told = record_of(judged.estimate)
    if report.test_accuracy is None or report.test_low is None or report.test_high is None:
        return told
    return told | record_of(
        Accuracy(report.test_accuracy, report.test_low, report.test_high, report.test_images)
    )


def nothing(_what: str, _done: int, _total: int, _word: str) -> None:
    pass
