"""How each data set is annotated, with class names as CoOp corrects them: one function per layout.

Every one reads below the data set's folder and decides nothing by chance.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from promptlet.data.catalog import DatasetSpec
from promptlet.data.files import is_there
from promptlet.data.known.annotations import AGAIN, class_folders, read_fields, read_mat, read_text_map
from promptlet.data.known.flower_names import FLOWERS
from promptlet.data.known.imagenet import read_imagenet, read_imagenet_v2, read_imagenet_variant
from promptlet.data.known.layout import (
    Layout,
    Rows,
    images_of,
    in_order,
    inside,
    label_of_name,
    label_of_number,
    number_of,
)
from promptlet.errors import DataError

LEFT_OUT = {"caltech101": ("BACKGROUND_Google", "Faces_easy")}
RENAMED = {
    "caltech101": {
        "airplanes": "airplane",
        "Faces": "face",
        "Leopards": "leopard",
        "Motorbikes": "motorbike",
    },
    "eurosat": {
        "AnnualCrop": "Annual Crop Land",
        "HerbaceousVegetation": "Herbaceous Vegetation Land",
        "Highway": "Highway or Road",
        "Industrial": "Industrial Buildings",
        "Pasture": "Pasture Land",
        "PermanentCrop": "Permanent Crop Land",
        "Residential": "Residential Buildings",
        "SeaLake": "Sea or Lake",
    },
}


def read_layout(spec: DatasetSpec, folder: Path) -> Layout:
    """The data set's own annotation, whether or not there is a split file. Raises DataError."""
    return READERS.get(spec.name, _class_folders)(spec, folder)


def _class_folders(spec: DatasetSpec, folder: Path) -> Layout:
    left_out, renamed = LEFT_OUT.get(spec.name, ()), RENAMED.get(spec.name, {})
    classes = [path for path in class_folders(folder / spec.image_folder) if path.name not in left_out]
    return Layout(tuple(renamed.get(path.name, path.name) for path in classes), {"pool": images_of(classes)})


def _pets(spec: DatasetSpec, folder: Path) -> Layout:
    names: dict[int, str] = {}
    rows: dict[str, Rows] = {"trainval": [], "test": []}
    for part in rows:
        for where, fields in read_fields(folder / f"annotations/{part}.txt", "Abyssinian_100 1 1 1", 2):
            label = number_of(fields[1], where) - 1
            breed = fields[0].rpartition("_")[0].lower()
            if names.setdefault(label, breed) != breed:
                raise DataError(f"{where}: class {label + 1} is both {names[label]!r} and {breed!r}; {AGAIN}")
            rows[part].append((inside(folder / spec.image_folder, f"{fields[0]}.jpg", where), label))
    return Layout(in_order(names, folder / "annotations"), rows)


def _cars(spec: DatasetSpec, folder: Path) -> Layout:
    train, test = (folder / name for name in spec.needed_folders)
    names = _listed(read_mat(folder / "devkit/cars_meta.mat", "class_names"))
    rows = {
        "trainval": _car_rows(train, folder / "devkit/cars_train_annos.mat", len(names)),
        "test": _car_rows(test, folder / "cars_test_annos_withlabels.mat", len(names)),
    }
    return Layout(tuple(_year_first(str(name)) for name in names), rows)


def _car_rows(images: Path, file: Path, classes: int) -> Rows:
    where = str(file)
    entries = _listed(read_mat(file, "annotations"))
    if not all(isinstance(entry, dict) and {"fname", "class"} <= entry.keys() for entry in entries):
        raise DataError(f"{where}: its annotations have no class, as those of cars_test_annos.mat; {AGAIN}")
    return [
        (inside(images, str(entry["fname"]), where), label_of_number(entry["class"], classes, where))
        for entry in entries
    ]


def _year_first(name: str) -> str:
    """``Audi TTS Coupe 2012`` becomes ``2012 Audi TTS Coupe``."""
    model, _, year = name.strip().rpartition(" ")
    return f"{year} {model}"


