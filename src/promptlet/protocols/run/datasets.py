"""The data sets of a benchmark: opened once, identified by their content, their features computed once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlet.data import (
    DATASETS,
    SPLIT_NAMES,
    FeatureCache,
    FeatureFile,
    Split,
    load_dataset,
    without_unreadable,
)
from promptlet.data.hugging_face.source import is_hub_source, parse_source
from promptlet.data.images.checks import all_unreadable
from promptlet.data.items import Item
from promptlet.data.load import expand_names
from promptlet.errors import DataError, ImageError, MissingExtraError, OptionError
from promptlet.mini.names import EVERY_NAME
from promptlet.reasons import reason_of
from promptlet.views import Readings, Views, are_in_turn, numbers_of

if TYPE_CHECKING:
    from promptlet.backbones import Backbone
    from promptlet.methods import MethodInfo
    from promptlet.methods.inputs import Inputs

DEFAULT_TEMPLATE = "a photo of a {}."
UNREADABLE = "unreadable"
HINT = "Replace or remove what cannot be read, or leave it out with --skip-bad (skip_bad=True in Python)"
NAMED = 20
"""Images that cannot be read, in the reason of one run."""


@dataclass(frozen=True, eq=False)
class BenchDataset:
    """name: in tables; digest: of its content; template: its hand-written prompt, for zero-shot.

    A data set that cannot be read has a ``problem`` and no content: its runs fail with that reason.
    left_out: what is wrong with images that were left out, by path.
    """

    name: str
    source: str
    digest: str
    template: str
    content: Split | FeatureFile | None
    problem: str = ""
    left_out: Mapping[Path, str] = field(default_factory=dict)

    @property
    def split(self) -> Split:
        """Its items. Raises DataError when it could not be read."""
        if self.content is None:
            raise DataError(self.problem)
        return self.content.split if isinstance(self.content, FeatureFile) else self.content

    def template_for(self, info: MethodInfo) -> str:
        """The hand-written prompt that a method has here: its official code's own, else the data set's."""
        return info.templates.get(self.name, self.template)

    @property
    def features(self) -> np.ndarray | None:
        """Features (N, D) of a feature file, by row."""
        return self.content.features if isinstance(self.content, FeatureFile) else None


def open_dataset(source: str, root: str | Path | None = None, skip_bad: bool = False) -> BenchDataset:
    """What `load_dataset` reads; what is wrong with it, whatever it is, is kept as a problem.

    skip_bad: leave out images that cannot be read.
    Raises OptionError for a name that is not known, MissingExtraError where an extra is not installed,
    DataError for a path where there is nothing.
    """
    try:
        content = load_dataset(source, root, check_files=not skip_bad)
        left_out: Mapping[Path, str] = {}
        if skip_bad and isinstance(content, Split):
            content, left_out = without_unreadable(content)
        split = content.split if isinstance(content, FeatureFile) else content
        template = template_of(split.name)
        return BenchDataset(split.name, source, _digest(content), template, content, left_out=left_out)
    except (OptionError, MissingExtraError):
        raise
    except Exception as error:
        name = source if source in DATASETS or source in EVERY_NAME else _name_of_unreadable(source)
        if name is None:
            raise
        return BenchDataset(name, source, UNREADABLE, DEFAULT_TEMPLATE, None, reason_of(error))


def _name_of_unreadable(source: str) -> str | None:
    """The name that a data set would have; None where there is nothing of that name."""
    if is_hub_source(source):
        return parse_source(source).name
    path = Path(source)
    if not path.exists():
        return None
    return path.resolve().name if path.is_dir() else path.stem


def template_of(name: str) -> str:
    """The hand-written prompt of a data set known by name, else the one for anything."""
    if name in DATASETS:
        return DATASETS[name].template
    if name in EVERY_NAME:
        from promptlet.mini.datasets import EVERY_DATASET

        return EVERY_DATASET[name].template
    return DEFAULT_TEMPLATE


def open_datasets(
    sources: Sequence[str], root: str | Path | None = None, skip_bad: bool = False
) -> list[BenchDataset]:
    """All of them, as `open_dataset` opens one. Raises OptionError when two would have the same name."""
    opened: list[BenchDataset] = []
    for source in expand_names(sources):
        dataset = open_dataset(source, root, skip_bad)
        same = next((other for other in opened if other.name == dataset.name), None)
        if same is not None:
            raise OptionError(
                f"the data sets {same.source!r} and {source!r} are both called {dataset.name!r} in results; "
                "give one of them, or rename one"
            )
        opened.append(dataset)
    return opened


@dataclass
class FeatureSource:
    """Features of items: rows of a feature file, or images encoded once in this process and cached on disk.

    on_progress(done, total) counts images times views while they are encoded. What was encoded travels with
    a pickle of this; who watches its progress does not.
    """

    backbone: Backbone
    cache: FeatureCache | None = None
    on_progress: Callable[[int, int], None] | None = None
    _encoded: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)
    _unreadable: dict[str, str] = field(default_factory=dict)

    def of(self, dataset: BenchDataset, items: Sequence[Item], views: Readings = 1) -> np.ndarray:
        """Features (views, N, D), not normalised. Raises DataError, ImageError."""
        self.check("features", dataset, views)
        if dataset.features is None:
            with self.all_named(dataset):
                return self._images([str(item.path) for item in items], views)
        return dataset.features[np.array([item.row for item in items], np.int64)][None]

    def check(self, reads: str, dataset: BenchDataset, views: Readings = 1) -> None:
        """Raise DataError, or OptionError for the views, where ``dataset`` does not have what a method reads:
        "features", or "images" themselves; BackboneError where the backbone cannot encode its images."""
        if dataset.features is None:
            self.backbone.check_images()
            return
        if reads != "features":
            raise DataError(
                f"{dataset.name}: a feature file has no images, which a method that changes the image tower "
                "needs; give the images, or a method that reads features"
            )
        if list(numbers_of(views)) != [0]:
            raise OptionError(
                f"{dataset.name}: a feature file holds one view of each image, not {views}; give the images"
            )
        own, found = self.backbone.feature_dim, dataset.features.shape[1]
        if own != found:
            raise DataError(
                f"{dataset.name}: its features have {found} numbers, those of {self.backbone.name!r} {own}; "
                "give the backbone they were made with, or the images"
            )

    def inputs(self, reads: str, dataset: BenchDataset, items: Sequence[Item], views: Views = 1) -> Inputs:
        """What a method reads of ``items``; raises as `check`."""
        import torch

        from promptlet.features import reads_reduced
        from promptlet.methods.inputs import FeatureInputs
        from promptlet.pixels import PixelInputs

        if reads == "features":
            features = torch.from_numpy(self.of(dataset, items, views))
            return FeatureInputs(features, self.backbone.device, are_in_turn(views))
        self.check(reads, dataset, views)
        paths, spec = [str(item.path) for item in items], self.backbone.images.spec
        return PixelInputs(paths, spec, views, is_reduced=reads_reduced(self.backbone))

    @contextmanager
    def all_named(self, dataset: BenchDataset) -> Iterator[None]:
        """An ImageError names every image of the data set that cannot be read; they are looked for once.

        Around what reads `inputs`: images themselves are decoded when a method takes them.
        """
        try:
            yield
        except ImageError as error:
            if dataset.name not in self._unreadable:
                self._unreadable[dataset.name] = str(all_unreadable(dataset.split, error, HINT, NAMED))
            raise ImageError(self._unreadable[dataset.name]) from error

    def adopt(self, keys: Sequence[tuple[str, int]], vectors: np.ndarray) -> None:
        """Take features (N, D) that were computed elsewhere, by (path, view)."""
        self._encoded |= dict(zip(keys, vectors, strict=True))

    def lacking(self, paths: Iterable[str], views: Readings) -> list[str]:
        """Those of ``paths``, once each, of which not all views are here."""
        numbers = numbers_of(views)
        return [
            path for path in dict.fromkeys(paths) if any((path, one) not in self._encoded for one in numbers)
        ]

    def __getstate__(self) -> dict[str, Any]:
        keys, vectors = list(self._encoded), list(self._encoded.values())
        encoded = (keys, np.stack(vectors) if vectors else np.zeros((0, 0), np.float32))
        return {"backbone": self.backbone, "cache": self.cache, "encoded": encoded}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.backbone, self.cache, self.on_progress = state["backbone"], state["cache"], None
        self._encoded, self._unreadable = {}, {}
        self.adopt(*state["encoded"])

    def _images(self, paths: Sequence[str], views: Readings) -> np.ndarray:
        from promptlet.features import encode_images

        missing, numbers = self.lacking(paths, views), numbers_of(views)
        if missing:
            features = encode_images(
                self.backbone, missing, views=views, cache=self.cache, on_progress=self.on_progress
            )
            self._encoded |= {
                (path, number): features[place, i]
                for i, path in enumerate(missing)
                for place, number in enumerate(numbers)
            }
        return np.stack([np.stack([self._encoded[path, one] for path in paths]) for one in numbers])


def names_of(items: Sequence[Item], split: Split) -> list[str] | list[int]:
    """What says which items of ``split`` these are: rows of a feature file, or paths below its folder."""
    rows = [item.row for item in items if item.row is not None]
    if len(rows) == len(items):
        return rows
    everything = [item.path for item in split.every_item]
    names = dict(zip(everything, _relative(everything), strict=True))
    return [names[item.path] for item in items]


def _digest(content: Split | FeatureFile) -> str:
    """16 hexadecimal digits for names, labels, parts, and features or sizes of files: no place on disk."""
    is_features = isinstance(content, FeatureFile)
    split = content.split if isinstance(content, FeatureFile) else content
    digest = hashlib.blake2b(digest_size=8)
    digest.update(repr(split.class_names).encode("utf-8", "surrogatepass"))
    paths = _relative([item.path for item in split.every_item])
    parts = [part for part in SPLIT_NAMES for _ in getattr(split, part)]
    for item, path, part in zip(split.every_item, paths, parts, strict=True):
        about = item.row if is_features else _size(item.path)
        digest.update(repr((part, path, item.label, about)).encode("utf-8", "surrogatepass"))
    if isinstance(content, FeatureFile):
        digest.update(repr(content.features.shape).encode() + content.features.tobytes())
    return digest.hexdigest()


def _relative(paths: Sequence[Path]) -> list[str]:
    if not paths:
        return []
    try:
        common = os.path.commonpath([path.parent for path in paths])
    except ValueError:  # on several drives, or relative beside absolute ones
        return [path.as_posix() for path in paths]
    return [Path(os.path.relpath(path, common or ".")).as_posix() for path in paths]


def _size(path: Path) -> int:
    """Bytes of a file, -1 when it is not there: that is told when it is read."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
