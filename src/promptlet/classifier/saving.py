"""The part of `PromptLearner` that keeps what was learned, writes it to prompt files and reads it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlet.backbones import Backbone, load_backbone
from promptlet.classifier.answers.answering import Answers
from promptlet.classifier.files import (
    check_compact,
    method_of,
    parameters_of,
    prompt_file_of,
    rejection_of,
    round_method,
    usable_file,
)
from promptlet.classifier.fitted import check_fitted
from promptlet.classifier.labels import Classes, LabelNames, classes_named
from promptlet.classifier.none_of_these import TellsNone
from promptlet.classifier.starting import Started
from promptlet.errors import DataError, OptionError, PromptFileError
from promptlet.hub import HubPlace, Pushed, check_push, contents_of, fetch, prompt_in, push, write_folder
from promptlet.methods import Method
from promptlet.progress import LOGGER
from promptlet.promptfile import PromptFile, save_prompt_file
from promptlet.promptfile.accuracy import record_of
from promptlet.session import own_arithmetic
from promptlet.training import EpochReport

if TYPE_CHECKING:
    from typing_extensions import Self


class LearnedPrompt(TellsNone):
    """What a fit leaves; the parameters are those of `PromptLearner`, which builds on this."""

    backbone: str | Path | Backbone
    method: str
    device: str | None
    dtype: str | None
    backbone_: Backbone
    method_: Method
    classes_: np.ndarray
    class_names_: tuple[str, ...]
    short_classes_: tuple[str, ...]
    history_: tuple[EpochReport, ...]
    training_: dict[str, Any]
    started_: Started | None = None
    _answers: Answers
    _words: tuple[str, ...]

    if TYPE_CHECKING:  # of `PromptLearner`

        def __init__(self, **parameters: Any) -> None: ...

    def _load_backbone(self) -> None:
        given = self.backbone
        self.backbone_ = (
            given if isinstance(given, Backbone) else load_backbone(given, self.device, self.dtype)
        )

    def _settle(self, method: Method, classes: Classes) -> None:
        self.method_ = method
        self.classes_, self._words = classes.values, classes.words
        self.class_names_ = method.class_names
        self._answers = Answers(method)

    @property
    def _classes(self) -> Classes:
        return Classes(self.classes_, getattr(self, "_words", None) or tuple(map(str, self.classes_)))

    def save(
        self,
        path: str | Path,
        precision: str | None = None,
        compact: bool = False,
        rejection: bool = True,
    ) -> int:
        """Write the prompt file (docs/reference/prompt-file.md) and return its size in bytes.

        precision: fp32, fp16, int8, int4, or kmeans4, kmeans2, kmeans1 (a codebook of 16, 4, 2 numbers); None
        takes the method's own, fp32 for all but qcoop.
        compact: leave out class names, the backbone's name and how it was trained; names and backbone are
        then given when predicting. Raises OptionError where what was learned belongs to the class names.
        rejection: whether what tells "none of these" is kept, a bit for each feature and class and two bytes
        for each feature; a compact file never holds it.
        """
        check_fitted(self)
        if compact:
            check_compact(self.method)
        own = self.method_.stored_precision()
        file = self.prompt_file() if rejection else replace(self.prompt_file(), rejection=None)
        return save_prompt_file(path, file, precision or own, compact)

    @own_arithmetic()
    def round_to(self, precision: str | None) -> Self:
        """Round what was learned as a file of ``precision`` would, and answer with that from now on."""
        check_fitted(self)
        round_method(self.method_, precision)
        self._settle(self.method_, self._classes)
        return self

    @own_arithmetic()
    def prompt_file(self) -> PromptFile:
        """What `save` writes."""
        check_fitted(self)
        file = prompt_file_of(self.method_, self._classes.words, self.training_)
        return file if self.rejection_ is None else replace(file, rejection=self.rejection_)

    @classmethod
    @own_arithmetic()
    def load(
        cls,
        path: str | Path,
        backbone: str | Path | Backbone | None = None,
        device: str | None = None,
        label_names: LabelNames | None = None,
        dtype: str | None = None,
    ) -> Self:
        """Read a prompt file. backbone None loads the one the file names: a hub id, a model and tag of
        open_clip, or ``mini``; a place on a disk is given here. device, dtype: as in `load_backbone`. Raises
        PromptFileError for a damaged file, WrongBackboneError for another backbone, BackboneError where the
        file names a place.

        The file holds names, which the labels then are; label_names makes them whole numbers again. Raises
        DataError where it lacks one.
        """
        file = usable_file(path, names_backbone=backbone is None)
        given = file.backbone if backbone is None else backbone
        classes = classes_named(file.class_names, label_names)
        classifier = cls(
            backbone=given, device=device, dtype=dtype, label_names=label_names, **parameters_of(file)
        )
        classifier._load_backbone()
        former = not file.is_protected
        classifier.backbone_.check_fingerprint(file.fingerprint, file.backbone, str(path), former)
        try:
            classifier._restore(file, classes)
        except (OptionError, DataError) as error:
            raise PromptFileError(f"cannot use {path}: {error}") from error
        return classifier

    # -- folders and the hub ---------------------------------------------------------------------------

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        license: str | None = None,
        estimate: Any = None,
        precision: str | None = None,
        new_card: bool = False,
    ) -> None:
        """Write the prompt file, a card (README.md) and config.json into a folder, as the hub has them.

        license: its short name on the hub, such as "apache-2.0". estimate: of `promptlet.estimate`, for the
        card and the file; what `promptlet fit` found is there by itself. A card that somebody edited stays,
        unless ``new_card``.
        """
        title = Path(folder).resolve().name or "prompt"
        if write_folder(folder, self._contents(None, title, license, estimate, precision), new_card):
            LOGGER.warning("%s/README.md was edited and stays as it is; new_card=True writes it anew", folder)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        backbone: str | Path | Backbone | None = None,
        device: str | None = None,
        label_names: LabelNames | None = None,
        dtype: str | None = None,
    ) -> Self:
        """Read what `save_pretrained` or `push_to_hub` wrote: a folder, or an id of the hub, "user/pets".

        revision: a branch, a tag or a commit; a commit never changes, and needs no network once it is cached.
        token: of the hub; None takes the one of this machine. The others are as in `load`. Raises HubError
        where the hub refuses, or cannot be reached and its cache has nothing.
        """
        if Path(name).is_dir():
            if revision is not None:
                raise OptionError(
                    f"{name} is a folder here, which has no revision={revision!r}; leave it out"
                )
            path = prompt_in(name)
        else:
            found = fetch(HubPlace(str(name), revision), token)
            path = found.path
            if found.note:
                LOGGER.warning("%s", found.note)
        return cls.load(path, backbone, device, label_names, dtype)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        license: str | None = None,
        estimate: Any = None,
        precision: str | None = None,
        message: str | None = None,
        new_card: bool = False,
    ) -> Pushed:
        """Put the prompt on the hub, at "user/pets": one commit of the files that `save_pretrained` writes.

        private: of a new repository; None leaves it to your account's setting. license: None keeps the one of
        the card that is there. message: of the commit. The others are as in `save_pretrained`. Raises
        OptionError and HubError before anything is sent where the id, the licence, the token or what is there
        already do not allow it.
        """
        license = check_push(repo_id, token, license)
        contents = self._contents(repo_id, repo_id.split("/")[1], license, estimate, precision)
        return push(repo_id, contents, token=token, private=private, message=message, new_card=new_card)

    def _contents(
        self, hub_id: str | None, title: str, license: str | None, estimate: Any, precision: str | None
    ) -> dict[str, bytes]:
        file = self.prompt_file()
        file = replace(file, training={**file.training, **record_of(estimate)})
        stored = precision or self.method_.stored_precision()
        return contents_of(file, stored, hub_id=hub_id, title=title, license=license)

    def _restore(self, file: PromptFile, classes: Classes) -> None:
        method = method_of(file, self.backbone_)
        self.rejection_ = rejection_of(file, self.backbone_)
        self.training_ = dict(file.training)
        self.history_ = self.short_classes_ = ()
        self._settle(method, classes)

    def history_records(self) -> list[dict[str, float]]:
        """The history as plain records, for JSON."""
        return [asdict(report) for report in self.history_]
