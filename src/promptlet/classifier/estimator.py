"""`PromptClassifier`: learns a prompt from images and labels, classifies images, also among unseen names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from promptlet.backbones import DEFAULT_BACKBONE, Backbone
from promptlet.classifier.answering import answered
from promptlet.classifier.fitting import draw_of, new_method, schedule_of, training_record, validation
from promptlet.classifier.inputs import (
    Images,
    as_list,
    as_names,
    checked_labels,
    draw_rows,
    in_words_of,
    read_folder_items,
)
from promptlet.classifier.learning import learn
from promptlet.classifier.reading import Reader
from promptlet.classifier.rejection import learn_rejection
from promptlet.classifier.saving import LearnedPrompt
from promptlet.data import FeatureCache, check_class_names
from promptlet.errors import DataError
from promptlet.methods import Method
from promptlet.pixels import PixelInputs
from promptlet.session import own_arithmetic
from promptlet.training import EpochReport, Schedule


class PromptClassifier(ClassifierMixin, LearnedPrompt):  # type: ignore[misc]
    """Learns a prompt for a frozen backbone from a few labelled images; a scikit-learn classifier.

    Parameters
    ----------
    backbone : what `load_backbone` takes, or a `Backbone` (shared, never copied).
    method : "rlp", "coop", "zero_shot", ... (`promptlet.methods.METHODS`; ``promptlet methods``).
    rank : rank of a low-rank method; None takes the method's own (1 for RLP).
    n_ctx : number of context vectors; None takes the method's own (4 for RLP and CoOp).
    ctx_init : words the context starts at (as many tokens as n_ctx), "random", or None: "a photo of a".
    shots : images per class drawn for training; None takes all that are given.
    views : readings of each image that are cached: 1 is the plain one, more add augmented ones.
    schedule : "fast" (few large steps), "coop", "official" (coop as the method's own code runs it), or a
        `Schedule`.
    epochs, lr, batch_size : change the schedule; None keeps its own value.
    seed : for the draw of shots, the start and the order. 0 is a seed.
    new_names : how class names that were not taught are answered: "learned", "zero-shot" or "blend"
        (`promptlet.methods.new_names`); None takes the method's own.
    method_options : further options of the method, such as {"dropout": 0.2}.
    device : as in `load_backbone`.
    cache : True for the user's feature cache, a folder, a `FeatureCache`, or False for none.
    checkpoint : a file that lets an interrupted fit go on; None for none.
    on_epoch : called with an `EpochReport` after each epoch.
    on_encode : called with (done, total) while images are encoded.

    Attributes
    ----------
    classes_ : the labels as given, sorted (C,).
    class_names_ : the same as they stand in the prompts: spaces for "_".
    method_ : what was learned, a `promptlet.methods.Method`.
    history_ : an `EpochReport` for each epoch.
    rejection_ : what tells "none of these", or None where the images were too few.
    short_classes_ : class names with fewer images than shots.

    Raises DataError, ImageError, OptionError, BackboneError, TrainingError, each with what to do next.

    Examples
    --------
    >>> clf = PromptClassifier(backbone=backbone, method="rlp")          # doctest: +SKIP
    >>> clf.fit(["cat1.jpg", "dog1.jpg"], ["cat", "dog"]).predict(["x.jpg"])   # doctest: +SKIP
    """

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
        views: int = 1,
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

    # -- fitting ---------------------------------------------------------------------------------------

    @own_arithmetic()
    def fit(
        self,
        images: Images,
        labels: Iterable[str] | None = None,
        val_images: Images | None = None,
        val_labels: Iterable[str] | None = None,
    ) -> PromptClassifier:
        """Learn from images (paths, PIL images, arrays, or features (N, D)) and their class names.

        ``fit("folder")`` takes a folder with one sub-folder of images per class. Validation images are looked
        at by methods that tune something on them (Tip-Adapter, linear probe), and by no others.
        """
        shots, seed, views = draw_of(self)
        if labels is None:
            images, labels = read_folder_items(images)
        inputs = as_list(images)
        names = checked_labels(inputs, labels)
        self.__dict__.pop("method_", None)  # a fit that fails leaves no mixture of old and new
        self._load_backbone()
        classes = np.unique(names)
        class_names = check_class_names(classes.tolist(), "the labels")
        targets = np.searchsorted(classes, names)
        rows, self.short_classes_ = draw_rows(targets, class_names, shots, seed)
        method, schedule = new_method(self, self.backbone_, class_names), schedule_of(self)
        read, used = self._reader(method), [inputs[i] for i in rows]
        ready = read(used, views)
        rejection = learn_rejection(read.frozen(used, ready), targets[rows], len(classes))
        method, result = learn(
            self,
            self.backbone_,
            class_names,
            ready,
            torch.from_numpy(targets[rows]),
            schedule,
            validation(method.info, read, val_images, val_labels, classes),
            method=method,
            on_epoch=self.on_epoch,
            checkpoint=self.checkpoint,
            checkpoint_stays=self.checkpoint_stays,
        )
        self._settle(method, classes)
        self.history_, self.rejection_ = result.history, rejection
        self.training_ = training_record(self, method, schedule, len(rows))
        return self

    def _reader(self, method: Method) -> Reader:
        return Reader(method.info, self.backbone_, self.cache, self.on_encode)

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
        names = self.classes_ if asked is None else np.array(asked)
        if reject is False:
            return np.asarray(names[self.predict_proba(images, asked, new_names).argmax(axis=1)])
        probabilities, accepted = self.answer(images, asked, new_names, reject)
        best = names[probabilities.argmax(axis=1)].astype(object)
        best[~accepted] = None
        return np.asarray(best)

    @own_arithmetic()
    def predict_proba(
        self, images: Images, class_names: Iterable[str] | None = None, new_names: str | None = None
    ) -> np.ndarray:
        """Probabilities (N, C) in the order of ``classes_``, or of ``class_names``: any, seen or not.

        new_names: how those that were not taught are answered, "learned", "zero-shot" or "blend"; None: as
        the prompt was made. Raises OptionError for a method that has no choice, AnswerError where no answer
        is a number, ImageError where that of one image is none.
        """
        check_is_fitted(self, "method_")
        names, sources = self._checked_names(class_names), as_list(images)
        if not sources:
            return np.zeros((0, len(names)), np.float32)
        score, inputs = self._answers.scorer(names, new_names), self._reader(self.method_).once(sources)
        watch = self.on_encode if isinstance(inputs, PixelInputs) else None
        return answered(score, inputs, sources, self.backbone_.device, watch)

    def untaught(self, class_names: Iterable[str]) -> list[str]:
        """Those of ``class_names`` that were not taught; none where nothing says so or there is no choice."""
        check_is_fitted(self, "method_")
        return self._answers.untaught(self._checked_names(class_names))

    def choose_new_names(self, new_names: str | None) -> PromptClassifier:
        """Answer names that were not taught by another rule from now on; None changes nothing.

        Raises OptionError for a method that has no choice, and where nothing says which names were taught.
        """
        check_is_fitted(self, "method_")
        if new_names is not None:
            self._answers.choose(new_names)
        return self

    def score(
        self, images: Images, labels: Iterable[str] | None = None, sample_weight: np.ndarray | None = None
    ) -> float:
        """Share of images (0 to 1) whose predicted class is their label; a folder of classes will do.

        Labels may differ from those of fit by "_", spaces and case. Unknown ones count as wrong; if all are,
        that is a DataError.
        """
        check_is_fitted(self, "method_")
        if labels is None:
            images, labels = read_folder_items(images, part="test")
        inputs = as_list(images)
        names = in_words_of(self.classes_, checked_labels(inputs, labels))
        return float(np.average(self.predict(inputs) == names, weights=sample_weight))

    @own_arithmetic()
    def class_features(self, class_names: Iterable[str] | None = None) -> np.ndarray:
        """The classifier itself: normalised class features (C, D), float32.

        Of names that were not taught as ``new_names`` says. Asked among both kinds, `predict` also weighs the
        kinds against each other.
        """
        check_is_fitted(self, "method_")
        return self._answers.class_features(self._checked_names(class_names)).cpu().numpy()

    def _checked_names(self, class_names: Iterable[str] | None) -> tuple[str, ...]:
        if class_names is not None:
            return check_class_names(as_names(class_names), "class_names")
        if not self.class_names_:
            raise DataError("this prompt was saved without class names; give class_names=[...]")
        return self.class_names_
