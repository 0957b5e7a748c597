"""Trials of how the factors of a low-rank prompt may be learned, before anything entered the library.

    python -m benchmarks.low_rank_trials --realbed DIR --realclip DIR --out FILE.jsonl.gz '{"rank": 2}' ...
    python -m benchmarks.low_rank_trials --table --out benchmarks/results/low-rank-trials.jsonl.gz

A loop of its own over validation problems (`validation.py`), so that what the library lacks can be tried:
another optimiser, forms of the rate over time, starts that are words beside something else. Each row is one
training. What came of it is in docs/explanation/rlp-defaults.md; `rlp_defaults.py` has the final choice, by
the library.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.rows import read_rows, write_rows
from benchmarks.validation import FOLDS, Bed, Problem, beds
from promptlet import rng
from promptlet.backbones import Backbone
from promptlet.evaluation import harmonic_mean
from promptlet.methods.templates import TEMPLATE, hand_written
from promptlet.methods.text_prompt import resolve_init

STREAMS = {
    "realbed/caltech101": "c1",
    "realbed/tiny_imagenet": "t1",
    "realclip/caltech101": "c2",
    "realclip/oxford_pets": "p2",
    "realclip/ucf101": "u2",
    "realclip/oxford_flowers": "f2",
}
"""What the folds of the committed rows were drawn by."""
MAIN = ("realbed/caltech101", "realclip/caltech101", "realclip/oxford_pets", "realclip/ucf101")
BLENDS = (0, 0.3, 0.5, 0.7, 1)


@dataclass(frozen=True)
class Trial:
    """lr_u, lr_v: rates of the factors, or of a full context (lr_u). rel: whether the update is in units of
    the start's root mean square. drop_end: dropout at the end, None: the same throughout. avg: share of the
    steps at the end whose contexts are averaged. kg: weight of KgCoOp's term. sched: "cos", or the share of
    the steps in which a constant rate falls to zero. init: as in the library; "+zero+WORDS", "+rand+WORDS":
    beside words.
    """

    rank: int = 1
    n_ctx: int = 4
    init: str | None = None
    lr_u: float = 0.01
    lr_v: float = 0.01
    steps: int = 120
    wd: float = 5e-4
    std: float = 0.02
    rel: bool = False
    dropout: float = 0.3
    drop_end: float | None = None
    avg: float = 0.0
    full: bool = False
    kg: float = 0.0
    opt: str = "adamw"
    smooth: float = 0.0
    seed: int = 11
    beta1: float = 0.9
    beta2: float = 0.999
    sched: str = "cos"

    def rate(self, step: int) -> float:
        """What the rates are multiplied with."""
        if self.sched == "cos":
            return (1 + math.cos(math.pi * step / self.steps)) / 2
        return min(1.0, (self.steps - step) / (self.steps * float(self.sched)))

    def dropped(self, step: int) -> float:
        """Dropout of a step."""
        end = self.dropout if self.drop_end is None else self.drop_end
        return self.dropout + (end - self.dropout) * step / self.steps


class Learner:
    """The numbers of one trial, and the context made of them."""

    def __init__(self, trial: Trial, backbone: Backbone) -> None:
        self.trial = trial
        self.start = start_of(trial, backbone)
        self.scale = float(self.start.square().mean().sqrt()) if trial.rel else 1.0
        if trial.full:
            own = torch.zeros_like(self.start) if trial.rel else self.start.clone()
            self.parameters = [own.requires_grad_()]
        else:
            u = torch.zeros(trial.n_ctx, trial.rank)
            v = torch.from_numpy(
                rng.normal("low-rank", trial.seed, (trial.rank, backbone.text.dim), trial.std)
            )
            self.parameters = [u.requires_grad_(), v.requires_grad_()]

    def context(self, step: int | None = None) -> Tensor:
        """Of a training step, with its dropout; merged where ``step`` is None."""
        if self.trial.full:
            return self.start + self.scale * self.parameters[0] if self.trial.rel else self.parameters[0]
        update = self.parameters[0] @ self.parameters[1]
        rate = 0.0 if step is None else self.trial.dropped(step)
        if rate > 0:
            kept = rng.generator(f"dropout/{step}", self.trial.seed).random(tuple(self.start.shape)) >= rate
            update = update * torch.from_numpy(kept.astype(np.float32) / (1 - rate))
        return self.start + self.scale * update

    def groups(self) -> list[dict[str, Any]]:
        """For an optimiser."""
        rates = (self.trial.lr_u, self.trial.lr_v)
        return [{"params": [p], "lr": r, "base": r} for p, r in zip(self.parameters, rates, strict=False)]


def start_of(trial: Trial, backbone: Backbone) -> Tensor:
    """P0."""
    if not (trial.init or "").startswith("+"):
        return resolve_init(backbone, trial.init, trial.n_ctx, trial.seed)[0]
    kind, words = str(trial.init)[1:].split("+")
    behind = backbone.text.embed_words(words)
    room = trial.n_ctx - len(behind)
    drawn = resolve_init(backbone, "random", room, trial.seed)[0]
    return torch.cat([torch.zeros_like(drawn) if kind == "zero" else drawn, behind])


def learn(trial: Trial, problem: Problem, backbone: Backbone) -> tuple[Tensor, float]:
    """The learned context and the last loss."""
    learner = Learner(trial, backbone)
    anchor = hand_written(backbone, TEMPLATE, problem.taught)

    def loss_of(context: Tensor) -> Tensor:
        classes = F.normalize(backbone.text.encode(context, problem.taught).float(), dim=-1)
        logits = backbone.logits(problem.x, classes)
        loss = F.cross_entropy(logits, problem.y, label_smoothing=trial.smooth)
        return loss + trial.kg * (1 - (classes * anchor).sum(-1).mean()) if trial.kg else loss

    if trial.opt == "lbfgs":
        return _by_lbfgs(trial, learner, loss_of)
    optimizer = torch.optim.AdamW(learner.groups(), weight_decay=trial.wd, betas=(trial.beta1, trial.beta2))
    kept: list[Tensor] = []
    loss = torch.zeros(())
    for step in range(trial.steps):
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * trial.rate(step)
        loss = loss_of(learner.context(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if trial.avg and step >= trial.steps * (1 - trial.avg):
            kept.append(learner.context().detach().clone())
    merged = torch.stack(kept).mean(0) if kept else learner.context().detach()
    return merged, float(loss.detach())


def _by_lbfgs(trial: Trial, learner: Learner, loss_of: Any) -> tuple[Tensor, float]:
    """On all images, without dropout; ``steps`` evaluations at most."""
    with torch.no_grad():
        first = learner.parameters[0]
        first += torch.from_numpy(rng.normal("u", trial.seed, tuple(first.shape), trial.lr_u))
    optimizer = torch.optim.LBFGS(
        learner.parameters,
        max_iter=trial.steps,
        max_eval=trial.steps,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=0,
        tolerance_change=0,
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = loss_of(learner.context())
        loss = loss + trial.wd * sum(p.square().sum() for p in learner.parameters)
        loss.backward()
        return loss

    optimizer.step(closure)
    return learner.context().detach(), float(closure().detach())


def measure(trial: Trial, bed: Bed, fold: int) -> dict[str, Any]:
    """One training on one validation problem; a row."""
    problem = bed.problem(fold, trial.seed, STREAMS.get(bed.name, ""))
    began = time.perf_counter()
    context, loss = learn(trial, problem, bed.backbone)
    seconds = time.perf_counter() - began
    names, count = problem.taught + problem.new, len(problem.taught)
    with torch.no_grad():
        learned = F.normalize(bed.backbone.text.encode(context, names).float(), dim=-1)
        zero_shot = hand_written(bed.backbone, TEMPLATE, names)
    is_taught = problem.val_y < count
    base = _accuracy(bed, problem, learned[:count], is_taught, 0)
    row = {"bed": bed.name, "fold": fold, "trial": asdict(trial), "loss": loss, "seconds": seconds}
    row |= {"base": base, "zero_shot_base": _accuracy(bed, problem, zero_shot[:count], is_taught, 0)}
    for b in BLENDS:
        mixed = F.normalize((1 - b) * learned[count:] + b * zero_shot[count:], dim=-1)
        row[f"new_{b}"] = _accuracy(bed, problem, mixed, ~is_taught, count)
    return row


def _accuracy(bed: Bed, problem: Problem, classes: Tensor, rows: Tensor, first: int) -> float:
    predicted = bed.backbone.logits(problem.val_x[rows], classes).argmax(1)
    return 100.0 * float((predicted == problem.val_y[rows] - first).float().mean())


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Trials with rows on the four `MAIN` data sets: base, and new as learned and zero-shot with their H."""
    lines = ["| trial | base | new, H as learned | new, H zero-shot |", "|---|---|---|---|"]
    usual = asdict(Trial())
    for told in dict.fromkeys(json.dumps(row["trial"], sort_keys=True) for row in rows):
        own = [row for row in rows if json.dumps(row["trial"], sort_keys=True) == told]
        if not {row["bed"] for row in own} >= set(MAIN):
            continue
        changed = {name: value for name, value in own[0]["trial"].items() if usual[name] != value}
        means = [_mean_of([row for row in own if row["bed"] == bed]) for bed in MAIN]
        base, *rest = np.mean(means, axis=0)
        cells = " | ".join(f"{rest[i]:.1f}, {rest[i + 1]:.1f}" for i in (0, 2))
        lines.append(f"| {json.dumps(changed)} | {base:.1f} | {cells} |")
    return "\n".join(lines)


def _mean_of(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    base, learned, zero_shot = (
        float(np.mean([row[name] for row in rows])) for name in ("base", "new_0", "new_1")
    )
    return [base, learned, harmonic_mean(base, learned), zero_shot, harmonic_mean(base, zero_shot)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the rows of the trials given as JSON, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trials", nargs="*", help="what is not as in `Trial`, as a JSON object each")
    parser.add_argument("--realbed", type=Path)
    parser.add_argument("--realclip", type=Path)
    parser.add_argument("--mini")
    parser.add_argument("--only", nargs="*", default=MAIN, help="beds")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args(arguments)
    rows = read_rows(given.out)
    for bed in () if given.table else beds(given.realbed, given.realclip, given.mini):
        for text in given.trials if bed.name in given.only else ():
            rows += [measure(Trial(**json.loads(text)), bed, fold) for fold in FOLDS]
            write_rows(given.out, rows)
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
