"""The modules that make up each tower: their identity, and whether the engines may read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from promptlet.backbones.computes import answer, settings_of_odd, unusual_settings
from promptlet.backbones.fingerprint import PROBES, weights_digest
from promptlet.backbones.found import Found
from promptlet.backbones.plain import Watch
from promptlet.backbones.text.tokenizer import Tokenizer
from promptlet.preprocessing.spec import ImageSpec

Probe = Callable[[], Tensor]
T = TypeVar("T")


class Towers:
    """The modules whose weights make up each tower, and the image preprocessing (for the fingerprint).

    Attributes: ``text_watch``, ``image_watch``; ``probes``, what each tower answers to a fixed input, by its
    name "text" or "image", where that can be asked; ``disagree``, why an engine is not to be used beside what
    its watch says, by the same names; ``found``, what is known of the files that all weights are in, if any.
    """

    def __init__(
        self,
        text: Sequence[nn.Module],
        image: Sequence[nn.Module],
        preprocessing: dict[str, Any],
        found: Found | None = None,
    ) -> None:
        self.text = text
        self.image = image
        self.preprocessing = preprocessing
        self.found = found
        self.text_watch, self.image_watch = Watch(text), Watch(image)
        self.probes: dict[str, Probe] = {}
        self.disagree: dict[str, str] = {}
        self._digests: dict[str, str] = {}

    def ask(
        self,
        text: Callable[[Tensor], Tensor],
        tokenizer: Tokenizer,
        images: Callable[[Tensor], Tensor],
        spec: ImageSpec,
    ) -> None:
        """From now on, what layers do that are not plain is part of the identity: what the towers, token ids
        (C, L) or pixels (B, 3, H, W) to features, make of a fixed input."""

        def ids() -> Tensor:
            rows = [tokenizer.full(tokenizer.text(one), 0) for one in PROBES[:2]]
            return torch.tensor(rows, dtype=torch.int64, device="cpu")

        def pixels() -> Tensor:
            count = 3 * spec.output_size[0] * spec.output_size[1]
            return torch.linspace(-2, 2, count, dtype=torch.float32, device="cpu").view(
                1, 3, *spec.output_size
            )

        self.probes = {
            "text": lambda: text(_near(self.text, ids())),
            "image": lambda: images(_near(self.image, pixels())),
        }

    def read(self, side: str, read: Callable[[bool], T]) -> T:
        """What ``read`` makes of the tower "text" or "image", told whether its layers are plain."""
        watch = self.text_watch if side == "text" else self.image_watch
        if watch.why:
            return read(False)
        try:
            return read(True)
        except Exception as error:  # a layer that is plain, but not of the kind that stands in its place
            self.disagree[side] = (
                f"a layer is of another kind than its place has ({type(error).__name__}: {error})"
            )
            return read(False)

    @property
    def text_digest(self) -> str:
        """Identity of the text tower."""
        return self._digest("text", self.text, [], self.text_watch)

    @property
    def image_digest(self) -> str:
        """Identity of the image tower and its preprocessing."""
        return self._digest("image", self.image, [self.preprocessing], self.image_watch)

    @cached_property
    def weights_of_text(self) -> str:
        """The text tower's identity of versions that looked at weights alone."""
        return self._weights("text", self.text, [])

    @cached_property
    def weights_of_image(self) -> str:
        """The image tower's identity of versions that looked at weights and preprocessing alone."""
        return self._weights("image", self.image, [self.preprocessing])

    def _weights(self, side: str, modules: Sequence[nn.Module], extra: list[Any]) -> str:
        """`weights_digest` of a tower that is as it was loaded."""
        if self.found is None:
            return weights_digest(modules, extra)
        return self.found.once(f"{side} {json.dumps(extra)}", lambda: weights_digest(modules, extra))

    def why_odd(self) -> dict[str, str]:
        """Why the engine of "text" or "image" is not used, where a layer is not plain."""
        watches = {"text": self.text_watch, "image": self.image_watch}
        found = {side: self._why(side, watch) for side, watch in watches.items()}
        return {side: why for side, why in found.items() if why}

    def _why(self, side: str, watch: Watch) -> str:
        return watch.why or self.disagree.get(side, "") or watch.added() or watch.replaced()

    def _digest(self, side: str, modules: Sequence[nn.Module], extra: list[Any], watch: Watch) -> str:
        why = self._why(side, watch)
        key = f"{side} {why}"
        if key in self._digests:
            return self._digests[key]
        settings = unusual_settings(modules)
        more: list[Any] = [settings] if settings else []
        if why:
            probe = self.probes.get(side)
            more.append([settings_of_odd(modules), [] if probe is None else answer(_asked(probe))])
        changed = bool(watch.added() or watch.replaced())
        if not more and not changed:  # what older versions looked at
            return self.weights_of_text if side == "text" else self.weights_of_image
        digest = (
            weights_digest(modules, [*extra, *more]) if why else self._weights(side, modules, [*extra, *more])
        )
        if not changed:
            self._digests[key] = digest
        return digest


def _near(modules: Sequence[nn.Module], inputs: Tensor) -> Tensor:
    """``inputs`` on the device of the modules, numbers in the dtype of their weights."""
    weight = next((weight for module in modules for weight in module.parameters()), None)
    if weight is None:
        return inputs
    return inputs.to(weight.device, weight.dtype if inputs.is_floating_point() else None)


def _asked(probe: Probe) -> Tensor:
    with torch.inference_mode():
        return probe()


def freeze(model: nn.Module) -> nn.Module:
    """No parameter trains, no dropout acts."""
    return model.requires_grad_(False).eval()


def settle(model: nn.Module, towers: Towers, device: torch.device, dtype: torch.dtype) -> None:
    """Move a float32 model to its device and dtype; its identity is taken before precision is lost, and
    before another device answers a little differently.

    Views into the weights must be made afterwards: they would keep the old numbers."""
    if dtype != torch.float32 or towers.why_odd():
        _ = towers.weights_of_text, towers.weights_of_image, towers.text_digest, towers.image_digest
    model.to(device=device, dtype=dtype)
    for watch in (towers.text_watch, towers.image_watch):
        watch.look()
