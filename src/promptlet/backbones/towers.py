"""A backbone with towers: a model of transformers or open_clip that encodes texts and images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor, nn

from promptlet.backbones.agreement import compare_once
from promptlet.backbones.arithmetic.precision import Arithmetic
from promptlet.backbones.backbone import Backbone
from promptlet.backbones.dtypes import slow
from promptlet.backbones.fingerprint import tokenizer_digest
from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.parts import Towers
from promptlet.backbones.plain import check_whole
from promptlet.backbones.readings import NameRead, with_unknown
from promptlet.backbones.sound import check_preprocessing, check_weights
from promptlet.backbones.text.encoder import TextEncoder


@final
class TowerBackbone(Backbone):
    """Attributes beside `Backbone`'s: ``towers``; ``by_library``, what loads the same model by the framework
    where ``model`` is not the framework's own yet. ``remarks``: what its loader took from where, as notes."""

    has_towers = True

    def __init__(
        self,
        name: str,
        framework: str,
        model: nn.Module,
        towers: Towers,
        text: TextEncoder,
        images: ImageEncoder,
        logit_scale: float,
        logit_bias: float = 0.0,
        remarks: tuple[str, ...] = (),
    ) -> None:
        super().__init__(name, framework, logit_scale, logit_bias)
        self.towers = towers
        self.by_library: Callable[[], TowerBackbone] | None = None
        self._model = model
        self._text = text
        self._images = images
        self._remarks = remarks
        self._tokenizer_digest = tokenizer_digest(text.tokenizer)
        for watch in (towers.text_watch, towers.image_watch):
            watch.before_use = self.check

    @property
    def device(self) -> torch.device:
        return self._images.device

    @property
    def dtype(self) -> torch.dtype:
        return self._images.dtype

    @property
    def arithmetic(self) -> str:
        return self._arithmetic.word

    @property
    def _arithmetic(self) -> Arithmetic:
        images = self._images
        return Arithmetic(self.dtype, self._text.products, images.products, images.by_engine)

    def compute_in(self, arithmetic: Arithmetic) -> None:
        """From now on, each tower's matrix products are in its dtype; that of the weights stays."""
        self._text.compute_in(arithmetic.text)
        self._images.compute_in(arithmetic.images, arithmetic.engine)

    @cached_property
    def feature_dim(self) -> int:
        return int(self._text.encode_texts_reference(["a."]).shape[-1])

    @property
    def text(self) -> TextEncoder:
        return self._text

    @property
    def images(self) -> ImageEncoder:
        return self._images

    @property
    def model(self) -> nn.Module:
        if self.by_library is not None:
            self._become(self.by_library())
        return self._model

    def _become(self, other: TowerBackbone) -> None:
        """From now on what ``other`` is, a backbone of the same model: also encoders that somebody holds.
        Raises BackboneError where it is not the same."""
        other.check_fingerprint(self.fingerprint, self.name, f"what was loaded of {self.name!r}")
        arithmetic = self._arithmetic
        for mine, theirs in ((self._text, other._text), (self._images, other._images)):
            vars(mine).update(vars(theirs))
        self.towers, self._model, self.by_library = other.towers, other._model, None
        self.compute_in(arithmetic)

    def check(self) -> None:
        watches = (self.towers.text_watch, self.towers.image_watch)
        if watches[0].before_use is None:
            return
        for watch in watches:  # what follows uses the towers itself
            watch.before_use = None
        try:
            check_whole(self._model)
            self._check_weights()
            check_preprocessing(self.name, self._images.spec)
            compare_once(self.name, self.towers, self._text, self._images, self._tokenizer_digest)
        except BaseException:
            for watch in watches:
                watch.before_use = self.check
            raise

    def _check_weights(self) -> None:
        def find() -> str:
            check_weights(self.name, [*self.towers.text, *self.towers.image])
            return "sound"

        found = self.towers.found
        _ = find() if found is None else found.once(f"weights {self.dtype}", find)

    @property
    def image_fingerprint(self) -> str:
        self.check()
        return self.towers.image_digest

    @property
    def fingerprint(self) -> str:
        self.check()
        return f"{self.towers.text_digest}-{self._tokenizer_digest}-{self.image_fingerprint}"

    @property
    def former_fingerprint(self) -> str:
        return f"{self.towers.weights_of_text}-{self._tokenizer_digest}-{self.towers.weights_of_image}"

    def names_read(self, class_names: Sequence[str]) -> Iterable[NameRead]:
        readings = ((name, self._text.reading(name)) for name in class_names)
        room = self._text.context_length - 2  # what stands behind is cut, at least in hand-written prompts
        return (NameRead(name, one.ids[:room], repr(one.shown)) for name, one in readings)

    def notes(self, templates: Sequence[str], class_names: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        self.check()
        slower = slow(self._arithmetic, self.device)
        unknown = with_unknown((name for name in class_names if self._has_unknown(name)), self.name)
        return (
            *self._remarks,
            *([slower] if slower else []),
            *([unknown] if unknown else []),
            *(
                f"the {side} tower of {self.name} takes the plain path, the library's own forward, which is "
                f"slower: {why}"
                for side, why in self.towers.why_odd().items()
            ),
        )

    def _has_unknown(self, class_name: str) -> bool:
        return self._text.tokenizer.unknown is not None and self._text.reading(class_name).has_unknown

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"dim": self._text.dim, "parameters": sum(p.numel() for p in self._model.parameters())}

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        return self._text.encode_texts(texts)
