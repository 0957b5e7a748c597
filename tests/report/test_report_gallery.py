"""Which figures a report has, what they say of themselves, and that points stand where their numbers say."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image

from promptlet.data import DATASETS
from promptlet.report import summarise
from promptlet.report.figures.charts import bars_by_dataset, base_against_new, dots_by_dataset, dots_by_method
from promptlet.report.figures.drawing import COLOURS, GREY, plain_names, step_of, styles
from promptlet.report.figures.gallery import gallery
from promptlet.report.figures.numbers import Point, accuracy_by_numbers, short

ELEVEN = tuple(DATASETS)[:11]
CLIP = {"backbone": {"name": "openai/clip-vit-base-patch16", "fingerprint": "a-b-c"}}


def blobs(png: bytes, colour: str) -> list[tuple[float, float]]:
    """Centres (x, y) of the patches of one colour, from left to right; y grows downwards."""
    from scipy import ndimage

    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    labels, count = ndimage.label(np.abs(pixels - wanted).max(axis=-1) < 12)
    sizes = ndimage.sum_labels(labels > 0, labels, range(1, count + 1))
    large = [i + 1 for i, size in enumerate(sizes) if size > 25]
    return sorted((x, y) for y, x in ndimage.center_of_mass(labels > 0, labels, large))


def test_styles_of_56_methods_differ_and_zero_shot_is_grey() -> None:
    found = styles([f"method{i}" for i in range(56)])
    assert len({(style.colour, style.marker) for style in found.values()}) == 56
    grey = styles(["zero_shot", "zero_shot_ensemble", "coop"])
    assert [style.colour for style in grey.values()] == [GREY, GREY, COLOURS[0]]
    assert grey["zero_shot"].marker != grey["zero_shot_ensemble"].marker


def test_names_that_a_figure_cannot_hold() -> None:
    long = "x" * 80
    found = plain_names(["a", "_b", "$c$", "d\ud800\n e", f"{long}1", f"{long}2"])
    assert [found[name] for name in ("a", "_b", "$c$")] == ["a", " _b", r"\$c\$"]
    assert found["d\ud800\n e"] == r"d\ud800 e"
    assert found[f"{long}1"].startswith("xxx") and found[f"{long}1"].endswith("...")
    assert len(set(found.values())) == 6


@pytest.mark.parametrize(
    ("span", "step"), [(10.0, 2.0), (30.0, 5.0), (0.5, 0.1), (100.0, 20.0), (6.0, 1.0), (7.0, 2.0)]
)
def test_steps_are_round(span: float, step: float) -> None:
    assert step_of(span, 6) == pytest.approx(step)


def test_short_numbers() -> None:
    assert [short(value) for value in (132, 2048, 10_000, 3_500_000)] == ["132", "2.048 K", "10 K", "3.5 M"]


def test_numbers_stand_on_a_logarithmic_axis() -> None:
    points = [Point("a", 100, 50.0), Point("b", 1000, 60.0), Point("c", 100_000, 70.0)]
    png = accuracy_by_numbers(points, [], "H", "here")
    (ax, ay), (bx, by), (cx, cy) = [
        next(centre for centre in blobs(png, colour) if centre[1] < 430) for colour in COLOURS[:3]
    ]
    assert (cx - bx) / (bx - ax) == pytest.approx(2.0, abs=0.06)
    assert ay > by > cy and (ay - by) / (by - cy) == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
def test_published_points_are_hollow_grey_and_apart_unless_they_are_of_the_same() -> None:
    ours = [Point("rlp", 516, 90.0), Point("coop", 2048, 88.0)]
    theirs = [Point("CoOp", 2048, 71.7), Point("MaPLe", 3_555_072, 78.6)]
    alone = accuracy_by_numbers(ours, [], "H", "here")
    apart = accuracy_by_numbers(ours, theirs, "H", "here")
    same = accuracy_by_numbers(ours, theirs, "H", "here", is_same=True)
    narrow, wide, shared = (Image.open(io.BytesIO(png)).width for png in (alone, apart, same))
    assert wide > narrow == shared

    def height_of_ours(png: bytes) -> float:
        return next(y for _, y in blobs(png, COLOURS[0]) if y < 430)

    assert height_of_ours(apart) == pytest.approx(height_of_ours(alone), abs=4)  # a range of its own
    assert blobs(alone, GREY) == [] and len(blobs(apart, GREY)) == len(blobs(same, GREY)) == 4


def test_base_is_to_the_right_and_new_is_up() -> None:
    rows = [
        {"label": "rlp", "dataset": "average", "base": 80.0, "new": 60.0},
        {"label": "coop", "dataset": "average", "base": 90.0, "new": 50.0},
    ]
    (rx, ry), (cx, cy) = (blobs(base_against_new(rows), colour)[0] for colour in COLOURS[:2])
    assert rx < cx and ry < cy


def test_methods_are_ranked_and_data_sets_have_panels() -> None:
    rows = [
        {"label": name, "dataset": "a", "accuracy": value, "seeds": [1]}
        for name, value in (("rlp", 60.0), ("coop", 70.0))
    ]
    png = dots_by_method(rows, "accuracy", "accuracy, %")
    (rx, ry), (cx, cy) = (blobs(png, colour)[0] for colour in COLOURS[:2])
    assert cx > rx and cy < ry
    panels = dots_by_dataset([*rows, *({**row, "dataset": "b"} for row in rows)], "accuracy", "accuracy, %")
    assert len(blobs(panels, COLOURS[0])) == 2


def whiskers(axes: Any) -> list[tuple[float, float, float]]:
    """Place, low end and high end of every upright whisker."""
    from matplotlib.collections import LineCollection

    lines = [one for one in axes.collections if isinstance(one, LineCollection)]
    return [(at, low, high) for one in lines for (at, low), (_, high) in one.get_segments()]


def seeded(label: str, dataset: str, spread: float | None) -> dict[str, Any]:
    """A row of H 60, of one seed where it has no deviation."""
    row: dict[str, Any] = {"label": label, "dataset": dataset, "H": 60.0}
    return row | ({"seeds": [1]} if spread is None else {"seeds": [1, 2], "H_std": spread})


def test_bars_have_whiskers_of_rows_with_several_seeds(drawn: list[Any]) -> None:
    bars_by_dataset([seeded("rlp", "a", 3.0), seeded("coop", "a", 0.0), seeded("rlp", "b", None)])
    [figure] = drawn
    assert whiskers(figure.axes[0]) == [(-0.2, 57.0, 63.0), (0.2, 60.0, 60.0)]
    low, high = figure.axes[0].get_ylim()
    assert low == 47.0 and high >= 63.0


def test_whiskers_are_not_cut_off(drawn: list[Any]) -> None:
    bars_by_dataset([{**seeded("rlp", "a", 3.0), "H": 99.0}])
    accuracy_by_numbers([Point("a", 100, 99.0, 3.0), Point("b", 1000, 1.0, 3.0)], [], "H", "here")
    bars, numbers = (figure.axes[0].get_ylim() for figure in drawn)
    assert bars[1] >= 102.0 and numbers[0] <= -2.0 and numbers[1] >= 102.0


def test_points_have_whiskers_of_rows_with_several_seeds(drawn: list[Any]) -> None:
    dots_by_method([seeded("rlp", "a", 3.0), seeded("coop", "a", None)])
    [figure] = drawn
    [line] = [segment for one in figure.axes[0].collections for segment in one.get_segments()]
    assert line.tolist() == [[57.0, 0.0], [63.0, 0.0]]


def test_trained_numbers_have_whiskers_and_bands(drawn: list[Any]) -> None:
    points = [Point("rlp", 100, 50.0, 2.0), Point("coop", 1000, 60.0), Point("tip", 0, 55.0, 1.5)]
    accuracy_by_numbers(points, [Point("CoOp", 2048, 71.7)], "H", "here")
    ours, theirs = drawn[0].axes
    assert whiskers(ours) == [(100.0, 48.0, 52.0)] and whiskers(theirs) == []
    [band] = ours.patches
    assert (band.get_y(), band.get_height()) == (53.5, 3.0)
    low, high = ours.get_ylim()
    assert low < 48.0 and high > 60.0


@pytest.mark.slow
def test_methods_of_one_number_stand_side_by_side(drawn: list[Any]) -> None:
    points = [Point("a", 10, 50.0, 1.0), *(Point(f"m{i}", 500, 60.0, 1.0) for i in range(30))]
    accuracy_by_numbers(points, [], "H", "here")
    axes = drawn[0].axes[0]
    lone, *places = [at for at, _, _ in whiskers(axes)]
    markers = [one.get_offsets()[0][0] for one in axes.collections if len(one.get_offsets())]
    assert lone == 10.0 and sorted({*places}) == places and len(places) == 30
    assert math.prod(place / 500 for place in places) == pytest.approx(1.0)
    left, right = axes.get_xlim()
    assert math.log(places[-1] / places[0]) < 0.1 * math.log(right / left)
    assert set(places) <= set(markers)


def fill(book: Any, methods: tuple[str, ...], datasets: tuple[str, ...], **changes: Any) -> None:
    for i, method in enumerate(methods):
        for j, dataset in enumerate(datasets):
            book.write(method, 1, 80.0 + i - j, 60.0 - i, dataset=dataset, **changes)


def captions(book: Any) -> dict[str, list[str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return {title: [one.caption for one in own] for title, own in gallery(summarise(book.store)).items()}


@pytest.mark.slow
def test_base_to_new_on_the_embedded_suite(book: Any) -> None:
    fill(book, ("zero_shot", "rlp", "coop"), ("mini-flowers", "mini-land"))
    [points, bars, numbers] = captions(book)["base-to-new, 16 shots"]
    assert points.startswith("Base against new accuracy, 16 shots, averages over 2 data sets.")
    assert bars == "H by data set, 16 shots. The axis does not begin at 0."
    assert "published, CLIP ViT-B/16 (OpenAI), 11 data sets on average, not run here" in numbers
    assert (
        "is quoted for MMLoP" in numbers and "backbone is mini: the two panels cannot be compared" in numbers
    )
    [*_, last] = gallery(summarise(book.store))["base-to-new, 16 shots"]
    assert any(
        one.startswith("CoOp: zhengli97/PromptKD") and "count: computed" in one for one in last.sources
    )
    assert any(
        one.startswith("MMLoP: arXiv 2602.21397") and "count quoted from" in one for one in last.sources
    )


@pytest.mark.slow
def test_all_names_ranks_by_the_accuracy_among_all(book: Any, drawn: list[Any]) -> None:
    for method, among_all in (("zero_shot", 50.0), ("rlp", 60.0), ("coop", 55.0)):
        for dataset in ("mini-flowers", "mini-land"):
            book.write(method, 1, among_all, 30.0, 80.0, 70.0, dataset=dataset)
    [points, bars, numbers] = captions(book)["all-names, 16 shots"]
    assert points.startswith("Base against new accuracy, 16 shots, averages over 2 data sets.")
    assert bars == "Accuracy among all names by data set, 16 shots. The axis does not begin at 0."
    assert numbers.startswith("Accuracy among all names against the numbers that are trained, averages")
    assert "published" not in numbers  # of base-to-new there would be
    heights = {round(patch.get_height()) for patch in drawn[1].axes[0].patches}
    assert heights == {50, 55, 60}
    assert [figure.axes[0].get_ylabel() for figure in drawn] == [
        "new classes, %", *["accuracy among all names, %"] * 2
    ]  # fmt: skip


@pytest.mark.slow
def test_figures_of_h_say_what_their_whiskers_are(book: Any, drawn: list[Any]) -> None:
    for dataset, spread in (("a", 1.0), ("b", 3.0)):
        for seed, sign in ((1, -1), (2, 1)):
            for method, base in (("zero_shot", 50.0), ("coop", 60.0), ("kgcoop", 70.0)):
                score = base + sign * spread * (method == "coop")
                book.write(method, seed, score, score, dataset=dataset)
    _, bars, numbers = captions(book)["base-to-new, 16 shots"]
    assert bars == "H by data set, 16 shots. The axis does not begin at 0. Whiskers: deviation over seeds."
    told = (
        "Whiskers: the mean of the data sets' deviations over seeds. Points of the same number stand side by"
    )
    assert f"averages over 2 data sets. {told} side." in numbers
    assert (60.0, 58.0, 62.0) in [(60.0, low, high) for _, low, high in whiskers(drawn[2].axes[0])]
    book.write("zero_shot", 1, 54.0, 54.0, dataset="a")
    assert "Whiskers and bands: the mean" in captions(book)["base-to-new, 16 shots"][2]


@pytest.mark.slow
def test_the_same_backbone_and_data_sets_share_a_panel(book: Any) -> None:
    fill(book, ("zero_shot", "coop"), ELEVEN, more=CLIP)
    [*_, numbers] = captions(book)["base-to-new, 16 shots"]
    assert "published" in numbers and "cannot be compared" not in numbers


@pytest.mark.slow
def test_the_same_backbone_on_other_data_sets_does_not(book: Any) -> None:
    fill(book, ("zero_shot", "coop"), ELEVEN[:3], more=CLIP)
    [*_, numbers] = captions(book)["base-to-new, 16 shots"]
    assert "data sets are others: the two panels cannot be compared" in numbers


def test_one_data_set_stands_beside_what_is_published_on_it(book: Any) -> None:
    fill(book, ("zero_shot", "coop"), ("caltech101",), more=CLIP)
    [points, dots, numbers] = captions(book)["base-to-new, 16 shots"]
    assert "on caltech101" in points and dots == "H on caltech101, 16 shots."
    assert "(OpenAI), caltech101, not run here" in numbers and "cannot be compared" not in numbers


def test_few_shot_has_lines_panels_and_the_largest_shots(book: Any) -> None:
    for shots in (1, 4):
        for method in ("zero_shot", "coop"):
            for dataset in ("a", "b"):
                book.write(method, 1, 60.0 + shots, dataset=dataset, shots=shots)
    [lines, panels, bars, numbers] = captions(book)["few-shot"]
    assert lines.startswith("Accuracy against images per class, mean over 2 data sets")
    assert panels == "The same for each data set; every panel has a range of its own."
    assert bars.startswith("Accuracy by data set, 4 shots") and "published" not in numbers


@pytest.mark.slow
def test_lines_whose_points_are_of_other_settings_are_named(book: Any) -> None:
    for shots, rank in ((1, 1), (4, 2)):
        for dataset in ("a", "b"):
            book.write("rlp", 1, 60.0, dataset=dataset, shots=shots, options={"n_ctx": 4, "rank": rank})
            book.write("coop", 1, 60.0, dataset=dataset, shots=shots)
            book.write("zero_shot", 1, 60.0, dataset=dataset, shots=shots)  # each with its own template
    [lines, *_] = captions(book)["few-shot"]
    assert lines.endswith("left out. Not of the same settings at all numbers of shots: rlp (rank).")


@pytest.mark.slow
def test_a_method_looks_the_same_in_every_figure(book: Any) -> None:
    for shots, accuracy in ((1, 20.0), (4, 90.0)):  # better than coop, but not at 1 shot
        book.write("tip", 1, accuracy, shots=shots, more={"trainable": 1000})
        book.write("coop", 1, 50.0, shots=shots, more={"trainable": 100})
    [lines, _, numbers_figure] = gallery(summarise(book.store))["few-shot"]
    tip, coop = COLOURS[:2]
    assert min(y for _, y in blobs(lines.png, tip)) < min(y for _, y in blobs(lines.png, coop))
    (tip_x, _), (coop_x, _) = (
        min(blobs(numbers_figure.png, colour), key=lambda centre: centre[1]) for colour in (tip, coop)
    )
    assert tip_x > coop_x


def test_one_number_of_shots_has_no_lines(book: Any) -> None:
    for method in ("zero_shot", "coop"):
        book.write(method, 1, 60.0)
    [dots, _] = captions(book)["few-shot, 16 shots"]
    assert dots == "Accuracy on pets, 16 shots."
    book.write("coop", 2, 60.0)
    [dots, _] = captions(book)["few-shot, 16 shots"]
    assert dots == "Accuracy on pets, 16 shots. Whiskers: deviation over seeds."


@pytest.mark.slow
def test_many_methods_have_panels_instead_of_bars(book: Any) -> None:
    names = ("zero_shot", *(f"method{i}" for i in range(6)))
    fill(book, names, ("a", "b"))
    texts = captions(book)["base-to-new, 16 shots"]
    assert "H by data set, 16 shots; every panel has a range of its own." in texts
    fill(book, names, tuple(f"d{i}" for i in range(12)))
    assert not any("by data set" in text for text in captions(book)["base-to-new, 16 shots"])


def test_methods_without_an_average_are_named(book: Any) -> None:
    fill(book, ("zero_shot", "coop"), ("a", "b"))
    fill(book, ("rlp",), ("a",))
    [points, *_] = captions(book)["base-to-new, 16 shots"]
    assert "without an average, and not shown: rlp" in points


def test_one_method_has_no_comparison(book: Any) -> None:
    fill(book, ("coop",), ("a",))
    assert captions(book) == {}


def test_names_of_other_scripts_and_formulas_are_drawn(book: Any) -> None:
    fill(book, ("zero_shot", "coop"), ("花", "$x^", "_y", "z" * 90))
    assert len(captions(book)["base-to-new, 16 shots"]) == 3


def test_equal_numbers_have_figures(book: Any) -> None:
    for method in ("zero_shot", "coop"):
        book.write(method, 1, 0.0, 0.0)
    assert len(captions(book)["base-to-new, 16 shots"]) == 3
    assert not math.isnan(summarise(book.store).rows[0]["H"])
