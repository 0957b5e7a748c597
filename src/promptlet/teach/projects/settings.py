"""Settings of a project's trainings, as the expert drawer of the page has them."""

from __future__ import annotations

from typing import Any

from promptlet.errors import OptionError, check_option, shown
from promptlet.numbers import check_number
from promptlet.teach.projects.record import SETTINGS

AUTO = "auto"
SCHEDULES = ("fast", "adamw", "coop", "official")


def checked_settings(given: object) -> dict[str, Any]:
    """Those given. Raises OptionError."""
    if not isinstance(given, dict):
        raise OptionError(f"settings={shown(given)} is not allowed; give an object with {', '.join(SETTINGS)}")
    for name, value in given.items():
        check_option("settings", str(name), SETTINGS)
        if name == "method":
            _check_method(value)
        elif name == "schedule" and value is not None:
            check_option("schedule", str(value), SCHEDULES)
        elif value is not None:
            check_number(name, value, name)
    return dict(given)


def _check_method(value: object) -> None:
    from promptlet.methods import METHODS

    if value is not None:
        check_option("method", str(value), (AUTO, *METHODS))
