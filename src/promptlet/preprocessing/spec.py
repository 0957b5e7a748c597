"""What is done to a picture before a backbone reads it, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ImageSpec:
    """Preprocessing of one backbone. Sizes are (height, width) in pixels.

    resize: "shortest" (short side to ``size[0]``, aspect kept), "exact" (to ``size``), "patches" (to at most
        ``max_patches`` whole patches of ``patch_size`` pixels, aspect nearly kept) or "none";
    crop: centre crop, or None; half pixels are rounded "down" (transformers) or "nearest" (open_clip).
    """

    resize: str
    size: tuple[int, int]
    crop: tuple[int, int] | None
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255
    crop_rounding: str = "down"
    patch_size: int | None = None
    max_patches: int | None = None

    @property
    def output_size(self) -> tuple[int, int]:
        """(height, width) of the tensor the model gets; with "patches", of augmented views alone."""
        return self.crop or self.size

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the fingerprint; patches where there are any."""
        absent = () if self.resize == "patches" else ("patch_size", "max_patches")
        return {name: value for name, value in asdict(self).items() if name not in absent}
