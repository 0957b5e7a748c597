"""`promptlet bench`: run a protocol over data sets, methods and seeds; report; list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.cli.shell import (
    Bars,
    Device,
    Dtype,
    Interrupted,
    Json,
    NoCache,
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
    from promptlet.data import FeatureCache
    from promptlet.protocols.runs import Run

app = typer.Typer(
    help="Run a protocol, and report what was run.", no_args_is_help=True, rich_markup_mode=None
)
RUN = examples(
    "bench run --datasets caltech101 --root data --methods zero_shot,coop,rlp --seeds 1,2,3",
    "bench run --datasets mini --backbone mini --out mini-runs",
    "bench run --datasets a.npz,b.npz --methods rlp:rank=2,dropout=0.2 --schedule coop --dry-run",
)
REPORT = examples("bench report runs", "bench report runs --json", "bench report runs --format csv > all.csv")
LIST = examples("bench list runs", "bench list runs --json")
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of results.", show_default=False)]


@app.callback(epilog=examples("bench run --datasets caltech101 --root data", "bench report runs"))
def _root() -> None:
    pass


@app.command(epilog=RUN)
def run(
    datasets: Annotated[
        str,
        typer.Option(
            help="Names (promptlet datasets list), mini (the eleven embedded ones), folders of images, "
            "tables, split files, feature files (.npz), with commas.",
            show_default=False,
        ),
    ],
    protocol: Annotated[str, typer.Option(help="base-to-new.")] = "base-to-new",
    methods: Annotated[
        str,
        typer.Option(
            help="zero_shot, zero_shot_ensemble, coop, cocoop, kgcoop, prograd, rlp, dip_do, dip_pp, qcoop, "
            "vpt, ivlp, maple, promptsrc, mmlop, clip_adapter, tip_adapter, tip_adapter_f, linear_probe, "
            "clip_lora, with commas; options after a colon: rlp:rank=2,dropout=0.2. See: promptlet methods."
        ),
    ] = "zero_shot,coop,rlp",
    root: Annotated[
        Path | None, typer.Option(help="Where data sets known by name lie.", show_default=False)
    ] = None,
    backbone: Annotated[str, typer.Option(help="See: promptlet backbones.")] = "openai/clip-vit-base-patch16",
    shots: Annotated[str, typer.Option(help="Images per class; several with commas.")] = "16",
    seeds: Annotated[str, typer.Option(help="As 1,2,3 or 1-3.")] = "1,2,3",
    schedule: Annotated[
        str,
        typer.Option(
            help="fast (few, large steps), coop, or official (coop as the method's own code runs it)."
        ),
    ] = "fast",
    epochs: Annotated[int | None, typer.Option(help="Instead of the schedule's.", show_default=False)] = None,
    lr: Annotated[
        float | None, typer.Option(help="Instead of the method's or the schedule's.", show_default=False)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Instead of the schedule's.", show_default=False)
    ] = None,
    views: Annotated[int, typer.Option(help="Readings of each training image.")] = 1,
    sampler: Annotated[str, typer.Option(help="coop (CoOp's own draws) or promptlet.")] = "coop",
    rank: Annotated[
        int | None, typer.Option(help="For every method that has one.", show_default=False)
    ] = None,
    n_ctx: Annotated[
        int | None, typer.Option(help="For every method that has one.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of results.")] = Path("runs"),
    device: Device = None,
    dtype: Dtype = None,
    no_cache: NoCache = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be run.")] = False,
    json: Json = False,
) -> None:
    """Run every data set x method x seed that is not there yet, and show the table.

    What was run before is kept; what failed or was interrupted is run again by the same command.
    """
    from promptlet.data import SAMPLERS
    from promptlet.errors import check_option
    from promptlet.protocols import PROTOCOLS, RunStore, load_protocol

    check_option("protocol", protocol, PROTOCOLS)
    check_option("sampler", sampler, SAMPLERS)
    counts, numbers = whole_numbers(shots, "--shots"), whole_numbers(seeds, "--seeds")
    if min(counts) < 1 or views < 1:
        raise typer.BadParameter("shots and views are 1 or more")
    from promptlet.protocols.datasets import FeatureSource, open_datasets
    from promptlet.protocols.planning import Settings, parse_methods, share_options

    specs = share_options(parse_methods(methods), {"rank": rank, "n_ctx": n_ctx})
    settings = Settings(schedule, epochs, lr, batch_size, views, sampler)
    store = RunStore(out)
    if not dry_run:
        store.check_writable()
    opened = open_datasets([name.strip() for name in datasets.split(",") if name.strip()], root)
    if not opened:
        raise OptionError("--datasets names no data set; see: promptlet datasets list")
    from promptlet.backbones import load_backbone

    loaded = load_backbone(backbone, device, dtype)
    chosen = load_protocol(protocol)
    kind = str(loaded.dtype).removeprefix("torch.")
    runs: list[Run] = chosen.plan(opened, specs, counts, numbers, loaded.fingerprint, kind, settings)
    if dry_run:
        _tell_plan(runs, store, json)
        return
    by_name = {dataset.name: dataset for dataset in opened}
    cache: FeatureCache | None = open_cache(no_cache)
    with bars(off=json) as shown:
        source = FeatureSource(loaded, cache, lambda done, total: shown.show("encoding", done, total))

        def execute(one: Run) -> dict[str, Any]:
            def on_epoch(report: Any) -> None:
                shown.show("training", report.epoch, report.epochs, f"loss {report.loss:.3f}")

            return chosen.execute(one, by_name[one.dataset], source, on_epoch)  # type: ignore[no-any-return]

        outcome = _run_all(runs, execute, store, shown)
    tell_notes(cache)
    _tell_results(runs, store, outcome, json)


def _run_all(runs: list[Run], execute: Any, store: Any, shown: Bars) -> dict[str, list[str]]:
    """Keys by what became of them."""
    from promptlet.protocols.inline import run_inline

    outcome: dict[str, list[str]] = {"done": [], "kept": [], "failed": []}
    place = {run.key: i + 1 for i, run in enumerate(runs)}

    def on_event(what: str, run: Run, record: dict[str, Any]) -> None:
        head = f"[{place[run.key]}/{len(runs)}] {run.label}"
        if what == "done":
            shown.line(
                f"{head}: base {record['base']:.2f} new {record['new']:.2f} H {record['H']:.2f} "
                f"({record['seconds_total']:.1f} s)"
            )
        elif what == "failed":
            shown.line(f"{head}: failed: {record['reason']}")
        elif what == "elsewhere":
            shown.line(f"{head}: another process is at it; waiting")
        if what in outcome:
            outcome[what].append(run.key)
        for name in ("encoding", "training"):
            shown.remove(name)

    try:
        run_inline(runs, execute, store, on_event)
    except KeyboardInterrupt:
        stored = len(outcome["done"]) + len(outcome["kept"])
        raise Interrupted(
            f"{stored} of {len(runs)} runs are in {store.folder}; run the same command again to go on"
        ) from None
    return outcome


def _tell_plan(runs: list[Run], store: Any, json: bool) -> None:
    states = [(run, "done" if store.is_done(run.key) else "to run") for run in runs]
    if json:
        emit_json({"runs": [{**run.describe(), "state": state} for run, state in states]})
        return
    table(("run", "state", "key"), [(run.label, state, run.key) for run, state in states])
    say(f"{sum(state == 'to run' for _, state in states)} of {len(runs)} would be run, into {store.folder}")


def _tell_results(runs: list[Run], store: Any, outcome: dict[str, list[str]], json: bool) -> None:
    from promptlet.protocols.runs import cell_of
    from promptlet.report import summarise

    summary = summarise(store, {cell_of(run.describe()) for run in runs})
    if json:
        emit_json({**summary.to_json(), **outcome, "folder": str(store.folder)})
    else:
        _table(summary)
        say(f"{len(outcome['done'])} run, {len(outcome['kept'])} there before, in {store.folder}")
    if outcome["failed"]:
        warn(
            f"error: {len(outcome['failed'])} of {len(runs)} runs failed; "
            "run the same command again to try only these again"
        )
        raise typer.Exit(1)


def _table(summary: Any) -> None:
    from promptlet.report.tables import HEAD, cells, incomplete_cells

    rows = [*map(cells, summary.rows), *map(incomplete_cells, summary.incomplete)]
    table(HEAD, rows, right=HEAD[5:])
    for problem in summary.problems:
        warn(f"note: {problem}")


@app.command(epilog=REPORT)
def report(
    folder: Folder,
    format: Annotated[str, typer.Option("--format", help="markdown or csv.")] = "markdown",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write to this file.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Show the means over seeds of what is in DIR, and the averages over data sets."""
    from promptlet.errors import check_option
    from promptlet.protocols import RunStore
    from promptlet.report import FORMATS, render, summarise

    check_option("format", format, FORMATS)
    summary = summarise(RunStore(folder))
    if json:
        emit_json(summary.to_json())
        return
    text = render(summary, format)
    if format == "csv":
        for problem in summary.problems:
            warn(f"note: {problem}")
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"--out {out} cannot be written ({error.strerror}); write elsewhere") from error
    say(f"wrote {out}")


@app.command("list", epilog=LIST)
def list_(folder: Folder, json: Json = False) -> None:
    """List every single run in DIR, with failures and their reasons."""
    from promptlet.protocols import RunStore

    records, problems = RunStore(folder).read_all()
    if json:
        emit_json({"runs": records, "problems": problems})
        return
    head = ("run", "state", "base", "new", "H", "seconds")
    rows = []
    for record in records:
        is_done = record["status"] == "done"
        numbers = [f"{record[name]:.2f}" for name in ("base", "new", "H", "seconds")] if is_done else [""] * 4
        rows.append((record["key"], record["status"], *numbers))
    table(head, rows, right=head[2:])
    for record in records:
        if record["status"] == "failed":
            say(f"{record['key']}: {record.get('reason')}")
    for problem in problems:
        warn(f"note: {problem}")
