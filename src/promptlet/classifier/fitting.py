"""From a classifier's parameters to what a training takes: the method, its schedule, what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

import promptlet
from promptlet.backbones import Backbone
from promptlet.classifier.inputs import Images, as_list, checked_labels
from promptlet.classifier.reading import are_vectors
from promptlet.errors import DataError, OptionError
from promptlet.methods import METHODS, Method, MethodInfo, build_method
from promptlet.methods.inputs import Inputs
from promptlet.methods.method import BY_STEPS
from promptlet.methods.official import Where
from promptlet.numbers import check_number, check_numbers
from promptlet.training import Schedule, method_schedule
from promptlet.training.augmentation import method_views
from promptlet.training.captured import check_captured
from promptlet.training.official import notes_on_official
from promptlet.training.sampled import check_sampled
from promptlet.training.schedules import official_of
from promptlet.views import Views, check_views, kind_of


class Parameters(Protocol):
    """Those of `PromptClassifier` that a training depends on, as they were given."""

    method: str
    rank: int | None
    n_ctx: int | None
    ctx_init: str | None
    shots: int | None
    views: Views | None
    schedule: str | Schedule
    epochs: int | None
    lr: float | None
    batch_size: int | None
    sampled_classes: int | None
    seed: int
    new_names: str | None
    method_options: Mapping[str, Any] | None
    capture: bool


class FittedBy(Parameters, Protocol):
    """With the method that was trained by them, and what its prompt file tells of that."""

    method_: Method
    training_: dict[str, Any]


def whole(given: Parameters, name: str) -> Any:
    """A parameter as an int, or None; NumPy's integers count as such. Raises OptionError for others, and for
    what is out of bounds."""
    return check_number(name, getattr(given, name))


def draw_of(given: Parameters) -> tuple[Any, Any]:
    """Shots and seed. Raises OptionError for any number among the parameters that is none or out of bounds:
    before images or a backbone are read."""
    names = ("shots", "seed", "rank", "n_ctx", "epochs", "lr", "batch_size", "sampled_classes")
    shots, seed, *_ = (whole(given, name) for name in names)
    check_views("views", given.views)
    if isinstance(given.method_options, Mapping):
        check_numbers(given.method_options)
    return shots, seed


def views_of(given: Parameters, schedule: Schedule, sources: Sequence[Any]) -> Views:
    """Which readings of each of these images the method is trained on: of features, the one that is given."""
    info, asked = METHODS[given.method].info, check_views("views", given.views)
    if are_vectors(sources):
        if kind_of(asked or 1) is not None:
            raise OptionError(
                f"views={asked!r}: features are of one reading of each image; give the images, or leave the "
                "views out"
            )
        return 1
    official = official_of(info, given.schedule, own_images(given))
    return method_views(info, asked, schedule.epochs, official)


def schedule_of(given: Parameters) -> Schedule:
    """The schedule by its name, with what changes it."""
    changes = {name: whole(given, name) for name in ("epochs", "batch_size", "sampled_classes")}
    options = given.method_options if isinstance(given.method_options, Mapping) else {}
    schedule = method_schedule(
        METHODS[given.method].info,
        given.schedule,
        options=options,
        views=check_views("views", given.views) or 1,
        where=own_images(given),
        lr=given.lr,
        **changes,
    )
    check_sampled(METHODS[given.method], schedule, options)
    return schedule


def own_images(given: Parameters) -> Where:
    """Where the official settings are looked up."""
    return Where(shots=whole(given, "shots"))


def checked_schedule(given: Parameters, backbone: Backbone, method: Method | None = None) -> Schedule:
    """The same, for whoever encodes images next: raises OptionError where the method, built or not, cannot be
    trained by it on ``backbone``."""
    schedule = schedule_of(given)
    kind = METHODS[given.method] if method is None else method
    check_sampled(kind, schedule)
    if given.capture:
        check_captured(kind, backbone)
    return schedule


def new_method(given: Parameters, backbone: Backbone, class_names: Sequence[str]) -> Method:
    """The untrained method with its options; None leaves an option to the method. Raises OptionError."""
    own = METHODS[given.method].info.options if given.method in METHODS else {}
    shared = {
        "n_ctx": whole(given, "n_ctx"),
        "ctx_init": given.ctx_init,
        "rank": whole(given, "rank"),
        "new_names": given.new_names,
    }
    options = {**_official(given), **{name: value for name, value in shared.items() if value is not None}}
    if "seed" in own:
        options["seed"] = whole(given, "seed")
    if not isinstance(given.method_options, Mapping | None):
        raise OptionError(
            f"method_options={given.method_options!r} is not allowed; give a dict such as {{'dropout': 0.2}}"
        )
    further = dict(given.method_options or {})
    twice = sorted({*shared, "seed"} & set(further))
    if twice:
        raise OptionError(f"method_options holds {twice[0]!r}; give it as {twice[0]}=... itself")
    return build_method(given.method, backbone, class_names, **{**options, **further})


def _official(given: Parameters) -> dict[str, Any]:
    """Options that the schedule "official" brings."""
    if given.method not in METHODS:
        return {}
    chosen = official_of(METHODS[given.method].info, given.schedule, own_images(given))
    return dict(chosen.changes.options) if chosen else {}


def official_notes(fitted: FittedBy) -> tuple[str, ...]:
    """What must be known of a fit by official settings."""
    return trained_officially(fitted, fitted.method_, fitted.training_["views"])


def trained_officially(given: Parameters, method: Method, views: Views) -> tuple[str, ...]:
    """The same of a method that was trained by these parameters on these readings of each image."""
    if not isinstance(given.schedule, str):
        return ()
    settings = {**schedule_of(given).facts(), "views": views}
    return notes_on_official(method.info, given.schedule, own_images(given), method.options, settings)


def validation(
    info: MethodInfo,
    read: Callable[[Sequence[Any]], Inputs],
    images: Images | None,
    labels: Iterable[str] | None,
    classes: np.ndarray,
) -> tuple[Inputs, Tensor] | None:
    """Validation images for a method that looks at them, those of other classes left out, and their labels
    (N,). Raises DataError where one is given without the other, or none is of ``classes``."""
    if (images is None) != (labels is None):
        raise DataError("val_images and val_labels go together; give both or neither")
    if images is None or labels is None or not info.uses_val:
        return None
    inputs = as_list(images)
    names = checked_labels(inputs, labels)
    numbers = {str(name): number for number, name in enumerate(classes)}
    rows = [i for i, name in enumerate(names) if name in numbers]
    if not rows:
        raise DataError(f"no validation label is one of the {len(classes)} classes of the labels")
    return read([inputs[i] for i in rows]), torch.tensor(
        [numbers[name] for name in names[rows]], dtype=torch.int64, device="cpu"
    )


def training_record(
    given: Parameters, method: Method, schedule: Schedule, images: int, views: Views
) -> dict[str, Any]:
    """How a prompt was trained, as its file tells: plain values."""
    record = {
        "images": images,
        "shots": whole(given, "shots"),
        "seed": whole(given, "seed"),
        "views": views,
        "version": promptlet.__version__,
    }
    if method.info.learns == BY_STEPS:
        record |= {"schedule": schedule.name, "epochs": schedule.epochs, "lr": float(schedule.lr)}
        record |= {"optimizer": schedule.optimizer, "sampled_classes": schedule.sampled_classes}
    template = getattr(method, "template", None)
    if template is not None and getattr(method, "reads_template", True):
        record["template"] = template
    return {key: value for key, value in record.items() if value is not None}