def _flowers(spec: DatasetSpec, folder: Path) -> Layout:
    """Names are those of cat_to_name.json where it is there, else the same from here."""
    names_file, labels_file = (folder / name for name in ("cat_to_name.json", "imagelabels.mat"))
    names = dict(enumerate(FLOWERS))
    if is_there(names_file):
        by_number = read_text_map(names_file)
        names = {number_of(key, str(names_file)) - 1: name for key, name in by_number.items()}
    images = folder / spec.image_folder
    rows = [
        (images / f"image_{i:05d}.jpg", label_of_number(number, len(names), str(labels_file)))
        for i, number in enumerate(_listed(read_mat(labels_file, "labels")), 1)
    ]
    return Layout(in_order(names, names_file), {"pool": rows})


def _aircraft(spec: DatasetSpec, folder: Path) -> Layout:
    names = [" ".join(fields) for _, fields in read_fields(folder / "variants.txt", "707-320")]
    labels = {name: label for label, name in enumerate(names)}
    images = folder / spec.image_folder
    rows: dict[str, Rows] = {"train": [], "val": [], "test": []}
    for part in rows:
        for where, fields in read_fields(folder / f"images_variant_{part}.txt", "1025794 707-320", 2):
            label = label_of_name(labels, " ".join(fields[1:]), where, "variants.txt")
            rows[part].append((inside(images, f"{fields[0]}.jpg", where), label))
    return Layout(tuple(names), rows)


def _sun(spec: DatasetSpec, folder: Path) -> Layout:
    places = [fields[0].strip("/") for _, fields in read_fields(folder / "ClassName.txt", "/a/abbey")]
    labels = {place: label for label, place in enumerate(places)}
    rows: dict[str, Rows] = {}
    for part, file in (("trainval", "Training_01.txt"), ("test", "Testing_01.txt")):
        rows[part] = []
        for where, fields in read_fields(folder / file, "/a/abbey/sun_aaalbzqrimafwbiv.jpg"):
            image = fields[0].strip("/")
            label = label_of_name(labels, str(PurePosixPath(image).parent), where, "ClassName.txt")
            rows[part].append((inside(folder / spec.image_folder, image, where), label))
    return Layout(tuple(map(_place_name, places)), rows)


def _place_name(place: str) -> str:
    """``a/apartment_building/outdoor`` becomes ``outdoor apartment_building``."""
    return " ".join(reversed(place.split("/")[1:]))


def _ucf(spec: DatasetSpec, folder: Path) -> Layout:
    lists = folder / "ucfTrainTestlist"
    actions: dict[int, str] = {}
    for where, fields in read_fields(lists / "classInd.txt", "1 ApplyEyeMakeup", 2):
        actions[number_of(fields[0], where) - 1] = fields[1]
    labels = {action: label for label, action in actions.items()}
    rows: dict[str, Rows] = {}
    for part, file in (("trainval", "trainlist01.txt"), ("test", "testlist01.txt")):
        rows[part] = []
        for where, fields in read_fields(lists / file, "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1"):
            action, _, video = fields[0].partition("/")
            label = label_of_name(labels, action, where, "classInd.txt")
            frame = f"{_words_of(action)}/{PurePosixPath(video).stem}.jpg"
            rows[part].append((inside(folder / spec.image_folder, frame, where), label))
    return Layout(tuple(map(_words_of, in_order(actions, lists / "classInd.txt"))), rows)


def _words_of(action: str) -> str:
    """``ApplyEyeMakeup`` becomes ``Apply_Eye_Makeup``."""
    return "_".join(re.findall("[A-Z][^A-Z]*", action))


def _listed(value: Any) -> list[Any]:
    """A MATLAB array of one or more values as a list."""
    import numpy as np

    return list(np.atleast_1d(value))


READERS: dict[str, Callable[[DatasetSpec, Path], Layout]] = {
    "imagenet": read_imagenet,
    "oxford_pets": _pets,
    "stanford_cars": _cars,
    "oxford_flowers": _flowers,
    "fgvc_aircraft": _aircraft,
    "sun397": _sun,
    "ucf101": _ucf,
    "imagenetv2": read_imagenet_v2,
    "imagenet_sketch": read_imagenet_variant,
    "imagenet_a": read_imagenet_variant,
    "imagenet_r": read_imagenet_variant,
}
"""The others are folders of images per class."""
