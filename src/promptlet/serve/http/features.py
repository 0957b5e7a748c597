"""POST /v1/features: what the backbone makes of images, before any prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from starlette.requests import Request
from starlette.responses import Response

from promptlet.backbones.arithmetic.unit import unit
from promptlet.serve.http.bodies import IMAGE_FIELDS, Sent, read_given
from promptlet.serve.http.predict import Features, encoded, error_of
from promptlet.serve.http.problems import Problem, request_id_of
from promptlet.serve.http.shared import Shared, Work, json, tell
from promptlet.serve.http.urls import Urls

if TYPE_CHECKING:
    from promptlet.serve.access.tokens import Caller

IN_PLACE: Final = 4
"""Images whose numbers are written without a thread."""


@dataclass(frozen=True)
class GiveFeatures:
    """The route."""

    shared: Shared
    urls: Urls

    async def features(self, request: Request) -> Work:
        """Features (D,) of each image, float32, of length 1."""
        caller = self.shared.caller(request)
        given = await read_given(request, IMAGE_FIELDS, self.shared.limits)
        self.urls.check(given.images)
        tell(request, images=len(given.images))
        return partial(self._answer, request_id_of(request.scope), caller, given.images)

    async def _answer(
        self, request_id: str, caller: Caller, images: Sequence[Sent], until: float
    ) -> Response:
        features = await encoded(self.shared, caller, images, self.urls, until)
        names = [one.name for one in images]
        if len(features) <= IN_PLACE:
            return self._response(request_id, names, features)
        return await asyncio.to_thread(self._response, request_id, names, features)

    def _response(self, request_id: str, names: list[str], features: Features) -> Response:
        results = [
            {"index": place, "name": name, **_told(one, request_id)}
            for place, (name, one) in enumerate(zip(names, features, strict=True))
        ]
        if any("features" in one for one in results):
            return json({"model": self.shared.backbone["fingerprint"], "results": results})
        problem = Problem("bad-image", f"no image can be read; the first: {features[0]}", results=results)
        return problem.response(request_id)


def _told(one: Any, request_id: str) -> dict[str, Any]:
    if isinstance(one, np.ndarray):
        return {"features": unit(torch.from_numpy(np.array(one))[None])[0].tolist()}
    return {"error": error_of(one, request_id)}
