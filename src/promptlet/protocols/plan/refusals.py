"""Which runs can never be made, found out before any image is encoded or anything is trained."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from promptlet.errors import DataError, OptionError, PromptletError
from promptlet.methods import METHODS, check_towers
from promptlet.methods.catalog import OURS
from promptlet.protocols.records.measures import FEW_SHOT
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource
from promptlet.protocols.run.drawing import check_test, drawn, halves_of
from promptlet.protocols.run.fitting import check_asked, new_method
from promptlet.protocols.run.halves import asked_names

Reason = tuple[str, type[PromptletError]]
"""In words, and the kind of error."""
Classes = tuple[Sequence[str], Sequence[str]]
FEW = 2
"""Class names over which one of Promptlet's own methods is built for a trial: more would change nothing."""


@dataclass(frozen=True)
class Refused:
    """Runs that cannot be made however often they are tried, and why: the method, its options, or what a
    data set lacks. error: what is raised where nothing is left to run."""

    reason: str
    runs: tuple[Run, ...]
    error: type[PromptletError] = OptionError

    @property
    def words(self) -> str:
        """In a line."""
        count = f"{len(self.runs)} run{'s' if len(self.runs) > 1 else ''}"
        return f"{count} cannot be made: {self.reason}"


def sort_out(
    runs: Iterable[Run], datasets: Mapping[str, BenchDataset], features: FeatureSource
) -> tuple[list[Run], list[Refused]]:
    """The runs that can be tried, and those that are refused, by reason.

    A data set that cannot be read is no reason: its runs fail, each on its own, and can be tried again.
    """
    trial = _Trial(datasets, features)
    possible: list[Run] = []
    refused: dict[Reason, list[Run]] = {}
    for run in runs:
        reason = trial.reason_against(run)
        if reason is None:
            possible.append(run)
        else:
            refused.setdefault(reason, []).append(run)
    return possible, [Refused(words, tuple(those), kind) for (words, kind), those in refused.items()]


class _Trial:
    """Looks at runs; those that differ in their seed alone are looked at once, and so is what they draw."""

    def __init__(self, datasets: Mapping[str, BenchDataset], features: FeatureSource) -> None:
        self.datasets, self.features = datasets, features
        self.known: dict[str, Reason | None] = {}
        self.classes: dict[tuple[object, ...], Classes] = {}

    def reason_against(self, run: Run) -> Reason | None:
        """Why the run cannot be made."""
        alike = json.dumps(replace(run, seed=0).describe(), sort_keys=True, default=str)
        if alike not in self.known:
            self.known[alike] = self._look(run)
        return self.known[alike]

    def _look(self, run: Run) -> Reason | None:
        if any(self.datasets[name].problem for name in filter(None, (run.source, run.dataset))):
            return None
        try:
            trained, asked = self._classes_of(run)
        except PromptletError as error:
            return str(error), DataError
        except Exception:  # the run will tell
            return None
        try:
            check_asked(run, trained, asked)
            check_towers(METHODS[run.method].info, self.features.backbone)
            for name in filter(None, (run.source, run.dataset)):
                views = run.views if name == (run.source or run.dataset) else 1
                self.features.check(METHODS[run.method].info.reads, self.datasets[name], views)
            new_method(run, *_fewer(run, trained, asked), self.features)
        except PromptletError as error:
            return str(error), OptionError
        except Exception:  # a bug in a method of the user's own: the run will tell
            return None
        return None

    def _classes_of(self, run: Run) -> Classes:
        """As `_classes`, once for runs that draw the same; raises as that does."""
        alike = (run.protocol, run.dataset, run.source, run.shots, run.sampler)
        if alike not in self.classes:
            self.classes[alike] = self._classes(run)
        return self.classes[alike]

    def _classes(self, run: Run) -> Classes:
        """Class names that are trained, and those that are asked for. Raises DataError where a data set has
        not the images that the run needs."""
        dataset = self.datasets[run.dataset]
        if run.source is not None:
            trained = drawn(run, self.datasets[run.source])
            check_test(dataset, dataset.split, run.protocol)
            return trained.class_names, dataset.split.class_names
        if run.protocol == FEW_SHOT:
            names = drawn(run, dataset).class_names
            return names, names
        base, new = halves_of(run, dataset)
        return base.class_names, asked_names(run.protocol, base, new)


def _fewer(run: Run, trained: Sequence[str], asked: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Names enough to see whether the method can be built, and whether it answers about others."""
    if run.method not in OURS:
        return trained, asked
    same = tuple(trained) == tuple(asked)  # else the last of those asked for is one of the others
    return trained[:FEW], trained[:FEW] if same else asked[-1:]
