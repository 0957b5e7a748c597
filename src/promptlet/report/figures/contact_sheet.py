"""A contact sheet: pictures in rows and columns, each with a line of words, right or wrong by colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

TILE = 128
MARGIN = 10
LINES = 43
RIGHT, WRONG, PLAIN = (30, 130, 60), (190, 40, 50), (50, 50, 55)


@dataclass(frozen=True)
class Tile:
    """A picture and what is said of it; ``right`` colours the words (None: neither right nor wrong)."""

    image: Image.Image
    words: str
    right: bool | None = None


def contact_sheet(tiles: Sequence[Tile], columns: int = 8) -> Image.Image:
    """All tiles on white, from left to right and down."""
    rows = -(-len(tiles) // columns)
    wide, high = TILE + MARGIN, TILE + LINES + MARGIN
    sheet = Image.new("RGB", (columns * wide + MARGIN, rows * high + MARGIN), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    for i, tile in enumerate(tiles):
        x, y = MARGIN + (i % columns) * wide, MARGIN + (i // columns) * high
        sheet.paste(tile.image.convert("RGB").resize((TILE, TILE), Image.Resampling.BICUBIC), (x, y))
        colour = PLAIN if tile.right is None else RIGHT if tile.right else WRONG
        if tile.right is not None:
            pen.rectangle((x - 2, y - 2, x + TILE + 1, y + TILE + 1), outline=colour, width=2)
        pen.multiline_text((x, y + TILE + 3), _wrapped(tile.words, font), fill=colour, font=font, spacing=1)
    return sheet


def _wrapped(words: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """At most three lines that fit under a tile."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > TILE:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines[:3])
