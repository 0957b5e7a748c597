"""What `promptlet search` is asked, checked before a model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from promptlet.cli.given.options import DEFAULT_BACKBONE
from promptlet.cli.given.places import on_disk
from promptlet.cli.given.prompts import read_prompt
from promptlet.errors import OptionError

if TYPE_CHECKING:
    from promptlet.search.query import ClassOf, Query


@dataclass(frozen=True)
class Given:
    """The options as they were given."""

    words: Sequence[str]
    prompts: Sequence[str]
    images: Sequence[Path]
    not_words: Sequence[str]
    not_images: Sequence[Path]
    template: str | None
    can_be_empty: bool
    """Whether there is something to do where nothing is looked for."""

    @cached_property
    def classes(self) -> tuple[ClassOf, ...]:
        """Of prompt files, those of the hub fetched. Raises HubError, OptionError where none is named."""
        if not self.prompts:
            return ()
        from promptlet.search.query import ClassOf

        given = map(ClassOf.parse, self.prompts)
        return tuple(
            replace(one, file=str(on_disk(Path(one.file))), called=Path(one.file).name) for one in given
        )

    def query(self) -> Query | None:
        """What is looked for; None where nothing is. Raises OptionError."""
        if not (self.words or self.prompts or self.images):
            self._check_nothing()
            return None
        from promptlet.methods.templates import TEMPLATE
        from promptlet.search.query import Query

        return Query(
            words=tuple(self.words),
            classes=self.classes,
            images=tuple(map(str, self.images)),
            not_words=tuple(self.not_words),
            not_images=tuple(map(str, self.not_images)),
            template=TEMPLATE if self.template is None else self.template,
        )

    def _check_nothing(self) -> None:
        if self.not_words or self.not_images:
            raise OptionError(
                "--not says what images shall not show; give also what they shall: --query, --prompt or "
                "--like"
            )
        if not self.can_be_empty:
            raise OptionError(
                "--no-update leaves the index as it is, and nothing is looked for; give --query, --prompt or "
                "--like, or leave --no-update out"
            )


def backbone_of(classes: Sequence[ClassOf], given: str | None) -> str:
    """The name of the backbone: as given, else that of the prompt files, else the default. Raises OptionError
    where they name several, and what a prompt file raises that cannot be read."""
    prompts = {file: read_prompt(Path(file), given) for file in dict.fromkeys(one.file for one in classes)}
    if given is not None or not prompts:
        return given or DEFAULT_BACKBONE
    first, *others = prompts.items()
    for file, prompt in others:
        if prompt.fingerprint != first[1].fingerprint:
            raise OptionError(
                f"{first[0]} was made with {first[1].backbone!r}, {file} with {prompt.backbone!r}; a folder "
                "is searched by one backbone at a time: ask for one of the two"
            )
    return first[1].backbone


def check_told(
    query: Query | None, precision: float | None, taught: Path | None, nothing_else: bool = False
) -> None:
    """Raise OptionError for a precision that nothing can tell."""
    if precision is None and taught is None and not nothing_else:
        return
    if query is None or precision is None:
        raise OptionError(
            "--taught and --nothing-else are about the precision of a class: give --prompt FILE:CLASS "
            "--precision 0.9"
        )
    from promptlet.search.precision.telling import check

    check(query, precision, taught, nothing_else)
