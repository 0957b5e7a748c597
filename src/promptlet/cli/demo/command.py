"""`promptlet demo`: the main job from end to end, then the paper's comparison; offline, on drawn pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from promptlet.cli.demo.telling import tell, tell_comparison
from promptlet.cli.demo.writing import write_pages
from promptlet.cli.outputs import check_folder
from promptlet.cli.shell import Json, bars, emit_json, examples, open_cache, tell_notes, warn, whole_numbers
from promptlet.errors import OptionError

EXAMPLES = examples("demo", "demo --datasets mini --out everything", "demo --seeds 1 --json")
DATASETS = "mini-textures-colours,mini-cats,mini-flags-edged"
SHOTS = 16


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of what is made.")] = Path("demo"),
    datasets: Annotated[
        str,
        typer.Option(
            help="Of the embedded suite; 'mini' for its eleven, 'mini-harder' for six with more to learn. "
            "The first is that of the main job."
        ),
    ] = DATASETS,
    seeds: Annotated[
        str, typer.Option(help="Of the comparison, as 1,2,3 or 1-3; the first is that of the main job.")
    ] = "1,2,3",
    json: Json = False,
) -> None:
    """Learn from a few drawn pictures, ask what was learned, and compare RLP with CoOp and zero-shot.

    Offline, a minute or two on two cores. Makes runs/ (every run, with its numbers), a prompt file, a
    contact sheet and report.html. What is there already is not run again.
    """
    began = time.perf_counter()
    numbers = whole_numbers(seeds, "--seeds")
    from promptlet.backbones import load_backbone
    from promptlet.cli.demo.comparison import compare
    from promptlet.cli.demo.story import tell_story

    names = _known([name.strip() for name in datasets.split(",") if name.strip()])
    _make_folder(out)
    backbone = load_backbone("mini", device="cpu")
    cache = open_cache(no_cache=False)
    with bars(off=json) as shown:
        shown.line(f"drawing {', '.join(names)}")
        story = tell_story(names[0], SHOTS, numbers[0], out, backbone, cache, shown)
        if not json:
            tell(story)
        summary = compare(names, numbers, SHOTS, out / "runs", backbone, cache, shown)
    written = write_pages(out, story, summary)
    tell_notes(cache)
    facts = {
        **summary.to_json(),
        "prompt": story.facts(),
        **{name: str(path) for name, path in written.items()},
        "seconds": time.perf_counter() - began,
    }
    if json:
        emit_json(facts)
    else:
        tell_comparison(story, summary, facts)
    if summary.incomplete:
        warn("error: some runs failed; run the same command again to try only these again")
        raise typer.Exit(1)


def _known(names: list[str]) -> list[str]:
    from promptlet.data.load import expand_names
    from promptlet.errors import did_you_mean
    from promptlet.mini.names import HARDER, HARDER_NAMES, MINI, MINI_NAMES

    allowed = (MINI, HARDER, *MINI_NAMES, *HARDER_NAMES)
    for name in names:
        if name not in allowed:
            raise OptionError(
                f"--datasets {name!r} is not in the embedded suite, or has no pictures to train on (others: "
                f"promptlet bench run); allowed: {', '.join(allowed)}.{did_you_mean(name, allowed)}"
            )
    if not names:
        raise OptionError("--datasets names no data set; leave it out, or give mini for the eleven")
    return list(dict.fromkeys(expand_names(names)))


def _make_folder(out: Path) -> None:
    check_folder(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--out {out} cannot be made ({error.strerror}); give another folder") from error
