"""What `promptlet fit` checks before anything is encoded. All raise OptionError with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptlet.cli.outputs import check_file
from promptlet.cli.streams import warn
from promptlet.errors import OptionError, check_option

AUTO = "auto"
ESTIMATES = (AUTO, "cv", "holdout", "none")


def check_out(out: Path, force: bool) -> None:
    """The prompt file can be written there, and is over no other."""
    check_file(out)
    if out.exists() and not force:
        raise OptionError(f"--out {out} exists already; give another name, or --force to write over it")


def check_precision(precision: str | None) -> None:
    """One of those that prompt files have."""
    if precision is None:
        return
    from promptlet.promptfile import KMEANS, PRECISIONS

    check_option("precision", precision, [*PRECISIONS, *KMEANS])


def check_estimate(word: str) -> None:
    """One of the ways to estimate accuracy."""
    check_option("estimate", word, ESTIMATES)


def method_of(text: str, given: dict[str, Any]) -> dict[str, Any]:
    """The classifier's parameters for ``--method NAME[:option=value,...]`` and options given by themselves.

    Raises OptionError for several methods, or for an option given twice.
    """
    from promptlet.protocols.planning import parse_methods

    specs = parse_methods(text)
    if len(specs) > 1:
        raise OptionError(f"--method {text!r} names several methods; fit takes one")
    name, options = specs[0]
    further = dict(options)
    chosen = {key: value for key, value in given.items() if value is not None}
    twice = sorted(chosen.keys() & further.keys())
    if twice:
        raise OptionError(f"{twice[0]} is given twice, in --method and by itself; give it once")
    main: dict[str, Any] = {k: further.pop(k) for k in given if k in further}
    return {"method": name, **chosen, **main, "method_options": further or None}


def is_auto(text: str, closed: bool, given: dict[str, Any], compact: bool) -> bool:
    """Whether the method is to be found by comparison. Raises OptionError for options that belong to one
    method, which none was named for."""
    if text.strip() != AUTO:
        if closed:
            raise OptionError("--closed goes with --method auto; a method by its name is taken as it is")
        return False
    own = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
    if own or compact:
        raise OptionError(
            f"{', '.join([*own, *(['--compact'] if compact else [])])} belongs to one method, and auto "
            "compares several; leave it out, or name the method"
        )
    return True


def clear(checkpoint: Path, force: bool) -> None:
    """No checkpoint of an earlier training is there; one that is, is removed only with ``force``. That of a
    training that has ended, and whose prompt file could not be written, is gone on with."""
    if checkpoint.exists() and not force:
        from promptlet.training.checkpoint import is_finished

        if is_finished(checkpoint):
            warn(f"note: {checkpoint} keeps a finished training that was not stored; it is taken up")
            return
        raise OptionError(
            f"{checkpoint} keeps a training that was cut short; give --resume to go on with it, or --force "
            "to begin anew without it"
        )
    try:
        checkpoint.unlink(missing_ok=True)
    except OSError as error:
        raise OptionError(
            f"checkpoint {checkpoint} cannot be removed ({error.strerror}); give --resume or another name"
        ) from error
