"""A backbone without towers: ``features:FILE``, whose texts have ready vectors (`file`).

A name's vector stands for that class in any hand-written template; where the template with the name is one of
the file's sentences, that sentence's vector is used. Images come as features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import Any, NoReturn, final

import torch
from torch import Tensor

from promptlet.backbones.backbone import Backbone
from promptlet.backbones.readings import NameRead
from promptlet.backbones.vectors.file import TextFeatures, read_text_features
from promptlet.data import clean_class_name
from promptlet.errors import BackboneError, DataError, OptionError, did_you_mean

PREFIX = "features:"
CLIP_SCALE = 100.0
SHOWN = 20
ADD = "Add what is missing with promptlet.backbones.write_text_features"


def load_features(source: str, device: torch.device, dtype: torch.dtype) -> FeatureBackbone:
    """The backbone of ``features:FILE``. Raises BackboneError, and OptionError for a dtype."""
    path = source.removeprefix(PREFIX)
    if not path.strip():
        raise BackboneError(f"backbone {source!r} names no file; give features:FILE.npz")
    if dtype != torch.float32:
        raise OptionError(
            f"dtype={str(dtype).removeprefix('torch.')!r}: {source!r} has no weights to convert; leave it out"
        )
    return FeatureBackbone(source, read_text_features(path), device)


@final
class FeatureBackbone(Backbone):
    """Attributes beside `Backbone`'s: ``content``, what the file holds."""

    has_towers = False
    part_names = (
        "vectors or logit scale",
        "class names or sentences",
        "number of features or image backbone",
    )

    def __init__(self, name: str, content: TextFeatures, device: torch.device) -> None:
        scale = CLIP_SCALE if content.logit_scale is None else content.logit_scale
        super().__init__(name, "features", scale)
        self.content = content
        self._device = device
        self._of_names, self._of_sentences = (
            torch.from_numpy(vectors.copy()).to(device)
            for vectors in (content.name_vectors, content.sentence_vectors)
        )
        self._names = {text: row for row, text in enumerate(content.names)}
        self._sentences = {text: row for row, text in enumerate(content.sentences)}
        self._folded: dict[str, list[str]] = {}
        for text in content.names:
            self._folded.setdefault(text.casefold(), []).append(text)

    @property
    def device(self) -> torch.device:
        return self._device

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    @property
    def feature_dim(self) -> int:
        return self.content.dim

    @property
    def text(self) -> NoReturn:
        raise BackboneError(
            f"{self.name!r} has no text tower, only ready vectors of texts: no context can be learned with "
            "it, and encode_templates gives the vectors of class names. Use a method that works on features, "
            "such as clip_adapter or tip_adapter, or a backbone with towers"
        )

    @property
    def images(self) -> NoReturn:
        raise BackboneError(
            f"{self.name!r} has no image tower, so it cannot encode images; give their features: an array "
            f"(N, {self.feature_dim}) in Python, a feature file (promptlet.data.write_feature_file) to fit "
            "and bench, or a backbone with towers"
        )

    @property
    def model(self) -> NoReturn:
        raise BackboneError(f"{self.name!r} has no model, only ready vectors of texts")

    @property
    def image_fingerprint(self) -> str:
        return self.fingerprint.split("-")[2]

    @cached_property
    def fingerprint(self) -> str:
        return "-".join(self.content.digests(self.logit_scale))

    @property
    def facts(self) -> Mapping[str, Any]:
        content = self.content
        return {
            "class_names": len(content.names),
            "sentences": len(content.sentences),
            "logit_scale_of": "CLIP: the file has none" if content.logit_scale is None else "the file",
            "template": content.template or "not told",
            "image_backbone": content.image_backbone or "not told",
        }

    def names_read(self, class_names: Sequence[str]) -> Iterable[NameRead]:
        """Names with the same vector; of names that have none, `encode_templates` says so."""
        for name in class_names:
            alike = self._alike(name)
            row = self._names[alike[0]] if len(alike) == 1 else None
            key = None if row is None else self.content.name_vectors[row].tobytes()
            yield NameRead(name, key, "the same vector")

    def notes(self, templates: Sequence[str], class_names: Sequence[str]) -> tuple[str, ...]:
        notes = []
        if self.content.logit_scale is None:
            notes.append(f"{self.name} has no logit_scale: {self.logit_scale:g} is taken, CLIP's")
        texts = [template.replace("{}", name) for template in templates for name in class_names]
        lacking = sum(text not in self._sentences for text in texts)
        if len(templates) > 1 and lacking:
            which = "none" if lacking == len(texts) else "some"
            notes.append(
                f"{len(templates)} templates are asked for, and {self.name} has {which} of their sentences; "
                "where one is lacking, the vector of the class name stands, whatever the template"
            )
        return tuple(notes)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Vectors (N, D) of whole sentences of the file. Raises BackboneError naming all that it lacks."""
        if isinstance(texts, str) or not texts:
            raise DataError(f"texts={texts!r}; give a list of at least one sentence")
        missing = [text for text in texts if text not in self._sentences]
        if missing:
            raise BackboneError(
                f"{self.name!r} has no vector of {_counted(missing, 'sentence')}; it has "
                f"{len(self._sentences)} sentences, and {len(self._names)} class names, which stand in any "
                f"template (encode_templates). {ADD}"
            )
        return self._of_sentences[[self._sentences[text] for text in texts]]

    def encode_templates(self, templates: Sequence[str], class_names: Sequence[str]) -> Tensor:
        """Vectors (T, C, D): of the sentence where the file has it, else of the name.

        Names are compared as cleaned class names, and without regard to case where that leaves one of the
        file's. Raises BackboneError naming all that it lacks.
        """
        if isinstance(class_names, str) or not class_names:
            raise DataError(f"class_names={class_names!r}; give a list of at least one name")
        names = {name: self._alike(name) for name in class_names}
        found: list[Tensor] = []
        missing: dict[str, None] = {}
        for template, name in product(templates, class_names):
            sentence = self._sentences.get(template.replace("{}", name))
            if sentence is not None:
                found.append(self._of_sentences[sentence])
            elif len(names[name]) == 1:
                found.append(self._of_names[self._names[names[name][0]]])
            else:
                missing[name] = None
        if missing:
            raise BackboneError(self._lacks(list(missing), templates))
        return torch.stack(found).view(len(templates), len(class_names), -1)

    def _alike(self, name: str) -> list[str]:
        """The file's name, or those that differ by case alone where it has not that one."""
        name = clean_class_name(name)
        return [name] if name in self._names else self._folded.get(name.casefold(), [])

    def _lacks(self, missing: Sequence[str], templates: Sequence[str]) -> str:
        unclear = "".join(
            f" {name!r} may be {' or '.join(map(repr, self._alike(name)))}: give one of these."
            for name in missing[:SHOWN]
            if self._alike(name)
        )
        more = f" (or another of {len(templates)} templates)" if len(templates) > 1 else ""
        return (
            f"{self.name!r} has no vector of {_counted(missing, 'class name')}, and not every sentence that "
            f"is {templates[0]!r}{more} with such a name.{unclear} It has {len(self._names)} class names and "
            f"{len(self._sentences)} sentences.{did_you_mean(missing[0], self._names)} {ADD}"
        )


def _counted(missing: Sequence[str], what: str) -> str:
    """``3 class names: 'a', 'b', 'c'``, the first twenty of them."""
    different = list(dict.fromkeys(missing))
    more = f" and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
    plural = "s" if len(different) > 1 else ""
    return f"{len(different)} {what}{plural}: {', '.join(map(repr, different[:SHOWN]))}{more}"
