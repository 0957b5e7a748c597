"""What methods share that learn inside copies of CLIP's towers and read hand-written prompts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.backbones.arithmetic.unit import unit
from promptlet.backbones.libraries.changed.towers import (
    Change,
    ChangedTower,
    changed_image_tower,
    changed_text_tower,
)
from promptlet.errors import DataError, OptionError
from promptlet.methods.method import Method
from promptlet.methods.templates import hand_written

TOWERS = ("both", "text", "image")
SHOWN_TENSORS = 3


class ChangedTowers(Method):
    """A method that learns in one tower or in both. ``template`` and ``towers`` are there before classes are
    set; ``_text`` and ``_image`` are made after that, None where a tower stays as it is."""

    template: str
    towers: str
    asks_host = "its towers run by the library's own forward pass, which no card has recorded yet"
    _text: ChangedTower | None
    _image: ChangedTower | None

    @property
    @abstractmethod
    def inside(self) -> nn.ParameterDict:
        """What is learned inside the towers, as `by_place` gave it."""

    def extra_repr(self) -> str:
        return f"towers={self.towers!r}, template={self.template!r}"

    def set_classes(self, class_names: Sequence[str]) -> None:
        super().set_classes(class_names)
        self._ids: Tensor | None = None
        self._frozen: Tensor | None = None

    def class_features(self) -> Tensor:
        if self._text is None:
            return self._frozen_features()
        return unit(self._text.encode(self._token_ids()))

    def image_features(self, inputs: Tensor) -> Tensor:
        encode = self.backbone.images.encode if self._image is None else self._image.encode
        return unit(encode(inputs))

    @abstractmethod
    def merged_image_tower(self) -> nn.Module | None:
        """The image tower with what was learned taken into the weights, pixels to features that are not
        normalised; None where it is the backbone's own."""

    def state(self) -> dict[str, np.ndarray]:
        return {name: one.detach().cpu().numpy().copy() for name, one in self._by_name().items()}

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        own = self._by_name()
        check_shapes(tensors, {name: tuple(one.shape) for name, one in own.items()})
        with torch.no_grad():
            for name, one in own.items():
                one.copy_(torch.from_numpy(np.asarray(tensors[name], dtype=np.float32)))

    def stored_options(self) -> dict[str, str | int | float | bool]:
        return {"template": self.template, "towers": self.towers}

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as what builds it again: the towers' weights belong to the backbone."""
        parts = (self.backbone, self.built_for(), self.built_with(), self.state(), self.training)
        return built_again, (type(self), *parts), self.told()

    def built_with(self) -> dict[str, Any]:
        """The options that build it again."""
        return self.stored_options()

    def built_for(self) -> tuple[str, ...]:
        """The class names that it is built for."""
        return self.class_names

    def told(self) -> dict[str, Any]:
        """What a copy is told beside that."""
        cached = {"_ids": None, "_frozen": None}
        names = {"class_names": self.class_names, "taught": self.taught, "started_from": self.started_from}
        return {**cached, **names, "options": dict(self.options)}

    def _by_name(self) -> dict[str, nn.Parameter]:
        """What is learned inside the towers by names such as ``text.0.q.A``: tower, layer, place."""
        return {name.replace("_", "."): one for name, one in self.inside.items()}

    def _token_ids(self) -> Tensor:
        """Token ids of the prompts (C, L), padded to the longest: later positions cannot reach a causal
        tower's end-of-text."""
        if self._ids is None:
            with torch.inference_mode(False):  # made while predicting, they serve in training too
                self._ids = token_ids(self.backbone, self.template, self.class_names)
        return self._ids

    def _frozen_features(self) -> Tensor:
        """The backbone's own class features (C, D), encoded once."""
        if self._frozen is None:
            with torch.inference_mode(False):
                self._frozen = hand_written(self.backbone, self.template, self.class_names)
        return self._frozen


def both_or_one(
    backbone: Backbone, towers: str, change: Callable[[str], Change], what: str, packed: str = ""
) -> tuple[ChangedTower | None, ChangedTower | None]:
    """The text and the image tower with what ``change`` of "text" or "image" puts into them; None for the one
    that ``towers`` leaves as it is. Raises BackboneError, with ``what`` and ``packed`` as in `clip_tower`."""
    text = image = None
    if towers != "image":
        text = changed_text_tower(backbone, change("text"), what, packed)
    if towers != "text":
        image = changed_image_tower(backbone, change("image"), what, packed)
    return text, image


def by_place(text: ChangedTower | None, image: ChangedTower | None) -> nn.ParameterDict:
    """What is learned in both, by tower and place; without dots, which names in a module cannot hold."""
    return nn.ParameterDict(
        {
            f"{side}.{name}".replace(".", "_"): one
            for side, tower in (("text", text), ("image", image))
            for name, one in ({} if tower is None else tower.learned).items()
        }
    )


def built_again(
    kind: type[Method],
    backbone: Backbone,
    class_names: Sequence[str],
    options: Mapping[str, Any],
    state: Mapping[str, np.ndarray],
    training: bool,
) -> Method:
    """A method with what it had learned."""
    method = kind(backbone, class_names, **options)
    method.load_state(state)
    return method.train(training)


def token_ids(backbone: Backbone, template: str, class_names: Sequence[str]) -> Tensor:
    """Token ids (C, L) of ``template`` with each name put in. Raises DataError where there are no names."""
    tokenizer = backbone.text.tokenizer
    if not class_names:
        raise DataError("class_names is empty; give at least one name")
    start = () if tokenizer.start is None else (tokenizer.start,)
    texts = [template.replace("{}", name) for name in class_names]
    rows = [(*start, *tokenizer.text(text)) for text in texts]
    length = max(map(len, rows))
    padded = [(*row, *[tokenizer.pad] * (length - len(row))) for row in rows]
    return torch.tensor(padded, dtype=torch.int64, device=backbone.device)


def check_shapes(tensors: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raises OptionError that shows the first differences: there may be hundreds."""
    given = {name: tuple(np.shape(array)) for name, array in tensors.items()}
    names = [name for name in dict.fromkeys([*given, *wanted]) if given.get(name) != wanted.get(name)]
    if names:
        shown = names[:SHOWN_TENSORS]
        ours, theirs = ({n: shapes[n] for n in shown if n in shapes} for shapes in (wanted, given))
        more = f" ({len(names) - len(shown)} more differ)" if len(names) > len(shown) else ""
        raise OptionError(f"the learned tensors have shapes {theirs}; this method has {ours}{more}")
