"""The way of CoOp's code, in this process.

``python -m benchmarks.fit.coop_way BEGAN OUT FOLDER MODEL EPOCHS DEVICE [THREADS]``. As `CoOp
<https://github.com/KaiyangZhou/CoOp>`_ trains: in every epoch every image is decoded, cropped and flipped by
chance, and encoded (without gradients); at every step of 32 images the prompts of all classes go through the
text tower in their full length of 77 positions, forward and backward; SGD, its learning rate on a cosine.
Images are decoded by threads ahead of the model, as its workers do. Both towers are the library's own
(transformers), float32.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

BATCH, DECODERS, AHEAD = 32, 4, 2


def main() -> None:
    """Load, train for EPOCHS epochs, write the seconds of each part."""
    from promptlet.backbones.libraries.transformers import load_transformers

    began, out = float(sys.argv[1]), Path(sys.argv[2])
    folder, model, epochs = Path(sys.argv[3]), sys.argv[4], int(sys.argv[5])
    device = torch.device(sys.argv[6])
    if len(sys.argv) > 7:
        torch.set_num_threads(int(sys.argv[7]))
    backbone = load_transformers(model, device, torch.float32)
    start = time.time() - began
    names = sorted(one.name for one in folder.iterdir())
    images = [(path, label) for label, name in enumerate(names) for path in sorted((folder / name).iterdir())]
    training = CoOpTraining(backbone, names, images)
    reports = [training.epoch(epoch) for epoch in range(epochs)]
    steps = max(1, len(images) // BATCH)
    out.write_text(json.dumps({"start": start, "steps": steps, "epochs": reports}))


class CoOpTraining:
    """A context (n_ctx, d) in front of every name, learned as CoOp's code does."""

    def __init__(self, backbone: Any, names: list[str], images: list[tuple[Path, int]]) -> None:
        from promptlet.methods import build_method
        from promptlet.training import SCHEDULES

        self.backbone, self.names, self.images = backbone, names, images
        self.method: Any = build_method("coop", backbone, names)
        self.schedule = SCHEDULES["coop"]
        self.optimizer = self.schedule.make_optimizer(self.method.trainables())

    def epoch(self, number: int) -> dict[str, float]:
        """One epoch; seconds of each part, and its mean loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.learning_rate(number)
        seconds = {"wait for files and pixels": 0.0, "encode": 0.0, "text steps": 0.0}
        losses = []
        marks = [time.perf_counter()]
        for pixels, labels in self._batches(number):
            marks.append(time.perf_counter())
            with torch.no_grad():
                features = F.normalize(self._image_features(pixels), dim=-1)
            marks.append(time.perf_counter())
            losses.append(self._step(features, labels))
            marks.append(time.perf_counter())
            for part, since, until in zip(seconds, marks[-4:-1], marks[-3:], strict=True):
                seconds[part] += until - since
        return {**seconds, "seconds": marks[-1] - marks[0], "loss": float(np.mean(losses))}

    def _image_features(self, pixels: Tensor) -> Tensor:
        model = self.backbone.model
        features: Tensor = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
        return features

    def _step(self, features: Tensor, labels: Tensor) -> float:
        context = self.method.context.forward()
        classes = F.normalize(self.backbone.text.encode_reference(context, self.names), dim=-1)
        loss = F.cross_entropy(self.backbone.logit_scale * features @ classes.t(), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of pixels (B, 3, H, W) and labels, decoded ahead; an incomplete last one is left out."""
        order = np.random.default_rng(epoch).permutation(len(self.images))
        size = min(BATCH, len(order))
        batches = [order[i : i + size] for i in range(0, len(order) - size + 1, size)]
        with ThreadPoolExecutor(DECODERS) as pool:

            def ask(rows: np.ndarray) -> tuple[list[Future[np.ndarray]], Tensor]:
                labels = torch.tensor([self.images[row][1] for row in rows])
                return [pool.submit(self._read, int(row), epoch) for row in rows], labels

            rest = iter(batches)
            asked = [ask(rows) for rows in islice(rest, AHEAD)]
            while asked:
                pixels, labels = asked.pop(0)
                asked += [ask(rows) for rows in islice(rest, 1)]
                stacked = torch.from_numpy(np.stack([one.result() for one in pixels]))
                yield stacked.to(self.backbone.device), labels.to(self.backbone.device)

    def _read(self, row: int, epoch: int) -> np.ndarray:
        from promptlet.decoding.pixels import View, decode

        wanted = View(self.images[row][0], "", str(row), epoch + 1)
        return decode(wanted, self.backbone.images.spec, is_reduced=False)


if __name__ == "__main__":
    main()
