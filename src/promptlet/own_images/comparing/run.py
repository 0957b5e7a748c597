"""Each method is trained and asked on the same folds; one is recommended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from promptlet.backbones import Backbone
from promptlet.classifier import PromptLearner
from promptlet.classifier.files import prompt_file_of, round_method
from promptlet.classifier.fitting import checked_schedule, schedule_of, trained_officially, views_of
from promptlet.errors import OptionError, PromptletError, check_option
from promptlet.evaluation.weighted import weighted_difference, weights_of
from promptlet.methods import METHODS, Method
from promptlet.own_images.comparing.result import Compared, Comparison, MethodSpec, label
from promptlet.own_images.estimating.accuracy import accuracy_of, copies_among
from promptlet.own_images.estimating.estimate import FEWER_FOLDS, usable_folds
from promptlet.own_images.estimating.out_of_fold import OutOfFold, Validation, out_of_fold
from promptlet.own_images.material import Material
from promptlet.promptfile import dumps
from promptlet.reasons import reason_of
from promptlet.training import EpochReport

ONE_ERROR = 0.6826894921
"""The level of an interval that reaches one standard error to each side."""
NAMES = ("zero_shot", "rlp", "coop", "kgcoop", "tip_adapter", "clip_adapter", "linear_probe")
USUAL: Sequence[MethodSpec] = tuple((name, {}) for name in NAMES)
"""Methods that read features and train in seconds: one or two of each kind."""


@dataclass(frozen=True, eq=False)
class _Answered:
    """What one method gave."""

    spec: MethodSpec
    answers: OutOfFold
    bytes: int
    trainable: int
    notes: tuple[str, ...]


def compare(
    classifier: PromptLearner,
    backbone: Backbone,
    material: Material,
    methods: Sequence[MethodSpec] = USUAL,
    *,
    folds: int = FEWER_FOLDS,
    val: Callable[[str], Validation | None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_answers: Callable[[MethodSpec, OutOfFold], None] | None = None,
) -> Comparison:
    """Each method by cross-validation on the same folds; test images are never looked at.

    classifier: whose further parameters (schedule, seed, views ...) all share. val: validation images of a
    method by its name. on_progress: called with a method's name, and how many of its trainings are done.
    on_epoch: of each training; what it raises ends the comparison. on_answers: given what each method said.
    Methods are rounded as they are stored. Raises OptionError without methods, DataError where nothing can be
    held back, and what the last method raised where all fail.
    """
    if not methods:
        raise OptionError("no method to compare was given; name some, or leave it to the usual ones")
    places = usable_folds(material, folds)
    found: list[_Answered] = []
    failed: dict[str, str] = {}
    for spec in {label(one): one for one in methods}.values():  # each once
        try:
            given = parameters_for(classifier, spec, backbone)
            own_val = val(spec[0]) if val else None
            one = _answered(given, spec, backbone, material, places, own_val, on_progress, on_epoch)
        except PromptletError as error:
            failed[label(spec)] = reason_of(error)
            last = error
            continue
        found.append(one)
        if on_answers is not None:
            on_answers(spec, one.answers)
    if not found:
        raise last
    return _compared(found, failed, material)


def trainable(
    classifier: PromptLearner, methods: Sequence[MethodSpec], backbone: Backbone
) -> list[PromptLearner]:
    """Unfitted classifiers for those of the methods that can be trained as ``classifier`` says: for who
    encodes images next. Raises what is wrong with the last of them where none can."""
    found: list[PromptLearner] = []
    last: PromptletError | None = None
    for spec in methods:
        try:
            found.append(parameters_for(classifier, spec, backbone))
        except PromptletError as error:
            last = error
    if last is not None and not found:
        raise last
    return found


def parameters_for(classifier: PromptLearner, spec: MethodSpec, backbone: Backbone) -> PromptLearner:
    """An unfitted classifier for the method, without what belongs to another. Raises OptionError where it
    cannot be trained so."""
    name, options = spec
    check_option("method", name, METHODS)
    own = METHODS[name].info.options
    main = {key: options.get(key) for key in ("rank", "n_ctx", "ctx_init", "new_names")}
    shared = {key: getattr(classifier, key) for key in main if key in own and main[key] is None}
    further = {key: value for key, value in options.items() if key not in main}
    given = classifier.untrained(method=name, **{**main, **shared}, method_options=further or None)
    checked_schedule(given, backbone)
    return given


def _answered(
    given: PromptLearner,
    spec: MethodSpec,
    backbone: Backbone,
    material: Material,
    folds: np.ndarray,
    val: Validation | None,
    on_progress: Callable[[str, int, int], None] | None,
    on_epoch: Callable[[EpochReport], None] | None,
) -> _Answered:
    kept: list[Method] = []

    def keep(method: Method) -> None:
        round_method(method, None)
        kept[:] = [method]

    def tell(done: int, total: int) -> None:
        if on_progress is not None:
            on_progress(label(spec), done, total)

    answers = out_of_fold(
        given, backbone, material, folds, val=val, finish=keep, on_progress=tell, on_epoch=on_epoch
    )
    [method] = kept
    stored = dumps(prompt_file_of(method, material.class_names, {}), method.stored_precision())
    views = views_of(given, schedule_of(given), material.sources)
    notes = (*method.notes(), *trained_officially(given, method, views))
    return _Answered(spec, answers, len(stored), method.trainable_count(), notes)


def _compared(found: Sequence[_Answered], failed: Mapping[str, str], material: Material) -> Comparison:
    asked = np.all([one.answers.asked for one in found], axis=0)
    targets = material.targets[asked]
    hits = [one.answers.predicted[asked] == targets for one in found]
    folds = len(np.unique(found[0].answers.folds[asked]))
    weights = weights_of(targets, material.shares)
    best = hits[_best(found, hits, weights)]
    pairs = copies_among(material, asked) * max(one.answers.overlap for one in found)
    rows = [
        _row(
            one,
            accuracy_of(one.answers, material, asked),
            weighted_difference(best, own, weights, pairs),
            folds,
        )
        for one, own in zip(found, hits, strict=True)
    ]
    open_ = [i for i, row in enumerate(rows) if row.new_names]
    return Comparison(
        rows=tuple(sorted(rows, key=lambda row: (-row.accuracy, row.bytes))),
        closed=label(found[recommended(found, hits, weights)].spec),
        open_=_label_of_best([found[i] for i in open_], [hits[i] for i in open_], weights),
        failed=failed,
        images=int(asked.sum()),
        folds=folds,
        class_names=material.class_names,
        majority=100.0 * float(material.shares.max()),
        seconds=sum(one.answers.seconds for one in found),
    )


def _row(
    one: _Answered,
    accuracy: tuple[float, float, float],
    behind: tuple[float, float, float],
    folds: int,
) -> Compared:
    name, options = one.spec
    return Compared(
        name,
        dict(options),
        *accuracy,
        *behind,
        seconds=one.answers.seconds / folds,
        bytes=one.bytes,
        trainable=one.trainable,
        new_names=METHODS[name].info.unseen_classes,
        notes=one.notes,
    )


def _best(found: Sequence[_Answered], hits: Sequence[np.ndarray], weights: np.ndarray) -> int:
    return max(range(len(found)), key=lambda i: (np.sum(weights * hits[i]), -found[i].bytes))


def recommended(found: Sequence[_Answered], hits: Sequence[np.ndarray], weights: np.ndarray) -> int:
    """The smallest file among those within one standard error of the best, on the same images.

    The rule of one standard error (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3),
    of paired differences.
    """
    best = _best(found, hits, weights)
    behind = [weighted_difference(hits[best], own, weights, level=ONE_ERROR) for own in hits]
    near = [i for i, (_, low, _) in enumerate(behind) if low <= 0.0]
    return min(near, key=lambda i: (found[i].bytes, behind[i][0]))


def _label_of_best(found: Sequence[_Answered], hits: Sequence[np.ndarray], weights: np.ndarray) -> str | None:
    return label(found[recommended(found, hits, weights)].spec) if found else None
