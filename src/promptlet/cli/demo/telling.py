"""The demo on the terminal."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from promptlet.cli.demo import words
from promptlet.cli.demo.story import Story
from promptlet.cli.shell import say, table

if TYPE_CHECKING:
    from promptlet.report.statistics.summary import Summary


def tell(story: Story) -> None:
    """The main job, a step a line."""
    say(f"small drawn pictures ({story.dataset}), and the small backbone mini: not CLIP, not photographs")
    for number, text in enumerate(words.of_story(story), 1):
        say(f"{number}. {text}")


def tell_comparison(story: Story, summary: Summary, facts: dict[str, Any]) -> None:
    """The table, what it says, and what to do next."""
    say()
    say(words.OF_TABLE)
    table(words.HEAD, words.rows_of(summary.rows), right=words.HEAD[2:])
    say(words.of_methods(words.averages(summary.rows)))
    say(f"{facts['contact_sheet']}: pictures with the prompt's answers")
    say(f"{facts['report']}: all of this on one page; {facts['seconds']:.0f} s")
    say("next, with your own images (a folder of images per class, and a real CLIP by its hub id or folder):")
    for line in next_steps(story.file):
        say(f"  {line}")


def next_steps(prompt: Path) -> list[str]:
    """Commands to go on with."""
    return [
        f"promptlet inspect {quote(str(prompt))}",
        "promptlet check MY_FOLDER",
        "promptlet fit MY_FOLDER --out my.prompt",
        "promptlet predict my.prompt IMAGE...",
        "promptlet compare MY_FOLDER",
    ]
