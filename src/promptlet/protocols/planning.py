"""From what is asked for (data sets, methods, shots, seeds) to a list of complete runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlet.data import DATASETS
from promptlet.data.load import expand_names
from promptlet.errors import OptionError, check_option
from promptlet.methods import METHODS, code_of
from promptlet.methods.method import BY_STEPS, NOTHING
from promptlet.methods.new_names import LEARNED, check_rule, why_not
from promptlet.methods.official import Where
from promptlet.methods.text_prompt import OF_TEMPLATE, TextPrompt, start_as_run
from promptlet.mini.names import EVERY_NAME
from promptlet.numbers import check_numbers
from promptlet.protocols.records.measures import FEW_SHOT, TRANSFERS
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import BenchDataset
from promptlet.training import Schedule, method_schedule
from promptlet.training.augmentation import method_views
from promptlet.training.sampled import check_sampled
from promptlet.training.schedules import official_of
from promptlet.views import Views

MethodSpec = tuple[str, Mapping[str, Any]]

_PART = re.compile(r'(?:[^,"]|"[^"]*"|")+')
_QUOTED = re.compile('"([^"]*)"')


@dataclass(frozen=True)
class Settings:
    """What all runs of a plan share. None keeps the method's or the schedule's own value; views: as in
    `promptlet.views`."""

    schedule: str | Schedule = "fast"
    epochs: int | None = None
    lr: float | None = None
    batch_size: int | None = None
    views: Views | None = None
    sampler: str = "coop"
    sampled_classes: int | None = None


def parse_methods(text: str) -> Sequence[MethodSpec]:
    """``"coop,rlp:rank=2,dropout=0.2"``: methods by name, each with options after a colon. What stands in
    double quotes is kept as it is, commas too: ``'prograd:template="a pet, a photo of a {}."'``."""
    methods: list[tuple[str, dict[str, Any]]] = []
    for part in filter(None, (part.strip() for part in _PART.findall(text))):
        name, colon, option = part.partition(":")
        if "=" in name:  # a further option of the method before it
            if not methods:
                raise OptionError(f"methods={text!r} begins with an option; give a method first: rlp:{part}")
            option = part
        else:
            check_option("method", name.strip(), METHODS)
            methods.append((name.strip(), {}))
        if option or colon:
            methods[-1][1].update([_parse_option(option)])
    if not methods:
        raise OptionError(f"methods={text!r} names no method; allowed: {', '.join(METHODS)}")
    for _, options in methods:
        check_numbers(options)
    return methods


def _parse_option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise OptionError(
            f"{text!r} is no option of a method; write name=value, as in rlp:rank=2,dropout=0.2"
        )
    if quoted := _QUOTED.fullmatch(value.strip()):
        return name.strip(), quoted[1]
    try:
        return name.strip(), json.loads(value.strip().lower().replace("none", "null"))
    except ValueError:
        return name.strip(), value.strip()


def share_options(methods: Sequence[MethodSpec], shared: Mapping[str, Any]) -> list[MethodSpec]:
    """``shared`` options given to every method that has them and was not given its own; None is not given.

    Raises OptionError for one that no method has.
    """
    given = {name: value for name, value in shared.items() if value is not None}
    for name in given:
        if not any(name in METHODS[method].info.options for method, _ in methods):
            raise OptionError(
                f"{name} is an option of none of the methods {', '.join(method for method, _ in methods)}"
            )
    return [
        (method, {**{n: v for n, v in given.items() if n in METHODS[method].info.options}, **options})
        for method, options in methods
    ]


def plan_runs(
    protocol: str,
    datasets: Sequence[BenchDataset],
    methods: Sequence[MethodSpec],
    shots: Sequence[int],
    seeds: Sequence[int],
    fingerprint: str,
    dtype: str = "float32",
    settings: Settings | None = None,
    source: BenchDataset | None = None,
) -> list[Run]:
    """Each data set x shots x method x seed once, in that order.

    source: what cross-dataset and domain-shift train on; it is left out of the data sets, since few-shot and
    the ``source_accuracy`` of every record say how it does there.
    """
    settings = settings or Settings()
    runs = [
        _run(protocol, dataset, (method, options), (count, seed), (fingerprint, dtype), settings, source)
        for dataset in _targets(protocol, datasets, source)
        for count in shots
        for method, options in methods
        for seed in seeds
    ]
    return list({run.key: run for run in runs}.values())


def _targets(
    protocol: str, datasets: Sequence[BenchDataset], source: BenchDataset | None
) -> Sequence[BenchDataset]:
    if (source is not None) != (protocol in TRANSFERS):
        raise OptionError(
            f"protocol {protocol!r} trains on the data set that it tests on and takes no source"
            if source is not None
            else f"protocol {protocol!r} needs a source, the data set that is trained on"
        )
    targets = [dataset for dataset in datasets if source is None or dataset.name != source.name]
    if source is not None and not targets:
        raise OptionError(
            f"{protocol} trains on {source.name!r} and has no other data set to test on; give others, or use "
            f"{FEW_SHOT}, which tests on the same"
        )
    return targets


def default_source(names: Sequence[str]) -> str:
    """What cross-dataset and domain-shift train on where it is not said: ImageNet, or its place in the mini
    world where all ``names`` are from there. Raises OptionError where neither is known."""
    if names and all(name in EVERY_NAME for name in expand_names(names)):
        return EVERY_NAME[0]
    if "imagenet" in DATASETS:
        return "imagenet"
    raise OptionError(
        "source is not given and must be for these data sets: give the one to train on, as in --source "
        f"{next(iter(DATASETS))}"
    )


def _settled(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """With the rule for new names as it is stored, and without a template that nothing reads. Without words
    before the name, where there are none: a run from before there was that option is the same run."""
    kept = dict(options)
    if issubclass(METHODS[method], TextPrompt):
        kept |= _start(kept)
        if kept.get("between") is None:
            kept.pop("between", None)
    if "new_names" in kept:
        kept["new_names"] = check_rule(kept["new_names"])
        if kept["new_names"] == LEARNED and not getattr(METHODS[method], "reads_template", True):
            kept.pop("template", None)
    return kept


def _start(options: Mapping[str, Any]) -> dict[str, Any]:
    """How a context starts, and the words behind it, in one form for what is the same."""
    start: dict[str, Any] = {}
    if options.get("between") == "" and options.get("ctx_init") != OF_TEMPLATE:
        start["between"] = None  # there, "" is other than what the template leaves over
    if "ctx_init" in options:
        start["ctx_init"] = start_as_run(options)
    return start


def _as_default(value: Any, default: Any) -> Any:
    """A whole number for an option that is a float is that float: ``dropout=0`` is ``dropout=0.0``."""
    return float(value) if type(default) is float and type(value) is int else value


def _run(
    protocol: str,
    dataset: BenchDataset,
    spec: MethodSpec,
    draw: tuple[int, int],
    backbone: tuple[str, str],
    settings: Settings,
    source: BenchDataset | None,
) -> Run:
    method, options = spec
    info = METHODS[check_option("method", method, METHODS)].info
    unknown = [name for name in options if name not in info.options or name == "seed"]
    if unknown:
        own = ", ".join(name for name in info.options if name != "seed")
        reason = f" ({why_not(info)})" if unknown[0] == "new_names" else ""
        raise OptionError(
            f"method {method!r} takes no option {unknown[0]!r} in a benchmark{reason}; it takes: {own}"
        )
    where = Where(protocol, (source or dataset).name, draw[0])
    official = official_of(info, settings.schedule, where)
    changed = official.changes.options if official else {}
    complete = {
        **info.options,
        **changed,
        **{n: _as_default(value, info.options[n]) for n, value in options.items()},
    }
    complete.pop("seed", None)  # the run's own
    complete = _settled(method, complete)
    trained_on = dataset if source is None or info.learns == NOTHING else source
    if "template" in complete and not info.own_template and "template" not in {**options, **changed}:
        complete["template"] = trained_on.template_for(info)
    schedule = method_schedule(
        info,
        settings.schedule,
        options=complete,
        views=settings.views or 1,
        where=where,
        epochs=settings.epochs,
        lr=settings.lr,
        batch_size=settings.batch_size,
        sampled_classes=settings.sampled_classes,
    )
    check_sampled(METHODS[method], schedule, complete)
    learns, has_images = info.learns == BY_STEPS, trained_on.features is None
    return Run(
        protocol=protocol,
        dataset=dataset.name,
        data=dataset.digest,
        method=method,
        options=complete,
        shots=draw[0],
        seed=draw[1],
        settings=schedule.facts() if learns else {},
        views=method_views(info, settings.views, schedule.epochs, official if has_images else None),
        sampler=settings.sampler,
        fingerprint=backbone[0],
        dtype=backbone[1],
        source=None if source is None else source.name,
        source_data=None if source is None else source.digest,
        code=code_of(method),
    )
