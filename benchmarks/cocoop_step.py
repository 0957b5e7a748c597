"""CoCoOp's training step by the engine and by the plain path: seconds in turns, memory in own processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import flops, isolated, machine, models, steps, turns
from benchmarks.turns import ENGINE, PLAIN
from promptlet.backbones.backbone import Backbone
from promptlet.backbones.text.reference import encode_plain
from promptlet.methods.text.cocoop import CoCoOp

SIZES = ((1, 50), (4, 50), (1, 100), (4, 100))  # images, classes
ROUNDS = 3


@dataclass
class Step:
    """One training step, forward and backward, of ``images`` image features by one of the two paths."""

    path: str
    images: int
    classes: int
    method: CoCoOp
    inputs: Tensor  # (B, D)
    labels: Tensor  # (B,)
    autocast: bool = False
    seconds: list[float] = field(default_factory=list)

    def __call__(self) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and all gradients in one row."""
        self.method.zero_grad()
        with steps.autocast_of(str(self.inputs.device), self.autocast):
            logits = self.method.logits(self.inputs) if self.path == ENGINE else self.plain_logits()
            loss = F.cross_entropy(logits, self.labels)
        loss.backward()
        gradients = [p.grad.flatten() for p in self.method.parameters() if p.grad is not None]
        return logits.detach(), torch.cat(gradients)

    def plain_logits(self) -> Tensor:
        """Every image with every class, B x C prompts of full length in one batch of the library's model."""
        text, names, n_ctx = self.method.backbone.text, self.method.class_names, self.method.n_ctx
        rows = [text.tokenizer.full(sequence, n_ctx) for sequence in text.sequences(names, n_ctx)]
        ids = torch.tensor(rows, device=text.device).repeat(self.images, 1)
        contexts = self.method.contexts(self.inputs).repeat_interleave(len(names), dim=0)
        classes = encode_plain(text.plain, ids, contexts, (), 1).unflatten(0, (self.images, len(names)))
        cosines = (F.normalize(classes, dim=-1) @ self.inputs[:, :, None])[..., 0]
        return self.method.backbone.logit_scale * cosines + self.method.backbone.logit_bias


