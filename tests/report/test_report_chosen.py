"""Marks of settings that were chosen per data set or on test images: ours by records, others' by facts."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from promptlet.data.catalog import DATASETS, RULES
from promptlet.protocols.plan.studies import Setting, Study
from promptlet.protocols.records.measures import BASE_TO_NEW
from promptlet.report import render, summarise
from promptlet.report.formats.html.study import study_html
from promptlet.report.formats.markdown.study import study_markdown
from promptlet.report.published.chosen import KNOWN, choices_of
from promptlet.report.published.numbers import Published, published
from promptlet.report.statistics.studies import summarise_study

SEARCHED = {"val_samples": [3, 4]}
ON_IMAGENET = {**SEARCHED, "rule": f"{RULES['imagenet']}; names as in classnames.txt"}
PER_DATASET, ON_TEST = "per_dataset", "on_test"


def kinds(book: Any) -> dict[tuple[str, str], list[str]]:
    """Of each row, by data set and label."""
    rows = summarise(book.store).rows
    return {(row["dataset"], row["label"]): [one["kind"] for one in row["chosen"]] for row in rows}


def test_what_searched_on_validation_images_is_marked(book: Any) -> None:
    for dataset in ("pets", "cars"):
        book.write("tip_adapter", 1, 80.0, dataset=dataset, more=SEARCHED)
        book.write("coop", 1, 80.0, dataset=dataset)
    assert kinds(book) == {
        (dataset, method): [PER_DATASET] * (method == "tip_adapter")
        for dataset in ("pets", "cars", "average")
        for method in ("tip_adapter", "coop")
    }


@pytest.mark.parametrize(
    ("more", "options"),
    [({"val_samples": []}, {}), ({"val_samples": None}, {}), ({}, {}), (SEARCHED, {"search": False})],
)
def test_what_had_no_images_to_search_on_or_did_not_search_is_not(
    more: dict[str, Any], options: dict[str, Any], book: Any
) -> None:
    book.write("tip_adapter", 1, 80.0, options=options, more=more)
    assert kinds(book) == {("pets", "tip_adapter"): []}


def test_validation_images_that_are_test_images_are_told(book: Any) -> None:
    book.write("tip_adapter", 1, 80.0, dataset="imagenet", more=ON_IMAGENET)
    book.write("tip_adapter", 1, 80.0, more=SEARCHED)
    assert kinds(book) == {
        ("imagenet", "tip_adapter"): [PER_DATASET, ON_TEST],
        ("pets", "tip_adapter"): [PER_DATASET],
        ("average", "tip_adapter"): [PER_DATASET, ON_TEST],
    }


def test_a_search_on_the_source_is_none_on_the_targets(book: Any) -> None:
    for dataset, more in (("pets", SEARCHED), ("cars", ON_IMAGENET)):
        book.write("tip_adapter", 1, 80.0, dataset=dataset, protocol="cross-dataset", more=more)
    rows = {row["dataset"]: row["chosen"] for row in summarise(book.store).rows}
    assert rows["pets"] == [] and [one["kind"] for one in rows["cars"]] == [ON_TEST]
    assert "on the source" in rows["cars"][0]["why"]


def test_settings_that_differ_between_data_sets_are_told(book: Any) -> None:
    for dataset, weight in (("pets", 1.0), ("cars", 0.8)):
        book.write("prograd", 1, 80.0, dataset=dataset, options={"weight": weight})
        for rank in (1, 2):
            book.write("rlp", 1, 80.0, dataset=dataset, options={"rank": rank})
    book.write("rlp", 1, 80.0, dataset="cars", options={"rank": 4})  # one more of what is there on all
    found = kinds(book)
    assert {label: own for (_, label), own in found.items() if own} == {"prograd": [PER_DATASET]}
    assert sum(bool(own) for own in found.values()) == 2


def test_templates_and_the_epochs_of_imagenet_belong_to_the_protocol(book: Any) -> None:
    for dataset, epochs in (("pets", 200), ("cars", 200), ("imagenet", 50)):
        settings = {"name": "official", "lr": 0.002, "epochs": epochs}
        own = {"options": {"template": f"a {dataset} {{}}."}, "settings": settings}
        book.write("coop", 1, 80.0, dataset=dataset, **own)
        book.write("kgcoop", 1, 80.0, dataset=dataset, **own | {"settings": {**settings, "lr": epochs / 1e5}})
    found = kinds(book)
    assert {label for (_, label), own in found.items() if own} == {"kgcoop"}  # its rate differs, too
    settings = {"name": "official", "lr": 0.002, "epochs": 10}
    book.write("coop", 1, 80.0, dataset="dogs", options={}, settings=settings)
    assert {label.split()[0] for (_, label), own in kinds(book).items() if own} == {"coop", "kgcoop"}


def official(book: Any, dataset: str, *by_dataset: str, epochs: int = 50, **options: Any) -> None:
    """A run by official settings, some of which are there because it is this data set."""
    settings = {"name": "official", "lr": 0.002, "epochs": epochs}
    told = {"official": {"protocol": "few-shot", "source": "README.md", "by_dataset": list(by_dataset)}}
    book.write("prograd", 1, 80.0, dataset=dataset, options=options, settings=settings, more=told)


def test_official_values_for_single_data_sets_are_told_and_averaged(book: Any) -> None:
    official(book, "pets", weight=1.0)
    official(book, "dtd", "weight", weight=0.8)
    official(book, "imagenet", "epochs", epochs=20, weight=1.0)
    asked = book.run("prograd", 2, "few-shot", "pets", options={"weight": 1.0})
    book.store.write_plan([{**asked.describe(), "settings": {"name": "official", "lr": 0.002, "epochs": 50}}])
    summary = summarise(book.store)
    assert {
        (row["dataset"], row["label"]): [one["kind"] for one in row["chosen"]] for row in summary.rows
    } == {
        ("dtd", "prograd"): [PER_DATASET],
        ("pets", "prograd"): [],
        ("imagenet", "prograd"): [],
        ("average", "prograd"): [PER_DATASET],
    }
    assert summary.rows[0]["chosen"][0]["why"] == "official values for this data set: weight"
    assert summary.problems == []
    [head] = [line for line in render(summary, "latex").splitlines() if "Data set" in line]
    assert head.count("prograd") == 1


def test_official_values_of_the_source_are_the_same_for_all_targets(book: Any) -> None:
    told = {"official": {"by_dataset": ["weight"]}}
    book.write("prograd", 1, 80.0, protocol="cross-dataset", more=told)
    assert kinds(book) == {("pets", "prograd"): []}


def filled(book: Any) -> Any:
    for dataset, more in (("pets", SEARCHED), ("imagenet", ON_IMAGENET)):
        book.write("tip_adapter", 1, 80.0, dataset=dataset, more=more)
        book.write("coop", 1, 70.0, dataset=dataset)
    return summarise(book.store)


LEGEND = (
    "† Settings of its own for a data set: tip_adapter (searched on validation images of each data set).",
    "‡ Chosen on images that it is tested on: tip_adapter (searched on validation images that are test "
    "images, too, as ImageNet's are in CoOp's parts).",
    "Rows without a mark have the same settings on every data set, as far as is known here; a comparison of "
    "the two is uneven.",
)


def test_markdown_marks_rows_and_explains_it(book: Any) -> None:
    lines = render(filled(book)).splitlines()
    rows = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in lines if "| 16 | 1 |" in line]
    assert rows == [
        *(("imagenet", "tip_adapter † ‡"), ("imagenet", "coop"), ("pets", "tip_adapter †"), ("pets", "coop")),
        *(("average", "tip_adapter † ‡"), ("average", "coop")),
    ]
    assert set(LEGEND) <= set(lines)
    differences = render(summarise(book.store), against="coop")
    assert "| imagenet | tip_adapter † ‡ | seeds 1 | +10.00 - |" in differences


def test_a_report_without_such_rows_has_neither_marks_nor_legend(book: Any, no_figures: None) -> None:
    book.write("coop", 1, 80.0)
    for format in ("markdown", "html", "latex"):
        text = render(summarise(book.store), format)
        assert not any(sign in text for sign in ("†", "‡", "dagger", "without a mark"))


def test_html_marks_and_explains_it(book: Any, no_figures: None) -> None:
    text = render(filled(book), "html")
    assert "tip_adapter † ‡" in text
    for line in LEGEND:
        assert line.replace("'", "&#39;") in text
    assert "chosen: searched on validation images of each data set" in text  # at the runs behind the row
    assert "different results of its seeds: 1; different draws of images: not told" in text


def test_latex_marks_names_and_what_is_of_one_number_alone(book: Any) -> None:
    text = render(filled(book), "latex")
    [head] = [line for line in text.splitlines() if "Data set" in line]
    assert r"tip\_adapter$^{\dagger}$ &" in head and r"& coop \\" in head and "ddagger" not in head
    cells = [line for line in text.splitlines() if " & 16 & " in line]
    assert [r"80.00}$^{\ddagger}$" in line for line in cells] == [
        True,
        False,
        True,
    ]  # imagenet, pets, average
    [caption] = [line for line in text.splitlines() if r"\caption" in line]
    assert r"$^{\dagger}$ Settings of its own for a data set: tip\_adapter (searched" in caption
    assert r"$^{\ddagger}$ Chosen on images that it is tested on" in caption and "†" not in text


def test_latex_marks_lines_of_transfers(book: Any) -> None:
    book.write("tip_adapter", 1, 80.0, protocol="cross-dataset", more=ON_IMAGENET)
    assert r"tip\_adapter$^{\ddagger}$ & 80.00" in render(summarise(book.store), "latex")


def test_csv_and_json_tell_it(book: Any) -> None:
    summary = filled(book)
    rows = {
        (row["dataset"], row["method"]): row for row in csv.DictReader(io.StringIO(render(summary, "csv")))
    }
    assert rows["imagenet", "tip_adapter"]["chosen"] == "per_dataset on_test"
    assert rows["pets", "tip_adapter"]["chosen_why"] == "searched on validation images of each data set"
    assert rows["pets", "coop"]["chosen"] == rows["pets", "coop"]["chosen_why"] == ""
    told = json.loads(json.dumps(summary.to_json()))["summary"]
    assert [one["chosen"] for one in told if (one["dataset"], one["method"]) == ("pets", "tip_adapter")] == [
        [{"kind": "per_dataset", "why": "searched on validation images of each data set"}]
    ]


def test_studies_mark_it_too(book: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tuple(Setting(name, {"n_ctx": 4}, "", name, name) for name in ("tip_adapter", "coop"))
    study = Study("toy", "How?", "", (), settings, settings[1])
    filled(book)
    summary = summarise_study(book.store, study)
    text = study_markdown(summary, study)
    assert "| tip_adapter † ‡ |" in text and "| coop |" in text and LEGEND[0] in text
    monkeypatch.setattr(
        "promptlet.report.formats.html.study.study_figure", lambda result: b"\x89PNG\r\n\x1a\n"
    )
    page = study_html(summary, study)
    assert "tip_adapter † ‡" in page and LEGEND[0] in page


def words_in(drawn: list[Any]) -> set[str]:
    from matplotlib.text import Text

    return {text.get_text() for figure in drawn for text in figure.findobj(Text)}


@pytest.mark.slow
def test_figures_bear_the_marks(book: Any, drawn: list[Any]) -> None:
    page = render(filled(book), "html")
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert captions and all(
        "† Settings of its own for a data set. ‡ Chosen on images that it is tested on." in one
        for one in captions
    )
    words = words_in(drawn)
    assert "tip_adapter † ‡" in words and "coop" in words


@pytest.mark.slow
def test_published_points_in_figures_bear_them_too(
    book: Any, drawn: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWN[BASE_TO_NEW], "CoOp", KNOWN[BASE_TO_NEW]["CoPrompt"])
    for method in ("coop", "rlp"):
        book.write(method, 1, 80.0, 70.0, dataset="caltech101")
    page = render(summarise(book.store), "html")
    assert "† Settings of its own for a data set." not in page  # CoPrompt's is of Food101
    monkeypatch.setitem(KNOWN[BASE_TO_NEW], "CoOp", KNOWN[BASE_TO_NEW]["GDA"][:1])
    page = render(summarise(book.store), "html")
    assert "† Settings of its own for a data set." in page
    words = words_in(drawn)
    assert any(word.startswith("CoOp †") for word in words)


def one_of(protocol: str, name: str, **own: Any) -> Published:
    return next(
        one
        for one in published(protocol)
        if one.name == name and all(getattr(one, key) == value for key, value in own.items())
    )


@pytest.mark.parametrize(
    ("protocol", "name", "own", "expected"),
    [
        ("few-shot", "Tip-Adapter", {"dataset": "dtd"}, {PER_DATASET}),
        ("few-shot", "Tip-Adapter", {"dataset": "imagenet"}, {PER_DATASET, ON_TEST}),
        ("few-shot", "Tip-Adapter-F", {"dataset": "dtd"}, {PER_DATASET, ON_TEST}),
        ("few-shot", "Linear probe", {}, {PER_DATASET}),
        ("few-shot", "CLIP-LoRA", {}, set()),
        ("few-shot", "ProGrad", {"shots": 4}, set()),
        ("few-shot", "ProGrad", {"shots": 8}, {PER_DATASET}),
        ("base-to-new", "ProGrad", {"dataset": "average"}, set()),
        ("base-to-new", "GDA", {}, {PER_DATASET, ON_TEST}),
        ("base-to-new", "CoPrompt", {"dataset": "food101"}, {PER_DATASET}),
        ("base-to-new", "CoPrompt", {"dataset": "average"}, {PER_DATASET}),
        ("base-to-new", "CoPrompt", {"dataset": "dtd"}, set()),
        ("base-to-new", "DePT+AnchorOPT", {}, {PER_DATASET}),
        ("base-to-new", "CLIP-SVD", {"dataset": "average"}, {PER_DATASET}),
        ("few-shot", "CLIP-SVD", {}, set()),
        ("base-to-new", "PromptKD (ViT-L/14 teacher, unlabeled target images)", {}, {PER_DATASET}),
        ("cross-dataset", "PromptKD (transductive)", {}, {PER_DATASET}),
        ("base-to-new", "CoOp", {}, set()),
        ("base-to-new", "PromptSRC", {}, set()),
    ],
)
def test_published_rows_are_marked_by_what_is_known(
    protocol: str, name: str, own: dict[str, Any], expected: set[str]
) -> None:
    found = choices_of(one_of(protocol, name, **own))
    assert {choice["kind"] for choice in found} == expected


def test_every_fact_is_of_a_published_row_and_names_its_source() -> None:
    for protocol, names in KNOWN.items():
        for name, facts in names.items():
            rows = [one for one in published(protocol) if one.name == name]
            for fact in facts:
                assert any(fact.is_of(row) for row in rows), (name, fact)
                assert set(fact.datasets) <= set(DATASETS) and fact.source


def test_tables_of_published_numbers_are_marked(book: Any, no_figures: None) -> None:
    for method in ("tip_adapter", "clip_adapter"):
        book.write(method, 1, 80.0, dataset="caltech101", shots=4)
    for text in (render(summarise(book.store), published=True), render(summarise(book.store), "html")):
        assert "Tip-Adapter †" in text and "CLIP-Adapter †" not in text
        assert "grids of its own: configs of gaopengcuhk/Tip-Adapter" in text
