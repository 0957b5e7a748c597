"""Base-to-new training that stops every few epochs to look at the context's singular values and accuracies.

Draws, cut, training and scores are those of the protocol base-to-new; looking changes nothing in them, and
the last point is the protocol's own result.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from promptlet.analysis.rows import DENSITY
from promptlet.density import profile
from promptlet.errors import OptionError
from promptlet.methods import METHODS, Method
from promptlet.methods.both_towers.deep_prompt import TwoTowerPrompt
from promptlet.methods.new_names import LEARNED
from promptlet.methods.text_prompt import TextPrompt
from promptlet.protocols.planning import MethodSpec, Settings, plan_runs
from promptlet.protocols.records.circumstances import circumstances
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource
from promptlet.protocols.run.drawing import halves_of
from promptlet.protocols.run.fitting import OnEpoch, drawn_from, fit, new_method
from promptlet.protocols.run.scoring import scores
from promptlet.session import own_arithmetic
from promptlet.training import EpochReport


def plan(
    datasets: Sequence[BenchDataset],
    methods: Sequence[MethodSpec],
    shots: int,
    seeds: Sequence[int],
    fingerprint: str,
    dtype: str = "float32",
    settings: Settings | None = None,
    every: int = 10,
) -> list[Run]:
    """The runs asked for, measured every ``every`` epochs, which is part of their settings.

    Raises OptionError for a method without a context at the text side.
    """
    if every < 1:
        raise OptionError(f"every={every} is outside 1 and more, in epochs")
    for name, _ in methods:
        check_context(name)
    asked = [(name, _as_learned(name, options)) for name, options in methods]
    runs = plan_runs(DENSITY, datasets, asked, [shots], seeds, fingerprint, dtype, settings)
    return [replace(run, settings={**run.settings, "every": every}) for run in runs]


def _as_learned(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options; new names answered as learned unless another rule is asked for: it is the prompt that is
    looked at."""
    has_rule = "new_names" in METHODS[name].info.options
    return {"new_names": LEARNED, **options} if has_rule else dict(options)


def check_context(name: str) -> None:
    """Raise OptionError unless the method ``name`` learns one context at the text side."""
    if not _has_context(name):
        having = ", ".join(other for other in METHODS if _has_context(other))
        raise OptionError(
            f"method {name!r} has no context at the text side, or another one for each image, so that there "
            f"are no singular values to follow; methods that have one: {having}"
        )


def _has_context(name: str) -> bool:
    return name in METHODS and issubclass(METHODS[name], TextPrompt | TwoTowerPrompt)


def check_k(k: int, methods: Sequence[MethodSpec]) -> None:
    """Raise OptionError unless every method's context has ``k`` singular values."""
    for name, options in methods:
        most = options.get("n_ctx", METHODS[name].info.options.get("n_ctx", 1))
        if not isinstance(most, int) or not 1 <= k <= most:
            raise OptionError(
                f"k={k} is outside 1..{most}, the number of singular values of {name}'s context"
            )


def text_contexts(method: Method) -> Tensor:
    """The merged contexts (layers, n_ctx, d) of a method in evaluation mode; the first layer is the input."""
    if isinstance(method, TwoTowerPrompt):
        return method.text_context().detach()
    assert isinstance(method, TextPrompt)
    return method.context.merged()[None]


@own_arithmetic()
def execute(
    run: Run, dataset: BenchDataset, source: FeatureSource, on_epoch: OnEpoch | None = None
) -> dict[str, Any]:
    """Train once, measure on the way; what is stored of it. Raises PromptletError with the reason."""
    began = time.perf_counter()
    base, new = halves_of(run, dataset)
    halves = {"base": base, "new": new}
    trained = replace(run, settings={n: v for n, v in run.settings.items() if n != "every"})
    method = new_method(trained, base.class_names, new.class_names, source)
    points: list[dict[str, Any]] = []

    def measure(epoch: int) -> None:
        method.eval()
        points.append(
            {
                "epoch": epoch,
                **{half: scores(method, dataset, s, source)["accuracy"] for half, s in halves.items()},
                "layers": [profile(context) for context in text_contexts(method)],
            }
        )
        method.set_classes(base.class_names)  # training goes on among these
        method.train()

    def look(report: EpochReport) -> None:
        if report.epoch % run.settings["every"] == 0 and report.epoch < report.epochs:
            measure(report.epoch)
        if on_epoch is not None:
            on_epoch(report)

    measure(0)
    result = fit(trained, method, dataset, base, source, look)
    measure(run.settings["epochs"])  # of the finished method: some average at the end
    method.eval()
    return {
        **run.describe(),
        "label": label_of(run, dataset.template_for(METHODS[run.method].info)),
        "points": points,
        "trainable": method.trainable_count(),
        "seconds": result.seconds,
        "seconds_total": time.perf_counter() - began,
        **drawn_from(run, dataset, base),
        "source": dataset.source,
        **circumstances(source.backbone),
    }


def label_of(run: Run, template: str) -> str:
    """The method, and options that are neither its defaults nor the data set's template: ``rlp (rank=2)``."""
    own = METHODS[run.method].info.options
    changed = ", ".join(
        f"{name}={value}"
        for name, value in run.options.items()
        if value != own[name] and (name, value) not in (("template", template), ("new_names", LEARNED))
    )
    return f"{run.method} ({changed})" if changed else run.method
