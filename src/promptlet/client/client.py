"""`Client`: asks a server of `promptlet serve`, with the server's own words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from promptlet.client.answers import Answer, Embedding, Reader, Result, embedding, in_order, result
from promptlet.client.connection import Connection
from promptlet.client.images import MOST_IMAGES, Picture, picture, portions, several
from promptlet.errors import OptionError, PromptFileError, ServiceError, shown, why

if TYPE_CHECKING:
    from types import TracebackType

    import httpx
    import numpy as np
    from typing_extensions import Self

TOO_MUCH_AS_TEXT, TOO_LARGE, NOT_ACCEPTED = 406, 413, 422
NPY = "application/x-npy"
SHAPE = (KeyError, TypeError, ValueError, AttributeError)
"""What is raised where an answer is not built as ours are."""
Told = TypeVar("Told")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Client:
    """A server at ``url``, such as ``"http://127.0.0.1:8080"``; may be used from several threads, and as a
    context manager.

    token: as `promptlet serve-token` made it; None where the server asks for none. It is never shown, and
    sent over plain http to this machine alone, unless ``allow_http`` says that the network is your own.
    timeout: seconds for each step of a request. retries: how often it is asked again where the server is
    busy or cannot be reached. transport: of httpx, for tests.
    Raises OptionError, and MissingExtraError without httpx. Methods raise ServiceError with the server's
    problem document, and BusyError where it stayed busy.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 30,
        retries: int = 3,
        allow_http: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._connection = Connection(url, token, timeout, retries, allow_http, transport)
        self._most = MOST_IMAGES

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Of the server."""
        return self._connection.url

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def predict(
        self,
        images: Any,
        prompts: str | Sequence[str] | None = None,
        class_names: Sequence[str] | None = None,
        top: int | None = None,
        threshold: float | None = None,
        reject: bool | float | None = None,
        new_names: str | None = None,
    ) -> list[Result]:
        """What prompts say of images, in the order of the images.

        images: paths, bytes of image files, open files, Pillow images, arrays; or one of them. Many are sent
        in portions. prompts: names on the server; None: the only one that the token may see. class_names:
        other names to answer among. top: how many of the likeliest are told. threshold: a probability below
        which the answer is none of the classes. reject: none of them also where an image is not like those
        that taught; or the percentage of own images that is to pass. new_names: the rule for names that were
        not taught. What is left out is as the server has it.
        """
        fields = {
            "prompts": _list("prompts", prompts, one=True),
            "class_names": _list("class_names", class_names),
            "top": _word(top),
            "threshold": _word(threshold),
            "reject": _word(reject),
            "new_names": _word(new_names),
        }
        return list(self._ask_all("/v1/predict", images, fields, result))

    def features(self, images: Any) -> list[Embedding]:
        """The features of images, as `predict` takes them."""
        return list(self._ask_all("/v1/features", images, {}, embedding))

    def prompts(self) -> list[dict[str, Any]]:
        """The prompts that the token may see, also those that cannot be served, with the reason."""
        told: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None:
            params = {"after": after} if after else {}
            some, after = self._told("GET", "/v1/prompts", _page, params=params)
            told += some
        return told

    def prompt(self, name: str) -> dict[str, Any]:
        """What is known of a prompt: its classes, method, training and so on."""
        return self._told("GET", _place(name), lambda found: {**found})

    def vectors(self, name: str) -> tuple[tuple[str, ...], np.ndarray]:
        """The names of a prompt's C classes and their features (C, D), float32, each of length 1."""
        path = f"{_place(name)}/vectors"
        try:
            return self._told("GET", path, lambda found: _rows(found["class_names"], found["vectors"]))
        except ServiceError as error:
            if error.status != TOO_MUCH_AS_TEXT:
                raise
        facts = self.prompt(name)
        data, head = self._connection.ask_for(path, NPY)
        if str(facts.get("digest")) not in head.get("ETag", ""):
            raise ServiceError(f"{self.url}: the prompt {name} was replaced while it was read; ask again")
        try:
            return _rows(facts["class_names"], _npy(data))
        except SHAPE as error:
            raise self._connection.stranger(f"its answer to {path} has another form") from error

    def upload(self, path: str | PathLike[str], name: str | None = None) -> dict[str, Any]:
        """Send a prompt file, in the place of one of that name; of an administrator alone. name: else that of
        the file without its ending. Raises PromptFileError where it cannot be read."""
        path = Path(path)
        place = _place(path.stem if name is None else name)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise PromptFileError(f"{path} cannot be read ({why(error)}); check the path") from error
        head = {"Content-Type": "application/octet-stream"}
        return self._told("PUT", place, lambda found: {**found}, content=data, headers=head)

    def delete(self, name: str) -> None:
        """Remove a prompt from the server; of an administrator alone."""
        self._connection.ask("DELETE", _place(name))

    def is_ready(self) -> bool:
        """Whether it answers images now: it tries one by itself. False also where it cannot be reached."""
        return self._connection.status("/readyz") == 200

    def _told(self, method: str, path: str, read: Callable[[Any], Told], **content: Any) -> Told:
        found = self._connection.ask(method, path, **content)
        try:
            return read(found)
        except SHAPE as error:
            raise self._connection.stranger(f"its answer to {path} has another form") from error

    def _ask_all(
        self, path: str, images: Any, fields: Mapping[str, Any], read: Reader[Answer]
    ) -> Iterator[Answer]:
        """An answer for each image, a portion at a time."""
        given = {key: value for key, value in fields.items() if value is not None}
        pictures = (picture(image, place) for place, image in enumerate(several(images)))
        for portion in portions(pictures):
            sound = [one for one in portion if not one.error]
            answers = iter(self._ask_some(path, sound, given, read))
            for one in portion:
                yield read(one.name, {"error": {"title": one.error}}) if one.error else next(answers)

    def _ask_some(
        self, path: str, pictures: Sequence[Picture], fields: Mapping[str, Any], read: Reader[Answer]
    ) -> list[Answer]:
        """In one request, or in several where the server takes fewer; it is sent fewer from then on."""
        done: list[Answer] = []
        while len(done) < len(pictures):
            some = pictures[len(done) : len(done) + self._most]
            try:
                done += self._ask_once(path, some, fields, read)
            except ServiceError as error:
                if error.status != TOO_LARGE:
                    raise
                if len(some) == 1:
                    done.append(read(some[0].name, {"error": error.problem or {"title": str(error)}}))
                else:
                    self._most = max(len(some) // 2, 1)
        return done

    def _ask_once(
        self, path: str, pictures: Sequence[Picture], fields: Mapping[str, Any], read: Reader[Answer]
    ) -> list[Answer]:
        files = [("images", (one.file, one.data, "application/octet-stream")) for one in pictures]
        names = [one.name for one in pictures]
        try:
            return self._told(
                "POST",
                path,
                lambda found: in_order(found["results"], names, read),
                files=files,
                data=dict(fields),
            )
        except ServiceError as error:
            if error.status != NOT_ACCEPTED or "results" not in error.problem:
                raise
            try:  # no image could be read, each with its reason
                return in_order(error.problem["results"], names, read)
            except SHAPE:
                raise error from None


def _page(found: Any) -> tuple[list[dict[str, Any]], str | None]:
    """Prompts, and after which name there are more."""
    some, further = [dict(one) for one in found["prompts"]], found.get("next")
    if further is not None and not (some and further == some[-1]["name"]):
        raise ValueError("it would never end")
    return some, further


def _rows(names: Any, rows: Any) -> tuple[tuple[str, ...], np.ndarray]:
    """Raises ValueError where they do not belong together."""
    import numpy as np

    names, rows = tuple(map(str, names)), np.asarray(rows, np.float32)
    if rows.ndim != 2 or len(rows) != len(names):
        raise ValueError(f"vectors of shape {rows.shape} for {len(names)} names")
    return names, rows


def _npy(data: bytes) -> np.ndarray:
    import io

    import numpy as np

    from promptlet.data.arrays import FAULTS

    try:
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    except FAULTS as error:
        raise ValueError(f"no array of NumPy: {error}") from error


def _list(name: str, given: str | Sequence[str] | None, one: bool = False) -> list[str] | None:
    """Names as the server takes them: a field for each."""
    if isinstance(given, str):
        if one:
            return [given]
        raise OptionError(f"{name}={shown(given)} is one text; give a list of names")
    names = None if given is None else list(given)
    if names is not None and not (names and all(isinstance(each, str) for each in names)):
        raise OptionError(f"{name}={shown(given)} is no list of names; give one or more, as text")
    return names


def _word(value: Any) -> str | None:
    """As fields of a form have it."""
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _place(name: str) -> str:
    """The path of a prompt. Raises OptionError for a name that no prompt on a server has."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OptionError(
            f"{shown(name)} is no name of a prompt on a server; give up to 100 letters, digits, dots, dashes "
            "and underlines, with a letter or digit first"
        )
    return f"/v1/prompts/{quote(name, safe='')}"
