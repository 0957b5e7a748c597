"""One training of a project, from its folder to its prompt file and its result."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final

from promptlet.backbones import Backbone
from promptlet.classifier import PromptLearner
from promptlet.classifier.files import round_method
from promptlet.data import FeatureCache, Split
from promptlet.data.items import build_split, clean_class_name
from promptlet.errors import PromptletError, listed, why
from promptlet.own_images.checking.result import Findings
from promptlet.own_images.checking.run import check
from promptlet.own_images.estimating.curve import Curve, learning_curve
from promptlet.own_images.estimating.estimate import AUTO as BY_COST
from promptlet.own_images.estimating.estimate import CV, FEWER_FOLDS, Way, of_answers
from promptlet.own_images.judging import Asked as Estimated
from promptlet.own_images.judging import ask_others, prepare, taught_material
from promptlet.own_images.keeping import keeping_features
from promptlet.own_images.material import Material
from promptlet.own_images.parts import Part
from promptlet.promptfile.accuracy import record_of
from promptlet.serve.bank.listing import digest_of
from promptlet.teach.learning.choosing import Choice, asked_for, compared, too_few, too_long
from promptlet.teach.learning.job import (
    CHECKING,
    CHOOSING,
    ENCODING,
    ESTIMATING,
    LOOKING,
    SAVING,
    TRAINING,
    Job,
    Stopped,
)
from promptlet.teach.learning.refusals import NotNowError
from promptlet.teach.learning.results.answers import answers_of, write_answers
from promptlet.teach.learning.results.notes import of_check, unchecked
from promptlet.teach.learning.results.result import Learned, names_in_order, result_of
from promptlet.teach.learning.results.suspicious import suspicious
from promptlet.teach.learning.settings import AUTO, USUAL, Asked
from promptlet.teach.learning.vectors import FIRST, Vectors, next_size, paths_of
from promptlet.teach.projects.places import ANSWERS
from promptlet.teach.projects.project import Seen
from promptlet.teach.projects.shelf import Shelf, UnknownProjectError
from promptlet.training import EpochReport

CURVE_SECONDS: Final = 20.0
"""That a learning curve may take: a setting of our own."""
PARTS: Final = 100
"""Of a training, as progress counts it."""


@dataclass(frozen=True, eq=False)
class Bench:
    """What a training works with. saved: told that a prompt file is another one."""

    shelf: Shelf
    vectors: Vectors
    cache: FeatureCache | None
    saved: Callable[[str], object]

    @property
    def backbone(self) -> Backbone:
        """The one of all projects."""
        return self.vectors.backbone


def check_enough(seen: Seen) -> None:
    """Raise NotNowError where there is too little to learn from."""
    filled = [one.name for one in seen.classes if one.images]
    if len(filled) >= 2:
        return
    there = f"only “{filled[0]}” has photos" if filled else "no class has photos yet"
    error = NotNowError(f"{there}: a classifier tells at least two classes apart; drop photos of another one")
    raise error.keyed("one-class", **{"class": filled[0]}) if filled else error.keyed("no-class")


def train(bench: Bench, asked: Asked, job: Job) -> None:
    """Raises Stopped where the job is cancelled, PromptletError with what to do; then nothing is changed."""
    job.tell(LOOKING)
    seen = bench.shelf.get(job.project).seen()
    check_enough(seen)
    with _paths_as_told(seen):
        _save(bench, seen, asked, _learn(bench, seen, asked, job), job)


def _learn(bench: Bench, seen: Seen, asked: Asked, job: Job) -> Learned:
    method = USUAL if asked.method == AUTO else asked.method
    given = {**asked.parameters(method), "cache": bench.cache or False, "verbose": False}
    classifier = PromptLearner(bench.backbone, **given)
    with keeping_features(classifier):
        _encode(bench, classifier, seen, job)
        return _Work(bench, seen, job, _parts(bench, seen)).learn(classifier, asked)


@contextmanager
def _paths_as_told(seen: Seen) -> Iterator[None]:
    """Errors name files as they were dropped, and not where they lie."""
    try:
        yield
    except PromptletError as error:
        told = _as_told(str(error), seen)
        if told == str(error):
            raise
        raise NotNowError(told).keyed(error.key, **error.values) from error


def _as_told(text: str, seen: Seen) -> str:
    if str(seen.root) not in text:
        return text
    for image, name in seen.names.items():
        text = text.replace(str(seen.path(image)), name)
    return text.replace(f"{seen.root}{os.sep}", "")


def _encode(bench: Bench, classifier: PromptLearner, seen: Seen, job: Job) -> None:
    """All images with a class; those in memory are lent. One that cannot be read has its reason."""
    cache = classifier.cache
    assert isinstance(cache, FeatureCache)
    images = [image for one in seen.classes for image in one.images]
    missing, size = bench.vectors.lend(paths_of(seen, images), cache), FIRST
    job.tell(ENCODING, len(images) - len(missing), len(images))
    while missing:
        began, some = monotonic(), missing[:size]
        bench.vectors.read(paths_of(seen, some), cache)
        size = next_size(size, monotonic() - began)
        del missing[: len(some)]
        job.tell(ENCODING, len(images) - len(missing), len(images))


def _parts(bench: Bench, seen: Seen) -> Split:
    """The images that have features, all of them to learn from. Raises NotNowError for too few."""
    images = [image for one in seen.classes for image in one.images]
    known = bench.vectors.of(images)
    pairs = [(seen.path(image), one.name) for one in seen.classes for image in one.images if image in known]
    if len({name for _, name in pairs}) < 2:
        reasons = [bench.vectors.reasons[image] for image in images if image in bench.vectors.reasons]
        raise NotNowError(
            f"fewer than two classes have photos that can be read ({listed(reasons, 1) or 'they are gone'}); "
            "replace them, then train"
        ).keyed("unreadable-classes")
    return build_split(seen.title, {"train": pairs}, seen.title, "every image of the project")


class _Work:
    """All between encoding and saving."""

    def __init__(self, bench: Bench, seen: Seen, job: Job, split: Split) -> None:
        self.bench, self.seen, self.job, self.split = bench, seen, job, split
        self.train = Part([str(item.path) for item in split.train], [item.class_name for item in split.train])
        self.ids = {str(seen.path(image)): image for image in seen.images}

    def learn(self, classifier: PromptLearner, asked: Asked) -> Learned:
        """Choose, train, estimate and check."""
        classifier, choice, material, seconds = self.chosen(classifier, asked)
        classifier.round_to(None)
        estimated = self.estimated(classifier, choice, material, seconds)
        curve = self.curve(classifier, estimated)
        found, notes = self.checked(classifier)
        classifier.estimate_ = estimated.estimate
        classifier.training_ |= record_of(estimated.estimate)
        names = {path: (image, self.seen.names.get(image, image)) for path, image in self.ids.items()}
        told = [] if found is None else suspicious(found, {Path(path): one for path, one in names.items()})
        return Learned(
            classifier,
            choice,
            estimated,
            curve,
            told,
            {clean_class_name(one.name): len(one.images) for one in self.seen.classes},
            self.ids,
            self.left_out(),
            notes,
        )

    def chosen(
        self, classifier: PromptLearner, asked: Asked
    ) -> tuple[PromptLearner, Choice, Material, float]:
        """A fitted classifier by the method that suits, and how long its training took. The first one is
        trained in any case: it tells what a comparison costs."""
        prepare(classifier)
        material = taught_material(classifier, self.train)
        if asked.method != AUTO:
            return classifier, asked_for(asked.method), material, self.fit(classifier, TRAINING)
        if (choice := too_few(material)) is not None:
            return classifier, choice, material, self.fit(classifier, TRAINING)
        seconds = self.fit(classifier, CHOOSING)
        self.job.after = (1 + FEWER_FOLDS) * seconds
        choice = too_long(seconds) or compared(
            classifier, self.bench.backbone, material, partial(self.job.tell, CHOOSING)
        )
        if choice.method != USUAL:
            given = {**asked.parameters(choice.method), "cache": classifier.cache, "verbose": False}
            classifier = PromptLearner(self.bench.backbone, **given)
            seconds = self.fit(classifier, TRAINING)
        return classifier, choice, material, seconds

    def fit(self, classifier: PromptLearner, stage: str) -> float:
        """Seconds that the training took, without reading images."""
        job, began = self.job, monotonic()
        job.tell(stage, 0, PARTS, classifier.method)

        def on_epoch(report: EpochReport) -> None:
            job.tell(stage, round(PARTS * report.epoch / report.epochs), PARTS, classifier.method)

        classifier.on_encode = lambda _done, _total: job.check()
        classifier.on_epoch = on_epoch
        classifier.fit(*self.train)
        job.check()
        return monotonic() - began

    def estimated(
        self, classifier: PromptLearner, choice: Choice, material: Material, seconds: float
    ) -> Estimated:
        """How often it is right on others. What a comparison asked already is not asked again."""
        job = self.job
        job.tell(ESTIMATING)
        if choice.answers is not None and classifier.shots is None:
            estimate = of_answers(Way(CV, FEWER_FOLDS), self.bench.backbone, material, choice.answers)
            return Estimated(estimate, material, choice.answers)
        done = [0, FEWER_FOLDS]
        job.after = CURVE_SECONDS / 2

        def on_progress(trained: int, total: int) -> None:
            done[:] = [trained, total]
            job.tell(ESTIMATING, PARTS * trained, PARTS * total)

        def on_epoch(report: EpochReport) -> None:
            part = round(PARTS * report.epoch / report.epochs)
            job.tell(ESTIMATING, min(PARTS * done[0] + part, PARTS * done[1]), PARTS * done[1])

        nothing = Part([], [])
        return ask_others(
            classifier, self.train, nothing, material, None, BY_COST, seconds, on_progress, on_epoch
        )

    def curve(self, classifier: PromptLearner, estimated: Estimated) -> Curve | None:
        """Whether more photos would help."""
        answers, job = estimated.answers, self.job
        if answers is None or estimated.estimate.way != CV:
            return None
        job.after = 0.0
        return learning_curve(
            classifier,
            self.bench.backbone,
            estimated.material,
            answers,
            seconds=CURVE_SECONDS,
            finish=partial(round_method, precision=None),
            on_progress=lambda done, total: job.tell(ESTIMATING, done, total),
            on_epoch=lambda _report: job.check(),
        )

    def checked(self, classifier: PromptLearner) -> tuple[Findings | None, list[dict[str, Any]]]:
        """What is suspicious, also of images that cannot be read."""
        job = self.job
        job.tell(CHECKING)
        pairs = [(self.seen.path(image), one.name) for one in self.seen.classes for image in one.images]
        try:
            split = build_split(self.seen.title, {"train": pairs}, self.seen.title, self.split.rule)
            found = check(
                split,
                self.seen.root,
                self.bench.backbone,
                cache=classifier.cache,
                on_progress=lambda _what, done, total, _word: job.tell(CHECKING, done, total),
            )
        except PromptletError as error:
            return None, [unchecked(error)]
        return found, [of_check(one) for one in found.notes]

    def left_out(self) -> dict[str, str]:
        """Images that were not learned from, by id, and why."""
        reasons = self.bench.vectors.reasons
        taught = set(self.train.images)
        return {
            image: _as_told(reasons.get(image, "it was moved or removed meanwhile"), self.seen)
            for one in self.seen.classes
            for image in one.images
            if str(self.seen.path(image)) not in taught
        }


def _save(bench: Bench, seen: Seen, asked: Asked, learned: Learned, job: Job) -> None:
    """The prompt file first, whole or not at all; a project that is gone gets none."""
    job.tell(SAVING)
    try:
        project = bench.shelf.get(job.project)
    except UnknownProjectError:
        raise Stopped from None
    path = bench.shelf.prompt_path(job.project)
    with project.lock, job.saving():
        if not seen.root.is_dir():
            raise Stopped
        size = learned.classifier.save(path)
        digest = digest_of(path.read_bytes())
        try:
            _keep_answers(seen.root, digest, learned)
            project.keep_result(_whole(seen, asked, learned, job, size, digest))
        except OSError as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            raise NotNowError(
                "the new prompt is saved and answers, but what was found out about it cannot be kept "
                f"({why(cause)}); make room on the disk, then train again"
            ).keyed("result-not-kept", reason=why(cause)) from error
        finally:
            bench.saved(job.project)


def _keep_answers(folder: Path, digest: str, learned: Learned) -> None:
    said = learned.asked.answers
    if said is None:
        (folder / ANSWERS).unlink(missing_ok=True)
        return
    order = names_in_order(learned)
    write_answers(folder, answers_of(digest, order, learned.asked.material, said, dict(learned.ids)))


def _whole(seen: Seen, asked: Asked, learned: Learned, job: Job, size: int, digest: str) -> dict[str, Any]:
    return {
        "revision": seen.revision,
        "taught": seen.taught,
        "digest": digest,
        "trained_at": time.time(),
        "seconds": round(job.seconds, 1),
        "asked": {name: getattr(asked, name) for name in ("method", "rank", "shots", "schedule")},
        "bytes": size,
        **result_of(learned),
    }
