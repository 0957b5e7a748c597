"""An evaluation as one HTML page that loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.errors import listed, with_path
from promptlet.own_images.evaluating import words
from promptlet.own_images.evaluating.charts import matrix_chart, reliability_chart, threshold_chart
from promptlet.own_images.evaluating.result import Evaluation, Judged
from promptlet.own_images.thumbnails import picture_of
from promptlet.pages import Figure, Gallery, Matrix, Picture, Table, render
from promptlet.pages.gallery import MOST, bounded
from promptlet.promptfile.backbone import without_folders

WHOLE = 30
"""Classes of which the matrix is a table with all of them; of more, it is a picture, and a table of some."""
OF_MANY = 15
"""As many of the classes with the most mistakes."""
PAIRS = 15
AT_ONCE = 16
"""Pictures that are not folded away."""
UNREAD = 50
"""Files that could not be read, listed by name."""
OTHERS = "all others"
OF_RELIABILITY = (
    "Answers by the probability that was given: across, the probability; up, how many of them are right, "
    "with 95 % intervals. Below the dashed line more is claimed than is right. Larger points stand for more "
    "images."
)
OF_THRESHOLD = (
    "What is left where answers below a probability are held back, for a person to look at: the share of "
    "images that is still answered (dashed), and how many of these answers are right (solid)."
)
OF_MATRIX = (
    "All classes, numbered as in the table of classes: each row shows what images of one class were taken "
    "for. Right answers lie on the diagonal."
)


def evaluation_html(found: Evaluation, of: str = "A prompt", made_of: Sequence[str] = ()) -> str:
    """The page. of: what was judged, as a title. made_of: facts of it, as sentences."""
    wrong = [one for one in found.images if not one.right]
    worst = found.worst(MOST)
    has_pictures = not all(isinstance(one.source, np.ndarray) and one.source.ndim == 1 for one in worst)
    pictures = bounded(_pictures(worst, _folder(found))) if has_pictures else []
    is_large = len(found.class_names) > WHOLE
    return render(
        "promptlet.own_images.evaluating:evaluation.html",
        f"{of} on {Path(found.data).resolve().name or found.data}",
        headline=words.headline(found),
        between=words.between(found),
        notes=[*found.notes, *words.left_out(found)],
        numbers=_numbers(found),
        pairs=words.pairs(found.confused(PAIRS)),
        matrix=_matrix(found),
        matrix_figure=Figure(matrix_chart(found), OF_MATRIX) if is_large else "",
        galleries=_galleries(pictures),
        worst="" if has_pictures or not worst else _worst(worst),
        gallery_note=_gallery_note(len(pictures) or len(worst), len(wrong)),
        classes=_classes(found, is_large),
        calibration=words.calibration(found).capitalize(),
        reliability=Figure(reliability_chart(found), OF_RELIABILITY, whole=True),
        bins=_bins(found),
        threshold=Figure(threshold_chart(found), OF_THRESHOLD, whole=True),
        thresholds=_thresholds(found),
        unread=_unread(found),
        made_of=list(made_of),
    )


def _numbers(found: Evaluation) -> list[str]:
    """The lede's numbers are not said again."""
    calibration, names = words.calibration(found), words.against_names(found)
    return [
        *([names] if names else []),
        f"macro-F1 {found.macro_f1:.1f} %: as the accuracy, but every class counts the same, however few its "
        "images",
        f"{calibration}; 0 would be as often right as it says",
    ]


def _pictures(worst: Sequence[Judged], folder: str) -> Iterator[Picture]:
    for one in worst:
        path = one.path.removeprefix(folder)
        said = f"said {one.said}, {100 * one.probability:.0f}\N{NO-BREAK SPACE}%"
        yield picture_of(one.source, f"{path}: {said}, is {one.label}", (said, f"is {one.label}", path))


def _worst(worst: Sequence[Judged]) -> Table:
    """Instead of a gallery, where images came as features."""
    rows = [(one.path, one.said, f"{100 * one.probability:.1f}", one.label) for one in worst]
    return Table("Images answered wrongly", ("image", "said", "probability, %", "is"), rows)


