"""`PromptClassifier`: images and labels in, a prompt learned, images classified, also among names never trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

import promptlet
from promptlet.backbones import DEFAULT_BACKBONE, Backbone, load_backbone
from promptlet.data import FeatureCache, check_class_names, read_folder
from promptlet.data.items import Item, Split
from promptlet.data.sampling import sample_shots, short_classes
from promptlet.errors import DataError, PromptFileError
from promptlet.features import encode_images
from promptlet.methods import METHODS, Method, build_method
from promptlet.promptfile import PromptFile, load_prompt_file, save_prompt_file
from promptlet.training import EpochReport, Schedule, resolve_schedule, train

Images = Any  # a folder, a path, a PIL image, an array, a sequence of these, or features (N, D)


class PromptClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Learns a prompt for a frozen backbone from a few labelled images; a scikit-learn classifier.

    Parameters
    ----------
    backbone : what `load_backbone` takes, or a `Backbone` (shared, never copied).
    method : "rlp", "coop" or "zero_shot" (`promptlet.methods.METHODS`).
    rank : rank of a low-rank method; None takes the method's own (1 for RLP).
    n_ctx : number of context vectors.
    ctx_init : words the context starts at (as many tokens as n_ctx), "random", or None: "a photo of a".
    shots : images per class drawn for training; None takes all that are given.
    views : readings of each image that are cached: 1 is the plain one, more add augmented ones.
    schedule : "fast" (few large steps), "coop" (the official one), or a `Schedule`.
    epochs, lr, batch_size : change the schedule; None keeps its own value.
    seed : for the draw of shots, the start and the order. 0 is a seed.
    method_options : further options of the method, such as {"dropout": 0.2}.
    device : as in `load_backbone`.
    cache : True for the user's feature cache, a `FeatureCache`, or False for none.
    checkpoint : a file that lets an interrupted fit go on; None for none.
    on_epoch : called with an `EpochReport` after each epoch.
    on_encode : called with (done, total) while images are encoded.

    Attributes after fit
    --------------------
    classes_ : the labels as given, sorted (C,). class_names_ : as they stand in the prompts.
    method_, history_ (an `EpochReport` each epoch), short_classes_ (classes with fewer images than shots).

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
        n_ctx: int = 4,
        ctx_init: str | None = None,
        shots: int | None = None,
        views: int = 1,
        schedule: str | Schedule = "fast",
        epochs: int | None = None,
        lr: float | None = None,
        batch_size: int | None = None,
        seed: int = 1,
        method_options: Mapping[str, Any] | None = None,
        device: str | None = None,
        cache: bool | FeatureCache = True,
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
        self.method_options = method_options
        self.device = device
        self.cache = cache
        self.checkpoint = checkpoint
        self.on_epoch = on_epoch
        self.on_encode = on_encode

    # -- fitting ---------------------------------------------------------------------------------------

    def fit(self, images: Images, labels: Sequence[str] | None = None) -> PromptClassifier:
        """Learn from images (paths, PIL images, arrays, or features (N, D)) and their class names.

        ``fit("folder")`` takes a folder with one sub-folder of images per class.
        """
        if labels is None:
            images, labels = _read_folder_items(images)
        inputs = _as_list(images)
        names = _checked_labels(inputs, labels)
        self._load_backbone()
        classes = np.unique(names)
        class_names = check_class_names(classes.tolist(), "the labels")
        rows, self.short_classes_ = self._draw(names, classes, class_names)
        method = self._new_method(class_names)
        schedule = self._schedule()
        features = self._features([inputs[i] for i in rows], self.views)
        targets = torch.from_numpy(np.searchsorted(classes, names[rows]))
        result = train(
            method,
            torch.from_numpy(features),
            targets,
            schedule,
            seed=self.seed,
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

    def _schedule(self) -> Schedule:
        lr = self.lr
        if lr is None and isinstance(self.schedule, str):
            lr = METHODS[self.method].info.learning_rates.get(self.schedule)
        return resolve_schedule(self.schedule, epochs=self.epochs, lr=lr, batch_size=self.batch_size)

    def _new_method(self, class_names: Sequence[str]) -> Method:
        """The method with its options; those that it does not have are left out while they are defaults."""
        own = METHODS[self.method].info.options if self.method in METHODS else {}
        options: dict[str, Any] = dict(self.method_options or {})
        shared = {"n_ctx": self.n_ctx, "ctx_init": self.ctx_init, "seed": self.seed}
        options.update({name: value for name, value in shared.items() if name in own})
        if self.rank is not None:
            options["rank"] = self.rank
        return build_method(self.method, self.backbone_, class_names, **options)

    def _draw(
        self, names: np.ndarray, classes: np.ndarray, class_names: tuple[str, ...]
    ) -> tuple[list[int], tuple[str, ...]]:
        """Rows drawn for training, and the classes that have fewer images than shots."""
        if self.shots is None:
            return list(range(len(names))), ()
        labels = np.searchsorted(classes, names)
        items = tuple(
            Item(Path(f"{row:09d}"), int(label), class_names[label], row) for row, label in enumerate(labels)
        )
        split = Split("images", class_names, items, (), ())
        drawn = sample_shots(split, self.shots, self.seed)
        return [item.row for item in drawn.train if item.row is not None], short_classes(split, self.shots)

    def _features(self, inputs: Sequence[Any], views: int = 1) -> np.ndarray:
        """Features (views, N, D); those given as vectors are taken as they are."""
        if inputs and isinstance(inputs[0], np.ndarray) and inputs[0].ndim == 1:
            return self._given_features(inputs)
        cache = FeatureCache() if self.cache is True else (self.cache or None)
        return encode_images(self.backbone_, inputs, views=views, cache=cache, on_progress=self.on_encode)

    def _given_features(self, vectors: Sequence[np.ndarray]) -> np.ndarray:
        stacked = np.stack(vectors).astype(np.float32)
        if stacked.shape[1] != self.backbone_.feature_dim:
            raise DataError(
                f"features of {stacked.shape[1]} numbers do not fit this backbone, which has "
                f"{self.backbone_.feature_dim}; encode the images with the same backbone"
            )
        return stacked[None]

    def _settle(self, method: Method, classes: np.ndarray) -> None:
        self.method_ = method
        self.classes_ = classes
        self.class_names_ = method.class_names
        self._class_features: dict[tuple[str, ...], torch.Tensor] = {}

    def _record(self, schedule: Schedule, images: int) -> dict[str, Any]:
        record = {
            "images": images,
            "shots": self.shots,
            "seed": self.seed,
            "views": self.views,
            "schedule": schedule.name,
            "epochs": schedule.epochs,
            "lr": schedule.lr,
            "version": promptlet.__version__,
        }
        template = getattr(self.method_, "template", None)
        if template is not None:
            record["template"] = template
        return {key: value for key, value in record.items() if value is not None}

    # -- answering -------------------------------------------------------------------------------------

    def predict(self, images: Images, class_names: Sequence[str] | None = None) -> np.ndarray:
        """The most likely class name of each image (N,): a label of ``classes_``, or one of ``class_names``."""
        probabilities = self.predict_proba(images, class_names)
        names = self.classes_ if class_names is None else np.array(list(class_names))
        best: np.ndarray = names[probabilities.argmax(axis=1)]
        return best

    def predict_proba(self, images: Images, class_names: Sequence[str] | None = None) -> np.ndarray:
        """Probabilities (N, C), in the order of ``classes_``, or of ``class_names``: any names, seen or not."""
        check_is_fitted(self, "method_")
        class_features = self._encoded_classes(class_names)
        features = torch.from_numpy(self._features(_as_list(images))[0]).to(class_features.device)
        with torch.no_grad():
            logits = self.backbone_.logits(F.normalize(features, dim=-1), class_features)
        return logits.softmax(-1).cpu().numpy()

    def score(
        self, images: Images, labels: Sequence[str] | None = None, sample_weight: np.ndarray | None = None
    ) -> float:
        """Share of images (0 to 1) whose predicted class is their label; a folder of classes will do."""
        if labels is None:
            images, labels = _read_folder_items(images, part="test")
        names = _checked_labels(_as_list(images), labels)
        return float(np.average(self.predict(images) == names, weights=sample_weight))

    def class_features(self, class_names: Sequence[str] | None = None) -> np.ndarray:
        """The classifier itself: normalised class features (C, D), float32."""
        check_is_fitted(self, "method_")
        return self._encoded_classes(class_names).cpu().numpy()

    def _encoded_classes(self, class_names: Sequence[str] | None) -> torch.Tensor:
        names = self.class_names_ if class_names is None else _checked_answers(class_names)
        if names not in self._class_features:
            if len(self._class_features) >= 8:
                self._class_features.clear()
            self.method_.set_classes(names)
            with torch.no_grad():
                self._class_features[names] = self.method_.class_features()
        return self._class_features[names]

    # -- saving ----------------------------------------------------------------------------------------

    def save(self, path: str | Path, precision: str = "fp32") -> int:
        """Write the prompt file (docs/prompt-file.md); returns its size in bytes. precision: fp32, fp16, int8, int4."""
        check_is_fitted(self, "method_")
        return save_prompt_file(path, self.prompt_file(), precision)

    def prompt_file(self) -> PromptFile:
        """What `save` writes."""
        check_is_fitted(self, "method_")
        method = self.method_
        return PromptFile(
            method=method.info.name,
            n_ctx=getattr(method, "n_ctx", self.n_ctx),
            dim=self.backbone_.text.dim,
            rank=getattr(method, "rank", None),
            init=getattr(method, "init", "words:a photo of a"),
            backbone=self.backbone_.name,
            fingerprint=self.backbone_.fingerprint,
            class_names=tuple(str(name) for name in self.classes_),
            training=self.training_,
            tensors=method.state(),
        )

    @classmethod
    def load(
        cls, path: str | Path, backbone: str | Path | Backbone | None = None, device: str | None = None
    ) -> PromptClassifier:
        """Read a prompt file. backbone None loads the one the file names.

        Raises PromptFileError for a damaged file, WrongBackboneError for another backbone.
        """
        file = load_prompt_file(path)
        classifier = cls(
            backbone=file.backbone if backbone is None else backbone,
            method=file.method,
            rank=file.rank,
            n_ctx=file.n_ctx,
            device=device,
            **{key: file.training[key] for key in ("shots", "seed", "views") if key in file.training},
        )
        classifier._load_backbone()
        classifier.backbone_.check_fingerprint(file.fingerprint, file.backbone, str(path))
        classifier._restore(file)
        return classifier

    def _restore(self, file: PromptFile) -> None:
        if file.method not in METHODS:
            raise PromptFileError(
                f"this file was made by the method {file.method!r}, which this version of Promptlet does not have; "
                f"it has: {', '.join(METHODS)}. Upgrade Promptlet."
            )
        own = METHODS[file.method].info.options
        known = {"rank": file.rank, "n_ctx": file.n_ctx, "ctx_init": file.init}
        known |= {"template": file.training.get("template")}
        if "per_class" in own and "P" in file.tensors and file.tensors["P"].ndim == 3:
            known["per_class"] = True
        options = {name: value for name, value in known.items() if name in own and value is not None}
        names = check_class_names(file.class_names, "the file's class names")
        method = build_method(file.method, self.backbone_, names, **options)
        method.load_state(file.tensors)
        method.eval()
        self.training_ = dict(file.training)
        self.history_ = ()
        self.short_classes_ = ()
        self._settle(method, np.array(file.class_names))

    def history_records(self) -> list[dict[str, float]]:
        """The history as plain records, for JSON."""
        return [asdict(report) for report in self.history_]


def _as_list(images: Images) -> list[Any]:
    """A list of sources; a single path or picture becomes a list of one."""
    if isinstance(images, (str, Path, Image.Image)):
        return [images]
    if isinstance(images, np.ndarray) and images.dtype != object and images.ndim == 3:
        return [images]
    return list(images)


def _read_folder_items(folder: Any, part: str = "train") -> tuple[list[Path], list[str]]:
    """Paths and class names of a folder per class; ``part`` of it where it has parts."""
    if not isinstance(folder, (str, Path)):
        raise DataError("labels are missing: give one class name per image, or a folder with one folder per class")
    split = read_folder(folder)
    items = (split.test or split.train) if part == "test" else split.train
    return [item.path for item in items], [item.class_name for item in items]


def _checked_labels(inputs: Sequence[Any], labels: Sequence[str]) -> np.ndarray:
    """Labels as an array of text (N,). Raises DataError for another length, or labels that are not names."""
    if isinstance(labels, str):
        raise DataError(f"labels is the text {labels!r}; give one class name per image")
    given = list(labels)
    if len(given) != len(inputs):
        raise DataError(f"{len(inputs)} images but {len(given)} labels; give one label per image")
    if not given:
        raise DataError("no images given; give at least one image of each of two classes")
    wrong = next((label for label in given if not isinstance(label, str)), None)
    if wrong is not None:
        raise DataError(
            f"label {wrong!r} is a {type(wrong).__name__}; labels are class names in words (the backbone reads "
            "them), such as 'dog'. Map numbers to names first."
        )
    return np.array(given)


def _checked_answers(class_names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(class_names, str):
        raise DataError(f"class_names is the text {class_names!r}; give a list of names")
    return check_class_names(class_names, "class_names")
