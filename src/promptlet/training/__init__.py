"""Training: schedules, one readable loop, checkpoints."""

from promptlet.training.loop import train
from promptlet.training.reports import EpochReport, TrainingResult
from promptlet.training.schedules import (
    SCHEDULE_NAMES,
    SCHEDULES,
    Schedule,
    method_schedule,
    resolve_schedule,
)

__all__ = [
    "SCHEDULES",
    "SCHEDULE_NAMES",
    "EpochReport",
    "Schedule",
    "TrainingResult",
    "method_schedule",
    "resolve_schedule",
    "train",
]
