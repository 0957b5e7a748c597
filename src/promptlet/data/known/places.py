"""Where torchvision (``download=True``) puts a known data set, where that is not where CoOp puts it.

Read from the sources of torchvision 0.28. Both lay out Food101, EuroSAT and StanfordCars alike. Its UCF101 is
videos, of which CoOp took the middle frames, and it has no variants of ImageNet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from promptlet.data.catalog import DATASETS, DRIVE, DatasetSpec

TRAIN_AND_VAL = ("train", "val")
NAMES_OF_IMAGENET = (
    "classnames.txt, with lines such as 'n01440764 tench', is CoOp's list of names: "
    f"{DRIVE}/1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF; torchvision's meta.bin is a pickle, which is never opened"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What differs from `DatasetSpec`'s fields of these names; None: nothing does.

    ``marks``: one of these files or folders must be there, or ``folder`` is not the data set's. ``to_add``:
    what torchvision does not bring, and where it comes from.
    """

    folder: str
    image_folder: str | None = None
    image_folders: tuple[str, ...] | None = None
    annotations: tuple[str, ...] | None = None
    marks: tuple[str, ...] = ()
    to_add: str = ""


_IMAGENET = Place(
    folder="imagenet",
    image_folder="",
    image_folders=TRAIN_AND_VAL,
    marks=("train", "meta.bin"),
    to_add=NAMES_OF_IMAGENET,
)

TORCHVISION: dict[str, tuple[Place, ...]] = {
    "imagenet": (
        _IMAGENET,
        replace(_IMAGENET, folder="", marks=("meta.bin", "ILSVRC2012_devkit_t12.tar.gz", "train/n01440764")),
    ),
    "caltech101": (Place(folder="caltech101"),),
    "oxford_pets": (Place(folder="oxford-iiit-pet"),),
    "oxford_flowers": (Place(folder="flowers-102"),),
    "fgvc_aircraft": (Place(folder="fgvc-aircraft-2013b/data"),),
    "sun397": (
        Place(
            folder="SUN397",
            image_folder="",
            image_folders=("a",),
            marks=("a",),
            to_add="Training_01.txt and Testing_01.txt are in Partitions.zip, from the page of the images",
        ),
    ),
    "dtd": (
        Place(folder="dtd", image_folder="dtd/images", marks=("dtd",)),
        Place(folder="dtd/dtd"),
    ),
}


def layouts_of(spec: DatasetSpec) -> Iterator[DatasetSpec]:
    """The data set as CoOp lays it out, with its image folder by whatever name, then as torchvision does."""
    yield spec
    for name in spec.also_called:
        yield replace(spec, image_folder=name)
        yield replace(spec, folder="", image_folder=name, marks=(name,))
    for place in TORCHVISION.get(spec.name, ()):
        changes = {
            name: value
            for name in ("folder", "image_folder", "image_folders", "annotations", "marks", "to_add")
            if (value := getattr(place, name)) is not None
        }
        yield replace(spec, **changes)


def folders_of(spec: DatasetSpec, root: str | Path) -> Iterator[Path]:
    """``root`` / ``spec.folder``, and ``root`` where it is a folder on that way already."""
    root, parts = Path(root), PurePosixPath(spec.folder).parts
    yield root.joinpath(*parts)
    here = root.resolve().parts
    for known in range(1, len(parts) + 1):
        if here[-known:] == parts[:known]:
            yield root.joinpath(*parts[known:])


def every_layout() -> Iterator[DatasetSpec]:
    """Every layout of every data set, in the order of the catalog."""
    for spec in DATASETS.values():
        yield from layouts_of(spec)
