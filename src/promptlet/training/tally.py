"""What an epoch's steps come to: loss and hits. They stay on the device, which is asked once, at the end."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from promptlet.errors import TrainingError
from promptlet.methods.many import best_of


class Tally:
    """Losses and hits of one epoch, counted from 0.

    Where a number is read, the host waits until the device has done all that came before, and the device then
    waits for the host. So on an accelerator a loss that is not finite is told when the epoch is over; on the
    CPU, where nobody waits, at once and before it reaches the numbers that are learned.
    """

    def __init__(self, epoch: int, lr: float) -> None:
        self.epoch, self.lr = epoch, lr
        self.losses: list[Tensor] = []
        self.hits: Tensor | int = 0
        self.seen = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """A step's loss (a scalar), logits (B, C) or best classes (B,), and labels (B,). Raises TrainingError
        on the CPU."""
        loss = loss.detach()
        if loss.device.type == "cpu":
            self._check(float(loss))
        self.losses.append(loss)
        self.hits = self.hits + (best_of(logits) == labels).sum()
        self.seen += len(labels)

    def read(self) -> tuple[float, float]:
        """The mean loss, and percent of hits. Raises TrainingError with the first loss that is not finite."""
        losses = torch.stack(self.losses).cpu().tolist()
        for loss in losses:
            self._check(loss)
        return float(np.mean(losses)), 100.0 * int(self.hits) / self.seen

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in epoch {self.epoch + 1} at learning rate {self.lr:g}; try a "
                "smaller lr, and check that no image feature is NaN or infinite"
            )
