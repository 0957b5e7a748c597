"""The backbone that the prompt files of a place name, found in their headers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from promptlet.errors import BackboneError, OptionError, PromptFileError, listed
from promptlet.promptfile import is_known_name
from promptlet.promptfile.container import metadata_of, split


@dataclass(frozen=True)
class Named:
    """What a prompt file says of its backbone; of a damaged file nothing."""

    prompt: str
    name: str = ""
    fingerprint: str = ""


def named_by(prompt: str, data: bytes) -> Named:
    """Of the bytes of a prompt file."""
    try:
        told = metadata_of(split(data)[0])
    except PromptFileError:
        return Named(prompt)
    return Named(prompt, told.get("backbone", ""), told.get("fingerprint", ""))


def backbone_of(files: Iterable[Named], where: str) -> str:
    """The one backbone that prompt files name.

    Where all are of one fingerprint, their names are of one model, and the one that most of them use counts.
    Raises OptionError where there is none, or several; BackboneError where a person has to name it.
    """
    names: dict[str, Counter[str]] = {}
    examples: dict[str, str] = {}
    for one in files:
        if one.fingerprint:
            names.setdefault(one.fingerprint, Counter())[one.name] += 1
            examples.setdefault(one.fingerprint, one.prompt)
    if not names:
        raise OptionError(f"no prompt file in {where} names a backbone; name it: --backbone NAME")
    if len(names) > 1:
        kinds = listed(
            (
                f"{counted.most_common(1)[0][0] or 'one without a name'} ({counted.total():,} prompts, such "
                f"as {examples[fingerprint]})"
                for fingerprint, counted in names.items()
            ),
            3,
        )
        raise OptionError(
            f"the prompts in {where} are of {len(names)} backbones: {kinds}; a server has one: "
            "--backbone NAME"
        )
    [(fingerprint, counted)] = names.items()
    known = [name for name, _ in counted.most_common() if is_known_name(name)]
    if not known:
        name = counted.most_common(1)[0][0]
        raise BackboneError(
            f"the prompts in {where} name the backbone {name!r}, and files are followed to hub ids and tags "
            f"of open_clip alone; name it yourself: --backbone (fingerprint {fingerprint})"
        )
    return known[0]
