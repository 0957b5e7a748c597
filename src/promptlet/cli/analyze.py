"""`promptlet analyze`: a context's information density beside base and new accuracy, over training."""

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
    end_with_failures,
    examples,
    open_cache,
    say,
    table,
    tell_notes,
    whole_numbers,
)
from promptlet.errors import OptionError

if TYPE_CHECKING:
    from promptlet.analysis import DensityStore
    from promptlet.protocols.runs import Run

EXAMPLES = examples(
    "analyze --datasets mini-objects --backbone mini --out density",
    "analyze --datasets caltech101 --root data --methods coop,rlp,dip_do --out density --figure density.png",
    "analyze --datasets a.npz --methods coop:n_ctx=16 --k 2 --every 5 --out density --json",
)


def command(
    datasets: Annotated[
        str,
        typer.Option(
            help="Names (promptlet datasets list), mini, folders, tables, split files, feature files (.npz), "
            "with commas.",
            show_default=False,
        ),
    ],
    methods: Annotated[
        str,
        typer.Option(
            help="coop, kgcoop, prograd, rlp, dip_do, dip_pp, qcoop, ivlp, maple, promptsrc, mmlop, with "
            "commas; options after a colon: rlp:rank=2."
        ),
    ] = "coop,rlp",
    root: Annotated[
        Path | None, typer.Option(help="Where data sets known by name lie.", show_default=False)
    ] = None,
    backbone: Annotated[str, typer.Option(help="See: promptlet backbones.")] = "openai/clip-vit-base-patch16",
    shots: Annotated[int, typer.Option(help="Images per class.", min=1)] = 16,
    seeds: Annotated[str, typer.Option(help="As 1,2,3 or 1-3.")] = "1,2,3",
    schedule: Annotated[str, typer.Option(help="fast, coop or official.")] = "fast",
    epochs: Annotated[int | None, typer.Option(help="Instead of the schedule's.", show_default=False)] = None,
    every: Annotated[int, typer.Option(help="Measure after so many epochs.", min=1)] = 10,
    k: Annotated[int, typer.Option(help="Of ID_k; the rows hold all of them.", min=1)] = 1,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of rows.")] = Path("density"),
    figure: Annotated[
        Path | None, typer.Option(help="Draw ID_k and new accuracy (PNG).", show_default=False)
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the tables to this file too.", show_default=False)
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Follow information density beside base and new accuracy while contexts are trained.

    Trains as the protocol base-to-new, and stops every few epochs to look. ID_k is the share of the k largest
    singular values, of the first text layer; rho is Spearman's, its interval over seeds. What was measured
    before is kept. Accuracies are of the test halves: nothing is chosen by them, and nothing should be.
    """
    numbers = whole_numbers(seeds, "--seeds")
    for path in (figure, markdown):
        if path is not None and not path.parent.is_dir():
            raise OptionError(f"{path}: there is no folder {path.parent}; make it, or write elsewhere")
    from promptlet.analysis import DensityStore
    from promptlet.analysis.measuring import check_context, check_k, execute, plan
    from promptlet.backbones import load_backbone
    from promptlet.protocols.datasets import FeatureSource, open_datasets
    from promptlet.protocols.planning import Settings, parse_methods

    specs = parse_methods(methods)
    opened = {d.name: d for d in open_datasets([n.strip() for n in datasets.split(",") if n.strip()], root)}
    if not opened:
        raise OptionError("--datasets names no data set; see: promptlet datasets list")
    for name, _ in specs:
        check_context(name)
    check_k(k, specs)
    store = DensityStore(out)
    store.check_writable()
    loaded = load_backbone(backbone, device, dtype)
    kind = str(loaded.dtype).removeprefix("torch.")
    chosen = Settings(schedule, epochs)
    runs = plan(list(opened.values()), specs, shots, numbers, loaded.fingerprint, kind, chosen, every)
    cache = open_cache(no_cache)
    with bars(off=json) as shown:
        source = FeatureSource(loaded, cache, lambda done, total: shown.show("encoding", done, total))

        def measured(run: Run) -> dict[str, Any]:
            def on_epoch(report: Any) -> None:
                shown.show("training", report.epoch, report.epochs, f"loss {report.loss:.3f}")

            return execute(run, opened[run.dataset], source, on_epoch)

        outcome = _run_all(runs, measured, store, shown)
    tell_notes(cache)
    _tell(runs, store, outcome, k, (figure, markdown), json)


def _run_all(runs: list[Run], measured: Any, store: DensityStore, shown: Bars) -> dict[str, list[str]]:
    """Keys by what became of them."""
    from promptlet.protocols.engines.inline import run_inline

    outcome: dict[str, list[str]] = {"done": [], "kept": [], "failed": []}
    place = {run.key: i + 1 for i, run in enumerate(runs)}

    def on_event(what: str, run: Run, record: dict[str, Any]) -> None:
        head = f"[{place[run.key]}/{len(runs)}] {run.label}"
        if what == "done":
            shown.line(f"{head}: {_ends(record['points'])} ({record['seconds_total']:.1f} s)")
        elif what == "failed":
            shown.line(f"{head}: failed: {record['reason']}")
        elif what == "elsewhere":
            shown.line(f"{head}: another process is at it; waiting")
        if what in outcome:
            outcome[what].append(run.key)
        for name in ("encoding", "training"):
            shown.remove(name)

    try:
        run_inline(runs, measured, store, on_event)
    except KeyboardInterrupt:
        stored = len(outcome["done"]) + len(outcome["kept"])
        raise Interrupted(
            f"{stored} of {len(runs)} runs are in {store.folder}; run the same command again to go on"
        ) from None
    return outcome


def _ends(points: list[dict[str, Any]]) -> str:
    first, last = points[0], points[-1]
    densities = [point["layers"][0]["density"][0] for point in (first, last)]
    return (
        f"ID_1 {densities[0]:.3f} to {densities[1]:.3f}, base {first['base']:.1f} to {last['base']:.1f}, "
        f"new {first['new']:.1f} to {last['new']:.1f}"
    )


def _tell(
    runs: list[Run],
    store: DensityStore,
    outcome: dict[str, list[str]],
    k: int,
    files: tuple[Path | None, Path | None],
    json: bool,
) -> None:
    rows = [row for row in (store.read(run.key) for run in runs) if row is not None]
    if rows:
        _write(rows, k, *files)
    if json:
        _emit(rows, k, outcome, store)
    elif rows:
        _tables(rows, k)
        say(f"{len(outcome['done'])} run, {len(outcome['kept'])} there before, in {store.folder}")
    end_with_failures(len(outcome["failed"]), len(runs))


def _emit(rows: list[dict[str, Any]], k: int, outcome: dict[str, list[str]], store: DensityStore) -> None:
    from promptlet.analysis import correlations

    told = ("key", "dataset", "method", "label", "seed", "points")
    emit_json(
        {
            "k": k,
            "rows": [{name: row[name] for name in told} for row in rows],
            "correlations": correlations(rows, k),
            **outcome,
            "folder": str(store.folder),
        }
    )


def _tables(rows: list[dict[str, Any]], k: int) -> None:
    from promptlet.analysis.tables import ends_table, rho_table

    say("Spearman's rho over the measured epochs [interval over seeds: which images were drawn]")
    head, lines = rho_table(rows, k)
    table(head, lines, right=head[2:])
    say("Start to end, means over seeds")
    head, lines = ends_table(rows, k)
    table(head, lines, right=head[2:])


def _write(rows: list[dict[str, Any]], k: int, figure: Path | None, markdown: Path | None) -> None:
    from promptlet.analysis import markdown as tables
    from promptlet.analysis.figures import density_figure
    from promptlet.report.files import write_whole

    files = {} if figure is None else {figure: density_figure(rows, k)}
    if markdown is not None:
        files[markdown] = tables(rows, k).encode()
    for path, content in files.items():
        write_whole(path, content)
