"""What `promptlet fit` says: of the parts of the data, of its result, of how to go on after a stop."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from promptlet.cli.shell import say, warn

if TYPE_CHECKING:
    from promptlet.data import Split


def tell_parts(split: Split) -> None:
    """What parts the data has, where it has several; val alone is neither learned from nor tested."""
    if not (split.val or split.test):
        return
    counts = {"training": len(split.train), "validation": len(split.val), "test": len(split.test)}
    say(f"{split.rule}: {', '.join(f'{count:,} {part}' for part, count in counts.items())} images")
    if not split.test:
        warn(
            "note: validation images are looked at by methods that choose something with them (tip_adapter, "
            "linear_probe); none is learned from. Call that part test to have them tested"
        )


def how_to_go_on(checkpoint: Path, has_cache: bool) -> str:
    """After an interruption."""
    kept = "images encoded so far are cached; " if has_cache else ""
    if checkpoint.exists():
        return f"{kept}training is kept in {checkpoint}; run the same command again with --resume to go on"
    return f"{kept}training had not begun; run the same command again"


def tell(facts: dict[str, Any], shots: int | None, compact: bool) -> None:
    """The result, for people."""
    out, names = facts["file"], facts["class_names"]
    say(f"{len(names)} classes, {facts['images']} images; backbone {facts['backbone']}")
    short = facts["short_classes"]
    if short:
        warn(f"note: fewer than {shots} images, all taken: {', '.join(short)}")
    for note in facts["notes"]:
        warn(f"note: {note}")
    if facts["epochs"]:
        seconds = facts["seconds"]
        say(
            f"{facts['method']}: {facts['trainable']:,} numbers learned in {facts['epochs']} epochs "
            f"({facts['schedule']}), {seconds['training']:.1f} s; encoding took {seconds['encoding']:.1f} s"
        )
        say(f"loss {facts['loss']:.3f}, training accuracy {facts['train_accuracy']:.1f} %")
    elif facts["learns"] == "at once":
        told = f"training accuracy {facts['train_accuracy']:.1f} %"
        say(f"{facts['method']}: made from the images at once, without epochs; {told}")
    else:
        say(f"{facts['method']}: nothing to learn")
    tell_accuracy(facts)
    for note in facts["findings"]:
        warn(f"note: {note}")
    if facts["new_names"] is not None:
        rule = facts["new_names"].replace("learned", "as learned")
        say(f"names given later, which were not taught: answered {rule} (--new-names)")
    if facts["none_of_these"] is not None and not compact:
        say("it also tells pictures of none of these classes: promptlet predict --reject")
    say(f"wrote {out}: {facts['bytes']:,} bytes")
    say(f"next: promptlet predict {quote(out)} IMAGE...{_to_give(facts['backbone'], compact)}")


def tell_accuracy(facts: dict[str, Any]) -> None:
    """On images that were not taught: of the test images, and as the taught ones let expect."""
    if facts["test_accuracy"] is not None:
        interval = f"{facts['test_low']:.1f} to {facts['test_high']:.1f}"
        say(f"test accuracy {facts['test_accuracy']:.1f} % ({interval}) of {facts['test_images']:,} images")
    found = facts["estimate"]
    if found["way"] == "none":
        if facts["test_accuracy"] is None:
            say(f"accuracy on other images is not known: {found['reason']}")
        return
    say(
        f"estimated accuracy on other images {found['accuracy']:.1f} % ({found['low']:.1f} to "
        f"{found['high']:.1f}), {_how(found)}, {facts['seconds']['estimate']:.1f} s"
    )
    if found["reason"]:
        say(f"  {found['reason']}")
    beside = [f"by chance {found['chance']:.1f} %", f"always the largest class {found['majority']:.1f} %"]
    if found["zero_shot"] is not None:
        beside.append(f"the names alone (zero-shot) {found['zero_shot']:.1f} %")
    say(f"  beside it: {', '.join(beside)}")
    pairs = [f"{c['true']} taken for {c['said']} ({c['count']} of {c['of']})" for c in found["confused"]]
    if pairs:
        say(f"  most confused: {', '.join(pairs)}")
    for note in found["notes"]:
        warn(f"note: {note}")


def _how(found: dict[str, Any]) -> str:
    if found["way"] == "undrawn":
        return f"from {found['images']:,} images that --shots did not draw"
    if not found["folds"]:
        return f"from {found['images']:,} images, of which it learned nothing"
    if found["way"] == "holdout":
        return f"from {found['images']:,} images held back once"
    return f"by cross-validation of {found['images']:,} images in {found['folds']} folds"


def _to_give(backbone: str, compact: bool) -> str:
    """The options for what the prompt file leaves out, or is not followed to."""
    from promptlet.promptfile import is_known_name

    named = "" if is_known_name(backbone) and not compact else f" --backbone {quote(backbone)}"
    return f"{named} --classes NAME,NAME..." if compact else named
