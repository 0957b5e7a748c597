"""sentence-transformers: a CLIP that is loaded as a `SentenceTransformer`, and a prompt's class vectors.

Whoever has an index of images made by ``model.encode`` can learn prompts for that very model, and classify or
search its embeddings with a learned concept, without another copy of the model and without encoding anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from promptlet.backbones import Backbone
from promptlet.backbones.libraries.transformers import wrap_transformers
from promptlet.classifier import PromptLearner
from promptlet.data.images.opening import open_image
from promptlet.errors import BackboneError, MissingExtraError, OptionError
from promptlet.preprocessing.libraries import spec_from_transformers

try:
    from sentence_transformers import SentenceTransformer
except ImportError as error:
    raise MissingExtraError(
        "promptlet.integrations.sentence_transformers needs the package sentence-transformers: pip install "
        "sentence-transformers"
    ) from error

HARMLESS = ("Normalize",)
"""Modules behind the model that change no direction."""


def backbone_of(model: SentenceTransformer, name: str = "") -> Backbone:
    """The model inside as a backbone, for `PromptClassifier(backbone=...)` and ``load``. It shares the
    weights, which are frozen.

    name: what prompt files call it, such as the folder or hub id it was loaded from. Raises BackboneError for
    what is no CLIP or SigLIP of transformers in float32, or has further layers behind it.
    """
    first, *behind = list(model)
    inner: Any = getattr(first, "model", None)
    parts: list[Any] = [
        getattr(getattr(first, "processor", None), part, None) for part in ("tokenizer", "image_processor")
    ]
    if not hasattr(inner, "vision_model") or not hasattr(inner, "text_model") or None in parts:
        raise BackboneError(
            f"this SentenceTransformer holds a {type(inner).__name__}, no CLIP or SigLIP with both towers "
            "and their processor; load one, such as SentenceTransformer('openai/clip-vit-base-patch16')"
        )
    further = [type(module).__name__ for module in behind if type(module).__name__ not in HARMLESS]
    if further:
        raise BackboneError(
            f"behind its model this SentenceTransformer has {', '.join(further)}, so its embeddings are not "
            "the model's features, and the class vectors of a prompt do not fit them; load the model alone"
        )
    kinds = {parameter.dtype for parameter in inner.parameters()}
    if kinds != {torch.float32}:
        raise BackboneError(
            f"its weights are {', '.join(sorted(map(str, kinds)))}; a backbone's are float32: "
            'SentenceTransformer(..., model_kwargs={"dtype": "float32"})'
        )
    tokenizer, pixels = parts
    name = name or getattr(inner.config, "_name_or_path", "") or "sentence-transformers"
    spec = spec_from_transformers(pixels.to_dict(), name)
    return wrap_transformers(inner, tokenizer, spec, name, model.device, torch.float32)


class EncodedClassifier:
    """Classifies what a `SentenceTransformer` encodes, with the class vectors of a prompt.

    prompt: a fitted `PromptClassifier`, a prompt file, or a folder as the hub has it, learned for the same
    model: its fingerprint is compared. Raises WrongBackboneError for another model, OptionError for a method
    that changes the image tower, whose features ``model.encode`` does not make.
    """

    def __init__(self, model: SentenceTransformer, prompt: PromptLearner | str | Path) -> None:
        self.model = model
        self.classifier = _classifier(model, prompt)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The prompt's own, in the order of probabilities."""
        return self.classifier.class_names_

    def encode(self, images: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Embeddings (N, D) by the model: of paths, Pillow images, arrays of pixels; those that are given as
        an array (N, D) are taken as they are. Raises ImageError for what cannot be read."""
        if isinstance(images, np.ndarray) and images.ndim == 2:
            return images
        opened = [open_image(image).convert("RGB") for image in images]
        embeddings = self.model.encode(opened, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(embeddings, np.float32)

    def predict(
        self,
        images: Sequence[Any] | np.ndarray,
        class_names: Iterable[str] | None = None,
        reject: bool | float = False,
    ) -> np.ndarray:
        """The likeliest class of each image, or embedding (N,); as `PromptClassifier.predict`."""
        return self.classifier.predict(self.encode(images), class_names, reject=reject)

    def predict_proba(
        self, images: Sequence[Any] | np.ndarray, class_names: Iterable[str] | None = None
    ) -> np.ndarray:
        """Probabilities (N, C); as `PromptClassifier.predict_proba`."""
        return self.classifier.predict_proba(self.encode(images), class_names)

    def class_features(self, class_names: Iterable[str] | None = None) -> np.ndarray:
        """The class vectors (C, D) of length 1: queries for an index of the model's embeddings."""
        return self.classifier.class_features(class_names)


def _classifier(model: SentenceTransformer, prompt: PromptLearner | str | Path) -> PromptLearner:
    backbone = backbone_of(model)
    if isinstance(prompt, PromptLearner):
        own = prompt.backbone_
        backbone.check_fingerprint(own.fingerprint, own.name, "the prompt")
        found = prompt
    elif Path(prompt).is_dir():
        found = PromptLearner.from_pretrained(prompt, backbone=backbone)
    else:
        found = PromptLearner.load(prompt, backbone=backbone)
    info = found.method_.info
    if info.reads != "features":
        raise OptionError(
            f"the method {info.name!r} changes the image tower, so its class vectors do not fit what the "
            "model encodes; take one that reads features, such as 'rlp'"
        )
    return found
