"""POST /v1/predict: what prompts say of images. Each image is encoded once, for any number of prompts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from promptlet.errors import ImageError, OptionError, ServiceError
from promptlet.serve.http.bodies import PREDICT_FIELDS, Sent, read_given
from promptlet.serve.http.fields import Asked, check_answers, check_classes, settle
from promptlet.serve.http.problems import (
    Problem,
    busy,
    keys_of,
    problem_of,
    request_id_of,
    slug_of,
    wrong_field,
)
from promptlet.serve.http.shared import Shared, Work, both, json, tell, unknown_prompt
from promptlet.serve.http.urls import Urls

if TYPE_CHECKING:
    from promptlet.classifier.answers.deciding import Answer
    from promptlet.serve.access.tokens import Caller
    from promptlet.serve.bank.answerers import Answerer
    from promptlet.serve.bank.listing import Listed

IN_PLACE: Final = 4_096
"""Logits that are made without a thread: what a thread costs by itself."""

Features = list["np.ndarray | ImageError"]


@dataclass(frozen=True)
class Predict:
    """The route."""

    shared: Shared
    urls: Urls

    async def predict(self, request: Request) -> Work:
        """What prompts say of each image."""
        shared = self.shared
        caller = shared.caller(request)
        given = await read_given(request, PREDICT_FIELDS, shared.limits)
        asked = settle(given)
        prompts = self._prompts(caller, asked)
        tell(request, images=len(given.images), prompts=len(prompts))
        names = asked.class_names
        classes = [len(names or ()) or one.classes for one in prompts]
        check_classes(sum(classes), int(shared.backbone.get("feature_dim", 0)), shared.limits)
        check_answers(len(given.images), classes, asked, shared.limits)
        self.urls.check(given.images)
        named = [one.name for one in prompts]
        return partial(self._answer, request_id_of(request.scope), caller, asked, named, given.images)

    def _prompts(self, caller: Caller, asked: Asked) -> list[Listed]:
        """Those asked for, or the only one there is. Raises Problem."""
        if asked.prompts:
            found = [self.shared.bank.get(name) if caller.may(name) else None for name in asked.prompts]
            unknown = [name for name, one in zip(asked.prompts, found, strict=True) if one is None]
            if unknown:
                raise unknown_prompt(list(dict.fromkeys(unknown)))
            return [one for one in found if one is not None]
        seen = [one for one in self.shared.bank.listed() if caller.may(one.name)]
        if len(seen) != 1:
            some = "there are several" if seen else "there is none that you may ask"
            raise wrong_field("prompts", f"no prompt is named, and {some}; GET /v1/prompts lists their names")
        return seen

    async def _answer(
        self,
        request_id: str,
        caller: Caller,
        asked: Asked,
        prompts: Sequence[str],
        images: Sequence[Sent],
        until: float,
    ) -> Response:
        features, answerers = await both(  # images first: a full queue is told before any name is read
            encoded(self.shared, caller, images, self.urls, until),
            self.shared.bank.answerers(prompts, asked.class_names, asked.new_names, tenant=caller.name),
        )
        found = _Found(self.shared, request_id, asked, prompts, images, answerers, features)
        return found.response() if found.is_small() else await asyncio.to_thread(found.response)


async def encoded(
    shared: Shared, caller: Caller, images: Sequence[Sent], urls: Urls, until: float
) -> Features:
    """Features (D,) of each image, not normalised, or why there are none. until: as a `Work` is given it.
    Raises Problem, BusyError."""
    async with urls.loaded(images, caller.name, until) as reasons:
        return await _encoded(shared, caller, images, reasons, until)


async def _encoded(
    shared: Shared, caller: Caller, images: Sequence[Sent], reasons: Mapping[int, str], until: float
) -> Features:
    sound = [place for place in range(len(images)) if place not in reasons]
    found: Features = [ImageError("it was not read")] * len(images)
    for place, reason in reasons.items():
        found[place] = ImageError(reason)
    if not sound:
        return found
    try:
        made = await shared.encoder.encode([images[place].data for place in sound], caller.name, until)
    except OptionError as error:  # more than its queue ever holds
        raise Problem("body-too-large", str(error)) from error
    for place, one in zip(sound, made, strict=True):
        found[place] = one
        images[place].data = b""  # nothing of it is needed any longer
    return found


@dataclass(frozen=True)
class _Found:
    """From features and answerers, or why there are none, to the answer."""

    shared: Shared
    request_id: str
    asked: Asked
    prompts: Sequence[str]
    images: Sequence[Sent]
    answerers: Sequence[Answerer | Exception]
    features: Features

    def is_small(self) -> bool:
        able = [one for one in self.answerers if not isinstance(one, Exception)]
        if any(one.matrix is None for one in able):  # it may have to wait for the text tower
            return False
        return sum(len(one.names) for one in able) * len(self.images) <= IN_PLACE

    def response(self) -> Response:
        """What prompts say of each image; where nothing is said of any, the problem with the results."""
        good = [place for place, one in enumerate(self.features) if isinstance(one, np.ndarray)]
        answers = self._answers(good) if good else []
        self._count_failures(answers or self.answerers)
        columns = [
            self._column(name, answerer, found, len(good))
            for name, answerer, found in zip(self.prompts, self.answerers, answers, strict=False)
        ]
        rows = dict(zip(good, zip(*columns, strict=True), strict=True))
        results = [self._result(place, rows.get(place)) for place in range(len(self.images))]
        errors = [one.error for column in columns for one in column if isinstance(one, _Failed)]
        if good and len(errors) < len(good) * len(columns):
            return json({"backbone": self.shared.backbone, "results": results})
        problem = self._of_prompts(errors[0]) if good else self._of_images()
        problem.members["results"] = results
        return problem.response(self.request_id)

    def _answers(self, good: Sequence[int]) -> list[Exception | Sequence[Answer | Exception]]:
        """Of each prompt what it says of each good image, or why it says nothing."""
        able = [one for one in self.answerers if not isinstance(one, Exception)]
        x = np.stack([np.asarray(self.features[place]) for place in good])
        answers = iter(self.shared.answer(able, x, self.asked.rule))
        return [one if isinstance(one, Exception) else next(answers) for one in self.answerers]

    def _count_failures(self, answers: Sequence[object]) -> None:
        failed = sum(isinstance(one, ServiceError) and one.status == 500 for one in answers)
        self.shared.meters.prompt_failures.inc(failed)

    def _column(
        self,
        prompt: str,
        answerer: Answerer | Exception,
        found: Exception | Sequence[Answer | Exception],
        images: int,
    ) -> list[_Prediction | _Failed]:
        """What a prompt says of each image; where it says nothing at all, the same of each."""
        if isinstance(answerer, Exception) or isinstance(found, Exception):
            return [self._failed(prompt, answerer if isinstance(answerer, Exception) else found)] * images
        return [self._prediction(prompt, answerer.digest, one) for one in found]

    def _prediction(self, prompt: str, digest: str, answer: Answer | Exception) -> _Prediction | _Failed:
        if isinstance(answer, Exception):
            return self._failed(prompt, answer)
        return _Prediction(prompt, digest, answer.class_name, [_Likely(*one) for one in answer.top])

    def _failed(self, prompt: str, error: Any) -> _Failed:
        """Why a prompt does not answer. Raises the error where it was not expected."""
        problem = unknown_prompt([prompt]) if isinstance(error, KeyError) else problem_of(error)
        if problem is None:
            raise error
        return _Failed(prompt, problem.document(self.request_id))

    def _result(self, place: int, predictions: Sequence[_Prediction | _Failed] | None) -> dict[str, Any]:
        result = {"index": place, "name": self.images[place].name}
        if predictions is None:
            return {**result, "error": error_of(self.features[place], self.request_id)}
        return {**result, "predictions": predictions}

    def _of_images(self) -> Problem:
        """Of the first, where none could be read."""
        count, first = len(self.features), self.features[0]
        return Problem(
            "bad-image",
            str(first) if count == 1 else f"none of {count:,} images can be read; the first: {first}",
            **(keys_of(first) if count == 1 else {}),
        )

    def _of_prompts(self, first: Mapping[str, Any]) -> Problem:
        """Of the first, where none can answer."""
        count, detail = len(self.prompts), f"{self.prompts[0]}: {first['detail']}"
        said = detail if count == 1 else f"none of {count:,} prompts can answer; the first, {detail}"
        wait = first.get("retry_after")
        return busy(slug_of(first), said, wait) if wait else Problem(slug_of(first), said)


class _Likely(Struct, gc=False):
    """A class and its probability."""

    class_name: str
    probability: float


class _Prediction(Struct, gc=False):
    """What a prompt says of an image. Thousands are made for an answer, and none is ever in a circle: left to
    the collector of garbage, they would have it look through the whole model each time."""

    prompt: str
    digest: str
    class_name: str | None
    top: list[_Likely]


class _Failed(Struct, gc=False):
    """Why a prompt says nothing of an image."""

    prompt: str
    error: Mapping[str, Any]


def error_of(error: object, request_id: str) -> Mapping[str, Any]:
    """The problem of one image."""
    return Problem("bad-image", str(error), **keys_of(error)).document(request_id)
