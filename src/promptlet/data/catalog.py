"""The data sets known by name: where CoOp's layout puts them and what CoOp says of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """One data set in CoOp's layout.

    Below a root: ``<folder>/<split_file>`` and ``<folder>/<image_folder>/``.
    ``template`` is CoOp's hand-written prompt, ``source_note`` says where images and split come from.
    """

    name: str
    folder: str
    split_file: str
    image_folder: str
    template: str
    class_count: int
    source_note: str


DATASETS: dict[str, DatasetSpec] = {
    spec.name: spec
    for spec in (
        DatasetSpec(
            name="caltech101",
            folder="caltech-101",
            split_file="split_zhou_Caltech101.json",
            image_folder="101_ObjectCategories",
            template="a photo of a {}.",
            class_count=100,
            source_note=(
                "101_ObjectCategories.tar.gz of data.caltech.edu (record 20086), and CoOp's split file; "
                "without BACKGROUND_Google and Faces_easy"
            ),
        ),
    )
}
"""By name, in the order in which tables list them."""


def spec_of_split_file(file_name: str) -> DatasetSpec | None:
    """The data set whose CoOp split file has this name, if it is a known one."""
    return next((spec for spec in DATASETS.values() if spec.split_file == file_name), None)
