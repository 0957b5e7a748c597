"""Published numbers: the file as it was collected, names that are ours, counts computed by hand."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import promptlet.report
from promptlet.data import DATASETS
from promptlet.errors import OptionError
from promptlet.papers import PAPER_OF
from promptlet.report import render, summarise
from promptlet.report.published.counts import COMPUTED, COUNT_OF, counted
from promptlet.report.published.numbers import METHOD_OF, PROTOCOL_OF, VIT_B16, origin, published
from promptlet.report.published.tables import published_tables

SHIPPED = Path(promptlet.report.__file__).parent / "published"
COLLECTED = Path(__file__).parents[3] / "shared" / "facts"
FILES = ("published_results.csv", "published_2026.csv")
ELEVEN = tuple(DATASETS)[:11]
CLIP = {"backbone": {"name": "openai/clip-vit-base-patch16", "fingerprint": "a-b-c"}}


def lines(file: str = FILES[0]) -> list[dict[str, str]]:
    with (SHIPPED / file).open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.mark.skipif(not COLLECTED.exists(), reason="the collected facts are not beside this checkout")
@pytest.mark.parametrize("file", FILES)
def test_the_shipped_files_are_the_collected_ones(file: str) -> None:
    assert (SHIPPED / file).read_bytes() == (COLLECTED / file).read_bytes()


@pytest.mark.parametrize(
    ("protocol", "theirs"),
    [
        ("base-to-new", "base_to_new"),
        ("few-shot", "few_shot_all_classes"),
        ("cross-dataset", "cross_dataset"),
        ("domain-shift", "domain_generalization"),
    ],
)
def test_every_line_of_a_protocol_is_there_under_our_names(protocol: str, theirs: str) -> None:
    own = [line for line in lines() if line["protocol"] == theirs]
    found = published(protocol)[: len(own)]
    assert [one.value for one in found] == [float(line["value"]) for line in own] and own
    assert [one.source for one in found] == [line["source"] for line in own]
    assert {one.dataset for one in found} <= {*DATASETS, "average"}
    assert {one.method for one in published(protocol)} - {None} <= set(PAPER_OF)


def test_a_later_file_adds_rows_and_gives_notes_to_those_it_repeats() -> None:
    first = sum(line["protocol"] in PROTOCOL_OF for line in lines())
    added = [one for protocol in PROTOCOL_OF.values() for one in published(protocol)]
    assert len(added) == first + 4
    later = [one for one in added if one.source.startswith(("mrflogs/ICLR24", "ZjjConan/VLM-LwEIB"))]
    assert [(one.name, one.metric, one.value) for one in later] == [
        *(("LwEIB", "H", 81.21), ("GDA", "base", 83.96), ("GDA", "new", 74.53), ("GDA", "H", 78.97)),
    ]
    [anchor] = [one for one in added if (one.name, one.metric) == ("CoOp+AnchorOPT", "base")]
    assert anchor.source == "zhengli97/ATPrompt README"
    assert anchor.note == "loss weights and temperature per data set; uses texts of a language model"
    seen = [
        (one.protocol, one.name, one.dataset, one.metric, one.backbone, one.shots, origin(one.source))
        for one in added
    ]
    assert len(set(seen)) == len(seen)  # so no cell of a table stands for two numbers


def test_names_of_methods_are_those_of_the_file_and_re_runs_stay_apart() -> None:
    assert set(METHOD_OF) <= {line["method"] for line in lines()}
    averages = {
        one.name: one.value for one in published("base-to-new", "coop", "average", "H") if one.shots == 16
    }
    assert averages == {
        "CoOp": 71.66, "CoOp (DePT re-run)": 75.18, "CoOp (KgCoOp paper's 4-token version)": 74.6
    }  # fmt: skip
    assert published("base-to-new", "rlp") == [] == published("base-to-new", "dip_do")
    assert [one.value for one in published("cross-dataset", "coop", "imagenet", "source_accuracy")] == [
        71.51,
        71.8,
    ]
    assert [one.value for one in published("domain-shift", "cocoop", "imagenetv2") if not one.note] == [64.07]
    assert {one.backbone for one in published("few-shot", "tip_adapter_f")} == {VIT_B16, "CLIP RN50 (OpenAI)"}
    with pytest.raises(OptionError, match="protocol='base_to_new' is not known"):
        published("base_to_new")


def test_counts_are_those_of_the_official_shapes() -> None:
    found = {one.published.name: one for one in counted("base-to-new", "average")}
    context, wide = 512, 768
    shapes = {
        "CLIP (zero-shot)": 0,
        "CoOp": 4 * context,
        "CoOp (DePT re-run)": 4 * context,
        "CoOp (KgCoOp paper's 4-token version)": 4 * context,
        "ProGrad (as quoted by QPrompt)": 16 * context,
        "CoCoOp": 4 * context + (context * 32 + 32) + (32 * context + context),
        "MaPLe": 9 * (2 * context + context * wide + wide),
        "PromptSRC": 9 * (4 * context + 4 * wide),
        "MMLoP": 11_500,
        "CLIP-SVD": sum(12 * (4 * min(d, d) + 2 * min(d, 4 * d)) for d in (context, wide)),
    }
    assert {name: one.numbers for name, one in found.items()} == shapes
    assert [name for name, one in found.items() if one.is_quoted] == ["MMLoP"]
    assert (found["MaPLe"].published.value, found["MMLoP"].published.value) == (78.55, 79.7)
    for protocol, names in (*COUNT_OF.items(), *COMPUTED.items()):
        assert set(names) <= {one.name for one in published(protocol)}
    assert [one.published.name for one in counted("few-shot", "average")] == ["Zero-shot CLIP"]


def test_a_count_of_one_number_of_shots_is_not_that_of_another() -> None:
    assert {one.numbers for one in counted("base-to-new", "average", shots=4)} == {0, 2048}
    assert {one.published.value for one in counted("base-to-new", "average", shots=4)} == {71.7, 73.7}


def test_tables_have_the_data_sets_methods_and_shots_of_the_report_alone(book: Any) -> None:
    book.write("coop", 1, 80.0, 70.0, dataset="oxford_pets")
    book.write("rlp", 1, 80.0, 70.0, dataset="oxford_pets")
    [table] = published_tables(summarise(book.store))
    assert (table.title, table.protocol) == ("Published (CLIP ViT-B/16)", "base-to-new")
    assert table.head == ("data set", "method", "shots", "base", "new", "H", "sources")
    assert [row[:6] for row in table.rows] == [
        ("oxford_pets", "CoOp", "16", "93.67", "95.29", "94.47"),
        ("oxford_pets", "CoOp (DePT re-run)", "16", "95.57", "97.53", "96.54"),
    ]
    assert table.rows[0][6] == "[1]" and table.sources[0].startswith("[1] zhengli97/PromptKD")
    assert any("note: re-run by the DePT authors" in source for source in table.sources)
    assert table.warning.startswith(
        "These are numbers of CLIP ViT-B/16 (OpenAI). Results of mini are those of"
    )


def test_the_average_stands_beside_all_eleven_data_sets_alone(book: Any) -> None:
    for dataset in ELEVEN[:-1]:
        book.write("coop", 1, 80.0, 70.0, dataset=dataset, more=CLIP)
    assert "average" not in {row[0] for row in published_tables(summarise(book.store))[0].rows}
    book.write("coop", 1, 80.0, 70.0, dataset=ELEVEN[-1], more=CLIP)
    [table] = published_tables(summarise(book.store))
    found = [row[:6] for row in table.rows]
    assert ("average", "CoOp", "16", "82.69", "63.22", "71.66") in found
    # of methods that are not here: averages alone
    assert ("average", "HiCroPL", "16", "85.89", "77.99", "81.75") in found
    assert ("average", "LwEIB", "16", "-", "-", "81.21") in found
    assert {row[1] for row in found if row[0] == "dtd"} == {"CoOp", "CoOp (DePT re-run)"}
    assert "KgCoOp" not in {row[1] for row in found}  # ours, and not of this report
    assert table.warning == ""


def test_base_new_and_h_of_one_log_are_one_row(book: Any) -> None:
    for dataset in ELEVEN:
        book.write("gda", 1, 80.0, 70.0, dataset=dataset, more=CLIP)
    [table] = published_tables(summarise(book.store))
    found = [(row[:6], row[6].count("[")) for row in table.rows if row[1] == "GDA"]
    assert found == [
        (("average", "GDA", "16", "83.96", "74.53", "78.72"), 1),
        (("average", "GDA", "16", "83.96", "74.53", "78.97"), 4),  # two sources, two notes
    ]


def test_another_backbone_is_another_table(book: Any) -> None:
    book.write("tip_adapter", 1, 80.0, dataset="caltech101", shots=4)
    [table] = published_tables(summarise(book.store))
    assert table.title == "Published (CLIP RN50)"
    assert [row[:4] for row in table.rows] == [("caltech101", "Tip-Adapter", "4", "89.39")]


def test_transfers_from_another_source_are_not_published(book: Any) -> None:
    book.write("coop", 1, 80.0, dataset="dtd", protocol="cross-dataset", source="places")
    assert published_tables(summarise(book.store)) == []
    book.write("coop", 1, 80.0, dataset="dtd", protocol="cross-dataset")
    [table] = published_tables(summarise(book.store))
    assert [row[:4] for row in table.rows] == [
        ("imagenet (trained on)", "CoOp", "16", "71.51"),
        ("imagenet (trained on)", "CoOp (DePT re-run)", "16", "71.80"),
        ("dtd", "CoOp", "16", "41.92"),
        ("dtd", "CoOp (DePT re-run)", "16", "43.07"),
    ]


def test_nothing_is_published_on_the_embedded_suite(book: Any) -> None:
    book.write("coop", 1, 80.0, 70.0, dataset="mini-flowers")
    assert published_tables(summarise(book.store)) == []
    assert "ublished" not in render(summarise(book.store), published=True)


def test_markdown_has_them_when_asked_for(book: Any) -> None:
    book.write("coop", 1, 80.0, 70.0, dataset="dtd")
    summary = summarise(book.store)
    assert "Published" not in render(summary)
    text = render(summary, published=True)
    assert "## Published (CLIP ViT-B/16): base-to-new, not run here" in text
    assert "| dtd | CoOp | 16 | 79.44 | 41.18 | 54.24 | [1] |" in text and "- [1] zhengli97" in text
