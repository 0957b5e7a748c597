"""What a request holds, in whatever form: the images as bytes, and what is said beside them, by field.

Three forms are read: multipart/form-data; application/json with base64; and one image as it is. Fields may
stand in the query too. Everything stays in memory and is bounded; names of files are only told back.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from starlette.requests import Request

from promptlet.characters import visible
from promptlet.errors import did_you_mean, shown
from promptlet.serve.http.multipart import Part, read_parts
from promptlet.serve.http.problems import Problem, wrong_field

IMAGES: Final = "images"
IMAGE_FIELDS: Final = (IMAGES,)
"""What may be said where only images are asked about."""
PREDICT_FIELDS: Final = (IMAGES, "prompts", "class_names", "top", "threshold", "reject", "new_names")
NAME_LENGTH: Final = 200
"""Characters of a file's name that are told back."""
MOST_VALUES: Final = 200_000
"""Commas and brackets of a JSON body; base64 has none."""
IN_PLACE: Final = 1 << 18
"""Bytes that are decoded without a thread of their own."""
FORMS: Final = "multipart/form-data, application/json, or one image as it is with Content-Type image/*"


@dataclass(frozen=True)
class Limits:
    """Numbers that hold for one request; bytes and seconds.

    max_answers: images times prompts times likeliest classes. max_class_bytes: of the class features of all
    prompts. max_prompt_bytes: of a prompt file that is put. max_urls: addresses of images. metrics_open:
    whether /metrics needs no token where there are tokens.
    """

    max_body_bytes: int = 64 * 2**20
    max_images: int = 128
    max_prompts: int = 10_000
    max_class_names: int = 10_000
    max_answers: int = 250_000
    max_prompt_bytes: int = 16 * 2**20
    max_class_bytes: int = 512 * 2**20
    max_urls: int = 16
    request_seconds: float = 60.0
    allow_urls: bool = False
    metrics_open: bool = False


@dataclass
class Sent:
    """An image as it was sent: its bytes, or the address where they are, and what it is called."""

    name: str
    data: bytes = b""
    url: str = ""


@dataclass
class Given:
    """What a request holds. allowed: the fields that it may have.

    texts: values of fields as a form or the query has them, in order; values: as JSON has them.
    """

    allowed: tuple[str, ...]
    limits: Limits
    images: list[Sent] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def add_text(self, name: str, text: str) -> None:
        """An empty text is one that was left out, as forms of pages send it."""
        self.check_known(name)
        if name == IMAGES:
            raise wrong_field(
                IMAGES, "images is a text here; send files: the bytes of each image, as a part of multipart"
            )
        if text:
            self.texts.setdefault(name, []).append(text)

    def add_image(self, image: Sent) -> None:
        if len(self.images) >= self.limits.max_images:
            raise too_many_images(self.limits)
        self.images.append(image)

    def check_known(self, name: str) -> None:
        if name not in self.allowed:
            hint = did_you_mean(name, self.allowed)
            raise wrong_field(
                name, f"{shown(name)} is no field of this; allowed: {', '.join(self.allowed)}.{hint}"
            )


def too_many_images(limits: Limits) -> Problem:
    return Problem(
        "body-too-large",
        f"there are more than {limits.max_images:,} images in one request; send them in several",
        allowed=limits.max_images,
    )


async def read_given(request: Request, allowed: tuple[str, ...], limits: Limits) -> Given:
    """Raises Problem, and starlette's ClientDisconnect where the client goes away meanwhile."""
    given = Given(allowed, limits)
    for name, text in request.query_params.multi_items():
        given.add_text(name, text)
    kind = media_type(request)
    if kind == "multipart/form-data":
        head = request.headers.get("content-type", "")
        parts = pieces(request, limits.max_body_bytes)
        for part in await read_parts(parts, head, limits.max_images, _most_texts(limits)):
            _add_part(given, part)
    elif kind == "application/json":
        body = await read_bytes(request, limits.max_body_bytes)
        if len(body) > IN_PLACE:
            await asyncio.to_thread(add_json, given, body)
        else:
            add_json(given, body)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        given.add_image(Sent("", await read_bytes(request, limits.max_body_bytes)))
    else:
        raise _unknown_form(kind)
    if not given.images:
        raise wrong_field(IMAGES, "no image was sent; send one or more, in the field images")
    return given


