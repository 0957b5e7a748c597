"""What is told of a prompt file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlet.promptfile import PromptFile, Rejection

SHOWN_NAMES = 8


def of_prompt(file: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """For machines, and for people line by line. Raises PromptFileError."""
    from promptlet.promptfile import check_magnitudes, load_prompt_file

    prompt = load_prompt_file(file)
    check_magnitudes(prompt, file)
    facts = _facts(file, prompt)
    return facts, _lines(file, prompt, facts)


def listed_names(names: Sequence[str]) -> str:
    """The first of them, and how many there are."""
    more = f", ... ({len(names)} in all)" if len(names) > SHOWN_NAMES else f" ({len(names)})"
    return ", ".join(names[:SHOWN_NAMES]) + more


def _lines(file: Path, prompt: PromptFile, facts: dict[str, Any]) -> dict[str, str]:
    names = list(prompt.class_names)
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in facts["tensors"].items())
    lines = {
        "file": f"{file} ({facts['bytes']:,} bytes: header {facts['header_bytes']:,}, "
        f"numbers {facts['payload_bytes']:,} as {prompt.precision}; format {facts['format']})",
        "method": prompt.method if prompt.rank is None else f"{prompt.method}, rank {prompt.rank}",
        "context": f"{prompt.n_ctx} vectors of {prompt.dim} numbers",
        "learned": f"{facts['learned']:,} numbers" + (f": {shapes}" if shapes else ""),
        "start": facts["start"],
        "classes": listed_names(names) if names else "none: give names when predicting",
        "backbone": f"{prompt.backbone or 'not named'} ({prompt.fingerprint})",
        "training": ", ".join(f"{key} {value}" for key, value in prompt.training.items()) or "not told",
    }
    if facts["new_names"]:
        untold = "" if "new_names" in prompt.options else " (not told by the file)"
        rule = facts["new_names"].replace("learned", "as learned")
        lines["new"] = f"names that were not taught are answered {rule}{untold}"
    if facts["none_of_these"]:
        *_, most = facts["none_of_these"]
        lines["none"] = f"of these can be told, with up to {most} % of own images accepted"
    if prompt.options:
        lines["options"] = ", ".join(f"{key}={value}" for key, value in prompt.options.items())
    values = facts["singular_values"]
    if values:
        of = "U V" if prompt.rank is not None else "P"
        lines["singular"] = f"values of {of}: {', '.join(f'{value:.4g}' for value in values)}"
    if not prompt.is_protected:
        lines["digest"] = f"none: format {prompt.format_version} is unprotected, damage may go unnoticed"
    return lines


def _facts(path: Path, prompt: PromptFile) -> dict[str, Any]:
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    return {
        "file": str(path),
        "bytes": len(data),
        "header_bytes": header,
        "payload_bytes": len(data) - header,
        "precision": prompt.precision,
        "method": prompt.method,
        "rank": prompt.rank,
        "n_ctx": prompt.n_ctx,
        "dim": prompt.dim,
        "init": prompt.init,
        "start": _start(prompt),
        "learned": sum(tensor.size for tensor in prompt.tensors.values()),
        "tensors": {name: list(tensor.shape) for name, tensor in prompt.tensors.items()},
        "singular_values": _singular_values(prompt),
        "class_names": list(prompt.class_names),
        "backbone": prompt.backbone,
        "fingerprint": prompt.fingerprint,
        "training": dict(prompt.training),
        "options": dict(prompt.options),
        "new_names": _new_names(prompt),
        "none_of_these": thresholds(prompt.rejection),
        "format": prompt.format_version,
        "protected": prompt.is_protected,
    }


def thresholds(rejection: Rejection | None) -> dict[str, float] | None:
    """By the percentage of own images that is accepted; None where none of these cannot be told."""
    if rejection is None:
        return None
    return {f"{share:g}": threshold for share, threshold in rejection.thresholds.items()}


def _new_names(prompt: PromptFile) -> str | None:
    """The rule for names that were not taught; "learned" for a context whose file does not tell, as those of
    older formats, None for what is no context."""
    if not prompt.is_context or not prompt.tensors:
        return None
    return str(prompt.options.get("new_names", "learned"))


def _start(prompt: PromptFile) -> str:
    kind, _, value = prompt.init.partition(":")
    if kind == "none":
        return "no words: not told by the file, and not needed"
    if kind == "words":
        return f"P0 is the token embeddings of the words {value!r}"
    if kind == "zeros":
        return f"P0 is zeros, and behind them the token embeddings of the words {value!r}"
    return f"P0 is drawn at random from seed {value} (docs/reference/prompt-file.md)"


def _singular_values(prompt: PromptFile) -> list[float]:
    """Of the low-rank update, or of the full context; none for one context per class."""
    import numpy as np

    tensors = prompt.tensors
    if not prompt.is_context:
        return []
    if prompt.rank is not None:
        values = np.linalg.svd(tensors["U"] @ tensors["V"], compute_uv=False)[: prompt.rank]
    elif "P" in tensors and tensors["P"].ndim == 2:
        values = np.linalg.svd(tensors["P"], compute_uv=False)
    else:
        return []
    return [float(value) for value in values]
