"""Stop and resume: the state of a training in one safetensors file, written to a temporary name first."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from promptlet.errors import TrainingError
from promptlet.methods import Method

if TYPE_CHECKING:
    from promptlet.training.loop import EpochReport


@dataclass
class Progress:
    """settings: what must be equal for a checkpoint to be taken up; history: the finished epochs."""

    settings: str
    history: list[EpochReport] = field(default_factory=list)


def pack_checkpoint(method: Method, optimizer: torch.optim.Optimizer, progress: Progress) -> bytes:
    """Learned numbers, the optimiser's state and the history, as they stand at the end of an epoch."""
    tensors = {f"learned/{name}": p.detach().cpu().contiguous() for name, p in method.trainables().items()}
    for i, state in enumerate(_states(optimizer)):
        tensors.update({f"optimizer/{i}/{k}": v.cpu() for k, v in state.items() if isinstance(v, Tensor)})
    metadata = {
        "settings": progress.settings,
        "history": json.dumps([asdict(report) for report in progress.history]),
    }
    return bytes(save(tensors, metadata))


def write_checkpoint(path: Path, packed: bytes) -> None:
    """Write what `pack_checkpoint` gave; atomic."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(packed)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TrainingError(
            f"cannot write the checkpoint {path}: {error.strerror}; free space or give another place"
        ) from error


def read_checkpoint(
    path: Path, method: Method, optimizer: torch.optim.Optimizer, fresh: Progress
) -> Progress:
    """Take up the checkpoint at ``path``; ``fresh`` when there is none. Raises TrainingError when it does not fit."""
    if not path.exists():
        return fresh
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        progress = _progress(metadata, fresh)
        _restore(tensors, method, optimizer)
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(f"the checkpoint {path} is damaged ({error}); remove it to start anew") from error
    return progress


def _progress(metadata: dict[str, str], fresh: Progress) -> Progress:
    from promptlet.training.loop import EpochReport

    if metadata["settings"] != fresh.settings:
        raise TrainingError(
            "the checkpoint was written by a training with other settings, data or seed: "
            f"{metadata['settings']} is not {fresh.settings}. Remove it, or use the settings it was made with."
        )
    return Progress(fresh.settings, [EpochReport(**report) for report in json.loads(metadata["history"])])


def _states(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return [optimizer.state[p] for p in parameters if p in optimizer.state]


def _restore(tensors: dict[str, Tensor], method: Method, optimizer: torch.optim.Optimizer) -> None:
    with torch.no_grad():
        for name, parameter in method.trainables().items():
            parameter.copy_(tensors[f"learned/{name}"])
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for i, parameter in enumerate(parameters):
        prefix = f"optimizer/{i}/"
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if state:
            optimizer.state[parameter] = {k: v.to(parameter.device) for k, v in state.items()}
