"""Training: schedules, one readable loop, checkpoints."""

from promptlet.training.loop import EpochReport, TrainingResult, train
from promptlet.training.schedules import SCHEDULES, Schedule, method_schedule, resolve_schedule

__all__ = [
    "SCHEDULES",
    "EpochReport",
    "Schedule",
    "TrainingResult",
    "method_schedule",
    "resolve_schedule",
    "train",
]