def media_type(request: Request) -> str:
    """In small letters, without parameters. Raises Problem for a body that is packed."""
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed not in ("", "identity"):
        raise Problem(
            "unknown-form", f"Content-Encoding {shown(packed)} is not unpacked here; send the body as it is"
        )
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _unknown_form(kind: str) -> Problem:
    if kind == "application/x-www-form-urlencoded":
        said = (
            f"the body is announced as {kind}, which is what curl does by itself; add "
            "-H 'Content-Type: image/jpeg' to --data-binary @FILE, or send files with -F images=@FILE"
        )
    else:
        said = f"Content-Type {shown(kind)} is not read here; send {FORMS}"
    return Problem("unknown-form", said, allowed=FORMS)


async def read_bytes(request: Request, most: int) -> bytes:
    """The whole body. Raises Problem where it is larger."""
    return b"".join([piece async for piece in pieces(request, most)])


async def pieces(request: Request, most: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises Problem where it is larger."""
    length = 0
    async for piece in request.stream():
        length += len(piece)
        if length > most:
            raise Problem(
                "body-too-large",
                f"the body is larger than {most:,} bytes, which is what is taken in one request; send less "
                "at once",
                {"Connection": "close"},
                allowed=most,
            )
        yield piece


def _most_texts(limits: Limits) -> int:
    return limits.max_prompts + limits.max_class_names + len(PREDICT_FIELDS)


def _add_part(given: Given, part: Part) -> None:
    if part.name == IMAGES:
        given.add_image(Sent(told_name(part.file_name), part.data))
    elif part.file_name:
        given.check_known(part.name)
        raise wrong_field(part.name, f"{part.name} is sent as a file; send its text, and files as images")
    else:
        given.add_text(part.name, text_of(part))


def text_of(part: Part) -> str:
    try:
        return part.data.decode()
    except UnicodeDecodeError:
        raise wrong_field(part.name, f"{shown(part.name)} is no text in UTF-8; send it so") from None


def told_name(name: str) -> str:
    return visible(name[:NAME_LENGTH])[:NAME_LENGTH]


def add_json(given: Given, body: bytes) -> None:
    """What a JSON body holds. Of a key that is there twice the last counts."""
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values > MOST_VALUES:  # each takes much more memory than its byte, before any of it can be checked
        raise Problem(
            "body-too-large",
            f"the JSON has about {values:,} values; {MOST_VALUES:,} are read: ask for less in one request",
            allowed=MOST_VALUES,
        )
    try:
        found = msgspec.json.decode(body)
    except RecursionError:
        raise Problem(
            "malformed-body", "the JSON is nested too deeply; send one object with fields"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem("malformed-body", f"the body is no JSON ({error}); check what is sent") from None
    if not isinstance(found, dict):
        raise Problem(
            "malformed-body",
            f"the JSON is {shown(found)}; send one object with fields: {', '.join(given.allowed)}",
        )
    for name, value in found.items():
        given.check_known(name)
        if value is None:
            continue
        if name != IMAGES:
            given.values[name] = value
            continue
        images = value if isinstance(value, list) else [value]
        if len(images) > given.limits.max_images:
            raise too_many_images(given.limits)
        for index, image in enumerate(images):
            given.images.append(_of_json(image, f"{IMAGES}[{index}]"))
            images[index] = None  # its text is not needed any longer


def _of_json(image: Any, where: str) -> Sent:
    """A text is the data itself."""
    entry: Any = {"data": image} if isinstance(image, str) else image
    if not isinstance(entry, Mapping):
        raise wrong_field(where, f'{where} is {shown(image)}; give {{"data": BASE64, "name": TEXT}}')
    _check_entry(entry, where)
    name = told_name(entry.get("name") or "")
    if "url" in entry:
        return Sent(name or told_name(entry["url"]), url=entry["url"])
    return Sent(name, _decoded(entry["data"], where))


def _check_entry(entry: Mapping[str, Any], where: str) -> None:
    known = ("name", "data", "url")
    for key, value in entry.items():
        if key not in known:
            raise wrong_field(f"{where}.{key}", f"{where} has {shown(key)}; allowed: {', '.join(known)}")
        if not isinstance(value, str) and not (key == "name" and value is None):
            raise wrong_field(f"{where}.{key}", f"{where}.{key} is {shown(value)}; give a text")
    if ("data" in entry) == ("url" in entry):
        raise wrong_field(where, f"{where} needs either data, the image in base64, or url, its address")


def _decoded(text: str, where: str) -> bytes:
    """Of base64, also as the data: address that a page makes of a file."""
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if not head.endswith(";base64"):
            raise wrong_field(f"{where}.data", f"{where}.data is an address without base64; send base64")
    try:
        if text.endswith("==="):
            raise ValueError("too many = at its end")
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii's among them
        raise wrong_field(
            f"{where}.data",
            f"{where}.data is no base64 ({error}); use its usual letters (A-Z a-z 0-9 + /), filled up with =",
        ) from None
