"""`PromptClassifier`: learns a prompt from images and labels, classifies images, also among unseen names."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

import promptlet
from promptlet.backbones import DEFAULT_BACKBONE, Backbone, load_backbone
from promptlet.classifier.files import check_compact, options_of, parameters_of, prompt_file_of, restore
from promptlet.classifier.inputs import (
    Images,
    as_list,
    as_names,
    checked_labels,
    draw_rows,
    given_features,
    in_words_of,
    read_folder_items,
)
from promptlet.data import FeatureCache, check_class_names, choose_cache
from promptlet.errors import DataError, OptionError, PromptFileError
from promptlet.features import encode_images
from promptlet.methods import METHODS, Method, build_method, register, registered
from promptlet.methods.inputs import FeatureInputs, Inputs, all_logits
from promptlet.methods.method import BY_STEPS, FEATURES
from promptlet.methods.new_names import answering_by
from promptlet.methods.text_prompt import TextPrompt
from promptlet.pixels import KEEP_BYTES, PixelInputs
from promptlet.promptfile import PromptFile, dumps, load_prompt_file, loads, save_prompt_file
from promptlet.training import EpochReport, Schedule, method_schedule, train

VECTORS = (np.ndarray, torch.Tensor, list, tuple)


class PromptClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
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
    short_classes_ : class names with fewer images than shots.

    Raises DataError, ImageError, OptionError, BackboneError, TrainingError, each with what to do next.

    Examples
    --------
    >>> clf = PromptClassifier(backbone=backbone, method="rlp")          # doctest: +SKIP
    >>> clf.fit(["cat1.jpg", "dog1.jpg"], ["cat", "dog"]).predict(["x.jpg"])   # doctest: +SKIP
    """

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
        if labels is None:
            images, labels = read_folder_items(images)
        inputs = as_list(images)
        names = checked_labels(inputs, labels)
        self.__dict__.pop("method_", None)  # a fit that fails leaves no mixture of old and new
        self._load_backbone()
        classes = np.unique(names)
        class_names = check_class_names(classes.tolist(), "the labels")
        targets = np.searchsorted(classes, names)
        rows, self.short_classes_ = draw_rows(targets, class_names, self._whole("shots"), self._whole("seed"))
        method = self._new_method(class_names)
        schedule = self._schedule()
        result = train(
            method,
            self._inputs([inputs[i] for i in rows], self._whole("views")),
            torch.from_numpy(targets[rows]),
            schedule,
            seed=self._whole("seed"),
            val=self._validation(val_images, val_labels, classes),
            on_epoch=self.on_epoch,
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint),
        )
        self._settle(method, classes)
        self.history_ = result.history
        self.training_ = self._record(schedule, len(rows))
        return self

    def _load_backbone(self) -> None:
        given = self.backbone
        self.backbone_ = given if isinstance(given, Backbone) else load_backbone(given, self.device)

    def _whole(self, name: str) -> Any:
        """A parameter as an int, or None; NumPy's integers count as such. Raises OptionError for others."""
        value = getattr(self, name)
        try:
            return None if value is None else operator.index(value)
        except TypeError:
            raise OptionError(f"{name}={value!r} is not allowed; give a whole number") from None

    def _schedule(self) -> Schedule:
        epochs, batch_size = self._whole("epochs"), self._whole("batch_size")
        info = METHODS[self.method].info
        return method_schedule(info, self.schedule, epochs=epochs, lr=self.lr, batch_size=batch_size)

    def _new_method(self, class_names: Sequence[str]) -> Method:
        """The method with its options; None leaves an option to the method."""
        own = METHODS[self.method].info.options if self.method in METHODS else {}
        shared = {
            "n_ctx": self._whole("n_ctx"),
            "ctx_init": self.ctx_init,
            "rank": self._whole("rank"),
            "new_names": self.new_names,
        }
        options = {name: value for name, value in shared.items() if value is not None}
        if "seed" in own:
            options["seed"] = self._whole("seed")
        if not isinstance(self.method_options, Mapping | None):
            raise OptionError(
                f"method_options={self.method_options!r} is not allowed; "
                "give a dict such as {'dropout': 0.2}"
            )
        further = dict(self.method_options or {})
        twice = sorted({*shared, "seed"} & set(further))
        if twice:
            raise OptionError(f"method_options holds {twice[0]!r}; give it as {twice[0]}=... itself")
        return build_method(self.method, self.backbone_, class_names, **options, **further)

    def _validation(
        self, images: Images | None, labels: Iterable[str] | None, classes: np.ndarray
    ) -> tuple[Inputs, torch.Tensor] | None:
        """Validation images for a method that looks at them, those of other classes left out."""
        if (images is None) != (labels is None):
            raise DataError("val_images and val_labels go together; give both or neither")
        if images is None or labels is None or not METHODS[self.method].info.uses_val:
            return None
        inputs = as_list(images)
        names = checked_labels(inputs, labels)
        rows = [i for i, name in enumerate(names) if name in classes]
        if not rows:
            raise DataError(f"no validation label is one of the {len(classes)} classes of the labels")
        targets = torch.from_numpy(np.searchsorted(classes, names[rows]))
        return self._inputs([inputs[i] for i in rows]), targets

    def _inputs(self, sources: Sequence[Any], views: int = 1, keep_bytes: int = KEEP_BYTES) -> Inputs:
        """Features, or pictures of which ``keep_bytes`` are kept decoded: as the method reads them."""
        if METHODS[self.method].info.reads == FEATURES:
            return FeatureInputs(torch.from_numpy(self._features(sources, views)), self.backbone_.device)
        if sources and isinstance(sources[0], VECTORS) and np.ndim(sources[0]) == 1:
            raise DataError(
                f"the method {self.method!r} changes the image tower, so it needs images, not features; "
                "give images, or a method that reads features, such as 'rlp'"
            )
        return PixelInputs(sources, self.backbone_.images.spec, views, keep_bytes)

    def _features(self, inputs: Sequence[Any], views: int = 1) -> np.ndarray:
        """Features (views, N, D); those given as vectors are taken as they are."""
        if inputs and isinstance(inputs[0], VECTORS) and np.ndim(inputs[0]) == 1:
            return given_features(inputs, self.backbone_.feature_dim)
        cache = choose_cache(self.cache)
        return encode_images(self.backbone_, inputs, views=views, cache=cache, on_progress=self.on_encode)

    def _settle(self, method: Method, classes: np.ndarray) -> None:
        self.method_ = method
        self.classes_ = classes
        self.class_names_ = method.class_names
        self._scorers: dict[tuple[str | None, ...], Callable[[torch.Tensor], torch.Tensor]] = {}

    def _record(self, schedule: Schedule, images: int) -> dict[str, Any]:
        record = {
            "images": images,
            "shots": self._whole("shots"),
            "seed": self._whole("seed"),
            "views": self._whole("views"),
            "version": promptlet.__version__,
        }
        if self.method_.info.learns == BY_STEPS:
            record |= {"schedule": schedule.name, "epochs": schedule.epochs, "lr": float(schedule.lr)}
        template = getattr(self.method_, "template", None)
        if template is not None and getattr(self.method_, "reads_template", True):
            record["template"] = template
        return {key: value for key, value in record.items() if value is not None}

    # -- answering -------------------------------------------------------------------------------------

    def predict(
        self, images: Images, class_names: Iterable[str] | None = None, new_names: str | None = None
    ) -> np.ndarray:
        """The likeliest class of each image (N,): a label of ``classes_``, or one of ``class_names``.

        new_names: as in `predict_proba`.
        """
        asked = None if class_names is None else as_names(class_names)
        probabilities = self.predict_proba(images, asked, new_names)
        names = self.classes_ if asked is None else np.array(asked)
        best: np.ndarray = names[probabilities.argmax(axis=1)]
        return best

    def predict_proba(
        self, images: Images, class_names: Iterable[str] | None = None, new_names: str | None = None
    ) -> np.ndarray:
        """Probabilities (N, C) in the order of ``classes_``, or of ``class_names``: any, seen or not.

        new_names: how those that were not taught are answered, "learned", "zero-shot" or "blend"; None: as
        the prompt was made. Raises OptionError for a method that has no choice.
        """
        check_is_fitted(self, "method_")
        names, sources = self._checked_names(class_names), as_list(images)
        if not sources:
            return np.zeros((0, len(names)), np.float32)
        score, inputs = self._scorer(names, new_names), self._inputs(sources, keep_bytes=0)
        watch = self.on_encode if isinstance(inputs, PixelInputs) else None
        return all_logits(score, inputs, self.backbone_.device, watch).softmax(-1).cpu().numpy()

    def untaught(self, class_names: Iterable[str]) -> list[str]:
        """Those of ``class_names`` that were not taught, where there is a choice how they are answered; none
        where there is not, or nothing says which were taught."""
        check_is_fitted(self, "method_")
        names, method = self._checked_names(class_names), self.method_
        if not isinstance(method, TextPrompt) or method.taught is None:
            return []
        with self._answering(names):
            return [name for name, known in zip(names, method.is_taught(), strict=True) if not known]

    def choose_new_names(self, new_names: str | None) -> PromptClassifier:
        """Answer names that were not taught by another rule from now on; None changes nothing.

        Raises OptionError for a method that has no choice, and where nothing says which names were taught.
        """
        check_is_fitted(self, "method_")
        if new_names is not None:
            with answering_by(self.method_, new_names):
                chosen = self.method_.new_names
            self.method_.new_names = chosen
            self._scorers.clear()
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

    def class_features(self, class_names: Iterable[str] | None = None) -> np.ndarray:
        """The classifier itself: normalised class features (C, D), float32.

        Of names that were not taught as ``new_names`` says. Asked among both kinds, `predict` also weighs the
        kinds against each other.
        """
        check_is_fitted(self, "method_")
        names = self._checked_names(class_names)
        with self._answering(names), torch.no_grad():
            return self.method_.class_features().cpu().numpy()

    def _checked_names(self, class_names: Iterable[str] | None) -> tuple[str, ...]:
        if class_names is not None:
            return check_class_names(as_names(class_names), "class_names")
        if not self.class_names_:
            raise DataError("this prompt was saved without class names; give class_names=[...]")
        return self.class_names_

    @contextmanager
    def _answering(self, names: tuple[str, ...], new_names: str | None = None) -> Iterator[None]:
        """The method over other names, and under another rule for new ones, for a while."""
        self.method_.set_classes(names)
        try:
            with nullcontext() if new_names is None else answering_by(self.method_, new_names):
                yield
        finally:
            self.method_.set_classes(self.class_names_)

    def _scorer(
        self, names: tuple[str, ...], new_names: str | None
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        key = (*names, new_names)
        if key not in self._scorers:
            if len(self._scorers) >= 8:
                self._scorers.clear()
            with self._answering(names, new_names):
                self._scorers[key] = self.method_.scorer()
        return self._scorers[key]

    def __getstate__(self) -> dict[str, Any]:
        """Without what answers quickly, which is made again when it is needed; with a method that is not one
        of Promptlet's own, so that workers know it."""
        state: dict[str, Any] = super().__getstate__()
        own = {method for method in registered() if method.info.name == self.method}
        return {
            **state,
            **({"_scorers": {}} if "_scorers" in state else {}),
            **({"_own": own} if own else {}),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        for method in state.pop("_own", ()):
            register(method)
        super().__setstate__(state)

    # -- saving ----------------------------------------------------------------------------------------

    def save(self, path: str | Path, precision: str | None = None, compact: bool = False) -> int:
        """Write the prompt file (docs/reference/prompt-file.md) and return its size in bytes.

        precision: fp32, fp16, int8, int4, or kmeans4, kmeans2, kmeans1 (a codebook of 16, 4, 2 numbers); None
        takes the method's own, fp32 for all but qcoop.
        compact: leave out class names, the backbone's name and how it was trained; names and backbone are
        then given when predicting. Raises OptionError where what was learned belongs to the class names.
        """
        check_is_fitted(self, "method_")
        if compact:
            check_compact(self.method)
        precision = precision or self.method_.stored_precision()
        return save_prompt_file(path, self.prompt_file(), precision, compact)

    def round_to(self, precision: str | None) -> PromptClassifier:
        """Round what was learned as a file of ``precision`` would, and answer with that from now on."""
        check_is_fitted(self, "method_")
        precision = precision or self.method_.stored_precision()
        self.method_.load_state(loads(dumps(self.prompt_file(), precision)).tensors)
        self._settle(self.method_, self.classes_)
        return self

    def prompt_file(self) -> PromptFile:
        """What `save` writes."""
        check_is_fitted(self, "method_")
        names = tuple(str(name) for name in self.classes_)
        return prompt_file_of(self.method_, names, self.training_)

    @classmethod
    def load(
        cls, path: str | Path, backbone: str | Path | Backbone | None = None, device: str | None = None
    ) -> PromptClassifier:
        """Read a prompt file. backbone None loads the one the file names.

        Raises PromptFileError for a damaged file, WrongBackboneError for another backbone.
        """
        file = load_prompt_file(path)
        if file.method not in METHODS:
            raise PromptFileError(
                f"{path} was made by the method {file.method!r}, which this version of Promptlet does not "
                f"have; it has: {', '.join(METHODS)}. Upgrade Promptlet; a method of your own is "
                "registered first: promptlet --import FILE ..., or an import."
            )
        if backbone is None and not file.backbone:
            raise PromptFileError(
                f"{path} does not name its backbone; give it: load(path, backbone=...) "
                f"(fingerprint {file.fingerprint})"
            )
        classifier = cls(
            backbone=file.backbone if backbone is None else backbone, device=device, **parameters_of(file)
        )
        classifier._load_backbone()
        classifier.backbone_.check_fingerprint(file.fingerprint, file.backbone, str(path))
        try:
            classifier._restore(file)
        except (OptionError, DataError) as error:
            raise PromptFileError(f"cannot use {path}: {error}") from error
        return classifier

    def _restore(self, file: PromptFile) -> None:
        names = check_class_names(file.class_names, "its class names") if file.class_names else ()
        method = build_method(file.method, self.backbone_, names, **options_of(file))
        restore(method, file, names or None)
        self.training_ = dict(file.training)
        self.history_ = ()
        self.short_classes_ = ()
        self._settle(method, np.array(file.class_names))

    def history_records(self) -> list[dict[str, float]]:
        """The history as plain records, for JSON."""
        return [asdict(report) for report in self.history_]
