"""`promptlet backbones`: what can be loaded, and what one of them is."""

from __future__ import annotations

from typing import Annotated

import typer

from promptlet.cli.shell import Device, Dtype, Json, emit_json, examples, say, table, warn

EXAMPLES = examples(
    "backbones",
    "backbones mini",
    "backbones openai/clip-vit-base-patch16",
    "backbones ./my-clip --json",
    "backbones features:my-texts.npz",
)
KINDS = (
    ("embedded", "mini", "inside the package, offline, for pictures of the mini world; see: promptlet demo"),
    (
        "a hub id",
        "openai/clip-vit-base-patch16",
        "CLIP, MetaCLIP 2, SigLIP, Chinese-CLIP, AltCLIP, ALIGN, VisionTextDualEncoder (transformers)",
    ),
    ("a folder", "./my-clip", "saved by save_pretrained of the model, its tokenizer and image processor"),
    ("open_clip", "open_clip:ViT-B-16/laion2b_s34b_b88k", "needs: pip install 'promptlet[open-clip]'"),
    ("features", "features:my-texts.npz", "vectors of class names, no tower: for methods on image features"),
    ("open_clip folder", "open_clip:./my-open-clip", "open_clip_config.json and its weights"),
)


def command(
    source: Annotated[
        str | None,
        typer.Argument(metavar="SOURCE", help="Load this one and show what it is.", show_default=False),
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    json: Json = False,
) -> None:
    """Say what can be loaded as a backbone; with SOURCE, load it and show its sizes and fingerprint."""
    if source is None:
        if json:
            emit_json(
                {"kinds": [{"kind": kind, "example": example, "notes": n} for kind, example, n in KINDS]}
            )
        else:
            table(("kind", "example", "notes"), KINDS)
        return
    from promptlet.backbones import load_backbone

    backbone = load_backbone(source, device, dtype)
    facts = {
        "name": backbone.name,
        "framework": backbone.framework,
        "fingerprint": backbone.fingerprint,
        **backbone.facts,
        "feature_dim": backbone.feature_dim,
        "logit_scale": float(backbone.logit_scale),
        "logit_bias": float(backbone.logit_bias),
        "device": str(backbone.device),
        "dtype": backbone.arithmetic,
    }
    notes = backbone.notes((), ())
    if json:
        emit_json({**facts, "notes": list(notes)})
        return
    for note in notes:
        warn(f"note: {note}")
    for name, value in facts.items():
        say(f"{name:14} {f'{value:,}' if isinstance(value, int) else value}")
