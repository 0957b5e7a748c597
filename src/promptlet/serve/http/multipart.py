"""The parts of a multipart/form-data body, in memory: never a file, whatever their size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from promptlet.errors import shown
from promptlet.serve.http.problems import Problem

MOST_TEXT: Final = 1 << 13
"""Bytes of a part without a file's name, but for images."""


@dataclass
class Part:
    """name: of the field. file_name: empty where none was given."""

    name: str
    file_name: str
    data: bytes


async def read_parts(
    pieces: AsyncIterator[bytes], content_type: str, most_images: int, most_texts: int
) -> list[Part]:
    """The parts in order. Raises Problem for a body that has more, ends early or is none."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise _malformed("its Content-Type names no boundary; let the client make this header by itself")
    reader = _Reader(most_images, most_texts)
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for piece in pieces:
            parser.write(piece)
    except FormParserError as error:
        raise _malformed(f"{error}; check what is sent") from None
    if not reader.is_whole:
        raise _malformed("it ends before its last boundary; was it cut?")
    return reader.parts


@dataclass
class _Reader:
    """Gathers what the parser calls out."""

    most_images: int
    most_texts: int
    parts: list[Part] = field(default_factory=list)
    is_whole: bool = False
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _header: tuple[bytes, bytes] = (b"", b"")
    _chunks: list[bytes] = field(default_factory=list)
    _length: int = 0
    _images: int = 0
    _texts: int = 0
    _name: str = ""
    _file_name: str = ""

    def callbacks(self) -> Any:
        def data(found: Callable[[bytes], None]) -> Callable[[bytes, int, int], None]:
            return lambda chunk, start, end: found(chunk[start:end])

        return {
            "on_part_begin": self._begin,
            "on_header_field": data(self._on_header_field),
            "on_header_value": data(self._on_header_value),
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": data(self._on_data),
            "on_part_end": self._on_end_of_part,
            "on_end": self._on_end,
        }

    def _begin(self) -> None:
        self._headers, self._header, self._chunks, self._length = {}, (b"", b""), [], 0

    def _on_header_field(self, piece: bytes) -> None:
        self._header = self._header[0] + piece, self._header[1]

    def _on_header_value(self, piece: bytes) -> None:
        self._header = self._header[0], self._header[1] + piece

    def _on_header_end(self) -> None:
        name, value = self._header
        self._headers[name.strip().lower()] = value
        self._header = (b"", b"")

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"name" not in options:
            raise _malformed("a part of it has no name; each needs Content-Disposition: form-data; name=...")
        self._name = _text(options[b"name"])
        self._file_name = _text(options.get(b"filename", b""))
        self._images += self._is_image
        self._texts += not self._is_image
        if self._images > self.most_images or self._texts > self.most_texts:
            raise Problem(
                "body-too-large",
                f"there are more than {self.most_images:,} images or {self.most_texts:,} other parts in one "
                "request; send them in several",
                allowed=self.most_images,
            )

    @property
    def _is_image(self) -> bool:
        return bool(self._file_name) or self._name == "images"

    def _on_data(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length > MOST_TEXT and not self._is_image:
            raise Problem(
                "body-too-large",
                f"the field {shown(self._name)} has more than {MOST_TEXT:,} bytes; is it an image? Then call "
                "it images",
                allowed=MOST_TEXT,
            )
        self._chunks.append(piece)

    def _on_end_of_part(self) -> None:
        self.parts.append(Part(self._name, self._file_name, b"".join(self._chunks)))
        self._chunks = []

    def _on_end(self) -> None:
        self.is_whole = True


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _malformed(reason: str) -> Problem:
    return Problem("malformed-body", f"the body is no multipart/form-data as it should be: {reason}")
