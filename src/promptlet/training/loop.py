"""The training loop: image features (or images) in, learned numbers in the method, a history out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from promptlet import rng
from promptlet.disk import Reserve
from promptlet.errors import TrainingError
from promptlet.methods import Method
from promptlet.methods.inputs import FeatureInputs, Inputs, TrainingData
from promptlet.methods.method import NOTHING
from promptlet.session import own_arithmetic
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
from promptlet.training.schedules import Schedule

CHECKPOINT_SECONDS = 5.0


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
) -> TrainingResult:
    """Train ``method`` in place. It is left in evaluation mode.

    inputs: features (V, N, D) of V views of N images, normalised here, or `Inputs`; labels (N,) index the
    method's class names. Each epoch takes one view of each image, in an order of its own; both follow from
    ``seed`` and the epoch. val: as inputs and labels, for methods that tune something on validation images.
    checkpoint: a file written now and then, on Ctrl-C too, and taken up when it is there and fits;
    removed at the end. checkpoint_stays: the end is kept in it instead, for who has yet to store what was
    learned; room for it is held on the disk from the beginning. Raises TrainingError for a loss that is not
    finite, and where a checkpoint cannot be written.
    """
    data = _training_data(method, inputs, labels, schedule, val)
    began = time.perf_counter()
    method.taught = method.class_names
    method.begin_training(data)
    around = time.perf_counter() - began
    method.train()
    result = TrainingResult((), 0)
    try:
        if method.trainables():
            result = _by_steps(method, data, schedule, seed, on_epoch, checkpoint, checkpoint_stays)
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
    return inputs, labels.to(device)


def _by_steps(
    method: Method,
    data: TrainingData,
    schedule: Schedule,
    seed: int,
    on_epoch: Callable[[EpochReport], None] | None,
    checkpoint: Path | None,
    checkpoint_stays: bool,
) -> TrainingResult:
    optimizer = schedule.make_optimizer(method.trainables(), method.rates())
    progress = Progress("")
    if checkpoint is not None:
        content = f"{data.inputs.digest()} {digest([data.labels])}"
        progress.settings = f"{schedule} | seed {seed} | {describe(method)} | data {content}"
        progress = read_checkpoint(checkpoint, method, optimizer, progress)
    room = size_of(method, schedule.epochs) if len(progress.history) < schedule.epochs else 0
    with _Saver(checkpoint, checkpoint_stays, room) as saver:
        for epoch in range(len(progress.history), schedule.epochs):
            report = _epoch(method, data, schedule, optimizer, epoch, seed)
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
    epoch: int,
    seed: int,
) -> EpochReport:
    began = time.perf_counter()
    lr = schedule.learning_rate(epoch)
    for group in optimizer.param_groups:
        group["lr"] = lr * group["rate"]
    images = data.inputs.images
    steps = schedule.steps_per_epoch(images)
    losses, hits, seen = [], 0, 0
    view_of = _views(data.inputs.views, images, epoch, seed)
    for step, rows in enumerate(_batches(images, schedule, epoch, seed)):
        method.begin_step(epoch * steps + step)
        x, y = data.inputs.take(view_of[rows], rows), data.labels[rows]
        with _precision(y.device):
            loss, logits = method.loss(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        method.after_backward()
        losses.append(_finite(float(loss.detach()), epoch, lr))
        optimizer.step()
        hits += int((logits.detach().argmax(1) == y).sum())
        seen += int(y.shape[0])
    return EpochReport(
        epoch=epoch + 1,
        epochs=schedule.epochs,
        loss=float(np.mean(losses)),
        accuracy=100.0 * hits / seen,
        lr=lr,
        seconds=time.perf_counter() - began,
    )


def _batches(images: int, schedule: Schedule, epoch: int, seed: int) -> Iterator[Tensor]:
    order = torch.from_numpy(rng.generator(f"order/{epoch}", seed).permutation(images))
    size = schedule.batch_size or images
    for step in range(schedule.steps_per_epoch(images)):
        yield order[step * size : (step + 1) * size]


def _views(count: int, images: int, epoch: int, seed: int) -> Tensor:
    """Which view of each image this epoch takes (N,)."""
    if count == 1:
        return torch.zeros(images, dtype=torch.int64, device="cpu")
    return torch.from_numpy(rng.generator(f"views/{epoch}", seed).integers(0, count, images))


def _precision(device: torch.device) -> AbstractContextManager[object]:
    """bf16 autocast on CUDA, the weights' own precision elsewhere."""
    return torch.autocast("cuda", dtype=torch.bfloat16) if device.type == "cuda" else nullcontext()


def _finite(loss: float, epoch: int, lr: float) -> float:
    if math.isfinite(loss):
        return loss
    raise TrainingError(
        f"the loss became {loss} in epoch {epoch + 1} at learning rate {lr:g}; try a smaller lr, and check "
        "that no image feature is NaN or infinite"
    )
