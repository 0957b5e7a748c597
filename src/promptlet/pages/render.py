"""Templates and plain data to one HTML document.

All that a template is given is text: it is escaped, and what no page can hold is replaced. A value that is
missing is an error and never an empty place. The document closes every element, so that it can also be read
as XML.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from promptlet.characters import visible_lines
from promptlet.pages.contents import Contents

if TYPE_CHECKING:
    from jinja2 import Environment

OWN = "promptlet.pages"
"""The package of templates that are named without one."""


def render(template: str, title: str, **values: object) -> str:
    """The page, ending in a line feed.

    template: ``package:file``, a file in the folder ``templates`` of an importable package. values: what it
    shows; jinja2's UndefinedError where it shows a value that was not given, or that is None.
    """
    page = _environment().get_template(template)
    return page.render(title=title, contents=Contents(), **values).strip() + "\n"


def stylesheet() -> str:
    """The one style of every page."""
    return (files(OWN) / "style.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["style"] = Markup(stylesheet())
    return environment


def _source(name: str) -> tuple[str, str | None, Callable[[], bool]] | None:
    """The text of ``package:file``; None where there is no such file, which jinja2 reports by its name."""
    package, _, file = name.rpartition(":")
    path = files(package or OWN) / "templates" / file
    if not path.is_file():
        return None
    return path.read_text(encoding="utf-8"), str(path), lambda: True


def _shown(value: object) -> object:
    """What stands in the page for ``value``. Raises UndefinedError for None."""
    from jinja2 import UndefinedError
    from markupsafe import Markup

    if value is None:
        raise UndefinedError("a template shows None; leave the place out where there is nothing to say")
    if isinstance(value, Markup):
        return Markup(visible_lines(value))
    return visible_lines(value) if isinstance(value, str) else value
