"""Ways to train with all images in each step, among them what the library does not have.

A loop of its own over the library's methods, so that other forms of the rate, other optimisers, averages and
starts can be tried. `learn` with the plain settings gives the library's own numbers (tested).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from promptlet.methods import Method
from promptlet.prompts import LowRankContext
from promptlet.training.optimizers import Optimizer
from promptlet.training.quasi_newton import BoundedLBFGS

OLD_PASSES = {"rlp": 200}
"""Of the former ``fast``, by AdamW; 120 for the others."""


@dataclass(frozen=True)
class Recipe:
    """passes: text passes, so steps, of which each takes all images. opt: "adamw"; "bounded", the library's
    `BoundedLBFGS`; or "lbfgs", torch's with a line search (``passes`` evaluations at the most, no rate).
    warm: steps in which the rate rises from nothing. decay: "cos", or "flat:S", constant until the share S of
    the steps and then down to zero in a line. v_rate: of a low-rank context, None: its own. average: the
    share of the steps at the end whose numbers are averaged. patience: stop once the loss has fallen by less
    than 0.5 % of itself in so many steps (0: never). start: "" the method's, "gradient": V of a low-rank
    context along the largest directions of the loss's first gradient, at the norm it would have had.
    """

    passes: int = 120
    lr: float = 0.01
    opt: str = "adamw"
    warm: int = 0
    decay: str = "cos"
    beta1: float = 0.9
    beta2: float = 0.999
    wd: float = 5e-4
    v_rate: float | None = None
    average: float = 0.0
    patience: int = 0
    start: str = ""

    def rate(self, step: int) -> float:
        """What the learning rate is multiplied with."""
        if step < self.warm:
            return (step + 1) / (self.warm + 1)
        at = (step - self.warm) / (self.passes - self.warm)
        if self.decay == "cos":
            return (1 + math.cos(math.pi * at)) / 2
        flat = float(self.decay.removeprefix("flat:"))
        return 1.0 if at < flat else (1 - at) / (1 - flat)

    def told(self) -> str:
        """What differs from the plain settings, as JSON; the passes always."""
        usual = Recipe()
        changed = {k: v for k, v in asdict(self).items() if k == "passes" or v != getattr(usual, k)}
        return json.dumps(changed, sort_keys=True)


def old_recipe(method: str) -> Recipe:
    """The former ``fast`` of a method, its options after a colon."""
    return Recipe(OLD_PASSES.get(method.partition(":")[0], 120))


def recipe_from(text: str) -> Recipe:
    """From what `Recipe.told` gives. Raises ValueError for other names."""
    given = json.loads(text)
    unknown = set(given) - {field.name for field in fields(Recipe)}
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]!r} is nothing that a recipe has")
    return Recipe(**given)


def learn(method: Method, recipe: Recipe, x: Tensor, y: Tensor) -> tuple[int, float]:
    """Train ``method`` on features x (N, D) and labels y (N,): the text passes it took, the last loss."""
    method.taught = method.class_names
    method.train()
    if recipe.start == "gradient":
        _along_the_gradient(method, x, y)
    loss_of = _loss_of(method, x, y)
    taken = (_by_lbfgs if recipe.opt == "lbfgs" else _by_steps)(method, recipe, loss_of)
    method.eval()
    return taken


def _loss_of(method: Method, x: Tensor, y: Tensor) -> Callable[[int], Tensor]:
    def loss_of(step: int) -> Tensor:
        method.begin_step(step)
        loss: Tensor = method.loss(x, y)[0]
        return loss

    return loss_of


def _by_steps(method: Method, recipe: Recipe, loss_of: Callable[[int], Tensor]) -> tuple[int, float]:
    numbers, rates = method.trainables(), dict(method.rates())
    if recipe.v_rate is not None:
        rates = dict.fromkeys(rates, recipe.v_rate)
    groups = [{"params": [p], "rate": rates.get(name, 1.0)} for name, p in numbers.items()]
    optimizer = _optimizer(recipe, groups)
    mean, losses = _Mean(recipe, list(numbers.values())), list[float]()
    for step in range(recipe.passes):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * group["rate"] * recipe.rate(step)
        loss = loss_of(step)
        optimizer.zero_grad()
        loss.backward()
        method.after_backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        mean.add(step)
        if recipe.patience and _is_flat(losses, recipe.patience):
            break
    mean.take()
    return len(losses) + (recipe.start == "gradient"), losses[-1]


def _optimizer(recipe: Recipe, groups: list[dict[str, Any]]) -> torch.optim.Optimizer | Optimizer:
    if recipe.opt == "bounded":
        return BoundedLBFGS(groups, lr=recipe.lr, weight_decay=recipe.wd)
    return torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.wd, betas=(recipe.beta1, recipe.beta2))


def _is_flat(losses: list[float], patience: int) -> bool:
    return len(losses) > patience and losses[-1 - patience] - losses[-1] < 0.005 * abs(losses[-1])


class _Mean:
    """Of the numbers after the last steps."""

    def __init__(self, recipe: Recipe, numbers: list[torch.nn.Parameter]) -> None:
        self.recipe, self.numbers = recipe, numbers
        self.sums = [torch.zeros_like(p.detach()) for p in numbers]
        self.weight = 0.0

    def add(self, step: int) -> None:
        begins = self.recipe.passes * (1 - self.recipe.average)
        if not self.recipe.average or step < begins:
            return
        self.weight += 1
        for total, number in zip(self.sums, self.numbers, strict=True):
            total.add_(number.detach())

    def take(self) -> None:
        with torch.no_grad():
            for total, number in zip(self.sums, self.numbers, strict=True):
                if self.weight:
                    number.copy_(total / self.weight)


def _by_lbfgs(method: Method, recipe: Recipe, loss_of: Callable[[int], Tensor]) -> tuple[int, float]:
    """In units of each number's rate, so that V moves as much faster as it does elsewhere."""
    numbers, rates = method.trainables(), method.rates()
    scales = [rates.get(name, 1.0) if recipe.v_rate is None else recipe.v_rate for name in numbers]
    free = [(p.detach() / s).clone().requires_grad_() for p, s in zip(numbers.values(), scales, strict=True)]
    optimizer = torch.optim.LBFGS(
        free,
        max_iter=recipe.passes,
        max_eval=recipe.passes - 1,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=0,
        tolerance_change=0,
    )
    losses: list[float] = []

    def put() -> None:
        with torch.no_grad():
            for own, number, scale in zip(free, numbers.values(), scales, strict=True):
                number.copy_(own * scale)

    def closure() -> float:
        put()
        loss = loss_of(len(losses))
        for number in numbers.values():
            number.grad = None
        loss.backward()
        method.after_backward()
        for own, number, scale in zip(free, numbers.values(), scales, strict=True):
            own.grad = torch.zeros_like(own) if number.grad is None else number.grad * scale
        losses.append(float(loss.detach()))
        return losses[-1]

    optimizer.step(closure)
    put()
    return len(losses), losses[-1]


def _along_the_gradient(method: Method, x: Tensor, y: Tensor) -> None:
    """One text pass. Nothing where the context is not low-rank."""
    context = getattr(method, "context", None)
    if not isinstance(context, LowRankContext):
        return
    with torch.no_grad():
        start = context.P0.clone()
    start.requires_grad_()
    context.P0 = start
    method.loss(x, y)[0].backward()
    assert start.grad is not None
    _, _, directions = torch.linalg.svd(start.grad, full_matrices=False)
    context.P0 = start.detach()
    with torch.no_grad():
        rank = context.V.shape[0]
        context.V.copy_(directions[:rank] * context.V.norm(dim=1, keepdim=True))
    for number in method.trainables().values():
        number.grad = None
