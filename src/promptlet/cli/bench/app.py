"""`promptlet bench`: run a protocol over data sets, methods and seeds; report; list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.cli.bench.pack import PACK, UNPACK, pack, unpack
from promptlet.cli.bench.report import LIST, REPORT, list_, report
from promptlet.cli.bench.run import run_all
from promptlet.cli.bench.study import STUDY
from promptlet.cli.bench.study import study as show_study
from promptlet.cli.bench.tell import tell_plan, tell_results
from promptlet.cli.ending import Suggesting
from promptlet.cli.given.options import (
    DEFAULT_BACKBONE,
    Address,
    BackboneName,
    BatchSize,
    EngineName,
    Epochs,
    LearningRate,
    Root,
    SampledClasses,
    ScheduleName,
    Seeds,
    Views,
    Workers,
    allowed,
)
from promptlet.cli.given.skipping import SkipBad, tell_left_out
from promptlet.cli.outputs import check_folder
from promptlet.cli.shell import (
    BenchDtype,
    Device,
    Json,
    NoCache,
    bars,
    examples,
    open_cache,
    tell_notes,
    whole_numbers,
)
from promptlet.protocols import DEFAULT_METHODS

if TYPE_CHECKING:
    from promptlet.protocols.records.runs import Run

app = typer.Typer(
    cls=Suggesting,
    help="Run a protocol, and report what was run.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
RUN = examples(
    "bench run --datasets caltech101 --root data --methods zero_shot,coop,rlp --seeds 1,2,3",
    "bench run --datasets mini --backbone mini --out mini-runs",
    "bench run --datasets a.npz,b.npz --methods rlp:rank=2,dropout=0.2 --schedule coop --dry-run",
    "bench run --protocol all-names --datasets mini --backbone mini",
    "bench run --protocol few-shot --datasets mini --backbone mini --shots 1,2,4,8,16",
    "bench run --protocol cross-dataset --datasets eleven --root data",
    "bench run --protocol domain-shift --datasets mini-shifts --backbone mini",
    "bench run --study rank --datasets caltech101 --root data --out studies",
    "bench run --datasets mini --backbone mini --engine processes --workers 4",
    "bench run --datasets caltech101 --root /data --engine ray --address head-node:6379",
)


@app.callback(epilog=examples("bench run --datasets caltech101 --root data", "bench report runs"))
def _root() -> None:
    pass


@app.command(epilog=RUN)
def run(
    datasets: Annotated[
        str,
        typer.Option(
            help="Names (promptlet datasets list), eleven (the field's), imagenet-shifts, mini (the eleven "
            "embedded ones), mini-shifts, mini-harder, folders of images, tables, split files, feature files "
            "(.npz), with commas.",
            show_default=False,
        ),
    ],
    protocol: Annotated[
        str, typer.Option(help="base-to-new, all-names, few-shot, cross-dataset or domain-shift.")
    ] = "base-to-new",
    source: Annotated[
        str | None,
        typer.Option(
            help="What cross-dataset and domain-shift train on; where it is not given, mini-general for data "
            "sets of the embedded suite, else imagenet.",
            show_default=False,
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="zero_shot, zero_shot_ensemble, coop, cocoop, kgcoop, dekg, prograd, rlp, dip_do, dip_pp, "
            "qcoop, vpt, ivlp, maple, promptsrc, mmlop, clip_adapter, tip_adapter, tip_adapter_f, "
            "linear_probe, gda, zs_lp, clap, lp_pp, prolip, clip_lora, clip_svd, two_sfs, with commas; "
            "options after a colon: rlp:rank=2,dropout=0.2. See: promptlet methods. "
            f"Not given: {DEFAULT_METHODS}.",
            show_default=False,
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            help="Instead of methods: rank, rank-grid, length, dropout, start or density.", show_default=False
        ),
    ] = None,
    root: Root = None,
    backbone: BackboneName = DEFAULT_BACKBONE,
    shots: Annotated[str, typer.Option(help="Images per class; several with commas.")] = "16",
    seeds: Seeds = "1,2,3",
    schedule: ScheduleName = "fast",
    epochs: Epochs = None,
    lr: LearningRate = None,
    batch_size: BatchSize = None,
    sampled_classes: SampledClasses = None,
    views: Views = None,
    sampler: Annotated[str, typer.Option(help="coop (CoOp's own draws) or promptlet.")] = "coop",
    rank: Annotated[
        int | None,
        typer.Option(help="For every method that has one.", callback=allowed("rank"), show_default=False),
    ] = None,
    n_ctx: Annotated[
        int | None,
        typer.Option(help="For every method that has one.", callback=allowed("n_ctx"), show_default=False),
    ] = None,
    new_names: Annotated[
        str | None,
        typer.Option(
            help="For every method that has it: answer names that were not taught learned, zero-shot or by a "
            "blend; else as the method's own option says.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of results.")] = Path("runs"),
    engine: EngineName = "inline",
    workers: Workers = None,
    address: Address = None,
    device: Device = None,
    dtype: BenchDtype = None,
    no_cache: NoCache = False,
    skip_bad: SkipBad = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be run.")] = False,
    json: Json = False,
) -> None:
    """Run every data set x method x seed that is not there yet, and show the table.

    base-to-new trains on half of the classes and tests on both halves, each among its own names; all-names
    does too, and tests on all among all names. few-shot trains and tests on all classes. cross-dataset and
    domain-shift train on the source and test on the data sets, each among its own classes. What was run
    before is kept, what was trained before is not trained again, and what failed or was interrupted is run
    again by the same command.
    """
    counts, numbers = whole_numbers(shots, "--shots"), whole_numbers(seeds, "--seeds")
    from promptlet.protocols.bench import open_bench
    from promptlet.protocols.engines import Engine
    from promptlet.protocols.planning import Settings
    from promptlet.protocols.records.store import RunStore

    if not RunStore(out).is_pack:
        check_folder(out)
    chosen = Engine(engine, workers, address)
    cache = open_cache(no_cache)
    bench = open_bench(
        datasets,
        methods,
        protocol=protocol,
        source=source,
        study=study,
        options={"rank": rank, "n_ctx": n_ctx, "new_names": new_names},
        root=root,
        backbone=backbone,
        shots=counts,
        seeds=numbers,
        settings=Settings(
            schedule=schedule,
            epochs=epochs,
            lr=lr,
            batch_size=batch_size,
            views=views,
            sampler=sampler,
            sampled_classes=sampled_classes,
        ),
        out=out,
        cache=cache or False,
        device=device,
        dtype=dtype,
        skip_bad=skip_bad,
    )
    for name, left_out in bench.left_out.items():
        tell_left_out(left_out, name)
    if dry_run:
        tell_plan(bench, json)
        return
    with bars(off=json) as shown:
        outcome = run_all(bench, chosen, shown, _words)
    tell_notes(cache)
    tell_results(bench, outcome, study, json)


def _words(run: Run, record: dict[str, Any]) -> str:
    from promptlet.protocols.records.measures import MEASURES

    before = ", trained before" if record.get("trained", {}).get("reused") else ""
    return f"{MEASURES[run.protocol].words(record)} ({record['seconds_total']:.1f} s{before})"


app.command("report", epilog=REPORT)(report)
app.command("study", epilog=STUDY)(show_study)
app.command("list", epilog=LIST)(list_)
app.command("pack", epilog=PACK)(pack)
app.command("unpack", epilog=UNPACK)(unpack)
