"""The main job: names alone, a few pictures to learn from, the same again, other names, none of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlet.classifier import PromptLearner
    from promptlet.cli.shell import Bars
    from promptlet.data import FeatureCache, Split
    from promptlet.data.items import Item
    from promptlet.own_images.fitting import FitReport

ESTIMATED = "cv"
SHOWN = 12
"""Pictures of one kind on the page."""


@dataclass(frozen=True)
class Seen:
    """One picture: what it is, what was said of it at first and after learning, whether it was accepted."""

    path: Path
    true: str
    before: str
    after: str
    accepted: bool


@dataclass(frozen=True)
class Story:
    """Accuracies in percent, on pictures that nothing was learned from.

    before, after: of the taught classes, by their names alone and by the prompt. new: of classes that were
    never taught, asked by their names. kept: taught classes' pictures that are not refused as "none of
    these"; let_in: pictures of classes never taught that are not. taught, untaught: some of the pictures.
    """

    dataset: str
    shots: int
    taught_names: tuple[str, ...]
    new_names: tuple[str, ...]
    file: Path
    bytes: int
    fit: FitReport
    before: float
    after: float
    new: float
    kept: float
    let_in: float
    taught: tuple[Seen, ...]
    untaught: tuple[Seen, ...]

    def facts(self) -> dict[str, Any]:
        """What `--json` tells of it."""
        return {
            "dataset": self.dataset,
            "file": str(self.file),
            "bytes": self.bytes,
            "trainable": self.fit.trainable,
            "estimate": self.fit.estimate,
            "zero_shot": self.before,
            "base": self.after,
            "new": self.new,
            "own_accepted": self.kept,
            "others_accepted": self.let_in,
        }


def tell_story(
    name: str, shots: int, seed: int, out: Path, backbone: Any, cache: FeatureCache | None, shown: Bars
) -> Story:
    """Do it all on one data set: its base classes are taught, its new ones never."""
    from promptlet.classifier import PromptLearner
    from promptlet.data import base_new, load_dataset, sample_shots
    from promptlet.own_images.fitting import fit

    split: Split = load_dataset(name)  # type: ignore[assignment]
    base, new = base_new(sample_shots(split, shots, seed))
    learner = PromptLearner(backbone=backbone, method="rlp", seed=seed, cache=cache or False)
    report = fit(learner, base, on_progress=shown.show, estimate=ESTIMATED)
    file = out / f"{name}.prompt"
    size = learner.save(file)
    loaded = PromptLearner.load(file, backbone=backbone)
    loaded.cache = cache or False
    names_alone = PromptLearner(backbone=backbone, method="zero_shot", cache=cache or False)
    names_alone.fit(*_images(base.train))
    taught = _seen(base.test, names_alone, loaded, None)
    untaught = _seen(new.test, names_alone, loaded, list(new.class_names))
    return Story(
        dataset=name,
        shots=shots,
        taught_names=base.class_names,
        new_names=new.class_names,
        file=file,
        bytes=size,
        fit=report,
        before=_percent(one.before == one.true for one in taught),
        after=_percent(one.after == one.true for one in taught),
        new=_percent(one.after == one.true for one in untaught),
        kept=_percent(one.accepted for one in taught),
        let_in=_percent(one.accepted for one in untaught),
        taught=_some(taught),
        untaught=_some(untaught),
    )


def _images(items: Sequence[Item]) -> tuple[list[Path], list[str]]:
    return [item.path for item in items], [item.class_name for item in items]


def _seen(
    items: Sequence[Item], before: PromptLearner, after: PromptLearner, names: list[str] | None
) -> list[Seen]:
    paths, true = _images(items)
    first, second = (one.predict(paths, class_names=names) for one in (before, after))
    accepted = after.accepts(paths)
    return [
        Seen(*one)
        for one in zip(paths, true, map(str, first), map(str, second), map(bool, accepted), strict=True)
    ]


def _some(seen: Sequence[Seen]) -> tuple[Seen, ...]:
    """Evenly spread."""
    count = min(SHOWN, len(seen))
    return tuple(seen[i * (len(seen) - 1) // max(count - 1, 1)] for i in range(count))


def _percent(values: Any) -> float:
    found = list(values)
    return 100.0 * sum(map(bool, found)) / len(found)
