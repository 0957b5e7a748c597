"""A class of a prompt file as a direction, and the prompt's other classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptlet.backbones import Backbone
from promptlet.classifier import PromptLearner
from promptlet.data import clean_class_name
from promptlet.errors import DataError, OptionError, did_you_mean
from promptlet.methods.method import FEATURES, class_matrix
from promptlet.methods.text_prompt import TextPrompt


@dataclass(frozen=True, eq=False)
class Asked:
    """Of one prompt file: features of the classes that are asked for (A, D) and of its others (M, D), all of
    length 1. notes: what is to be told."""

    asked: np.ndarray
    others: np.ndarray
    notes: tuple[str, ...]


def classes_of(file: str, names: Sequence[str], backbone: Backbone) -> Asked:
    """The classes ``names`` of a prompt file, and its others.

    Raises PromptFileError, WrongBackboneError, and OptionError for a prompt whose classes are no directions
    among the features of images.
    """
    classifier = PromptLearner.load(file, backbone)
    check_searchable(classifier, file)
    taught = classifier.class_names_
    known = {clean_class_name(name).casefold(): name for name in taught}
    asked = list(dict.fromkeys(known.get(clean_class_name(name).casefold(), name) for name in names))
    new = [name for name in asked if name not in taught]
    others = [name for name in taught if name not in asked]
    try:
        features = classifier.class_features((*asked, *others))
    except DataError as error:
        raise OptionError(f"{file}: {error}") from error
    notes = tuple(
        f"{file} was not taught {name!r}; it is looked for as a new name.{did_you_mean(name, taught)}"
        for name in new
    )
    return Asked(features[: len(asked)], features[len(asked) :], notes)


def check_searchable(classifier: PromptLearner, file: str) -> None:
    """Raise OptionError for a prompt that answers by anything else than class features."""
    method = classifier.method_
    why = ""
    if method.info.reads != FEATURES:
        why = (
            "it changes how the image tower reads images, and the index holds features of the tower as it is"
        )
    elif not isinstance(method, TextPrompt) and class_matrix(method.scorer()) is None:
        why = "it answers by more than one vector a class"
    if why:
        raise OptionError(
            f"{file}: the method {method.info.name!r} cannot be searched with: {why}. Give a prompt of "
            "another method, such as rlp or coop"
        )
