"""`promptlet demo`: the main job and the paper's comparison, offline, on the embedded suite."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.cli.outputs import check_folder
from promptlet.cli.shell import (
    Bars,
    Json,
    bars,
    emit_json,
    examples,
    open_cache,
    say,
    table,
    tell_notes,
    warn,
    whole_numbers,
)
from promptlet.errors import OptionError

if TYPE_CHECKING:
    from promptlet.data import FeatureCache, Split
    from promptlet.report.figures.contact_sheet import Tile

EXAMPLES = examples("demo", "demo --datasets mini --out everything", "demo --seeds 1 --json")
DATASETS = "mini-cats,mini-textures-colours,mini-flags-edged"
SHOTS = 16
SHOWN = 32
"""Pictures on the contact sheet, half of them of classes that were not trained."""


NEW_NAMES = (
    "CoOp answers every name by what it learned, RLP only those it was taught: other names are answered "
    "zero-shot, so that nothing is forgotten, and nothing gained (--new-names)."
)


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of what is made.")] = Path("demo"),
    datasets: Annotated[
        str,
        typer.Option(
            help="Of the embedded suite; 'mini' for its eleven, 'mini-harder' for six with more to learn."
        ),
    ] = DATASETS,
    seeds: Annotated[str, typer.Option(help="As 1,2,3 or 1-3.")] = "1,2,3",
    json: Json = False,
) -> None:
    """Compare zero-shot, CoOp and RLP on the embedded suite, learn a prompt, and show what it says.

    Offline, about a minute on two cores. Makes runs/ (every run, with its numbers), a prompt file, a
    contact sheet and report.html. What is there already is not run again.
    """
    began = time.perf_counter()
    numbers = whole_numbers(seeds, "--seeds")
    from promptlet.backbones import load_backbone

    names = _known([name.strip() for name in datasets.split(",") if name.strip()])
    _make_folder(out)
    backbone = load_backbone("mini", device="cpu")
    cache = open_cache(no_cache=False)
    with bars(off=json) as shown:
        summary = _compare(names, numbers, out / "runs", backbone, cache, shown)
        prompt, tiles, accuracy = _one_prompt(names[0], numbers[0], out, backbone, cache, shown)
    sheet = out / "contact-sheet.png"
    from promptlet.report.figures.contact_sheet import contact_sheet
    from promptlet.report.files import write_whole

    picture = io.BytesIO()
    contact_sheet(tiles).save(picture, "PNG")
    write_whole(sheet, picture.getvalue())
    page = out / "report.html"
    write_whole(page, _report(summary, names[0], prompt, sheet, accuracy).encode("utf-8"))
    tell_notes(cache)
    facts = {
        **summary.to_json(),
        "prompt": {"file": str(prompt), "bytes": prompt.stat().st_size, **accuracy},
        "contact_sheet": str(sheet),
        "report": str(page),
        "seconds": time.perf_counter() - began,
    }
    if json:
        emit_json(facts)
    else:
        _tell(summary, facts, names[0])
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


def _compare(
    names: list[str],
    seeds: list[int],
    folder: Path,
    backbone: Any,
    cache: FeatureCache | None,
    shown: Bars,
) -> Any:
    """Base-to-new of the three methods on every data set and seed; the summary of these runs."""
    from promptlet.protocols.bench import open_bench
    from promptlet.protocols.records.runs import cell_of
    from promptlet.report import summarise

    shown.line(f"drawing {', '.join(names)}")
    bench = open_bench(
        names,
        backbone=backbone,
        shots=SHOTS,
        seeds=seeds,
        out=folder,
        cache=cache or False,
    )
    finished = 0

    def on_event(what: str, run: Any, record: dict[str, Any]) -> None:
        nonlocal finished
        if what == "failed":
            shown.line(f"{run.label}: failed: {record['reason']}")
        if what in ("done", "kept", "failed"):
            finished += 1
            shown.show("runs", finished, len(bench.runs), run.label)

    bench.run(on_event=on_event, on_encode=lambda done, total: shown.show("encoding", done, total))
    return summarise(bench.store, {cell_of(run.describe()) for run in bench.runs})


def _one_prompt(
    name: str, seed: int, out: Path, backbone: Any, cache: FeatureCache | None, shown: Bars
) -> tuple[Path, list[Tile], dict[str, float]]:
    """Learn the base classes of one data set, store the prompt, load it, and ask it about all classes."""
    from promptlet.classifier import PromptClassifier
    from promptlet.data import base_new, load_dataset, sample_shots

    split: Split = load_dataset(name)  # type: ignore[assignment]
    base, new = base_new(sample_shots(split, SHOTS, seed))
    learner = PromptClassifier(backbone=backbone, method="rlp", seed=seed, cache=cache or False)
    learner.on_epoch = lambda report: shown.show("training", report.epoch, report.epochs)
    learner.fit([item.path for item in base.train], [item.class_name for item in base.train])
    file = out / f"{name}.prompt"
    learner.save(file)
    loaded = PromptClassifier.load(file, backbone=backbone)
    tiles, accuracy = [], {}
    for half, part in (("base", base), ("new", new)):
        chances = loaded.predict_proba([i.path for i in part.test], class_names=list(part.class_names))
        right = chances.argmax(1) == [item.label for item in part.test]
        accuracy[half] = 100.0 * float(right.mean())
        tiles += _tiles(part, chances, half)
    return file, tiles, accuracy


def _tiles(part: Split, chances: Any, half: str) -> list[Tile]:
    """Evenly spread test pictures with the answer, and the truth where it was wrong."""
    from promptlet.data import open_image
    from promptlet.report.figures.contact_sheet import Tile

    count = SHOWN // 2
    tiles = []
    for i in range(0, len(part.test), -(-len(part.test) // count)):
        item, answer = part.test[i], int(chances[i].argmax())
        said = f"{part.class_names[answer]} {100 * chances[i, answer]:.0f} %"
        right = answer == item.label
        words = said if right else f"{said} (is: {item.class_name})"
        tiles.append(Tile(open_image(item.path), words if half == "base" else f"new: {words}", right))
    return tiles


def _report(summary: Any, name: str, prompt: Path, sheet: Path, accuracy: dict[str, float]) -> str:
    from promptlet.report.formats.html.demo import demo_html

    facts = {"name": prompt.name, "bytes": prompt.stat().st_size, **accuracy}
    return demo_html(summary, name, facts, sheet.read_bytes(), NEW_NAMES, _next_steps(prompt))


def _next_steps(prompt: Path) -> list[str]:
    return [
        f"promptlet inspect {prompt}",
        "promptlet fit MY_FOLDER --out my.prompt --backbone openai/clip-vit-base-patch16",
        "promptlet predict my.prompt IMAGE... --classes 'names,never,trained'",
        "promptlet bench run --datasets FOLDER_WITH_TRAIN_AND_TEST --backbone openai/clip-vit-base-patch16",
    ]


def _tell(summary: Any, facts: dict[str, Any], name: str) -> None:
    from promptlet.report.formats.tables import HEAD, cells, incomplete_cells

    say("16 shots of the base classes of small drawn data sets; backbone mini (not CLIP)")
    table(HEAD, [*map(cells, summary.rows), *map(incomplete_cells, summary.incomplete)], right=HEAD[5:])
    say(NEW_NAMES)
    prompt = facts["prompt"]
    say(
        f"{prompt['file']}: {prompt['bytes']:,} bytes, learned on the base classes of {name}; right on "
        f"{prompt['base']:.1f} % of their test pictures, {prompt['new']:.1f} % of those of other classes"
    )
    say(f"{facts['contact_sheet']}: pictures with its answers")
    say(f"{facts['report']}: all of this on one page; {facts['seconds']:.0f} s")
    say("next, with your own images (a folder of images per class, and a real CLIP by its hub id or folder):")
    for line in _next_steps(Path(prompt["file"])):
        say(f"  {line}")
