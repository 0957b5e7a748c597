"""Tables stand in the order of accuracy, say what their costs are, and name no place on a disk."""

from __future__ import annotations

from typing import Any

import pytest

from promptlet.promptfile.backbone import without_folders
from promptlet.report import paired_differences, render, summarise
from promptlet.report.figures.charts import base_against_new


def labels(book: Any, dataset: str) -> list[str]:
    return [row["label"] for row in summarise(book.store).rows if row["dataset"] == dataset]


def test_methods_stand_by_accuracy_behind_what_learns_nothing(book: Any) -> None:
    for method, accuracies in {
        "coop": (90.0, 50.0),  # on average the worst, though the best on a
        "rlp": (80.0, 80.0),
        "tip": (70.0, 95.0),
        "zero_shot": (10.0, 99.0),
        "zero_shot_ensemble": (99.0, 99.0),
    }.items():
        for dataset, accuracy in zip("ab", accuracies, strict=True):
            book.write(method, 1, accuracy, dataset=dataset, more={"trainable": 5})
    order = ["zero_shot", "zero_shot_ensemble", "tip", "rlp", "coop"]
    assert labels(book, "a") == labels(book, "b") == labels(book, "average") == order
    book.write("coop", 1, 99.0, dataset="c")  # the others have no average any more
    assert labels(book, "a")[:2] == order[:2] and labels(book, "a")[2] == "coop"
    assert paired_differences(summarise(book.store)).rows[0].against == "zero_shot"


def test_without_zero_shot_differences_are_to_what_trains_least(book: Any) -> None:
    book.write("coop", 1, 90.0, more={"trainable": 100})
    book.write("rlp", 1, 80.0, more={"trainable": 10})
    assert labels(book, "pets") == ["coop", "rlp"]
    assert {row.against for row in paired_differences(summarise(book.store)).rows} == {"rlp"}


@pytest.mark.parametrize("format", ["markdown", "html"])
def test_a_report_explains_its_own_protocols_alone(book: Any, format: str) -> None:
    book.write("coop", 1, 90.0)
    text = render(summarise(book.store), format)
    assert "the largest of the seeds" in text and "methods by accuracy over all" in text
    assert "harmonic" not in text and "base-to-new" not in text and "base and mean new" not in text
    book.write("coop", 1, 90.0, 80.0)
    text = render(summarise(book.store), format)
    assert "methods by H over all" in text and ("harmonic" in text) == (format == "html")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/home/me/models/my-clip", "my-clip"),
        ("./my-clip/", "my-clip"),
        ("../models/clip", "clip"),
        ("~/clip", "clip"),
        (r"C:\Users\me\clip", "clip"),
        ("a/b/clip", "clip"),
        ("openai/clip-vit-base-patch16", "openai/clip-vit-base-patch16"),
        ("mini", "mini"),
        ("open_clip:ViT-B-16/laion2b_s34b_b88k", "open_clip:ViT-B-16/laion2b_s34b_b88k"),
        ("open_clip:/home/me/big.pt?quick_gelu=true", "open_clip:big.pt?quick_gelu=true"),
        ("features:/home/me/texts.npz", "features:texts.npz"),
        ("/", "/"),
    ],
)
def test_a_backbone_is_shown_without_its_place(name: str, shown: str) -> None:
    assert without_folders(name) == shown


@pytest.mark.parametrize("format", ["markdown", "html", "latex", "csv"])
def test_no_format_tells_the_place_of_a_backbone(book: Any, format: str) -> None:
    for fingerprint, place in (("1" * 12, "/home/me/one/clip"), ("2" * 12, "/home/me/two/clip")):
        told = {"name": place, "fingerprint": fingerprint}
        book.write("coop", 1, 90.0, fingerprint=fingerprint, more={"backbone": told})
    text = render(summarise(book.store), format)
    assert "/home" not in text and "me/one" not in text
    assert format == "markdown" or ("1" * 12 in text and "2" * 12 in text)


def test_points_of_several_data_sets_bear_their_names(drawn: list[Any]) -> None:
    rows = [
        {"label": method, "dataset": dataset, "base": base, "new": 60.0 + base / 9, "seeds": [1]}
        for dataset, start in (("cats", 50.0), ("flags", 70.0))
        for method, base in (("coop", start), ("rlp", start + 3.0))
    ]
    base_against_new(rows)
    base_against_new(rows[:2])  # of one data set, which the caption names
    named = [
        {text.get_text(): text.xy for text in figure.axes[0].texts if hasattr(text, "xy")} for figure in drawn
    ]
    assert {name: place for name, place in named[0].items() if name in ("cats", "flags")} == {
        "cats": (53.0, 60.0 + 53.0 / 9),
        "flags": (73.0, 60.0 + 73.0 / 9),
    }
    assert not {"cats", "flags"} & named[1].keys()
