"""A comparison as one HTML page that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence

from promptlet.own_images.comparing.result import Compared, Comparison, label
from promptlet.pages import Figure, Table, render
from promptlet.pages.canvas import drawn

HEAD = ("method", "accuracy %", "interval", "behind the best", "seconds", "bytes", "other names later")
ABOUT = (
    "Each method was trained anew for each fold, on all images but those of the fold, and asked about these. "
    "No test image was looked at. The interval holds the accuracy on more such images in about 95 of 100 "
    "cases. Behind the best: on the same images, with its own interval. Seconds are of one training, bytes "
    "of its prompt file without what tells none of these."
)
RULE = "The recommendation is the smallest file of those within one standard error of the best."
OF_POINTS = "Accuracy out of fold with its interval, by method; the dashed line is always the largest class"
BLUE, GREY = "#0072b2", "#767676"


def compare_html(found: Comparison, of: str) -> str:
    """The page. of: what was compared on."""
    return render(
        "promptlet.own_images.comparing:compare.html",
        f"Methods compared on {of}",
        headline=f"{headline(found)}.",
        recommendation=f"Recommended: {found.recommendation}.",
        results=Table("Methods by accuracy", HEAD, [cells(row) for row in found.rows]),
        about=[ABOUT, RULE],
        figure=Figure(points(found), OF_POINTS, whole=True),
        notes=notes(found),
    )


def headline(found: Comparison) -> str:
    """What was compared on, in one line."""
    return (
        f"{len(found.class_names)} classes, {found.images:,} images, {found.folds} folds, "
        f"{found.seconds:.0f} s; guessing the largest class is right on {found.majority:.1f} %"
    )


def notes(found: Comparison) -> list[str]:
    """What must be known of rows, each note once; methods that are not in the table, and why."""
    told: dict[str, list[str]] = {}
    for row in found.rows:
        for note in row.notes:
            told.setdefault(note, []).append(label((row.method, row.options)))
    of_rows = [f"{', '.join(names)}: {note}" for note, names in told.items()]
    return of_rows + [f"{name} was left out: {reason}" for name, reason in found.failed.items()]


def cells(row: Compared) -> tuple[str, ...]:
    """A row under `HEAD`."""
    behind = f"{row.behind:.1f} ({row.behind_low:+.1f} to {row.behind_high:+.1f})" if row.behind else "-"
    return (
        label((row.method, row.options)),
        f"{row.accuracy:.1f}",
        f"{row.low:.1f} to {row.high:.1f}",
        behind,
        f"{row.seconds:.1f}",
        f"{row.bytes:,}",
        "yes" if row.new_names else "no",
    )


@drawn
def points(found: Comparison) -> bytes:
    """A PNG: a line for each method, the best on top."""
    import io

    from matplotlib.figure import Figure as Canvas

    rows: Sequence[Compared] = found.rows[::-1]
    figure = Canvas(figsize=(5.6, 0.9 + 0.34 * len(rows)), dpi=170, layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        axes.hlines(place, row.low, row.high, color=BLUE, linewidth=1.6)
        axes.scatter(row.accuracy, place, color=BLUE, s=36, zorder=3)
    axes.axvline(found.majority, color=GREY, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(rows)), [label((row.method, row.options)) for row in rows])
    axes.set_xlim(0, 101)
    axes.set_xlabel("accuracy, %")
    axes.spines[["top", "right"]].set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
