"""`promptlet fit`: a folder of images per class in, a prompt file out."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.cli.shell import (
    Bars,
    Device,
    Dtype,
    Interrupted,
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
from promptlet.errors import OptionError

if TYPE_CHECKING:
    from promptlet.classifier import PromptClassifier
    from promptlet.data import FeatureFile, Split
    from promptlet.data.items import Item

EXAMPLES = examples(
    "fit pets --out pets.prompt --shots 16",
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
        str,
        typer.Option(
            help="A hub id, a folder, open_clip:NAME/PRETRAINED or features:FILE (see: promptlet backbones)."
        ),
    ] = "openai/clip-vit-base-patch16",
    method: Annotated[
        str,
        typer.Option(help="See: promptlet methods; options after a colon: maple:depth=3,n_ctx=4."),
    ] = "rlp",
    rank: Annotated[
        int | None,
        typer.Option(
            help="Rank of a low-rank method; RLP's own costs at most 600 numbers: 1 for CLIP ViT-B/16.",
            show_default=False,
        ),
    ] = None,
    n_ctx: Annotated[
        int | None,
        typer.Option(help="Context vectors; else the method's own, 4 for rlp and coop.", show_default=False),
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
    shots: Annotated[
        int | None, typer.Option(help="Images per class drawn for training; else all.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="For the draw, the start and the order.")] = 1,
    views: Annotated[int, typer.Option(help="Readings of each image: 1 plain, more are augmented.")] = 1,
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
    json: Json = False,
) -> None:
    """Learn a prompt from images and write it to a file of about 2 KB."""
    _check_out(out, force)
    checkpoint = checkpoint or out.with_name(f"{out.name}.checkpoint")
    _check_precision(precision)
    data = _read(folder)
    _tell_ignored(folder, data)
    given = {"rank": rank, "n_ctx": n_ctx, "ctx_init": ctx_init, "new_names": new_names}
    chosen = _method_of(method, given)
    if compact:
        from promptlet.classifier.files import check_compact

        check_compact(chosen["method"])
    if not resume:
        _remove(checkpoint, force)
    elif not checkpoint.exists():
        warn(f"note: there is no checkpoint {checkpoint}; training begins anew")
    from promptlet.backbones import load_backbone
    from promptlet.classifier import PromptClassifier

    cache = open_cache(no_cache)
    classifier = PromptClassifier(
        backbone=load_backbone(backbone, device, dtype),
        **chosen,
        shots=shots,
        seed=seed,
        views=views,
        schedule=schedule,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        cache=cache or False,
        checkpoint=checkpoint,
    )
    with bars(off=json) as shown:
        try:
            facts = _fit(classifier, data, precision, shown)
        except KeyboardInterrupt:
            raise Interrupted(_how_to_go_on(checkpoint, cache is not None)) from None
    precision = precision or classifier.method_.stored_precision()
    facts |= {"file": str(out), "precision": precision, "bytes": classifier.save(out, precision, compact)}
    tell_notes(cache)
    if json:
        emit_json(facts)
    else:
        _tell(facts, shots)


def _check_out(out: Path, force: bool) -> None:
    """Before anything is encoded."""
    parent = out.parent
    if out.is_dir():
        raise OptionError(f"--out {out} is a folder; give the name of a file, such as {out / 'my.prompt'}")
    if not parent.is_dir():
        raise OptionError(f"--out {out}: the folder {parent} does not exist; create it, or write elsewhere")
    if not os.access(parent, os.W_OK):
        raise OptionError(f"--out {out}: the folder {parent} cannot be written; write elsewhere")
    if out.exists() and not force:
        raise OptionError(f"--out {out} exists already; give another name, or --force to write over it")


def _method_of(text: str, given: dict[str, Any]) -> dict[str, Any]:
    """The classifier's parameters for ``--method NAME[:option=value,...]`` and options given by themselves.

    Raises OptionError for several methods, or for an option given twice.
    """
    from promptlet.protocols.planning import parse_methods

    specs = parse_methods(text)
    if len(specs) > 1:
        raise OptionError(f"--method {text!r} names several methods; fit takes one")
    name, options = specs[0]
    further = dict(options)
    chosen = {key: value for key, value in given.items() if value is not None}
    twice = sorted(chosen.keys() & further.keys())
    if twice:
        raise OptionError(f"{twice[0]} is given twice, in --method and by itself; give it once")
    main: dict[str, Any] = {k: further.pop(k) for k in given if k in further}
    return {"method": name, **chosen, **main, "method_options": further or None}


def _check_precision(precision: str | None) -> None:
    if precision is None:
        return
    from promptlet.errors import check_option
    from promptlet.promptfile import KMEANS, PRECISIONS

    check_option("precision", precision, [*PRECISIONS, *KMEANS])


def _read(folder: Path) -> Split | FeatureFile:
    from promptlet.data import load_dataset, read_folder
    from promptlet.data.hugging_face.source import is_hub_source

    # A bare name is a folder here, never a data set known by name.
    return load_dataset(folder) if folder.exists() or is_hub_source(folder) else read_folder(folder)


def _tell_ignored(folder: Path, data: Split | FeatureFile) -> None:
    """Photos that are passed over without a word are lost to their owner."""
    from promptlet.data import FeatureFile, ignored_files

    if isinstance(data, FeatureFile) or not folder.is_dir():
        return
    ignored = ignored_files(folder, data)
    if ignored:
        shown = ", ".join(str(path) for path in ignored[:5])
        more = f" and {len(ignored) - 5} more" if len(ignored) > 5 else ""
        warn(f"note: not taken (no image file by its name, or not directly in a class folder): {shown}{more}")


def _remove(checkpoint: Path, force: bool) -> None:
    if checkpoint.exists() and not force:
        raise OptionError(
            f"{checkpoint} keeps a training that was cut short; give --resume to go on with it, or --force "
            "to begin anew without it"
        )
    try:
        checkpoint.unlink(missing_ok=True)
    except OSError as error:
        raise OptionError(
            f"checkpoint {checkpoint} cannot be removed ({error.strerror}); give --resume or another name"
        ) from error


def _fit(
    classifier: PromptClassifier, data: Split | FeatureFile, precision: str | None, shown: Bars
) -> dict[str, Any]:
    """Train and, where there are test images, evaluate as it will be stored; what to say of it."""
    from promptlet.data import FeatureFile

    split = data.split if isinstance(data, FeatureFile) else data
    features = data.features if isinstance(data, FeatureFile) else None

    def inputs(items: tuple[Item, ...]) -> list[Any]:
        return [item.path if features is None else features[item.row] for item in items]

    times: dict[str, float] = {}
    began = time.perf_counter()

    def on_encode(done: int, total: int) -> None:
        times["encode"] = time.perf_counter() - began
        shown.show("encoding", done, total)

    classifier.on_encode = on_encode
    classifier.on_epoch = lambda report: shown.show(
        "training", report.epoch, report.epochs, f"loss {report.loss:.3f}"
    )
    val = (inputs(split.val), [item.class_name for item in split.val]) if split.val else (None, None)
    classifier.fit(inputs(split.train), [item.class_name for item in split.train], *val)
    last = classifier.history_[-1] if classifier.history_ else None
    accuracy = None
    classifier.round_to(precision)
    if split.test:
        classifier.on_encode = lambda done, total: shown.show("testing", done, total)
        accuracy = 100.0 * classifier.score(inputs(split.test), [item.class_name for item in split.test])
    return {
        "method": classifier.method,
        "rank": getattr(classifier.method_, "rank", None),
        "n_ctx": getattr(classifier.method_, "n_ctx", None),
        "new_names": classifier.method_.new_names,
        "class_names": list(classifier.class_names_),
        "images": classifier.training_["images"],
        "short_classes": list(classifier.short_classes_),
        "trainable": classifier.method_.trainable_count(),
        "learns": classifier.method_.info.learns,
        "schedule": classifier.training_.get("schedule"),
        "epochs": len(classifier.history_),
        "loss": last and last.loss,
        "train_accuracy": last and last.accuracy,
        "test_accuracy": accuracy,
        "test_images": len(split.test),
        "seconds": {
            "encoding": times.get("encode", 0.0),
            "training": sum(report.seconds for report in classifier.history_),
        },
        "backbone": classifier.backbone_.name,
        "fingerprint": classifier.backbone_.fingerprint,
        "notes": list(classifier.method_.notes()),
    }


def _how_to_go_on(checkpoint: Path, has_cache: bool) -> str:
    kept = "images encoded so far are cached; " if has_cache else ""
    if checkpoint.exists():
        return f"{kept}training is kept in {checkpoint}; run the same command again with --resume to go on"
    return f"{kept}training had not begun; run the same command again"


def _tell(facts: dict[str, Any], shots: int | None) -> None:
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
        say(f"{facts['method']}: made from the images at once, without epochs")
    else:
        say(f"{facts['method']}: nothing to learn")
    if facts["test_accuracy"] is None:
        say("no test images (a test/ folder beside train/): accuracy on other images is not known")
    else:
        say(f"test accuracy {facts['test_accuracy']:.1f} % of {facts['test_images']:,} images")
    if facts["new_names"] is not None:
        rule = facts["new_names"].replace("learned", "as learned")
        say(f"names given later, which were not taught: answered {rule} (--new-names)")
    say(f"wrote {out}: {facts['bytes']:,} bytes")
    say(f"next: promptlet predict {out} IMAGE...")
