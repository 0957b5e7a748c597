"""Answers of a prompt on a server of `promptlet serve`. Loads no torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlet.cli.predict.asking import Question
from promptlet.errors import DataError, OptionError, ServiceError, why

if TYPE_CHECKING:
    from promptlet.client import Client, Prediction
    from promptlet.data import FeatureCache
    from promptlet.own_images.answering import Answered
    from promptlet.web.loading import Loader

TOKEN = "PROMPTLET_TOKEN"
"""The variable that may hold the token; a command line can be read by everybody on the machine."""
BATCH = 64
"""Images that are asked at a time; a stop loses no more than these."""
ENDING = ".prompt"


def check_only_here(server: str | None, **given: Any) -> None:
    """Options about a model on this machine are not given with a server. Raises OptionError."""
    for option in _options(given) if server is not None else ():
        raise OptionError(
            f"{option} is about a model on this machine; with --server the server has chosen it: leave it out"
        )


def check_only_there(**given: Any) -> None:
    """Options about a server are not given without one. Raises OptionError."""
    for option in _options(given):
        raise OptionError(f"{option} is about a server; give --server URL with it")


def _options(given: Mapping[str, Any]) -> Iterator[str]:
    return (f"--{name.replace('_', '-')}" for name, value in given.items() if value)


def read_token(file: Path | None) -> str | None:
    """From the file, else from the variable; None where there is neither. Raises OptionError."""
    if file is None:
        return os.environ.get(TOKEN) or None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OptionError(f"--token-file {file} cannot be read ({why(error)}); check the path") from None
    except UnicodeDecodeError:
        raise OptionError(f"--token-file {file} is no text; give a file with the token alone") from None
    if not token:
        raise OptionError(f"--token-file {file} is empty; give a file with the token alone")
    return token


class ByServer:
    """A prompt on a server, known by its name there. Raises ServiceError, DataError, OptionError."""

    cache: FeatureCache | None = None

    def __init__(self, client: Client, name: str, question: Question) -> None:
        self.client, self.name, self.question = client, name, question
        facts = self._facts()
        if facts.get("reason"):
            raise ServiceError(f"{client.url}: the prompt {name} is not served: {facts['reason']}")
        self.digest = str(facts.get("digest") or "")
        self.names = question.names if question.names is not None else _own_names(facts, name)

    def made_with(self) -> dict[str, Any]:
        """The prompt and the options."""
        found: dict[str, Any] = {"prompt file": self.digest, "classes": list(self.names)}
        found |= {"--threshold": self.question.threshold, "--new-names": self.question.new_names}
        return found | ({} if self._reject is None else {"--accept": self._reject})

    @property
    def _reject(self) -> bool | float | None:
        return self.question.accept if self.question.accept is not None else self.question.reject or None

    def _facts(self) -> Mapping[str, Any]:
        try:
            return self.client.prompt(self.name)
        except ServiceError as error:
            if error.status == 404 and self.name.endswith(ENDING):
                hint = f"{error}; did you mean {self.name.removesuffix(ENDING)!r}?"
                raise ServiceError(hint, error.status, error.problem) from error
            raise

    def answers(self, paths: Sequence[str], loader: Loader | None) -> Iterator[Answered]:
        """Of these images; pictures of the web are loaded here and sent."""
        from promptlet.own_images.answering import Answered

        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            if loader is None:
                told = self._ask(dict(zip(batch, batch, strict=True)))
            else:
                with loader.together(batch) as (files, missed):
                    told = self._ask(files) | missed
            answers = tuple(told[path] for path in batch if not isinstance(told[path], str))
            errors = {path: told[path] for path in batch if isinstance(told[path], str)}
            yield Answered(answers, errors, start + len(batch))

    def _ask(self, files: Mapping[str, str]) -> dict[str, Any]:
        """An answer, or why there is none, of each image by its path. files: where each lies."""
        ask = self.question
        results = self.client.predict(
            list(files.values()),
            prompts=self.name,
            class_names=ask.names,
            top=len(self.names) if ask.wide else min(ask.top, len(self.names)),
            threshold=ask.threshold,
            reject=self._reject,
            new_names=ask.new_names,
        )
        found: dict[str, Any] = {}
        for path, one in zip(files, results, strict=True):
            found[path] = one.error or self._answer(path, one.predictions)
        return found

    def _answer(self, path: str, predictions: Sequence[Prediction]) -> Any:
        import numpy as np

        from promptlet.classifier.answers.deciding import Answer

        [one] = predictions
        if one.error:
            raise ServiceError(f"{self.client.url}: {self.name}: {one.error}", problem=one.problem)
        if one.digest != self.digest:
            raise ServiceError(
                f"{self.client.url}: the prompt {self.name} was replaced while it was asked; what was "
                "answered before is of the one before: run the same command anew"
            )
        told = dict(one.top)
        rows = np.array([told[name] for name in self.names] if self.question.wide else [], np.float64)
        return Answer(path, one.class_name, one.top, rows)


def _own_names(facts: Mapping[str, Any], name: str) -> tuple[str, ...]:
    names = facts.get("class_names")
    if not names:
        raise DataError(
            f'{name}: this prompt was saved without class names; give --classes "a,b,c", or --classes-file'
        )
    return tuple(map(str, names))
