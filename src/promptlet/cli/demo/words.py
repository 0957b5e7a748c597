"""What the demo says: a sentence for each number, true whatever the number turned out to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptlet.cli.demo.story import Story
from promptlet.errors import listed

CLOSE = 1.0
"""Points of accuracy that are told as no difference."""


def of_names(story: Story) -> str:
    """The names alone."""
    return (
        f"No example of the {len(story.taught_names)} classes has been given yet "
        f"({listed(story.taught_names)}). By their names alone it is right on {story.before:.1f} % of the "
        "test pictures."
    )


def of_learning(story: Story) -> str:
    """The fit and its estimate."""
    found = story.fit.estimate
    estimate = (
        f"From these pictures alone it estimates that it will be right on {found['accuracy']:.1f} % of "
        f"others ({found['low']:.1f} to {found['high']:.1f} %)."
        if found["accuracy"] is not None
        else f"It gives no estimate: {found['reason']}."
    )
    return (
        f"From {story.shots} pictures of each class, promptlet fit learns {story.fit.trainable:,} numbers: "
        f"a file of {story.bytes:,} bytes. {estimate}"
    )


def of_the_same(story: Story) -> str:
    """The same test pictures, before and after."""
    gain = story.after - story.before
    change = (
        f"{gain:.1f} points more than by the names alone"
        if gain > CLOSE
        else f"{-gain:.1f} points less than by the names alone: here learning did harm"
        if gain < -CLOSE
        else "about as many as by the names alone: here there was nothing to gain"
    )
    found = story.fit.estimate
    if found["accuracy"] is None:
        return f"Now it is right on {story.after:.1f} % of the same test pictures, {change}."
    held = found["low"] <= story.after <= found["high"]
    verdict = "The estimate held." if held else "The estimate was off."
    return f"Now it is right on {story.after:.1f} % of the same test pictures, {change}. {verdict}"


def of_new_names(story: Story) -> str:
    """Names given afterwards."""
    return (
        f"Asked about {len(story.new_names)} classes that it was never taught ({listed(story.new_names)}), "
        f"by their names, the same prompt is right on {story.new:.1f} %. RLP answers such names as the "
        "backbone does by itself, so nothing is forgotten, and nothing gained."
    )


def of_none(story: Story) -> str:
    """None of these."""
    return (
        f'Asked with --reject, the prompt says "none of these" to {100 - story.let_in:.1f} % of pictures '
        f"of classes it was never taught, and wrongly to {100 - story.kept:.1f} % of those it was."
    )


def of_story(story: Story) -> tuple[str, str, str, str, str]:
    """The steps of the main job, a text each."""
    return of_names(story), of_learning(story), of_the_same(story), of_new_names(story), of_none(story)


HEAD = ("data", "method", "numbers learned", "taught %", "new %", "H")
OF_TABLE = (
    "The same for three methods. Each was taught half of the classes from 16 pictures of each, and asked "
    "about them, and about the other half by their names; means over seeds."
)
OF_COLUMNS = (
    "taught %, new %: how often the answer is right, of pictures that were not learned from. H: their "
    "harmonic mean, near the lower of the two; the field compares methods by it.",
    "CoOp answers new names by what it learned. RLP answers them as the backbone does by itself, unless it "
    "is asked otherwise (--new-names).",
)


def averages(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that sum up the data sets, or those of the only one."""
    from promptlet.report.statistics.comparisons import AVERAGE

    found = [row for row in rows if row["dataset"] == AVERAGE]
    return found or list(rows)


def rows_of(rows: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The short table under `HEAD`."""
    return [
        (
            row["dataset"].removeprefix("mini-"),
            row["method"].replace("_", "-"),
            f"{row['trainable']:,}",
            *(f"{row[name]:.1f}" for name in ("base", "new", "H")),
        )
        for row in rows
    ]


def of_methods(rows: Sequence[dict[str, Any]]) -> str:
    """The comparison of methods on average: ``rows`` of the summary's averages."""
    by = {row["method"]: row for row in rows}
    if not {"zero_shot", "rlp", "coop"} <= by.keys():
        return "Some runs are missing, so nothing is concluded."
    rlp, coop, none = by["rlp"], by["coop"], by["zero_shot"]
    base = rlp["base"] - none["base"]
    return (
        f"On taught classes RLP is {_points(base)} the names alone and {_points(rlp['base'] - coop['base'])} "
        f"CoOp, which learns {coop['trainable'] / rlp['trainable']:.1f} times as many numbers. On classes "
        f"that were never taught it is {_points(rlp['new'] - none['new'])} the names alone and "
        f"{_points(rlp['new'] - coop['new'])} CoOp."
    )


def _points(difference: float) -> str:
    if abs(difference) < CLOSE / 2:
        return "level with"
    return f"{abs(difference):.1f} points {'above' if difference > 0 else 'below'}"
