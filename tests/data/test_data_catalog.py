"""The catalog agrees with the facts of the field, with itself, and with docs/reference/datasets.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promptlet.data import DATASETS
from promptlet.data.catalog import NATURAL, RULES, SHIFTED, DatasetSpec, spec_of_split_file
from promptlet.data.known.places import TORCHVISION, layouts_of

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "datasets.md"


def test_names_and_order() -> None:
    assert all(name == spec.name for name, spec in DATASETS.items())
    assert (len(NATURAL), len(SHIFTED), len(DATASETS)) == (11, 4, 15)
    assert len({spec.folder for spec in DATASETS.values()}) == 15


def test_split_files_find_their_data_set() -> None:
    for spec in DATASETS.values():
        if spec.split_file:
            assert spec_of_split_file(spec.split_file) is spec and spec.split_url
    assert spec_of_split_file("") is None
    without = [spec.name for spec in NATURAL if not spec.split_file]
    assert without == ["imagenet", "fgvc_aircraft"]


@pytest.mark.parametrize("spec", DATASETS.values(), ids=lambda spec: spec.name)
def test_facts_are_whole(spec: DatasetSpec) -> None:
    assert spec.rule in RULES and spec.template.count("{}") == 1
    assert spec.page.startswith("https://") and spec.get and spec.licence
    assert all(count >= 0 for count in spec.counts) and spec.counts[2] > 0
    if spec.rule == "trainval":
        assert spec.annotations


def test_sizes_that_follow_from_the_rules() -> None:
    """Food101 has 1,000 images per class, SUN397 lists 50 and 50, FGVCAircraft has 10,000 in all."""
    assert DATASETS["food101"].counts == (101 * 500, 101 * 200, 101 * 300)
    assert DATASETS["sun397"].counts == (397 * 40, 397 * 10, 397 * 50)
    assert sum(DATASETS["fgvc_aircraft"].counts) == 10_000


def table_row(spec: DatasetSpec) -> str:
    counts = " | ".join(f"{count:,}" if count else "" for count in spec.counts)
    split = f"`{spec.split_file}`" if spec.split_file else RULES[spec.rule]
    images = ", ".join(f"`{spec.folder}/{name}/`" for name in spec.needed_folders)
    title = f"[{spec.title}]({spec.page})"
    return f"| `{spec.name}` | {title} | {spec.class_count:,} | {counts} | {images} | {split} |"


def test_the_page_lists_every_data_set() -> None:
    text = DOCS.read_text(encoding="utf-8")
    section = text.partition("## The table\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `.*$", section, re.MULTILINE)
    assert rows == [table_row(spec) for spec in DATASETS.values()]
    for spec in DATASETS.values():
        assert f"`{spec.template}`" in text
        assert not spec.annotations or all(f"`{Path(name).name}`" in text for name in spec.annotations)


def test_the_page_lists_torchvisions_places() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name, places in TORCHVISION.items():
        section = text.partition("## torchvision's folders\n")[2].partition("\n## ")[0]
        row = next(line for line in section.splitlines() if line.startswith(f"| `{name}` |"))
        assert all(f"`{place.folder}/" in row for place in places if place.folder)


def test_layouts_differ_in_places_alone() -> None:
    for spec in DATASETS.values():
        own, *others = layouts_of(spec)
        assert own is spec
        for laid in others:
            same = ("name", "class_count", "counts", "rule", "split_file", "split_digest", "template")
            assert [getattr(laid, field) for field in same] == [getattr(spec, field) for field in same]
            assert (laid.folder, laid.image_folder) != (spec.folder, spec.image_folder)
