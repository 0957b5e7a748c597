"""Pixel values for methods that change the image tower: decoded when asked for, kept while they fit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from promptlet.data.images.opening import ImageSource, content_hashes, name_of, raise_together
from promptlet.decoding.ahead import decoders, in_order, threads_beside
from promptlet.decoding.pixels import View, decode
from promptlet.errors import ImageError
from promptlet.preprocessing.spec import ImageSpec
from promptlet.views import Views, are_in_turn, numbers_of

KEEP_BYTES = 1 << 30


class PixelInputs:
    """Pixel values of ``views`` readings of pictures (paths, Pillow images, arrays); all of one size.

    View 0 is the model's test preprocessing; further views are augmented (`preprocessing.views`). Decoded
    pictures are kept up to ``keep_bytes``, but for crops that are taken in turn. is_reduced: as in
    `features.reads_reduced`. Raises ImageError naming every picture that cannot be opened.
    """

    def __init__(
        self,
        sources: Sequence[ImageSource],
        spec: ImageSpec,
        views: Views = 1,
        keep_bytes: int = KEEP_BYTES,
        is_reduced: bool = False,
    ) -> None:
        self._numbers, self._words = numbers_of(views), views
        self.in_turn = are_in_turn(views)
        self.sources = list(sources)
        self.spec = spec
        self.contents = content_hashes(self.sources)
        self._is_reduced = is_reduced
        self._room = 0 if self.in_turn else keep_bytes
        self._kept: dict[tuple[int, int], np.ndarray] = {}

    @property
    def views(self) -> int:
        """How many readings there are of each."""
        return len(self._numbers)

    @property
    def images(self) -> int:
        """How many pictures there are."""
        return len(self.sources)

    def take(self, views: Tensor, rows: Tensor) -> Tensor:
        """Pixel values (B, 3, H, W), float32. Raises ImageError naming all that cannot be decoded."""
        wanted = list(zip(rows.tolist(), views.tolist(), strict=True))
        found = {key: self._kept[key] for key in wanted if key in self._kept}
        missing = [key for key in dict.fromkeys(wanted) if key not in found]
        if missing:
            found |= self._decode(missing)
        return torch.from_numpy(np.stack([found[key] for key in wanted]))

    def digest(self) -> str:
        """Views, and 16 hexadecimal digits of what the pictures hold."""
        summary = hashlib.blake2b("".join(self.contents).encode("ascii"), digest_size=8)
        return f"{self._words} views {summary.hexdigest()}"

    def _decode(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], np.ndarray]:
        errors: list[ImageError] = []
        found: dict[tuple[int, int], np.ndarray] = {}
        with decoders(threads_beside(torch.device("cpu"))) as pool:
            for key, future in in_order(pool, lambda key: self._read(*key), keys, len(keys)):
                try:
                    found[key] = future.result()
                except ImageError as error:
                    errors.append(error)
        raise_together(errors)
        for key, pixels in found.items():
            if pixels.nbytes <= self._room:
                self._kept[key] = pixels
                self._room -= pixels.nbytes
        return found

    def _read(self, row: int, view: int) -> np.ndarray:
        source = self.sources[row]
        wanted = View(source, name_of(source), self.contents[row], self._numbers[view])
        return decode(wanted, self.spec, self._is_reduced)
