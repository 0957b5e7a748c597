"""Stop and resume: the state of a training in one safetensors file, written to a temporary name first."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from promptlet.errors import TrainingError
from promptlet.methods import Method
from promptlet.training.optimizers import Optimizer
from promptlet.training.reports import EpochReport


@dataclass
class Progress:
    """settings: what must be equal for a checkpoint to be taken up; history: the finished epochs."""

    settings: str
    history: list[EpochReport] = field(default_factory=list)


def digest(tensors: Iterable[Tensor]) -> str:
    """16 hexadecimal digits for the numbers and shapes of ``tensors``."""
    summary = hashlib.blake2b(digest_size=8)
    for tensor in tensors:
        array = tensor.detach().cpu().contiguous().numpy()
        summary.update(f"{array.dtype}{array.shape}".encode("ascii"))
        summary.update(array.data)
    return summary.hexdigest()


def _of_numbers(tensors: dict[str, Tensor]) -> str:
    return digest(tensors[name] for name in sorted(tensors))


def describe(method: Method) -> str:
    """What the method is, whatever it learned: settings (`extra_repr`), frozen numbers, classes, backbone,
    and what that computes in where it is not float32."""
    learned = {**method.trainables(), **method.training_state()}
    fixed = digest(tensor for name, tensor in method.state_dict().items() if name not in learned)
    classes = hashlib.blake2b(repr(method.class_names).encode(), digest_size=8).hexdigest()
    settings = " ".join(repr(method).split())
    start = "" if method.started_from is None else f" | begun with {method.started_from}"
    word = method.backbone.arithmetic
    backbone = method.backbone.fingerprint + ("" if word == "float32" else f" in {word}")  # as ever
    return f"{settings} | {fixed} | classes {classes} | backbone {backbone}{start}"


def snapshot(method: Method, optimizer: Optimizer) -> dict[str, Tensor]:
    """Copies of the learned numbers and the optimiser's state, as they stand at the end of an epoch."""
    tensors: dict[str, Tensor] = {f"learned/{name}": p for name, p in method.trainables().items()}
    tensors |= {f"state/{name}": tensor for name, tensor in method.training_state().items()}
    for i, parameter in enumerate(_parameters(optimizer)):
        state = optimizer.state.get(parameter, {})
        tensors.update({f"optimizer/{i}/{k}": v for k, v in state.items() if isinstance(v, Tensor)})
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def pack_checkpoint(tensors: dict[str, Tensor], progress: Progress) -> bytes:
    """A snapshot and the history that led to it."""
    metadata = {
        "settings": progress.settings,
        "history": json.dumps([asdict(report) for report in progress.history]),
        "digest": _of_numbers(tensors),
    }
    return bytes(save({name: t.cpu().contiguous() for name, t in tensors.items()}, metadata))


def write_checkpoint(path: Path, packed: bytes) -> None:
    """Write what `pack_checkpoint` gave; atomic."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(packed)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise TrainingError(
            f"cannot write the checkpoint {path}: {error.strerror}; free space or give another place"
        ) from error


def is_finished(path: Path) -> bool:
    """Whether all epochs of a training are in a checkpoint: what was learned is there, and was not stored."""
    try:
        with safe_open(path, framework="pt") as file:
            history = json.loads((file.metadata() or {})["history"])
        return bool(history) and history[-1]["epoch"] == history[-1]["epochs"]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError):
        return False


def room_of(path: Path) -> Path:
    """The file beside a checkpoint that holds room on the disk for it."""
    return path.with_name(f".{path.name}.room")


def size_of(method: Method, epochs: int, copies: int) -> int:
    """Bytes that a checkpoint of ``method`` takes at the most: its numbers, ``copies`` times as many of the
    optimiser, the history."""
    learned = sum(p.numel() * p.element_size() for p in method.trainables().values())
    state = sum(t.numel() * t.element_size() for t in method.training_state().values())
    return (1 + copies) * learned + state + 512 * len(method.trainables()) + 256 * epochs + 2**14


def check_writable(path: Path) -> None:
    """Raise TrainingError at the start rather than after an hour."""
    if path.is_dir() or not path.parent.is_dir():
        problem = "is a folder" if path.is_dir() else f"lies in a folder that does not exist ({path.parent})"
        raise TrainingError(f"the checkpoint {path} {problem}; give the name of a file in an existing folder")


def read_checkpoint(path: Path, method: Method, optimizer: Optimizer, fresh: Progress) -> Progress:
    """Take up the checkpoint at ``path``; ``fresh`` when there is none.

    Raises TrainingError when it is damaged or does not fit; nothing is taken from it then.
    """
    check_writable(path)
    if not path.exists():
        return fresh
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        progress = _progress(path, metadata, fresh)
        found = _of_numbers(tensors)
        if metadata.get("digest", found) != found:
            raise ValueError("its numbers do not match its digest")
        _restore(tensors, method, optimizer)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(f"the checkpoint {path} is damaged ({error}); remove it to start anew") from error
    return progress


def _progress(path: Path, metadata: dict[str, str], fresh: Progress) -> Progress:
    if metadata["settings"] != fresh.settings:
        pairs = zip(metadata["settings"].split(" | "), fresh.settings.split(" | "), strict=False)
        different = "; ".join(f"{was} there, {now} here" for was, now in pairs if was != now)
        raise TrainingError(
            f"the checkpoint {path} was written by a training with other settings, data or seed: "
            f"{different}. Remove it, or use the settings it was made with."
        )
    return Progress(fresh.settings, [EpochReport(**report) for report in json.loads(metadata["history"])])


def _parameters(optimizer: Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _restore(tensors: dict[str, Tensor], method: Method, optimizer: Optimizer) -> None:
    own: dict[str, Tensor] = {f"learned/{name}": p for name, p in method.trainables().items()}
    own |= {f"state/{name}": tensor for name, tensor in method.training_state().items()}
    kept = {name: tensors[name] for name in own}
    wrong = [name for name, tensor in kept.items() if tensor.shape != own[name].shape]
    if wrong:
        raise ValueError(f"{wrong[0]} has the shape {tuple(kept[wrong[0]].shape)}")
    with torch.no_grad():
        for name, tensor in kept.items():
            own[name].copy_(tensor)
    for i, parameter in enumerate(_parameters(optimizer)):
        prefix = f"optimizer/{i}/"
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if state:
            optimizer.state[parameter] = {
                k: v if k == "step" else v.to(parameter.device)  # counted on the host, or each step would ask
                for k, v in state.items()
            }
