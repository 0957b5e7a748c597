"""The image tower of a trained method as a plain module: pixel values in, features of length 1 out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.backbones.image.reference import PlainImageTower, encode_plain_images
from promptlet.backbones.towers import TowerBackbone
from promptlet.errors import ExportError
from promptlet.export.program import plain_arithmetic
from promptlet.methods import Method
from promptlet.methods.both_towers.deep_prompt import DeepPrompt
from promptlet.methods.method import FEATURES
from promptlet.methods.weights.changed_towers import ChangedTowers
from promptlet.runtime.arithmetic import Numbers

AGAIN = 'Load it so that it is: PromptClassifier.load(FILE, device="cpu", dtype="float32")'
AT_ONCE = 8


def tower_of(method: Method) -> nn.Module:
    """The way of a method's images from pixel values (B, 3, H, W) to features (B, D) of length 1, by the
    library's own forward pass in float32. Raises ExportError where there is no such module."""
    backbone = checked_backbone(method.backbone)
    if isinstance(method, DeepPrompt):
        with torch.no_grad():
            context = method.image_context().detach().clone()
        return PromptedTower(backbone, context)
    if isinstance(method, ChangedTowers):
        merged = method.merged_image_tower()
        return FrozenTower(backbone) if merged is None else Normalised(merged)
    if method.info.reads != FEATURES:
        raise ExportError(
            f"the method {method.info.name!r} changes the image tower in a way of its own, which an export "
            "does not know; exported are vpt, ivlp, maple, promptsrc, mmlop, clip_lora, clip_svd and "
            "two_sfs, and methods that read features, such as rlp"
        )
    frozen = FrozenTower(backbone)
    if type(method).image_features is Method.image_features:
        return frozen
    return AdaptedTower(frozen, method)


def torch_features(tower: nn.Module, pixels: Numbers) -> Numbers:
    """Features (N, D) as torch makes them, some at a time. Raises ExportError where they are no numbers."""
    with plain_arithmetic():
        parts = [tower(part) for part in torch.split(torch.from_numpy(pixels), AT_ONCE)]
    features: Numbers = torch.cat(parts).float().numpy()
    if not np.isfinite(features).all():
        raise ExportError(
            "the image tower gives features of a drawn picture that are no numbers: its weights, or what was "
            "learned, are damaged; train again, or take a sound copy of the model"
        )
    return features


def checked_backbone(backbone: Backbone) -> TowerBackbone:
    """Raise ExportError for a backbone without an image tower, with one that reads images of any size, or
    elsewhere than on the processor in float32."""
    if not isinstance(backbone, TowerBackbone):
        raise ExportError(
            f"{backbone.name!r} has no image tower: its images come as features; export its class vectors: "
            "--to vectors"
        )
    if backbone.images.spec.patch_size is not None:
        raise ExportError(
            f"the image tower of {backbone.name!r} reads patches of pictures in their own aspect, whose "
            "number varies (NaFlex); an exported graph reads images of one size. Take the variant of a fixed "
            "resolution, or export class vectors: --to vectors"
        )
    if backbone.device.type != "cpu" or backbone.dtype != torch.float32:
        raise ExportError(
            f"{backbone.name!r} is on {backbone.device} in {str(backbone.dtype).removeprefix('torch.')}, and "
            f"is exported from the processor in float32. {AGAIN}"
        )
    return backbone


class Normalised(nn.Module):
    """A module whose answers get length 1."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) to features (B, D)."""
        return F.normalize(self.inner(pixels), dim=-1)


class FrozenTower(nn.Module):
    """The backbone's own image tower."""

    def __init__(self, backbone: TowerBackbone) -> None:
        super().__init__()
        self.parts = nn.ModuleList(backbone.towers.image)  # whose weights they are
        self._run: Callable[[Tensor], Tensor] = backbone.images.forward

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) to features (B, D)."""
        return F.normalize(self._run(pixels), dim=-1)


class PromptedTower(nn.Module):
    """The same beside a context (depth, n_ctx, d), which stays what it is."""

    context: Tensor

    def __init__(self, backbone: TowerBackbone, context: Tensor) -> None:
        super().__init__()
        backbone.images.check_tokens()
        self.parts = nn.ModuleList(backbone.towers.image)
        self._plain: PlainImageTower | None = backbone.images.plain
        self.register_buffer("context", context)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) to features (B, D)."""
        assert self._plain is not None  # `check_tokens`
        return F.normalize(encode_plain_images(self._plain, pixels, self.context), dim=-1)


class AdaptedTower(nn.Module):
    """A tower whose features a method changes."""

    def __init__(self, frozen: nn.Module, method: Method) -> None:
        super().__init__()
        self.frozen, self.method = frozen, method

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, H, W) to features (B, D)."""
        return self.method.image_features(self.frozen(pixels))
