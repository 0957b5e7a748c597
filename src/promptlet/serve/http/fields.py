"""What is asked beside the images, checked in one place, whatever form it came in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from promptlet.classifier.answers.deciding import Rule
from promptlet.data import check_class_names
from promptlet.errors import DataError, OptionError, shown
from promptlet.methods.new_names import check_rule
from promptlet.numbers import check_number
from promptlet.promptfile import SHARES
from promptlet.serve.http.bodies import Given, Limits
from promptlet.serve.http.problems import Problem, wrong_fields

LONGEST: Final = 1024
"""Characters of a name."""
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_REJECT: Final = (
    f"true, false, or the percentage of own images that is to pass, {SHARES[0]:g} to {SHARES[-1]:g}"
)


@dataclass(frozen=True)
class Asked:
    """prompts: names in the order given, empty where none was. class_names: None means each prompt's own."""

    prompts: tuple[str, ...]
    class_names: tuple[str, ...] | None
    rule: Rule
    new_names: str | None


def settle(given: Given) -> Asked:
    """Raises Problem that tells all fields that are wrong."""
    checked: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    for name, check in _CHECKS.items():
        try:
            checked[name] = check(_value(given, name), given.limits)
        except (OptionError, DataError) as error:
            wrong.append((name, str(error)))
    if wrong:
        raise wrong_fields(wrong)
    rule = Rule(checked["top"], checked["threshold"], checked["reject"])
    asked = Asked(checked["prompts"], checked["class_names"], rule, checked["new_names"])
    _check_work(asked, given)
    return asked


def _value(given: Given, name: str) -> Any:
    """As JSON has it; None where it was left out. Texts of single fields become what they stand for."""
    texts, value = given.texts.get(name), given.values.get(name)
    if texts and value is not None:
        raise OptionError(f"{name} is given in the query and in the body; give it once")
    if texts is None:
        return value
    if name in _MANY:
        return texts
    if len(texts) > 1:
        raise OptionError(f"{name} is given {len(texts)} times; give it once")
    return _READ[name](texts[0])


def _whole(text: str) -> int | str:
    return int(text) if _WHOLE.fullmatch(text) else text


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _truth_or_number(text: str) -> bool | float | str:
    truths = {"true": True, "false": False}
    return truths[text.lower()] if text.lower() in truths else _number(text)


_READ: Final[dict[str, Callable[[str], Any]]] = {
    "top": _whole,
    "threshold": _number,
    "reject": _truth_or_number,
    "new_names": str,
}


def _prompts(value: Any, limits: Limits) -> tuple[str, ...]:
    return _names("prompts", value, limits.max_prompts)


def _class_names(value: Any, limits: Limits) -> tuple[str, ...] | None:
    if value is None:
        return None
    return check_class_names(_names("class_names", value, limits.max_class_names), "class_names")


def _names(name: str, value: Any, most: int) -> tuple[str, ...]:
    """One, or a list of them."""
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        raise OptionError(f"{name}={shown(value)} is no list of names; give a list of texts")
    if value is not None and not names:
        raise OptionError(f"{name} is an empty list; give names, or leave it out")
    if len(names) > most:
        raise OptionError(f"{name} has {len(names):,} names; give {most:,} at most in one request")
    for place, one in enumerate(names):
        if not isinstance(one, str) or not 0 < len(one) <= LONGEST or _is_broken(one):
            raise OptionError(
                f"{name}[{place}] is {shown(one)}; give a text of 1 to {LONGEST:,} characters that UTF-8 has"
            )
    return tuple(names)


def _is_broken(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text)


def _top(value: Any, limits: Limits) -> int:  # noqa: ARG001 - all checks are called alike
    return 1 if value is None else int(check_number("top", value))


def _threshold(value: Any, limits: Limits) -> float | None:  # noqa: ARG001
    number: float | None = check_number("threshold", value)
    return number


def _reject(value: Any, limits: Limits) -> bool | float | None:  # noqa: ARG001
    if value is None or value is False:
        return None
    is_share = isinstance(value, int | float) and SHARES[0] <= value <= SHARES[-1]
    if value is True or is_share:
        return value if isinstance(value, bool) else float(value)
    raise OptionError(f"reject={shown(value)} is not allowed; give {_REJECT}")


def _new_names(value: Any, limits: Limits) -> str | None:  # noqa: ARG001
    return None if value is None else check_rule(value)


_MANY: Final = ("prompts", "class_names")
_CHECKS: Final[dict[str, Callable[[Any, Limits], Any]]] = {
    "prompts": _prompts,
    "class_names": _class_names,
    "top": _top,
    "threshold": _threshold,
    "reject": _reject,
    "new_names": _new_names,
}


def _check_work(asked: Asked, given: Given) -> None:
    """Names are read anew for each prompt, so their product is what costs."""
    most, names = given.limits.max_class_names, asked.class_names or ()
    if len(names) * max(len(asked.prompts), 1) > most:
        raise wrong_fields(
            [
                (
                    "class_names",
                    f"{len(names):,} class names for {len(asked.prompts):,} prompts are more than {most:,} "
                    "in all, since each prompt reads them anew; ask fewer prompts in one request",
                )
            ]
        )


def check_classes(classes: int, features: int, limits: Limits) -> None:
    """Raises Problem where the class features of one request, classes times features, would not fit: they are
    all held while it is answered."""
    held = 4 * classes * features
    if held > limits.max_class_bytes:
        raise Problem(
            "body-too-large",
            f"the prompts have {classes:,} classes together, whose features take {held:,} bytes; "
            f"{limits.max_class_bytes:,} are held for one request: ask fewer prompts or class names at once",
            allowed=limits.max_class_bytes,
        )


def check_answers(images: int, classes: Sequence[int], asked: Asked, limits: Limits) -> None:
    """Raises Problem where more would be told than is in one answer. classes: of each prompt; 0: unknown."""
    told = images * sum(min(asked.rule.top, max(count, 1)) for count in classes)
    if told > limits.max_answers:
        raise Problem(
            "body-too-large",
            f"{images:,} images, {len(classes):,} prompts and top={asked.rule.top:,} make {told:,} answers; "
            f"{limits.max_answers:,} are told in one request: send fewer images, or ask fewer prompts or a "
            "smaller top",
            allowed=limits.max_answers,
        )
