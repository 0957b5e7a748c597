"""`promptlet analyze`: a context's information density beside base and new accuracy, over training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.cli.bench.run import end, keys_of, run_all
from promptlet.cli.given.options import (
    DEFAULT_BACKBONE,
    Address,
    BackboneName,
    EngineName,
    Epochs,
    Root,
    ScheduleName,
    Seeds,
    Workers,
    allowed,
)
from promptlet.cli.outputs import check_file, check_folder
from promptlet.cli.shell import (
    BenchDtype,
    Device,
    Json,
    NoCache,
    bars,
    emit_json,
    examples,
    open_cache,
    say,
    table,
    tell_notes,
    whole_numbers,
)

if TYPE_CHECKING:
    from promptlet.protocols.bench import Bench, Outcome
    from promptlet.protocols.records.runs import Run

EXAMPLES = examples(
    "analyze --datasets mini-objects --backbone mini --out density",
    "analyze --datasets caltech101 --root data --methods coop,rlp,dip_do --out density --figure density.png",
    "analyze --datasets a.npz --methods coop:n_ctx=16 --k 2 --every 5 --out density --json",
)


def command(
    datasets: Annotated[
        str,
        typer.Option(
            help="Names (promptlet datasets list), mini, mini-harder, folders, tables, split files, feature "
            "files (.npz), with commas.",
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
    root: Root = None,
    backbone: BackboneName = DEFAULT_BACKBONE,
    shots: Annotated[int, typer.Option(help="Images per class.", callback=allowed("shots"))] = 16,
    seeds: Seeds = "1,2,3",
    schedule: ScheduleName = "fast",
    epochs: Epochs = None,
    every: Annotated[int, typer.Option(help="Measure after so many epochs.", callback=allowed("every"))] = 10,
    k: Annotated[int, typer.Option(help="Of ID_k; the rows hold all of them.", callback=allowed("k"))] = 1,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of rows.")] = Path("density"),
    figure: Annotated[
        Path | None, typer.Option(help="Draw ID_k and new accuracy (PNG).", show_default=False)
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the tables to this file too.", show_default=False)
    ] = None,
    engine: EngineName = "inline",
    workers: Workers = None,
    address: Address = None,
    device: Device = None,
    dtype: BenchDtype = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Follow information density beside base and new accuracy while contexts are trained.

    Trains as the protocol base-to-new, and stops every few epochs to look. ID_k is the share of the k largest
    singular values, of the first text layer; rho is Spearman's, its interval over seeds. What was measured
    before is kept. Accuracies are of the test halves: nothing is chosen by them, and nothing should be.
    """
    numbers = whole_numbers(seeds, "--seeds")
    for path, option in ((figure, "--figure"), (markdown, "--markdown")):
        if path is not None:
            check_file(path, option)
    check_folder(out)
    from promptlet.analysis.bench import open_analysis
    from promptlet.protocols.engines import Engine
    from promptlet.protocols.planning import Settings

    chosen = Engine(engine, workers, address)
    cache = open_cache(no_cache)
    bench = open_analysis(
        datasets,
        methods,
        root=root,
        backbone=backbone,
        shots=shots,
        seeds=numbers,
        settings=Settings(schedule=schedule, epochs=epochs),
        every=every,
        k=k,
        out=out,
        cache=cache or False,
        device=device,
        dtype=dtype,
    )
    with bars(off=json) as shown:
        outcome = run_all(bench, chosen, shown, _words)
    tell_notes(cache)
    _tell(bench, outcome, k, (figure, markdown), json)


def _words(_run: Run, record: dict[str, Any]) -> str:
    return f"{_ends(record['points'])} ({record['seconds_total']:.1f} s)"


def _ends(points: list[dict[str, Any]]) -> str:
    first, last = points[0], points[-1]
    densities = [point["layers"][0]["density"][0] for point in (first, last)]
    return (
        f"ID_1 {densities[0]:.3f} to {densities[1]:.3f}, base {first['base']:.1f} to {last['base']:.1f}, "
        f"new {first['new']:.1f} to {last['new']:.1f}"
    )


def _tell(bench: Bench, outcome: Outcome, k: int, files: tuple[Path | None, Path | None], json: bool) -> None:
    rows, folder = outcome.records, bench.store.folder
    if rows:
        _write(rows, k, *files)
    if json:
        _emit(rows, k, outcome, folder)
    elif rows:
        _tables(rows, k)
        say(f"{len(outcome.done)} run, {len(outcome.kept)} there before, in {folder}")
    end(bench, outcome)


def _emit(rows: list[dict[str, Any]], k: int, outcome: Outcome, folder: Path) -> None:
    from promptlet.analysis import correlations

    told = ("key", "dataset", "method", "label", "seed", "points")
    emit_json(
        {
            "k": k,
            "rows": [{name: row[name] for name in told} for row in rows],
            "correlations": correlations(rows, k),
            **keys_of(outcome),
            "folder": str(folder),
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
