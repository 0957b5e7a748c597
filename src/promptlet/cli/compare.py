"""`promptlet compare`: which method for these images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from promptlet.cli.given.options import (
    DEFAULT_BACKBONE,
    BackboneName,
    BatchSize,
    Data,
    Epochs,
    LearningRate,
    Page,
    ScheduleName,
    Seed,
    Shots,
    Views,
    allowed,
)
from promptlet.cli.given.skipping import SkipBad, facts_of, naming_unreadable, take
from promptlet.cli.outputs import check_page, title_of, write_page
from promptlet.cli.shell import (
    Device,
    Dtype,
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
)

if TYPE_CHECKING:
    from promptlet.own_images.comparing.result import Comparison

EXAMPLES = examples(
    "compare pets",
    "compare pets --out compared.html",
    "compare pets --methods rlp,coop,linear_probe --folds 10 --json",
)


def command(
    data: Data,
    backbone: BackboneName = DEFAULT_BACKBONE,
    out: Page = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="As 'rlp,coop:n_ctx=8'; 'features' for all that read features, 'all' for all; else one or "
            "two of each kind that train in seconds.",
            show_default=False,
        ),
    ] = None,
    shots: Shots = None,
    seed: Seed = 1,
    folds: Annotated[int, typer.Option(help="Trainings of each method.", callback=allowed("folds"))] = 5,
    views: Views = None,
    schedule: ScheduleName = "fast",
    epochs: Epochs = None,
    lr: LearningRate = None,
    batch_size: BatchSize = None,
    device: Device = None,
    dtype: Dtype = None,
    no_cache: NoCache = False,
    skip_bad: SkipBad = False,
    json: Json = False,
) -> None:
    """Compare methods on your images by cross-validation, and recommend one. No test image is looked at."""
    if out is not None:
        check_page(out)
    taken = take(data, skip_bad, quiet=json)
    from promptlet.backbones import load_backbone
    from promptlet.classifier import PromptLearner
    from promptlet.own_images.comparing.choosing import compare_own, specs_of

    specs = specs_of(methods)

    cache = open_cache(no_cache)
    classifier = PromptLearner(
        backbone=load_backbone(backbone, device, dtype),
        shots=shots,
        seed=seed,
        views=views,
        schedule=schedule,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        cache=cache or False,
    )
    with bars(off=json) as shown, naming_unreadable(taken.data):
        found = compare_own(classifier, taken.data, specs, folds, shown.show)
    tell_notes(cache)
    if out is not None:
        from promptlet.own_images.comparing.page import compare_html

        write_page(out, compare_html(found, title_of(data)))
    if json:
        written = {} if out is None else {"out": str(out)}
        emit_json({"data": str(data), **found.facts(), "left_out": facts_of(taken.left_out), **written})
    else:
        tell(found)
        if out is not None:
            say(f"wrote {out}")


def tell(found: Comparison) -> None:
    """The table and the recommendation, for people."""
    from promptlet.own_images.comparing.page import HEAD, RULE, cells, headline, notes

    say(headline(found))
    table(HEAD, [cells(row) for row in found.rows], right=HEAD[1:])
    for note in notes(found):
        warn(f"note: {note}")
    say(f"recommended: {found.recommendation}")
    say(RULE)
