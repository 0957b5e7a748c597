"""Cross-dataset transfer: train on one data set, answer about others, each among its own class names.

ImageNet and the ten other data sets in the papers; `mini-general` and the ten others in the embedded suite.
What it does is in transfer.py.
"""

from __future__ import annotations

from functools import partial

from promptlet.protocols.planning import plan_runs
from promptlet.protocols.records.measures import CROSS_DATASET
from promptlet.protocols.transfer import execute

NAME = CROSS_DATASET
plan = partial(plan_runs, NAME)


__all__ = ["NAME", "execute", "plan"]