def make_step(
    backbone: Backbone, path: str, images: int, classes: int, device: str, autocast: bool = False
) -> Step:
    """A step with fixed random image features."""
    method = CoCoOp(backbone, models.class_names(classes), ctx_init="random").train()
    draw = torch.Generator().manual_seed(0)
    inputs = F.normalize(torch.randn(images, backbone.feature_dim, generator=draw), dim=-1)
    labels = torch.randint(classes, (images,), generator=draw)
    return Step(path, images, classes, method, inputs.to(device), labels.to(device), autocast)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: one row per size and path."""
    sizes, rounds = (((1, 5), (2, 5)), 2) if quick else (SIZES, ROUNDS)
    backbone = models.open_clip_backbone(device, quick)
    rows: list[dict] = []
    for autocast in steps.precisions(device):
        rows += _sizes(backbone, sizes, rounds, device, quick, autocast, progress)
    return _settings(sizes), rows


def _sizes(
    backbone: Backbone,
    sizes: Any,
    rounds: int,
    device: str,
    quick: bool,
    autocast: bool,
    progress: Callable[[str], None],
) -> list[dict]:
    """Rows of one precision."""
    rows: list[dict] = []
    per_prompt = 0.0  # bytes of a plain step, from the sizes before
    for images, classes in sizes:
        what = f"{images} images, {classes} classes"
        memory = {}
        for path in (ENGINE, PLAIN):
            estimate = per_prompt * images * classes if path == PLAIN else 0.0
            progress(f"{what}, {path}: memory, apart")
            arguments = [path, images, classes, device, int(quick), int(autocast)]
            memory[path] = isolated.measured("benchmarks.cocoop_step", arguments, device, estimate)
        if "step_bytes" in memory[PLAIN]:
            per_prompt = max(per_prompt, memory[PLAIN]["step_bytes"] / images / classes)
        fits = [path for path in (ENGINE, PLAIN) if "skipped" not in memory[path]]
        ready = [make_step(backbone, path, images, classes, device, autocast) for path in fits]
        timed = _timed(ready, rounds, device, quick, turns.of(what, progress))
        for path in (ENGINE, PLAIN):
            head = {"images": images, "classes": classes, "prompts": images * classes, "path": path}
            head["precision"] = steps.word_of(autocast)
            rows.append({**head, **memory[path], **timed.get(path, {})})
        if len(fits) == 2:
            turns.with_memory_ratio(rows[-2:])
    return rows


def _settings(sizes: Any) -> dict[str, Any]:
    return {
        "sizes": sizes,
        "n_ctx": steps.N_CTX,
        "backbone": "open_clip",
        "weights": f"random, torch seed {models.SEED}",
        "class_names": "every (1000/C)-th ImageNet class name",
        "step": "meta-net, contexts, text features of every image and class, cross-entropy, all gradients",
        "plain": "images x classes prompts of 77 positions, one batch through the library's own text tower",
        "order": "engine and plain take turns in one process; the engine runs four times in each turn",
        "memory": "peak of a fresh process's first two steps minus what it held before them (VmHWM; with "
        "--device cuda, torch's allocated memory)",
        "matmul_gflops": "as in text-step",
    }


def measure(path: str, images: int, classes: int, device: str, quick: bool, autocast: bool) -> dict[str, Any]:
    """The memory of this process."""
    if quick:
        torch.set_num_threads(1)
    backbone = models.open_clip_backbone(device, quick)
    step = make_step(backbone, path, images, classes, device, bool(autocast))
    return isolated.step_memory(step, device)


def _timed(
    ready: list[Step], rounds: int, device: str, quick: bool, progress: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Seconds, rates and agreement, by path."""
    outputs = {step.path: step() for step in ready}
    on_gpu = machine.on_gpu(device)
    kind = "bf16" if ready[0].autocast else "best"
    matmul = [machine.matmul_rate(device, quick)[kind]]

    def after_round() -> None:
        if not on_gpu:  # its rate takes longer than a round there
            matmul.append(machine.matmul_rate(device, quick)[kind])

    turn_count = rounds * (5 if on_gpu else 1)
    rows = turns.in_turns(ready, turn_count, device, progress, {ENGINE: 4}, after_round=after_round)
    for step in ready:
        if step.path == ENGINE:
            rows[ENGINE] |= {"matmul_gflops": max(matmul), **_work(step, rows[ENGINE], max(matmul))}
    if len(ready) == 2:
        rows[ENGINE] |= turns.compared(rows, outputs, "logit")
    return rows


def _work(step: Step, timing: dict[str, Any], matmul: float) -> dict[str, Any]:
    """Of the text side alone: that of one context, times the images. Counted: all products of a step."""
    text = step.method.backbone.text
    assert text.engine is not None
    sequences = text.sequences(step.method.class_names, step.method.n_ctx)
    useful = step.images * flops.engine_work(text.engine, sequences, step.method.n_ctx).useful
    return {
        "work": {"useful": useful, "counted": flops.counted(step)},
        **steps.rates(useful, timing, matmul),
    }


COLUMNS = (
    ("images", "images", "d"),
    ("classes", "classes", "d"),
    ("path", "path", "s"),
    ("precision", "products", "s"),
    ("median_s", "median s", ".3f"),
    ("best_s", "best s", ".3f"),
    ("repeats", "n", "d"),
    ("speedup_median", "plain/engine", ".1f"),
    ("speedup_best", "(best)", ".1f"),
    ("step_bytes", "of the step", "MiB"),
    ("memory_ratio", "plain/engine memory", ".1f"),
    ("gflops_median", "GFLOP/s", ".0f"),
    ("share_median", "of matmul", ".0%"),
    ("gradient_relative_difference", "grad diff", ".0e"),
    ("skipped", "", "s"),
)

if __name__ == "__main__":
    given = sys.argv[1:]
    print(
        json.dumps(
            measure(
                given[0], int(given[1]), int(given[2]), given[3], *(bool(int(flag)) for flag in given[4:])
            )
        )
    )
