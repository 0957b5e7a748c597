"""`PromptLearner`: learns a prompt from images and labels, classifies images, also among unseen names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from promptlet.backbones import DEFAULT_BACKBONE, Backbone
from promptlet.classifier.answers.answering import answered, probabilities
from promptlet.classifier.features_in import FEATURES_IN, check_columns, features_in
from promptlet.classifier.fitted import check_fitted
from promptlet.classifier.fitting import (
    checked_schedule,
    draw_of,
    new_method,
    official_notes,
    training_record,
    validation,
    views_of,
)
from promptlet.classifier.given.parts import ALL, TEST, TRAIN, Asked
from promptlet.classifier.given.take import labelled, take
from promptlet.classifier.inputs import Images, as_names, asked_names, draw_rows
from promptlet.classifier.labels import LabelNames, classes_of, in_words, read_labels
from promptlet.classifier.learning import learn
from promptlet.classifier.reading import Reader
from promptlet.classifier.rejection import learn_rejection, with_none
from promptlet.classifier.saving import LearnedPrompt
from promptlet.classifier.showing import in_words as told_in_words
from promptlet.classifier.starting import start_from
from promptlet.classifier.watching import Watch, watched
from promptlet.data import FeatureCache, check_class_names
from promptlet.methods import Method
from promptlet.methods.inputs import likeliest
from promptlet.pixels import PixelInputs
from promptlet.progress import LOGGER
from promptlet.session import own_arithmetic
from promptlet.training import EpochReport, Schedule
from promptlet.views import Views

if TYPE_CHECKING:
    from typing_extensions import Self


class PromptLearner(LearnedPrompt):
    """All that `PromptClassifier` does, with its parameters and attributes, and no scikit-learn: the command
    line needs none, and its import takes longer than an answer."""

    estimate_: Any
    """How often it will be right on other images: of `promptlet.own_images`, where that was asked."""
    checkpoint_stays = False
    """Set to True, a finished fit leaves its checkpoint, for who removes it once the prompt file stands."""

    def __init__(
        self,
        backbone: str | Path | Backbone = DEFAULT_BACKBONE,
        method: str = "rlp",
        rank: int | None = None,
        n_ctx: int | None = None,
        ctx_init: str | None = None,
        shots: int | None = None,
        views: Views | None = None,
        schedule: str | Schedule = "fast",
        epochs: int | None = None,
        lr: float | None = None,
        batch_size: int | None = None,
        seed: int = 1,
        new_names: str | None = None,
        method_options: Mapping[str, Any] | None = None,
        device: str | None = None,
        cache: bool | str | Path | FeatureCache = True,
        checkpoint: str | Path | None = None,
        on_epoch: Callable[[EpochReport], None] | None = None,
        on_encode: Callable[[int, int], None] | None = None,
        label_names: LabelNames | None = None,
        image_column: str | None = None,
        label_column: str | None = None,
        verbose: bool | None = None,
        start_from: str | Path | None = None,
        sampled_classes: int | None = None,
        dtype: str | None = None,
        capture: bool = False,
    ) -> None:
        self.backbone = backbone
        self.method = method
        self.rank = rank
        self.n_ctx = n_ctx
        self.ctx_init = ctx_init
        self.shots = shots
        self.views = views
        self.schedule = schedule
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.seed = seed
        self.new_names = new_names
        self.method_options = method_options
        self.device = device
        self.cache = cache
        self.checkpoint = checkpoint
        self.on_epoch = on_epoch
        self.on_encode = on_encode
        self.label_names = label_names
        self.image_column = image_column
        self.label_column = label_column
        self.verbose = verbose
        self.start_from = start_from
        self.sampled_classes = sampled_classes
        self.dtype = dtype
        self.capture = capture

    def parameters(self) -> dict[str, Any]:
        """What the constructor was given, by name."""
        return {name: getattr(self, name) for name in list(signature(type(self)).parameters)}

    def untrained(self, **changed: Any) -> Self:
        """Another one with the same parameters, but for those ``changed``."""
        return type(self)(**{**self.parameters(), **changed})

    # -- fitting ---------------------------------------------------------------------------------------

    @own_arithmetic()
    def fit(
        self,
        images: Images,
        labels: Iterable[Any] | None = None,
        val_images: Images | None = None,
        val_labels: Iterable[Any] | None = None,
    ) -> Self:
        """Learn from images (paths, PIL images, arrays, bytes, tensors, or features (N, D)) and their labels:
        class names, or whole numbers that ``label_names`` gives a name.

        Without labels, ``images`` brings them: a folder with one sub-folder of images per class, a table
        (.csv), a data frame, a list of (image, label), a Hugging Face or torch data set. Validation images
        are looked at by methods that tune something on them (Tip-Adapter, linear probe), and by no others.
        """
        shots, seed = draw_of(self)
        given = take(images, TRAIN, self._asked(labels is None))
        words = read_labels(given, labels, self.label_names)
        val = labelled(val_images, val_labels, given.val if labels is None else None, self._asked(True))
        self.__dict__.pop("method_", None)  # a fit that fails leaves no mixture of old and new
        self._load_backbone()
        classes, targets = classes_of(words, self.label_names)
        class_names = check_class_names(classes.words, "the labels")
        rows, self.short_classes_ = draw_rows(targets, class_names, shots, seed)
        method = new_method(self, self.backbone_, class_names)
        schedule = checked_schedule(self, self.backbone_, method)
        self.started_ = None if self.start_from is None else start_from(method, self.start_from)
        val_sources, val_words = in_words(val if method.info.uses_val else None, self.label_names)
        with watched(self.verbose, self.on_encode, self.on_epoch) as watch:
            read, used = self._reader(method, watch), [given.images[i] for i in rows]
            views = views_of(self, schedule, used)
            ready = read(used, views)
            rejection = learn_rejection(read.frozen(used, ready), targets[rows], len(class_names))
            told, targets = features_in(given), targets[rows]
            del given, used, words  # of hundreds of thousands of images, as large as a step
            method, result = learn(
                self,
                self.backbone_,
                class_names,
                ready,
                torch.from_numpy(targets),
                schedule,
                validation(method.info, read, val_sources, val_words, np.array(classes.words)),
                method=method,
                on_epoch=watch.on_epoch,
                checkpoint=self.checkpoint,
                checkpoint_stays=self.checkpoint_stays,
            )
        self._settle(method, classes)
        for name in (*FEATURES_IN, "estimate_"):  # of an earlier fit
            self.__dict__.pop(name, None)
        self.__dict__.update(told)
        self.history_, self.rejection_ = result.history, rejection
        self.training_ = training_record(self, method, schedule, len(targets), views)
        if LOGGER.isEnabledFor(logging.INFO):
            for line in (told_in_words(self), *official_notes(self)):
                LOGGER.info("%s", line)
        return self

    def _reader(self, method: Method, watch: Watch) -> Reader:
        return Reader(method.info, self.backbone_, self.cache, watch.on_encode)

    def _asked(self, needs_labels: bool) -> Asked:
        return Asked(self.image_column, self.label_column, needs_labels)

    # -- answering -------------------------------------------------------------------------------------

    def predict(
        self,
        images: Images,
        class_names: Iterable[str] | None = None,
        new_names: str | None = None,
        reject: bool | float = False,
    ) -> np.ndarray:
        """The likeliest class of each image (N,): a label of ``classes_``, or one of ``class_names``.

        new_names: as in `predict_proba`. reject: give None for an image that is none of these; True, or the
        percentage of own images that may pass, as `accepts` says.
        """
        asked = None if class_names is None else as_names(class_names)
        if reject is False:
            found, accepted = self._answered(likeliest, images, asked, new_names), None
        else:
            told, accepted = self.answer(images, asked, new_names, reject)
            found = told.argmax(axis=1)
        names = self.classes_ if asked is None else np.array(asked)
        best = np.asarray(names[found])
        return best if accepted is None else with_none(best, accepted)

    def predict_proba(
        self, images: Images, class_names: Iterable[str] | None = None, new_names: str | None = None
    ) -> np.ndarray:
        """Probabilities (N, C) in the order of ``classes_``, or of ``class_names``: any, seen or not.

        new_names: how those that were not taught are answered, "learned", "zero-shot" or "blend"; None: as
        the prompt was made. Raises OptionError for a method that has no choice, AnswerError where no answer
        is a number, ImageError where that of one image is none.
        """
        return self._answered(probabilities, images, class_names, new_names)

    @own_arithmetic()
    def _answered(
        self,
        what: Callable[[torch.Tensor], torch.Tensor],
        images: Images,
        class_names: Iterable[str] | None,
        new_names: str | None,
    ) -> np.ndarray:
        """What is made of the logits of some images at a time: of all of them (N, ...)."""
        check_fitted(self)
        names, given = self._checked_names(class_names), take(images, ALL, self._asked(False))
        if not given.images:
            return what(torch.zeros(0, len(names), dtype=torch.float32, device="cpu")).numpy()
        check_columns(given, self)
        score = self._answers.scorer(names, new_names)
        with watched(self.verbose, self.on_encode, None) as watch:
            inputs = self._reader(self.method_, watch).once(given.images)
            tell = watch.on_encode if isinstance(inputs, PixelInputs) else None
            return answered(what, score, inputs, given.images, self.backbone_.device, tell)

    def images_in(self, images: Images) -> list[Any]:
        """The images in the order in which `predict` answers them: of a folder, a table or a data set."""
        return take(images, ALL, self._asked(False)).images

    def untaught(self, class_names: Iterable[str]) -> list[str]:
        """Those of ``class_names`` that were not taught; none where nothing says so or there is no choice."""
        check_fitted(self)
        return self._answers.untaught(self._checked_names(class_names))

    def choose_new_names(self, new_names: str | None) -> Self:
        """Answer names that were not taught by another rule from now on; None changes nothing.

        Raises OptionError for a method that has no choice, and where nothing says which names were taught.
        """
        check_fitted(self)
        if new_names is not None:
            self._answers.choose(new_names)
        return self

    def score(
        self, images: Images, labels: Iterable[Any] | None = None, sample_weight: np.ndarray | None = None
    ) -> float:
        """Share of images (0 to 1) whose predicted class is their label. What brings labels to `fit` does so
        here; of data that has parts, its test images are asked, or all where there are none.

        Labels may differ from those of fit by "_", spaces and case. Unknown ones count as wrong; if all are,
        that is a DataError.
        """
        check_fitted(self)
        given = take(images, TEST, self._asked(labels is None))
        check_columns(given, self)
        rows = self._classes.rows_of(read_labels(given, labels, self.label_names), self.label_names)
        hits = (self.predict(given.images) == self.classes_[rows]) & (rows >= 0)
        return float(np.average(hits, weights=sample_weight))

    @own_arithmetic()
    def class_features(self, class_names: Iterable[str] | None = None) -> np.ndarray:
        """The classifier itself: normalised class features (C, D), float32.

        Of names that were not taught as ``new_names`` says. Asked among both kinds, `predict` also weighs the
        kinds against each other.
        """
        check_fitted(self)
        return self._answers.class_features(self._checked_names(class_names)).cpu().numpy()

    def _checked_names(self, class_names: Iterable[str] | None) -> tuple[str, ...]:
        return asked_names(class_names, self.class_names_)
