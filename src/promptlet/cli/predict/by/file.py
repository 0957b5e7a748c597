"""Answers of a prompt file on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlet.cli.given.prompts import check_names, check_rule_of_names, read_prompt
from promptlet.cli.predict.asking import Question
from promptlet.cli.predict.checks import check_rejection
from promptlet.cli.predict.words import tell_new
from promptlet.cli.shell import open_cache, warn

if TYPE_CHECKING:
    from promptlet.classifier import PromptLearner
    from promptlet.data import FeatureCache
    from promptlet.own_images.answering import Answered
    from promptlet.web.loading import Loader


class ByFile:
    """A prompt file, checked before a model is loaded."""

    def __init__(
        self,
        file: Path,
        question: Question,
        backbone: str | None,
        device: str | None,
        dtype: str | None,
        no_cache: bool,
    ) -> None:
        prompt = read_prompt(file, backbone)
        self.names = check_names(prompt, file, question.names)
        check_rule_of_names(question.new_names)
        self.accepted = check_rejection(
            prompt.rejection, prompt.class_names, file, self.names, question.reject, question.accept
        )
        self.file, self.question, self.no_cache = file, question, no_cache
        self.backbone, self.device, self.dtype = backbone, device, dtype
        self.cache: FeatureCache | None = None

    def made_with(self) -> dict[str, Any]:
        """The file and the options."""
        digest = hashlib.blake2b(self.file.read_bytes(), digest_size=16).hexdigest()
        found: dict[str, Any] = {"prompt file": digest, "classes": list(self.names)}
        found |= {"--threshold": self.question.threshold, "--new-names": self.question.new_names}
        found |= {} if self.accepted is None else {"--accept": self.accepted}
        return found | ({} if self.dtype is None else {"--dtype": self.dtype})

    def answers(self, paths: Sequence[str], loader: Loader | None) -> Iterator[Answered]:
        """Of these images. The model is loaded at once."""
        self.cache = open_cache(self.no_cache)
        classifier = self._load()
        from promptlet.classifier.answers.deciding import Rule
        from promptlet.own_images.answering import answer_all

        rule = Rule(self.question.top, self.question.threshold, self.accepted)
        return answer_all(classifier, paths, self.names, rule, loader)

    def _load(self) -> PromptLearner:
        """The classifier, and what is to be said of it."""
        from promptlet.classifier import PromptLearner

        new_names = self.question.new_names
        classifier = PromptLearner.load(self.file, self.backbone, self.device, dtype=self.dtype)
        classifier.cache = self.cache or False
        classifier.choose_new_names(new_names)
        tell_new(self.file, classifier, self.names, new_names)
        reads_names = classifier.method_.reads_names
        for note in classifier.backbone_.notes((), self.names) if reads_names else ():
            warn(f"note: {note}")
        return classifier
