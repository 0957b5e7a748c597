"""The image side of a backbone: the model's own image tower, and where it has tokens, prompts beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import torch
from torch import Tensor

from promptlet.backbones.arithmetic.precision import library_precision
from promptlet.backbones.image.engine import ImageEngine
from promptlet.backbones.image.reference import PlainImageTower, encode_plain_images
from promptlet.backbones.image.tower import ImageTower
from promptlet.backbones.plain import Watch
from promptlet.errors import BackboneError, OptionError
from promptlet.preprocessing.spec import ImageSpec
from promptlet.session import own_arithmetic


class ImageEncoder:
    """Encodes preprocessed images; nothing in it is trainable.

    Attributes: ``forward`` (the library's own way from pixels to features), ``spec`` (preprocessing),
    ``device``, ``dtype``, ``kind`` (the tower's class), ``has_tokens`` (whether prompts can enter the tower),
    ``dim`` (width d of token states) and ``depth`` (layers), both 0 without tokens, ``watch`` (the tower's
    layers, which the engine reads while they are plain), ``products`` (dtype of the matrix products; the
    weights' own at first) and ``by_engine``: see `compute_in`.
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        spec: ImageSpec,
        device: torch.device,
        dtype: torch.dtype,
        kind: str = "unknown",
        plain: PlainImageTower | None = None,
        tower: ImageTower | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.forward = forward
        self.spec = spec
        self.device = device
        self.dtype = dtype
        self.kind = kind
        self.plain = plain
        self.watch = Watch(()) if watch is None else watch
        self.broken = ""  # why the library itself cannot run the tower
        self.engine = None if tower is None or plain is None else ImageEngine(tower)
        self.dim = 0 if plain is None else plain.dim
        self.depth = 0 if plain is None else len(plain.layers)
        self.products = dtype
        self.by_engine = False

    def compute_in(self, products: torch.dtype, by_engine: bool = False) -> None:
        """From now on, matrix products are in this dtype. by_engine: the engine encodes images without
        prompts in the weights' own dtype, too."""
        self.products, self.by_engine = products, by_engine
        if self.engine is not None:
            self.engine.products = products

    @property
    def has_tokens(self) -> bool:
        """True for class-token ViTs, whose layers prompts can enter."""
        return self.plain is not None

    def encode(self, pixel_values: Tensor) -> Tensor:
        """Features (B, D), float32, not normalised, of pixel values (B, 3, H, W)."""
        if self.products == self.dtype and not self.by_engine:
            return self.encode_reference(pixel_values)
        return self.encode_in(self.products, pixel_values)

    @own_arithmetic()
    def encode_reference(self, pixel_values: Tensor) -> Tensor:
        """`encode` by the library model's own forward pass, in the weights' own dtype."""
        self._check()
        with torch.inference_mode():
            features = self.forward(self._near(pixel_values))
        return features.float().clone()

    @own_arithmetic()
    def encode_in(self, products: torch.dtype, pixel_values: Tensor) -> Tensor:
        """`encode` with matrix products in this dtype, by the engine where it serves, else by the library
        model's own forward pass."""
        self._check()
        with torch.inference_mode():
            if self.engine is not None and not self.watch.added():
                features = self.engine.encode_alone(pixel_values, products)
            else:
                with library_precision(self.device, self.dtype, products):
                    features = self.forward(self._near(pixel_values))
        return features.float().clone()

    def _near(self, pixel_values: Tensor) -> Tensor:
        # channels-last input: convolutional towers run about twice as fast on CPUs, others as before
        return pixel_values.to(self.device, self.dtype, memory_format=torch.channels_last)

    def encode_prompted(self, pixel_values: Tensor, context: Tensor) -> Tensor:
        """Features (B, D), float32, not normalised, of images beside prompts; differentiable in ``context``.

        ``context`` (depth, n_ctx, d), 1 <= depth <= layers of the tower: n_ctx tokens behind the patches,
        without positions. Context 0 is normalised with the patches before the first layer; context i
        replaces the prompts' states before layer i.
        """
        self._prompted()
        if self.engine is None or self.watch.added():
            with library_precision(self.device, self.dtype, self.products):
                return self.encode_prompted_reference(pixel_values, context)
        return self.engine.encode(pixel_values, self._checked(context))

    def check_tokens(self) -> None:
        """Raise BackboneError where prompts cannot enter the tower."""
        if self.plain is None:
            self._refuse()

    def encode_prompted_reference(self, pixel_values: Tensor, context: Tensor) -> Tensor:
        """`encode_prompted` by the plain path: the library model's own forward."""
        plain = self._prompted()
        pixels = pixel_values.to(self.device, self.dtype)
        return encode_plain_images(plain, pixels, self._checked(context)).float()

    def _check(self) -> None:
        """Raise BackboneError for a tower that cannot run, or is not the one that was loaded."""
        self.watch.check("image")
        if self.broken:
            raise BackboneError(self.broken)

    def _prompted(self) -> PlainImageTower:
        if self.plain is None:
            self._refuse()
        self._check()
        return self.plain

    def _refuse(self) -> NoReturn:
        raise BackboneError(
            f"prompts cannot enter an image tower of kind {self.kind}. They can in class-token ViTs as "
            "CLIP's, from transformers or open_clip. With this backbone, take a method that adapts the "
            "text side, such as rlp or coop."
        )

    def _checked(self, context: Tensor) -> Tensor:
        if context.dim() != 3 or context.shape[-1] != self.dim or 0 in context.shape[:-2]:
            raise OptionError(
                f"a context of shape {tuple(context.shape)} does not fit the image tower: "
                f"expected (depth, n_ctx, d) with d={self.dim}"
            )
        if context.shape[0] > self.depth:
            raise OptionError(
                f"depth {context.shape[0]} is outside 1..{self.depth}, the layers of this image tower"
            )
        return context
