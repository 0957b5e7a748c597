"""A project of coloured pictures, and what is told of it while it is trained."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from drawn_photos import COLOURS, draw

from promptlet.teach.learning.job import Job
from promptlet.teach.learning.learning import Learning
from promptlet.teach.projects.project import Project
from promptlet.teach.projects.shelf import Shelf

SOON = 60.0
QUICK = {"method": "tip_adapter"}
EACH = 4


class Told:
    """What was told of projects, and what is done at the first word of a stage."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.at: dict[str, Callable[[], object]] = {}

    def __call__(self, project: str, name: str, data: dict[str, Any]) -> None:
        self.events.append((project, name, data))
        if name == "training" and data["state"] == "running" and data["stage"] in self.at:
            self.at.pop(data["stage"])()

    def stages(self) -> list[str]:
        """Of trainings, in their order."""
        return list(dict.fromkeys(data["stage"] for _, name, data in self.events if name == "training"))


def colours_in(shelf: Shelf) -> Project:
    """red, green and blue, four photos each, and one of each without a class."""
    made = shelf.create("Colours")
    for name, colour in COLOURS.items():
        for seed in range(EACH):
            draw(made.root / name / f"{name}{seed}.png", colour, seed)
        draw(made.root / ".unlabelled" / f"some {name}.png", colour, 50)
    return made


def ended(job: Job, state: str = "done") -> Job:
    assert job.over.wait(SOON)
    assert job.state == state, job.error
    return job


def trained(learning: Learning, **asked: Any) -> dict[str, Any]:
    """The result of a training."""
    ended(learning.train("colours", asked or QUICK))
    found = learning.result("colours")
    assert found is not None
    return found


def settled(learning: Learning, project: str = "colours") -> None:
    """All images are encoded."""
    until = monotonic() + SOON
    while monotonic() < until:
        done, total = learning.encoded(project)
        if done == total:
            return
        threading.Event().wait(0.01)
    raise AssertionError("they are not encoded")
