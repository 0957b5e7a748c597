"""Clients that ask a service again and again, and hold every answer to the library's."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import photos
from benchmarks.serve import load, material
from promptlet.backbones import load_backbone
from promptlet.classifier.learner import PromptLearner
from promptlet.features import encode_images

IMAGES, PROMPTS, SIZE = 4, 3, (640, 480)
CLOSE = 1e-4
"""By which a probability may differ from the library's."""
REFUSALS = ("/problems/busy", "/problems/late", "/problems/not-ready")
HOWS = ("right", "refused", "cut", "away")
"""How requests end, but those that are answered wrongly; away: nobody listened."""


class Wanted(NamedTuple):
    """What is right: of each image by name, the class name and probability of each prompt."""

    images: dict[str, bytes]
    answers: dict[str, dict[str, tuple[str, float]]]


def material_in(folder: Path) -> Wanted:
    """Prompts in ``folder``/prompts, photos, and what the library says of them."""
    backbone = load_backbone("mini", "cpu", "float32")
    prompts = material.write_bank(folder / "prompts", backbone, PROMPTS)
    images = {f"{seed}.jpg": photos.jpeg(*SIZE, seed) for seed in range(8)}
    features = encode_images(backbone, list(images.values()))[0]
    answers: dict[str, dict[str, tuple[str, float]]] = {name: {} for name in images}
    for prompt in prompts:
        learner = PromptLearner.load(folder / "prompts" / f"{prompt}.prompt", backbone)
        for name, row in zip(images, learner.predict_proba(features), strict=True):
            best = int(np.argmax(row))
            answers[name][prompt] = learner.class_names_[best], float(row[best])
    return Wanted(images, answers)


class One(NamedTuple):
    """A request: when it ended, by `time.monotonic`; how: one of `HOWS`, or what was wrong."""

    ended: float
    how: str


@dataclass
class Clients:
    """Threads that ask the port of a service again and again, each on a connection that it keeps."""

    port: int
    wanted: Wanted
    done: list[One] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self, count: int) -> Iterator[Clients]:
        """Inside, they do; the last answers are waited for."""
        threads = [threading.Thread(target=self._ask_all, args=(k,)) for k in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join(90)
            assert not any(thread.is_alive() for thread in threads), "a request was never answered"

    def between(self, began: float, ended: float) -> list[One]:
        return [one for one in list(self.done) if began <= one.ended < ended]

    def since(self, began: float, how: str = "right") -> list[One]:
        return [one for one in list(self.done) if one.ended >= began and one.how == how]

    def _ask_all(self, number: int) -> None:
        draw = np.random.default_rng(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=75)
        while not self._is_over.is_set():
            names = [str(one) for one in draw.choice(list(self.wanted.images), IMAGES, replace=False)]
            try:
                how = self._ask(connection, names)
            except (OSError, http.client.HTTPException) as error:
                connection.close()  # the next request opens it again
                how = "away" if isinstance(error, ConnectionRefusedError) else "cut"
            self.done.append(One(time.monotonic(), how))
            if how != "right":
                time.sleep(0.1)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, names: Sequence[str]) -> str:
        body, kind = load.form([(name, self.wanted.images[name]) for name in names], self._prompts())
        connection.request("POST", "/v1/predict", body, {"Content-Type": kind})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        if (
            answer.status == 503
            and told["type"] in REFUSALS
            and told["detail"]
            and answer.headers["Retry-After"]
        ):
            return "refused"
        if answer.status != 200:
            return f"{answer.status}: {told}"
        for name, result in zip(names, told["results"], strict=True):
            if result["name"] != name or "predictions" not in result:
                return f"{name}: {result}"
            found = {one["prompt"]: one["top"][0] for one in result["predictions"]}
            for prompt, (class_name, probability) in self.wanted.answers[name].items():
                one = found[prompt]
                if one["class_name"] != class_name or abs(one["probability"] - probability) > CLOSE:
                    return f"{name} by {prompt}: {one}, and not {class_name} with {probability}"
        return "right"

    def _prompts(self) -> list[str]:
        return list(next(iter(self.wanted.answers.values())))
