"""Learning rates, batches, and what a schedule refuses."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from promptlet.errors import OptionError
from promptlet.methods import METHODS
from promptlet.methods.official import Where
from promptlet.training import SCHEDULES, Schedule, method_schedule, resolve_schedule
from promptlet.training.optimizers import SGD, AdamW

DASSL = Schedule("coop", lr=0.002, epochs=50, batch_size=32)


@pytest.mark.parametrize(("lr", "epochs"), [(0.002, 50), (0.002, 200), (0.0035, 5), (0.0026, 2)])
def test_learning_rates_are_dassls(lr: float, epochs: int) -> None:
    """Warm-up at a constant 1e-5, then the cosine from its own step 0 (WARMUP_RECOUNT=True)."""
    schedule = replace(DASSL, lr=lr, epochs=epochs)
    table = [schedule.learning_rate(epoch - 1) for epoch in range(1, epochs + 1)]
    assert table[0] == 1e-5
    assert table[1] == lr
    for e in range(2, epochs + 1):
        assert table[e - 1] == pytest.approx(lr / 2 * (1 + math.cos(math.pi * (e - 2) / epochs)), rel=1e-12)


def test_learning_rates_equal_torchs_own_cosine() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.002)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    for epoch in range(1, 50):
        assert DASSL.learning_rate(epoch) == pytest.approx(cosine.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        cosine.step()


def test_maples_five_epochs_end_at_a_third_of_the_rate() -> None:
    assert replace(DASSL, lr=0.0035, epochs=5).learning_rate(4) / 0.0035 == pytest.approx(0.35, abs=0.005)


def test_without_warm_up_the_cosine_starts_at_once() -> None:
    schedule = replace(DASSL, warmup_lr=None, lr=1.0, epochs=4)
    assert [schedule.learning_rate(e) for e in range(4)] == pytest.approx(
        [1.0, 0.853553, 0.5, 0.146447], abs=1e-6
    )


@pytest.mark.parametrize(
    ("images", "batch_size", "drop_last", "steps"),
    [
        (100, 32, True, 3),
        (100, 32, False, 4),
        (96, 32, True, 3),
        (96, 32, False, 3),
        (32, 32, True, 1),
        (10, 32, True, 1),  # fewer than a batch: kept
        (1, 32, True, 1),
        (10, 1, True, 10),
        (1000, None, True, 1),
        (1000, None, False, 1),
    ],
)
def test_steps_per_epoch(images: int, batch_size: int | None, drop_last: bool, steps: int) -> None:
    schedule = replace(DASSL, batch_size=batch_size, drop_last=drop_last)
    assert schedule.steps_per_epoch(images) == steps


def test_optimisers() -> None:
    parameters = {"U": nn.Parameter(torch.zeros(2)), "V": nn.Parameter(torch.zeros(3))}
    sgd = DASSL.make_optimizer(parameters)
    assert isinstance(sgd, SGD)
    expected = {"lr": 0.002, "momentum": 0.9, "weight_decay": 5e-4}
    assert [{name: group[name] for name in expected} for group in sgd.param_groups] == [expected] * 2
    assert [group["rate"] for group in sgd.param_groups] == [1.0, 1.0]
    assert isinstance(replace(DASSL, optimizer="adamw").make_optimizer(parameters), AdamW)
    own = DASSL.make_optimizer(parameters, {"V": 10.0})
    assert [(group["lr"], group["rate"]) for group in own.param_groups] == [(0.002, 1.0), (0.02, 10.0)]


def test_names_resolve_and_none_changes_nothing() -> None:
    assert resolve_schedule("coop") is not None
    assert resolve_schedule("fast", epochs=None, lr=None, batch_size=None) == SCHEDULES["fast"]
    assert resolve_schedule("coop", epochs=7, lr=0.1) == replace(SCHEDULES["coop"], epochs=7, lr=0.1)
    assert resolve_schedule(DASSL) == DASSL
    assert all(schedule.name == name for name, schedule in SCHEDULES.items())


@pytest.mark.parametrize(
    ("given", "changes", "message"),
    [
        ("fsat", {}, "schedule='fsat' is not known; allowed: coop, fast. Did you mean 'fast'"),
        ("coop", {"epochs": 0}, "epochs=0 is outside 1 and more"),
        ("coop", {"epochs": -3}, "epochs=-3"),
        ("coop", {"lr": 0.0}, "lr=0.0 must be a number above 0"),
        ("coop", {"lr": -1.0}, "lr=-1.0 must be a number above 0"),
        ("coop", {"lr": float("nan")}, "lr=nan must be a number above 0"),
        ("coop", {"lr": float("inf")}, "lr=inf must be a number above 0"),
        ("coop", {"lr": "0.1"}, "lr='0.1' must be a number above 0"),
        (None, {}, "schedule=None is not allowed; give a name or a Schedule"),
        ("coop", {"batch_size": 0}, "batch_size=0 is outside 1 and more; None means all images"),
        (replace(DASSL, optimizer="adam"), {}, "optimizer='adam' is not known; .* Did you mean 'adamw'"),
    ],
)
def test_what_cannot_run_is_refused(given: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        resolve_schedule(given, **changes)


def test_official_is_coop_as_the_methods_own_code_runs_it() -> None:
    coop = SCHEDULES["coop"]
    for name, epochs, batch in (("coop", 200, 32), ("kgcoop", 100, 128), ("prograd", 100, 32)):
        official = method_schedule(METHODS[name].info, "official", where=Where("base-to-new"))
        assert official == replace(coop, name="official", epochs=epochs, batch_size=batch)
    assert method_schedule(METHODS["coop"].info, "official", epochs=3).epochs == 3
    assert method_schedule(METHODS["zero_shot"].info, "official").name == "official"  # trains nothing anyway
    for name in ("rlp", "dip_do", "dip_pp"):
        with pytest.raises(
            OptionError, match=f"'{name}' has no official schedule.*use one of coop, fast, adamw"
        ):
            method_schedule(METHODS[name].info, "official")
    with pytest.raises(OptionError, match="allowed: coop, fast, adamw, official"):
        method_schedule(METHODS["coop"].info, "offical")


WHOLE = replace(METHODS["coop"].info, fast={"epochs": 200}, fast_whole={"epochs": 80, "optimizer": "lbfgs"})


def test_fast_has_a_form_for_a_loss_that_stays_the_same() -> None:
    assert method_schedule(WHOLE, "fast") == replace(SCHEDULES["fast"], epochs=80, optimizer="lbfgs")
    assert method_schedule(WHOLE, "fast", epochs=30, options={"dropout": 0.0, "rank": 2}).epochs == 30
    assert method_schedule(WHOLE, SCHEDULES["fast"]) == SCHEDULES["fast"]
    assert method_schedule(WHOLE, "coop") == SCHEDULES["coop"]
    assert method_schedule(WHOLE, "adamw") == replace(SCHEDULES["fast"], epochs=200)


@pytest.mark.parametrize(
    "asked",
    [
        {"batch_size": 32},
        {"sampled_classes": 10},
        {"views": 4},
        {"options": {"dropout": 0.1}},
        {"options": {"per_class": True}},
    ],
)
def test_and_another_where_it_does_not(asked: dict[str, Any]) -> None:
    chosen = method_schedule(WHOLE, "fast", **asked)
    changed = {name: value for name, value in asked.items() if name in ("batch_size", "sampled_classes")}
    assert chosen == replace(SCHEDULES["fast"], epochs=200, **changed)


def test_the_bound_of_lbfgs_falls_in_the_second_half() -> None:
    schedule = replace(SCHEDULES["fast"], optimizer="lbfgs", epochs=8)
    rates = [schedule.learning_rate(epoch) / 0.01 for epoch in range(8)]
    assert rates == pytest.approx([1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
