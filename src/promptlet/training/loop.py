"""The training loop: image features (or images) in, learned numbers in the method, a history out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from promptlet import rng
from promptlet.disk import Reserve
from promptlet.errors import TrainingError
from promptlet.methods import Method
from promptlet.methods.inputs import FeatureInputs, Inputs, TrainingData
from promptlet.methods.method import NOTHING
from promptlet.session import own_arithmetic, without_waiting
from promptlet.training.captured import Captured, check_captured, forward_and_backward
from promptlet.training.checkpoint import (
    Progress,
    describe,
    digest,
    pack_checkpoint,
    read_checkpoint,
    room_of,
    size_of,
    snapshot,
    write_checkpoint,
)
from promptlet.training.optimizers import Optimizer
from promptlet.training.reports import EpochReport, TrainingResult
from promptlet.training.sampled import Among, Sampler, check_sampled
from promptlet.training.schedules import Schedule
from promptlet.training.tally import Tally

CHECKPOINT_SECONDS = 5.0
Passes = Callable[[Tensor, Among], tuple[Tensor, Tensor]]
"""Forward and backward of a step: loss and logits of inputs and what they are among."""
MANY = 1 << 17
"""Of more images than this, a step that takes them all leaves them where they are: a copy in another order
would be hundreds of megabytes, and the order changes nothing but rounding."""


@own_arithmetic()
def train(
    method: Method,
    inputs: Tensor | Inputs,
    labels: Tensor,
    schedule: Schedule,
    *,
    seed: int = 1,
    val: tuple[Tensor | Inputs, Tensor] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    checkpoint: Path | None = None,
    checkpoint_stays: bool = False,
    capture: bool = False,
) -> TrainingResult:
    """Train ``method`` in place. It is left in evaluation mode.

    inputs: features (V, N, D) of V views of N images, normalised here, or `Inputs`; labels (N,) index the
    method's class names. Each epoch takes one view of each image, drawn or in turn, in an order of its own;
    both follow from ``seed`` and the epoch. val: as inputs and labels, for methods that tune something on
    validation images. checkpoint: a file written now and then, on Ctrl-C too, and taken up when it is there
    and fits; removed at the end. checkpoint_stays: the end is kept in it instead, for who has yet to store
    what was learned; room for it is held on the disk from the beginning. capture: on CUDA, make forward and
    backward pass of a step one graph, which starts at once what a step starts one by one (`captured`); the
    numbers are the same. Raises TrainingError for a loss that is not finite, and where a checkpoint cannot be
    written; OptionError where a step cannot be captured.
    """
    check_sampled(method, schedule)
    if capture:
        check_captured(method, method.backbone)
    data = _training_data(method, inputs, labels, schedule, val)
    began = time.perf_counter()
    method.taught = method.class_names
    method.begin_training(data)
    around = time.perf_counter() - began
    method.train()
    result = TrainingResult((), 0)
    try:
        if method.trainables():
            keeping = checkpoint, checkpoint_stays
            result = _by_steps(method, data, schedule, seed, on_epoch, *keeping, capture)
    finally:
        method.eval()
    began = time.perf_counter()
    method.end_training(data)
    around += time.perf_counter() - began
    return replace(result, seconds_around=0.0 if method.info.learns == NOTHING else around)


def _training_data(
    method: Method,
    inputs: Tensor | Inputs,
    labels: Tensor,
    schedule: Schedule,
    val: tuple[Tensor | Inputs, Tensor] | None,
) -> TrainingData:
    device = method.backbone.device
    checked, labels = _checked_inputs(inputs, labels, device)
    if val is None or not len(val[1]):
        return TrainingData(checked, labels, schedule.epochs)
    return TrainingData(checked, labels, schedule.epochs, *_checked_inputs(*val, device))


def _checked_inputs(inputs: Tensor | Inputs, labels: Tensor, device: torch.device) -> tuple[Inputs, Tensor]:
    if isinstance(inputs, Tensor):
        if inputs.dim() != 3 or inputs.shape[1] != labels.shape[0]:
            raise TrainingError(
                f"features {tuple(inputs.shape)} do not fit {labels.shape[0]} labels; "
                "expected (views, images, D)"
            )
        inputs = FeatureInputs(inputs, device)
    elif inputs.images != labels.shape[0]:
        raise TrainingError(f"{inputs.images} images do not fit {labels.shape[0]} labels")
    elif isinstance(inputs, FeatureInputs):
        inputs = inputs.to(device)
    return inputs, labels.to(device)


def _by_steps(
    method: Method,
    data: TrainingData,
    schedule: Schedule,
    seed: int,
    on_epoch: Callable[[EpochReport], None] | None,
    checkpoint: Path | None,
    checkpoint_stays: bool,
    capture: bool,
) -> TrainingResult:
    optimizer = schedule.make_optimizer(method.trainables(), method.rates())
    both_ways: Passes = Captured(method) if capture else partial(forward_and_backward, method)
    progress = Progress("")
    if checkpoint is not None:
        content = f"{data.inputs.digest()} {digest([data.labels])}"
        sampled = "" if schedule.sampled_classes is None else f" | {schedule.sampled_classes} classes a step"
        progress.settings = f"{schedule}{sampled} | seed {seed} | {describe(method)} | data {content}"
        progress = read_checkpoint(checkpoint, method, optimizer, progress)
    room = size_of(method, schedule.epochs, schedule.copies) if len(progress.history) < schedule.epochs else 0
    with _Saver(checkpoint, checkpoint_stays, room) as saver:
        for epoch in range(len(progress.history), schedule.epochs):
            report = _epoch(method, data, schedule, optimizer, both_ways, epoch, seed)
            method.after_epoch(epoch)
            progress.history.append(report)
            saver.epoch_done(method, optimizer, progress)
            if on_epoch is not None:
                on_epoch(report)
    passes = schedule.epochs * schedule.steps_per_epoch(data.inputs.images)
    return TrainingResult(tuple(progress.history), passes)


class _Saver:
    """Remembers the last whole epoch; writes it every few seconds, and when training is cut short.

    stays: also when training has ended; then ``room`` bytes are held for it on the disk.
    """

    def __init__(self, path: Path | None, stays: bool, room: int) -> None:
        self.path, self.stays = path, stays
        self.latest: tuple[dict[str, Tensor], Progress] | None = None
        self.written_at = time.monotonic()
        self.reserve: Reserve | None = None
        if path is not None and stays and room:
            self.reserve = Reserve(room_of(path), room)

    def __enter__(self) -> _Saver:
        if self.reserve is None:
            return self
        try:
            self.reserve.hold()
        except OSError as error:
            raise TrainingError(
                f"there is no room for the checkpoint {self.path} ({error.strerror}); free "
                f"{2 * self.reserve.size / 2**20:,.1f} MiB, or give another place"
            ) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        try:
            if error is None and not self.stays:
                self.remove()
            elif error is None:
                with suppress(TrainingError):  # what was learned is not lost by that
                    self.write()
            elif not isinstance(error, TrainingError):  # that would only fail again
                self.write()
        finally:
            if self.reserve is not None:
                self.reserve.let_go()

    def epoch_done(self, method: Method, optimizer: Optimizer, progress: Progress) -> None:
        if self.path is None:
            return
        self.latest = snapshot(method, optimizer), Progress(progress.settings, list(progress.history))
        if time.monotonic() - self.written_at > CHECKPOINT_SECONDS:
            self.write()

    def write(self) -> None:
        if self.path is None or self.latest is None:
            return
        packed = pack_checkpoint(*self.latest)
        try:
            write_checkpoint(self.path, packed)
        except TrainingError:
            if self.reserve is None:
                raise
            self.reserve.let_go()
            write_checkpoint(self.path, packed)
            with suppress(OSError):
                self.reserve.hold()
        self.written_at = time.monotonic()

    def remove(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _epoch(
    method: Method,
    data: TrainingData,
    schedule: Schedule,
    optimizer: Optimizer,
    both_ways: Passes,
    epoch: int,
    seed: int,
) -> EpochReport:
    began = time.perf_counter()
    place, length = method.stage(epoch, schedule.epochs)
    lr = replace(schedule, epochs=length).learning_rate(place)
    method.begin_epoch(epoch)
    for group in optimizer.param_groups:
        group["lr"] = lr * group["rate"]
    images = data.inputs.images
    steps = schedule.steps_per_epoch(images)
    tally = Tally(epoch, lr)
    for step, (x, among) in enumerate(_batches(method, data, schedule, epoch, seed)):
        method.begin_step(epoch * steps + step)
        loss, logits = both_ways(x, among)
        tally.add(loss, logits, among.labels)
        optimizer.step()
    loss_of_epoch, accuracy = tally.read()
    return EpochReport(
        epoch=epoch + 1,
        epochs=schedule.epochs,
        loss=loss_of_epoch,
        accuracy=accuracy,
        lr=lr,
        seconds=time.perf_counter() - began,
    )


def _batches(
    method: Method, data: TrainingData, schedule: Schedule, epoch: int, seed: int
) -> Iterator[tuple[Tensor, Among]]:
    """Inputs of each step, with their labels and what classes it is over. Features are on the device and are
    taken there; pictures are decoded on the host. What goes there goes without a wait."""
    images, device = data.inputs.images, data.labels.device
    order = _order(images, schedule, epoch, seed)
    views = _views(data.inputs, epoch, seed)
    sampler = Sampler(schedule, data.labels, len(method.class_names), seed)
    size = schedule.batch_size or images
    for step in range(schedule.steps_per_epoch(images)):
        among = sampler.among(order[step * size : (step + 1) * size], epoch, step)
        rows, view = among.rows, views[among.rows]
        if isinstance(data.inputs, FeatureInputs):
            rows, view = without_waiting(rows, device), without_waiting(view, device)
        yield without_waiting(data.inputs.take(view, rows), device), among


def _order(images: int, schedule: Schedule, epoch: int, seed: int) -> Tensor:
    """Which image comes when (N,)."""
    if images > MANY and schedule.takes_all(images):
        return torch.arange(images, dtype=torch.int64, device="cpu")
    return torch.from_numpy(rng.generator(f"order/{epoch}", seed).permutation(images))


def _views(inputs: Inputs, epoch: int, seed: int) -> Tensor:
    """Which view of each image this epoch takes (N,): drawn, or each in turn from one of its own on."""
    count, images = inputs.views, inputs.images
    if count == 1:
        return torch.zeros(images, dtype=torch.int64, device="cpu")
    if inputs.in_turn:
        first = rng.generator("first view", seed).integers(0, count, images)
        return torch.from_numpy((first + epoch) % count)
    return torch.from_numpy(rng.generator(f"views/{epoch}", seed).integers(0, count, images))
