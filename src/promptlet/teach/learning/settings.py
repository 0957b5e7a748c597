"""What a training is asked to do: the method and what is said of it, checked before anything begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from promptlet.errors import OptionError, check_option
from promptlet.methods import METHODS
from promptlet.methods.method import FEATURES
from promptlet.numbers import check_number
from promptlet.training import method_schedule

AUTO: Final = "auto"
USUAL: Final = "rlp"
FIELDS: Final = ("method", "rank", "shots", "schedule")


@dataclass(frozen=True)
class Asked:
    """method: a name, or "auto". The others: None leaves them to the library."""

    method: str = AUTO
    rank: int | None = None
    shots: int | None = None
    schedule: str | None = None

    def parameters(self, method: str) -> dict[str, Any]:
        """Of a classifier that learns by this method."""
        given = {"rank": self.rank, "shots": self.shots, "schedule": self.schedule}
        return {"method": method, **{name: value for name, value in given.items() if value is not None}}


def methods_there() -> tuple[str, ...]:
    """Those that read features: the others change the image tower, which all who ask share."""
    return tuple(name for name, method in METHODS.items() if method.info.reads == FEATURES)


def checked(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Asked:
    """settings: of the project; given: in their place. Raises OptionError."""
    told = {name: settings.get(name) for name in FIELDS}
    told |= {name: value for name, value in given.items() if name in FIELDS}
    method = check_option("method", told["method"] or AUTO, (AUTO, *methods_there()))
    rank, shots = (check_number(name, told[name]) for name in ("rank", "shots"))
    if rank is not None and (method == AUTO or "rank" not in METHODS[method].info.options):
        raise OptionError(f"rank={rank} goes with methods such as rlp, not with {method!r}; leave one out")
    schedule = told["schedule"]
    if schedule is not None:
        method_schedule(METHODS[USUAL if method == AUTO else method].info, str(schedule))
    return Asked(method, rank, shots, schedule)
