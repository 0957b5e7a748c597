"""From any Pillow image or array to 8-bit RGB.

Alpha is dropped, not blended, because CLIP's own preprocessing calls ``convert("RGB")``: the colours
stored under transparent pixels are what the model was trained to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from promptlet.errors import ImageError

Box = tuple[int, int, int, int]

if TYPE_CHECKING:
    from PIL import Image

STRIP_PIXELS = 1 << 20
"""As many are converted at a time, so that a large image is not held in two forms."""
ORIENTATION = 0x0112  # the EXIF tag; 1 is upright


def pillow_to_8_bits(image: Image.Image, name: str) -> Image.Image:
    """An opened image's current frame, upright, of 8 bits a channel: what `as_rgb` makes RGB of, whole or in
    parts. The image itself where it is that already.

    Raises `ImageError`, or whatever Pillow's decoder raises.
    """
    image.load()
    upright = rotated(image)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
        return _deep_grey_to_8_bits(upright, image.format, name)
    return upright


def as_rgb(image: Image.Image) -> Image.Image:
    """RGB of an image of 8 bits; the image itself where it is RGB."""
    if image.mode in ("P", "PA"):  # else Pillow warns of transparency kept as bytes; the colours are the same
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


def strips(image: Image.Image, box: Box | None = None) -> Iterator[tuple[int, Image.Image]]:
    """``box`` (left, top, right, bottom) of an image, or all of it, in parts of whole rows and of some
    `STRIP_PIXELS`: (how far each is below the top, part)."""
    left, top, right, bottom = box or (0, 0, *image.size)
    rows = max(1, STRIP_PIXELS // (right - left))
    for start in range(top, bottom, rows):
        yield start - top, image.crop((left, start, right, min(start + rows, bottom)))


def rotated(image: Image.Image) -> Image.Image:
    """An image turned as its EXIF block says; the image itself where it says nothing, or is damaged."""
    from PIL import ImageOps

    try:
        turned = image.getexif().get(ORIENTATION, 1) != 1
        return ImageOps.exif_transpose(image) if turned else image  # it copies, and most images are upright
    except Exception:  # a damaged EXIF block raises anything; the pixels are still good
        return image


def _deep_grey_to_8_bits(image: Image.Image, file_format: str | None, name: str) -> Image.Image:
    """16-bit grey scaled to 8 bits; Pillow's own ``convert`` would clip everything above 255 to white."""
    from PIL import Image

    if image.mode == "F":
        raise ImageError(
            f"{name}: its pixels are 32-bit floats, whose range is not agreed; save it with 8 or 16 "
            "bits per channel"
        )
    greys = (np.asarray(strip) for _, strip in strips(image))
    edges = [(int(grey.min()), int(grey.max())) for grey in greys]
    low, high = min(low for low, _ in edges), max(high for _, high in edges)
    if low < 0 or high > 65535:
        raise ImageError(
            f"{name}: its grey values run from {low} to {high}; 8 bits (0 to 255) or 16 bits (0 to "
            "65535) are read"
        )
    # Mode "I" is 32-bit; older Pillows use it for 16-bit PNG, others also for 8-bit values.
    is_16_bit = image.mode != "I" or file_format == "PNG" or high > 255
    every = np.arange(65536)
    table = ((every * 255 + 32767) // 65535 if is_16_bit else every).astype(np.uint8)
    whole = Image.new("L", image.size)
    for top, strip in strips(image):
        whole.paste(Image.fromarray(table[np.asarray(strip)]), (0, top))
    return whole


def array_to_rgb(array: npt.NDArray[Any]) -> Image.Image:
    """RGB of an array (H, W), (H, W, 1) or (H, W, 3), uint8, or float in [0, 1]."""
    from PIL import Image

    _check_shape(array.shape)
    pixels = array if array.dtype == np.uint8 else _floats_to_bytes(array)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")


def _check_shape(shape: tuple[int, ...]) -> None:
    is_image = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))
    if is_image and 0 not in shape:
        return
    hint = ""
    if len(shape) == 3 and shape[0] in (1, 3):
        hint = "; its channels come first: use array.transpose(1, 2, 0)"
    elif len(shape) == 3 and shape[2] == 4:
        hint = "; drop the alpha channel: array[:, :, :3]"
    elif len(shape) == 4:
        hint = "; it looks like a batch: give its images one by one, for instance list(array)"
    raise ImageError(f"an array of shape {shape} is no image; allowed: (H, W), (H, W, 1), (H, W, 3){hint}")


def _floats_to_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if not np.issubdtype(array.dtype, np.floating):
        raise ImageError(
            f"an array of {array.dtype} is no image; allowed: uint8 (0 to 255), or floats from 0 to 1; "
            "use array.astype('uint8') when its values are 0 to 255"
        )
    low, high = float(array.min()), float(array.max())
    if not (low >= 0.0 and high <= 1.0):  # written so that a NaN is refused too
        raise ImageError(
            f"a float image has values from 0 to 1, this one from {low:.4g} to {high:.4g}; "
            "divide 0-to-255 values by 255, and undo any mean and standard deviation"
        )
    return np.rint(array.astype(np.float64) * 255.0).astype(np.uint8)
