"""Domain shift: train on one data set, answer about shifted versions, each among its own class names.

ImageNet and ImageNet-V2, -Sketch, -A, -R in the papers; `mini-general` and its four shifted versions in the
embedded suite (`promptlet datasets list`). What it does is in transfer.py.
"""

from __future__ import annotations

from functools import partial

from promptlet.protocols.planning import plan_runs
from promptlet.protocols.records.measures import DOMAIN_SHIFT
from promptlet.protocols.transfer import execute

NAME = DOMAIN_SHIFT
plan = partial(plan_runs, NAME)


__all__ = ["NAME", "execute", "plan"]