def _galleries(pictures: Sequence[Picture]) -> list[Gallery]:
    """Those that are shown at once, and those that are folded away."""
    cut = AT_ONCE if len(pictures) > AT_ONCE + 4 else len(pictures)
    parts = (("Images answered wrongly", pictures[:cut]), ("More images answered wrongly", pictures[cut:]))
    return [Gallery(label, part) for label, part in parts if part]


def _gallery_note(shown: int, wrong: int) -> str:
    if not wrong:
        return "No image was answered wrongly."
    first = f"The {shown:,} most confident of " if shown < wrong else ""
    return f"{first}{words.counted(wrong, 'wrong answer')}, the most confident first. Is the label right?"


def _matrix(found: Evaluation) -> Matrix:
    """The whole; of many classes those with the most mistakes, and the others together."""
    names, counts = found.class_names, found.matrix
    if len(names) <= WHOLE:
        return Matrix("What each class was taken for", names, names, counts.tolist())
    mistakes = counts.sum(axis=1) + counts.sum(axis=0) - 2 * counts.diagonal()
    kept = sorted(sorted(range(len(names)), key=lambda i: -int(mistakes[i]))[:OF_MANY])
    rest = [i for i in range(len(names)) if i not in kept]
    rows = [[*counts[i, kept].tolist(), int(counts[i, rest].sum())] for i in kept]
    own = [names[i] for i in kept]
    return Matrix(f"The {OF_MANY} classes with the most mistakes", own, [*own, OTHERS], rows)


def _classes(found: Evaluation, numbered: bool) -> Table:
    """The worst first."""
    number = {name: str(index + 1) for index, name in enumerate(found.class_names)}
    rows = [words.class_row(one) for one in words.by_f1(found.classes)]
    head: tuple[str, ...] = words.CLASS_HEAD
    if numbered:
        head, rows = (*head, "number"), [(*row, number[row[0]]) for row in rows]
    return Table("Each class", head, rows)


def _bins(found: Evaluation) -> Table:
    rows = [
        (
            f"{100 * one.over:.0f} to {100 * one.up_to:.0f} %",
            f"{one.count:,}",
            words.percent(one.confidence),
            "-" if one.accuracy is None else f"{one.accuracy:.1f} [{one.low:.0f}, {one.high:.0f}]",
        )
        for one in found.reliability
        if one.count
    ]
    return Table("Answers by probability", ("probability", "answers", "on average, %", "right, %"), rows)


def _thresholds(found: Evaluation) -> Table:
    rows = [
        (
            f"{100 * one.threshold:.0f} %",
            "-" if one.accuracy is None else f"{one.accuracy:.1f} [{one.low:.0f}, {one.high:.0f}]",
            f"{one.share:.1f}",
            f"{one.count:,}",
        )
        for one in found.thresholds
    ]
    return Table("Thresholds", ("at least", "right, of these, %", "answered, %", "images"), rows)


def _unread(found: Evaluation) -> list[str]:
    """Paths below the data, as a reader elsewhere can use them, and what is wrong."""
    told = [
        with_path(path, reason).replace(_folder(found), "")
        for path, reason in list(found.unreadable.items())[:UNREAD]
    ]
    more = len(found.unreadable) - len(told)
    return [*told, f"and {more:,} more"] if more else told


def _folder(found: Evaluation) -> str:
    return f"{found.data.rstrip('/')}/"


def of_classifier(classifier: Any) -> list[str]:
    """Facts of a classifier, as sentences; without the folders of its backbone, since a page is passed on."""
    training = classifier.training_
    told = [
        f"method {classifier.method}, backbone {without_folders(classifier.backbone_.name)}",
        f"taught classes: {listed(classifier.class_names_, 30)}" if classifier.class_names_ else "",
        f"taught with {training['images']:,} images" if "images" in training else "",
    ]
    return [sentence for sentence in told if sentence]
