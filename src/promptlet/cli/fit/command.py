"""`promptlet fit`: a folder of images per class in, a prompt file out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from promptlet.cli.fit.checks import (
    check_estimate,
    check_out,
    check_precision,
    clear,
    is_auto,
    method_of,
)
from promptlet.cli.fit.choosing import choose
from promptlet.cli.fit.continuing import parameters_from, told_of_start
from promptlet.cli.fit.sharing import checked_share, pushed_facts
from promptlet.cli.fit.storing import store
from promptlet.cli.fit.words import how_to_go_on, tell, tell_parts
from promptlet.cli.given.options import (
    BACKBONES,
    DEFAULT_BACKBONE,
    BatchSize,
    Epochs,
    LearningRate,
    License,
    Private,
    SampledClasses,
    ScheduleName,
    Seed,
    Shots,
    Views,
    allowed,
    same_again,
)
from promptlet.cli.given.places import on_disk, tell_pushed
from promptlet.cli.given.skipping import SkipBad, facts_of, naming_unreadable, take
from promptlet.cli.outputs import check_file
from promptlet.cli.shell import (
    Device,
    Dtype,
    Json,
    NewNames,
    NoCache,
    bars,
    emit_json,
    examples,
    open_cache,
    say,
    tell_notes,
    warn,
)
from promptlet.cli.stopping import Interrupted

EXAMPLES = examples(
    "fit pets --out pets.prompt --shots 16",
    "fit pets --out more.prompt --start-from pets.prompt",
    "fit pets --out pets.prompt --push jane/pets --license mit",
    "fit pets.csv --out pets.prompt --backbone ./my-clip --method coop --json",
)


def command(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="A folder with one folder of images per class, perhaps below train/ and test/; or a table "
            "(.csv, .tsv) with path,label[,split]; or Hugging Face data: hf:OWNER/NAME, hf:FOLDER, .parquet "
            "files; or features (.npz).",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The prompt file to write.", show_default=False)],
    backbone: Annotated[
        str | None,
        typer.Option(help=f"{BACKBONES}; else {DEFAULT_BACKBONE}.", show_default=False),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="See: promptlet methods; options after a colon: maple:depth=3,n_ctx=4. auto: what promptlet "
            "compare recommends for these images; else rlp.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--start-from",
            help="A prompt file: go on from what it learned, by its method; new classes are allowed.",
            show_default=False,
        ),
    ] = None,
    closed: Annotated[
        bool,
        typer.Option("--closed", help="With --method auto: no other class names will be asked for later."),
    ] = False,
    rank: Annotated[
        int | None,
        typer.Option(
            help="Rank of a low-rank method; RLP's own costs at most 600 numbers: 1 for CLIP ViT-B/16.",
            callback=allowed("rank"),
            show_default=False,
        ),
    ] = None,
    n_ctx: Annotated[
        int | None,
        typer.Option(
            help="Context vectors; else the method's own, 4 for rlp and coop.",
            callback=allowed("n_ctx"),
            show_default=False,
        ),
    ] = None,
    ctx_init: Annotated[
        str | None,
        typer.Option(
            help="Words the context starts at, 'words' (a photo of a, repeated) or 'random'; else 'a photo "
            "of a', random beyond 4.",
            show_default=False,
        ),
    ] = None,
    new_names: NewNames = None,
    shots: Shots = None,
    seed: Seed = 1,
    views: Views = None,
    schedule: ScheduleName = "fast",
    epochs: Epochs = None,
    lr: LearningRate = None,
    batch_size: BatchSize = None,
    sampled_classes: SampledClasses = None,
    capture: Annotated[
        bool,
        typer.Option(
            "--capture", help="On a CUDA device: start the work of a step at once, as a graph of it."
        ),
    ] = False,
    estimate: Annotated[
        str,
        typer.Option(
            help="How accuracy on other images is found out: cv (cross-validation), holdout, none; auto "
            "asks images that --shots did not draw, or else takes what costs little."
        ),
    ] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of the stored numbers: fp32, fp16, int8, int4, kmeans4, kmeans2 or kmeans1; else fp32, or "
            "what the method trains for.",
            show_default=False,
        ),
    ] = None,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact", help="Leave out class names, backbone and training: given when predicting."
        ),
    ] = False,
    device: Device = None,
    dtype: Dtype = None,
    no_cache: NoCache = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Where a stop is kept; else beside --out.", show_default=False)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was cut short.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing prompt file.")] = False,
    push: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Then put it on the Hugging Face hub, at OWNER/NAME, as promptlet push does; what would be "
            "refused is told before anything is learned.",
            show_default=False,
        ),
    ] = None,
    license: License = None,
    private: Private = False,
    skip_bad: SkipBad = False,
    json: Json = False,
) -> None:
    """Learn a prompt from images, estimate how good it will be, and write it to a file of a few kilobytes."""
    check_out(out, force)
    checkpoint = checkpoint or out.with_name(f"{out.name}.checkpoint")
    check_precision(precision)
    check_estimate(estimate)
    check_file(checkpoint, "--checkpoint")
    share = checked_share(push, license, private)
    taken = take(folder, skip_bad, quiet=json)
    data = taken.data
    given = {"rank": rank, "n_ctx": n_ctx, "ctx_init": ctx_init, "new_names": new_names}
    by_comparison = is_auto(method or "", closed, given, compact)
    if start is not None:
        start = on_disk(start)
        chosen, backbone = parameters_from(start, backbone, method, given)
    else:
        chosen = {} if by_comparison else method_of(method or "rlp", given)
    if compact:
        from promptlet.classifier.files import check_compact

        check_compact(chosen["method"])
    if not resume:
        clear(checkpoint, force)
    elif not checkpoint.exists():
        warn(f"note: there is no checkpoint {checkpoint}; training begins anew")
    from promptlet.backbones import load_backbone
    from promptlet.classifier import PromptLearner
    from promptlet.own_images.fitting import fit
    from promptlet.own_images.keeping import keeping_features

    cache = open_cache(no_cache)
    classifier = PromptLearner(
        backbone=load_backbone(backbone or DEFAULT_BACKBONE, device, dtype),
        **chosen,
        shots=shots,
        seed=seed,
        views=views,
        schedule=schedule,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        sampled_classes=sampled_classes,
        cache=cache or False,
        checkpoint=checkpoint,
        capture=capture,
    )
    classifier.checkpoint_stays = True  # until the prompt file stands
    with bars(off=json) as shown, naming_unreadable(data), keeping_features(classifier):
        try:
            compared = choose(classifier, data, closed, shown) if by_comparison else {}
            where = same_again(folder, backbone)
            facts = compared | fit(classifier, data, precision, shown.show, estimate, where).facts()
            facts |= {"started": asdict(classifier.started_) if classifier.started_ else None}
            facts |= store(classifier, out, precision, compact, checkpoint)
        except KeyboardInterrupt:
            raise Interrupted(how_to_go_on(checkpoint, cache is not None)) from None
    tell_notes(cache)
    if not json:
        tell_parts(taken.split)
        if start is not None:
            say(told_of_start(start, classifier.started_))
        tell(facts, shots, compact)
        if share is not None:
            tell_pushed(share.push(out))
        return
    pushed, problem = pushed_facts(share, out)
    emit_json(facts | {"left_out": facts_of(taken.left_out)} | pushed)
    if problem:
        warn(f"error: {problem}")
        raise typer.Exit(1)
