"""`promptlet bench`: run a protocol over data sets, methods and seeds; report; list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.cli.bench_report import LIST, REPORT, list_, report
from promptlet.cli.bench_study import STUDY
from promptlet.cli.bench_study import study as show_study
from promptlet.cli.bench_tell import tell_plan, tell_results
from promptlet.cli.shell import (
    Bars,
    Device,
    Dtype,
    Interrupted,
    Json,
    NoCache,
    bars,
    examples,
    open_cache,
    tell_notes,
    whole_numbers,
)
from promptlet.errors import OptionError

if TYPE_CHECKING:
    from promptlet.data import FeatureCache
    from promptlet.protocols.datasets import BenchDataset
    from promptlet.protocols.engines import Engine
    from promptlet.protocols.execution import Workbench
    from promptlet.protocols.planning import MethodSpec
    from promptlet.protocols.runs import Run

app = typer.Typer(
    help="Run a protocol, and report what was run.", no_args_is_help=True, rich_markup_mode=None
)
METHODS = "zero_shot,coop,rlp"
RUN = examples(
    "bench run --datasets caltech101 --root data --methods zero_shot,coop,rlp --seeds 1,2,3",
    "bench run --datasets mini --backbone mini --out mini-runs",
    "bench run --datasets a.npz,b.npz --methods rlp:rank=2,dropout=0.2 --schedule coop --dry-run",
    "bench run --protocol few-shot --datasets mini --backbone mini --shots 1,2,4,8,16",
    "bench run --protocol cross-dataset --source mini-general --datasets mini --backbone mini",
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
            help="Names (promptlet datasets list), mini (the eleven embedded ones), folders of images, "
            "tables, split files, feature files (.npz), with commas.",
            show_default=False,
        ),
    ],
    protocol: Annotated[
        str, typer.Option(help="base-to-new, few-shot, cross-dataset or domain-shift.")
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
            help="zero_shot, zero_shot_ensemble, coop, cocoop, kgcoop, prograd, rlp, dip_do, dip_pp, qcoop, "
            "vpt, ivlp, maple, promptsrc, mmlop, clip_adapter, tip_adapter, tip_adapter_f, linear_probe, "
            "clip_lora, with commas; options after a colon: rlp:rank=2,dropout=0.2. See: promptlet methods. "
            f"Not given: {METHODS}.",
            show_default=False,
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            help="Instead of methods: rank, rank-grid, length, dropout, start or density.", show_default=False
        ),
    ] = None,
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
    engine: Annotated[
        str, typer.Option(help="inline (one run after the other), processes, or ray (a cluster).")
    ] = "inline",
    workers: Annotated[
        int | None,
        typer.Option(help="Runs at once; else one per processor, or per GPU.", min=1, show_default=False),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Of a Ray cluster, host:port or auto; else one is started here.", show_default=False
        ),
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    no_cache: NoCache = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be run.")] = False,
    json: Json = False,
) -> None:
    """Run every data set x method x seed that is not there yet, and show the table.

    base-to-new trains on half of the classes and tests on both halves. few-shot trains and tests on all
    classes. cross-dataset and domain-shift train on the source and test on the data sets, each among its own
    classes. What was run before is kept, what was trained before is not trained again, and what failed or was
    interrupted is run again by the same command.
    """
    from promptlet.data import SAMPLERS
    from promptlet.errors import check_option
    from promptlet.protocols import PROTOCOLS, RunStore

    check_option("protocol", protocol, PROTOCOLS)
    check_option("sampler", sampler, SAMPLERS)
    counts, numbers = whole_numbers(shots, "--shots"), whole_numbers(seeds, "--seeds")
    if min(counts) < 1 or views < 1:
        raise typer.BadParameter("shots and views are 1 or more")
    from promptlet.protocols.datasets import FeatureSource
    from promptlet.protocols.engines import Engine
    from promptlet.protocols.execution import Workbench
    from promptlet.protocols.planning import Settings, plan_runs

    chosen = Engine(engine, workers, address)
    specs = _methods(methods, study, {"rank": rank, "n_ctx": n_ctx})
    settings = Settings(schedule, epochs, lr, batch_size, views, sampler)
    store = RunStore(out)
    if not dry_run:
        store.check_writable()
    names = [name.strip() for name in datasets.split(",") if name.strip()]
    opened, trained_on = _open(protocol, names, source, root)
    from promptlet.backbones import load_backbone

    loaded = load_backbone(backbone, device, dtype)
    kind = str(loaded.dtype).removeprefix("torch.")
    backing = (loaded.fingerprint, kind)
    runs = plan_runs(protocol, opened, specs, counts, numbers, *backing, settings, trained_on)
    if dry_run:
        tell_plan(runs, store, json)
        return
    by_name = {dataset.name: dataset for dataset in [*opened, trained_on] if dataset is not None}
    cache: FeatureCache | None = open_cache(no_cache)
    with bars(off=json) as shown:
        features = FeatureSource(loaded, cache, lambda done, total: shown.show("encoding", done, total))
        outcome = _run_all(runs, Workbench(by_name, features, store), chosen, shown)
    tell_notes(cache)
    tell_results(runs, store, outcome, study, json)


def _methods(methods: str | None, study: str | None, shared: dict[str, Any]) -> Sequence[MethodSpec]:
    """Those that are named, or those of a study."""
    from promptlet.protocols.planning import parse_methods, share_options
    from promptlet.protocols.studies import study_methods

    if study is None:
        return share_options(parse_methods(methods or METHODS), shared)
    if methods is not None:
        raise OptionError(f"--study {study} and --methods cannot be given together; leave one out")
    return study_methods(study, shared)


def _open(
    protocol: str, names: list[str], source: str | None, root: Path | None
) -> tuple[list[BenchDataset], BenchDataset | None]:
    """The data sets to test on, and the one to train on where the protocol has one."""
    from promptlet.data.load import expand_names
    from promptlet.protocols.datasets import open_datasets
    from promptlet.protocols.measures import TRANSFERS
    from promptlet.protocols.planning import default_source

    if not names:
        raise OptionError("--datasets names no data set; see: promptlet datasets list")
    if protocol not in TRANSFERS:
        if source is not None:
            raise OptionError(
                f"--source {source!r} goes with {' and '.join(TRANSFERS)} alone; {protocol} trains on the "
                "data set that it tests on"
            )
        return open_datasets(names, root), None
    source = source or default_source(names)
    if expand_names([source]) != [source]:
        raise OptionError(f"--source takes one data set, not {source!r}, which stands for several")
    every = expand_names(names)
    opened = open_datasets([*every, *([] if source in every else [source])], root)
    targets = [dataset for dataset in opened if dataset.source in every]
    return targets, next(dataset for dataset in opened if dataset.source == source)


def _run_all(runs: list[Run], bench: Workbench, engine: Engine, shown: Bars) -> dict[str, list[str]]:
    """Keys by what became of them."""
    outcome: dict[str, list[str]] = {"done": [], "kept": [], "failed": []}
    place = {run.key: i + 1 for i, run in enumerate(runs)}

    def on_event(what: str, run: Run, record: dict[str, Any]) -> None:
        words = _words(what, run, record)
        if words:
            shown.line(f"[{place[run.key]}/{len(runs)}] {run.label}: {words}")
        if what in outcome:
            outcome[what].append(run.key)
            shown.show("runs", sum(map(len, outcome.values())), len(runs))
        for name in ("encoding", "training"):
            shown.remove(name)

    def on_epoch(report: Any) -> None:
        shown.show("training", report.epoch, report.epochs, f"loss {report.loss:.3f}")

    try:
        engine.run(runs, bench, on_event, on_epoch)
    except KeyboardInterrupt:
        stored = len(outcome["done"]) + len(outcome["kept"])
        raise Interrupted(
            f"{stored} of {len(runs)} runs are in {bench.store.folder}; run the same command again to go on"
        ) from None
    return outcome


def _words(what: str, run: Run, record: dict[str, Any]) -> str:
    """What is said of an event, or nothing."""
    from promptlet.protocols.measures import MEASURES

    if what == "done":
        before = ", trained before" if record.get("trained", {}).get("reused") else ""
        return f"{MEASURES[run.protocol].words(record)} ({record['seconds_total']:.1f} s{before})"
    return {
        "failed": f"failed: {record.get('reason')}",
        "elsewhere": "another process is at it; waiting",
        "lost": f"its worker was lost ({record.get('reason')}); it is made again",
        "waiting": f"waiting: {record.get('reason')}",
    }.get(what, "")


app.command("report", epilog=REPORT)(report)
app.command("study", epilog=STUDY)(show_study)
app.command("list", epilog=LIST)(list_)
