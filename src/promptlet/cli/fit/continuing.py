"""`promptlet fit --start-from FILE`: another training begins with what a prompt has learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptlet.errors import OptionError, listed

OF_METHOD = ("method", "rank", "n_ctx", "ctx_init", "new_names", "method_options")


def parameters_from(
    file: Path, backbone: str | None, method: str | None, given: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """The classifier's parameters that the prompt tells, and its backbone, unless another is named.

    Raises OptionError where another method or its options are asked for, and what reading the file raises.
    """
    from promptlet.cli.given.prompts import read_prompt

    named = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
    if method is not None or named:
        raise OptionError(
            f"--start-from {file} goes on with its own method and options; leave out "
            f"{listed(['--method'] * (method is not None) + named)}, or train anew without --start-from"
        )
    prompt = read_prompt(file, backbone)
    from promptlet.classifier.files import parameters_of, usable_file

    told = parameters_of(usable_file(file, names_backbone=False))
    chosen = {name: told[name] for name in OF_METHOD if name in told}
    return {**chosen, "start_from": file}, prompt.backbone if backbone is None else backbone


def told_of_start(file: Path, started: Any) -> str:
    """What was taken over, in one sentence."""
    parts = [f"begins with the {started.numbers:,} numbers of {file}"]
    for what, names in (
        ("taught before too", started.kept),
        ("new", started.new),
        ("not taught any more", started.gone),
    ):
        if names:
            parts.append(f"{what}: {listed(names)}")
    return "; ".join(parts)
