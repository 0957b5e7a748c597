"""What the class names alone would have answered: zero-shot, without anything that was learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from promptlet.classifier import PromptLearner
from promptlet.classifier.reading import Reader
from promptlet.errors import PromptletError
from promptlet.methods import METHODS, build_method
from promptlet.methods.inputs import of_logits
from promptlet.methods.many import best_of
from promptlet.methods.method import FEATURES
from promptlet.session import own_arithmetic

ZERO_SHOT = "zero_shot"


@own_arithmetic()
def zero_shot_answers(
    classifier: PromptLearner, sources: Sequence[Any], names: tuple[str, ...]
) -> np.ndarray | None:
    """Which of ``names`` each image is without the prompt (N,) int, from features that are kept.

    None of a prompt that is zero-shot itself, of a method that reads images, whose features would have to be
    made first, and where the backbone cannot answer.
    """
    if classifier.method == ZERO_SHOT or METHODS[classifier.method].info.reads != FEATURES:
        return None
    backbone = classifier.backbone_
    try:
        method = build_method(ZERO_SHOT, backbone, names)
        inputs = Reader(method.info, backbone, classifier.cache).once(sources)
        return of_logits(best_of, method.scorer(), inputs, backbone.device).cpu().numpy()
    except PromptletError:
        return None
