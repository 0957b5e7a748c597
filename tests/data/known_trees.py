"""Small trees with the real file names and annotation formats of the known data sets, every class in them.

Images are empty files, and only where a layout is read from them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from scipy.io import savemat

POOL, TRAINVAL, TEST = 10, 5, 2
"""Images per class: in a pool, which is cut into 5, 2 and 3; in trainval, cut into 4 and 1; in test."""

EUROSAT = (
    *("AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture"),
    *("PermanentCrop", "Residential", "River", "SeaLake"),
)
TWINS = {
    "n03773504": "missile",
    "n04008634": "missile",
    "n04355933": "sunglasses",
    "n04356056": "sunglasses",
}
CLASSNAMES = dict(sorted({**{f"n{i:08d}": f"thing {i}" for i in range(996)}, **TWINS}.items()))


def touch(root: Path, names: Iterable[str]) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_lines(path: Path, lines: Iterable[str], end: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + end for line in lines), newline="")


def pool(folder: Path, image_folder: str, classes: Iterable[str]) -> None:
    touch(folder / image_folder, (f"{name}/{name}_{i:04d}.jpg" for name in classes for i in range(POOL)))


def caltech101(folder: Path) -> None:
    named = ["Faces", "Leopards", "Motorbikes", "accordion", "airplanes", "yin_yang"]
    fillers = [f"object_{i:02d}" for i in range(94)]
    pool(folder, "101_ObjectCategories", [*named, *fillers, "BACKGROUND_Google", "Faces_easy"])


def food101(folder: Path) -> None:
    pool(folder, "images", ["apple_pie", *(f"dish_{i:03d}" for i in range(100))])


def dtd(folder: Path) -> None:
    pool(folder, "images", ["banded", *(f"texture{i:02d}" for i in range(46))])


def eurosat(folder: Path) -> None:
    pool(folder, "2750", EUROSAT)


def oxford_pets(folder: Path, breeds: Iterable[str] = ()) -> None:
    breeds = list(breeds) or ["Abyssinian", "american_bulldog", *(f"Breed_{i:02d}" for i in range(35))]
    for part, images in (("trainval", range(TRAINVAL)), ("test", range(100, 100 + TEST))):
        lines = [f"{name}_{i} {n} 1 {n}" for n, name in enumerate(breeds, 1) for i in images]
        write_lines(folder / "annotations" / f"{part}.txt", lines)
    (folder / "images").mkdir()


def write_mat_cars(folder: Path, names: list[str], rows: dict[str, list[tuple[str, int]]]) -> None:
    """The devkit as MATLAB writes it: cells of names, structures of annotations."""
    (folder / "devkit").mkdir(parents=True)
    cells = np.empty((1, len(names)), dtype=object)
    cells[0] = names
    savemat(folder / "devkit/cars_meta.mat", {"class_names": cells})
    for file, entries in rows.items():
        kind = [(key, object) for key in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")]
        table = np.empty((1, len(entries)), dtype=kind)
        for i, (image, number) in enumerate(entries):
            table[0, i] = (1, 2, 30, 40, number, image)
        savemat(folder / file, {"annotations": table})


def stanford_cars(folder: Path) -> None:
    names = ["AM General Hummer SUV 2000", *(f"Maker Model-{i} Coupe 20{i % 13:02d}" for i in range(195))]
    numbers = {
        part: [n for n in range(1, 197) for _ in range(k)] for part, k in (("a", TRAINVAL), ("b", TEST))
    }
    rows = {
        "devkit/cars_train_annos.mat": [(f"{i:05d}.jpg", n) for i, n in enumerate(numbers["a"], 1)],
        "cars_test_annos_withlabels.mat": [(f"{i:05d}.jpg", n) for i, n in enumerate(numbers["b"], 1)],
    }
    write_mat_cars(folder, names, rows)
    for part in ("cars_train", "cars_test"):
        (folder / part).mkdir()


def write_flowers(folder: Path, numbers: list[int], names: dict[str, str]) -> None:
    (folder / "jpg").mkdir(parents=True)
    savemat(folder / "imagelabels.mat", {"labels": np.array([numbers], dtype=np.uint8)})
    (folder / "cat_to_name.json").write_text(json.dumps(names))


def oxford_flowers(folder: Path) -> None:
    names = {"21": "fire lily", **{str(i): f"flower {i}" for i in range(1, 103) if i != 21}}
    write_flowers(
        folder, [number for number in [77, *range(1, 77), *range(78, 103)] for _ in range(POOL)], names
    )


def fgvc_aircraft(folder: Path) -> None:
    variants = ["707-320", "Boeing 717", "F-16A/B", *(f"Model {i}" for i in range(97))]
    write_lines(folder / "variants.txt", variants)
    for part in ("train", "val", "test"):
        lines = (f"{len(part)}{i:06d} {name}" for i, name in enumerate(variants * 2))
        write_lines(folder / f"images_variant_{part}.txt", lines)
    (folder / "images").mkdir()


def sun397(folder: Path) -> None:
    places = ["/a/abbey", "/a/apartment_building/outdoor", "/c/church/indoor", "/c/church/outdoor"]
    places += [f"/p/place_{i:03d}" for i in range(393)]
    write_lines(folder / "ClassName.txt", places)
    for file, count in (("Training_01.txt", TRAINVAL), ("Testing_01.txt", TEST)):
        lines = (f"{place}/sun_{file[:2]}{i}.jpg" for place in places for i in range(count))
        write_lines(folder / file, lines)
    (folder / "SUN397").mkdir()


def ucf101(folder: Path) -> None:
    actions = ["ApplyEyeMakeup", "YoYo", "TaiChi", "PullUps"]
    actions += [f"Doing{chr(97 + i // 26)}{chr(97 + i % 26)}Things" for i in range(97)]
    lists = folder / "ucfTrainTestlist"
    write_lines(lists / "classInd.txt", (f"{n} {a}" for n, a in enumerate(actions, 1)), "\r\n")
    clips = [(n, a, i) for n, a in enumerate(actions, 1) for i in range(TRAINVAL)]
    write_lines(lists / "trainlist01.txt", (f"{a}/v_{a}_g08_c{i:02d}.avi {n}" for n, a, i in clips))
    write_lines(lists / "testlist01.txt", (f"{a}/v_{a}_g01_c{i:02d}.avi" for _, a, i in clips if i < TEST))
    (folder / "UCF-101-midframes").mkdir()


def classnames(folder: Path) -> None:
    write_lines(folder / "classnames.txt", (f"{wnid} {name}" for wnid, name in CLASSNAMES.items()))


def imagenet(folder: Path) -> None:
    classnames(folder)
    touch(folder / "images/train", (f"{wnid}/{wnid}_{i}.JPEG" for wnid in CLASSNAMES for i in (10, 9)))
    touch(folder / "images/val", (f"{wnid}/ILSVRC2012_val_{i:08d}.JPEG" for i, wnid in enumerate(CLASSNAMES)))


def imagenetv2(folder: Path) -> None:
    classnames(folder)
    images = folder / "imagenetv2-matched-frequency-format-val"
    touch(images, (f"{i}/{i:04x}.jpeg" for i in range(1000)))


def variant(image_folder: str, wnids: list[str]) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        classnames(folder)
        touch(folder / image_folder, ["README.txt", *(f"{wnid}/{wnid}_1.jpg" for wnid in wnids)])

    return build


BUILD: dict[str, Callable[[Path], None]] = {
    "imagenet": imagenet,
    "caltech101": caltech101,
    "oxford_pets": oxford_pets,
    "stanford_cars": stanford_cars,
    "oxford_flowers": oxford_flowers,
    "food101": food101,
    "fgvc_aircraft": fgvc_aircraft,
    "sun397": sun397,
    "dtd": dtd,
    "eurosat": eurosat,
    "ucf101": ucf101,
    "imagenetv2": imagenetv2,
    "imagenet_sketch": variant("images", list(CLASSNAMES)),
    "imagenet_a": variant("imagenet-a", [*list(CLASSNAMES)[:199], "n04355933"]),
    "imagenet_r": variant("imagenet-r", list(CLASSNAMES)[-200:]),
}


def build(name: str, root: Path) -> Path:
    """The tree of one data set below ``root``; its folder."""
    from promptlet.data import DATASETS

    folder = root / DATASETS[name].folder
    folder.mkdir(parents=True)
    BUILD[name](folder)
    return folder
