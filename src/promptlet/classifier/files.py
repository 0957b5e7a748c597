"""Between a method and its prompt file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.backbones import Backbone
from promptlet.data import check_class_names
from promptlet.errors import DataError, OptionError, PromptFileError
from promptlet.methods import METHODS, Method, MethodInfo, build_method
from promptlet.methods.catalog import OURS
from promptlet.methods.new_names import LEARNED, check_rule
from promptlet.methods.official import BASE_TO_NEW
from promptlet.methods.templates import check_template
from promptlet.methods.text_prompt import TextPrompt
from promptlet.promptfile import (
    PromptFile,
    Rejection,
    check_magnitudes,
    check_names_known_backbone,
    dumps,
    load_prompt_file,
    loads,
)
from promptlet.promptfile.record import OF_ANSWERS
from promptlet.prompts import DEFAULT_WORDS
from promptlet.training.schedules import ADAMW, FAST, OFFICIAL, check_schedule_name


def prompt_file_of(method: Method, class_names: tuple[str, ...], training: Mapping[str, Any]) -> PromptFile:
    """The prompt file of a trained method; ``training`` says how it was trained."""
    backbone = method.backbone
    tensors = method.state()
    n_ctx, init = getattr(method, "n_ctx", 0), getattr(method, "init", "none")
    options: Mapping[str, Any] = method.stored_options()
    if method.info.name not in OURS:
        _check_holds_all(method, tensors)
        options = {**_options_to_keep(method, init), **options}
        _check_holds_something(method, tensors, options)
    if not backbone.has_towers:  # no tokens that a template could be made of
        options = {**_template_of(method), **options}
    elif init == "none" and not tensors:  # a template: what stands before the name
        words = getattr(method, "template", "").split("{}")[0].strip() or DEFAULT_WORDS
        n_ctx, init = len(backbone.text.embed_words(words)), f"words:{words}"
    return PromptFile(
        method=method.info.name,
        n_ctx=n_ctx,
        dim=backbone.text.dim if backbone.has_towers else backbone.feature_dim,
        rank=getattr(method, "rank", None),
        init=init,
        backbone=backbone.name,
        fingerprint=backbone.fingerprint,
        class_names=class_names,
        training=training,
        tensors=tensors,
        options=options,
    )


def _template_of(method: Method) -> dict[str, str]:
    template = getattr(method, "template", None)
    return {"template": template} if isinstance(template, str) else {}


def _check_holds_all(method: Method, tensors: Mapping[str, np.ndarray]) -> None:
    """Raise OptionError where what a method of one's own has learned would be lost."""
    learned, held = method.trainable_count(), sum(array.size for array in tensors.values())
    if held < learned:
        raise OptionError(
            f"method {method.info.name!r} learns {learned:,} numbers, but its state() gives {held:,}: a "
            "prompt file would lose the others; let state() and load_state() hold all of them"
        )


def _check_holds_something(
    method: Method, tensors: Mapping[str, np.ndarray], options: Mapping[str, Any]
) -> None:
    if not tensors and not options:
        raise OptionError(
            f"method {method.info.name!r} has nothing that a prompt file could hold; give it an option, or "
            "let its stored_options() give what it is made with, such as a template"
        )


def _options_to_keep(method: Method, init: str) -> dict[str, Any]:
    """Those of a method of one's own, without what the file tells by itself."""
    told = ("seed",) if init == "none" else ("seed", "ctx_init")
    return {name: value for name, value in method.options.items() if name not in told}


def usable_file(path: str | Path, names_backbone: bool) -> PromptFile:
    """The prompt file of a method that is here. Raises PromptFileError, also where it does not name its
    backbone and must, as ``names_backbone`` says."""
    file = load_prompt_file(path)
    check_usable(file, path)
    if names_backbone and not file.backbone:
        raise PromptFileError(
            f"{path} does not name its backbone; give it: load(path, backbone=...) "
            f"(fingerprint {file.fingerprint})"
        )
    if names_backbone:
        check_names_known_backbone(file, path)
    return file


def check_usable(file: PromptFile, where: str | Path) -> None:
    """Raise PromptFileError for a file of a method that is not here, or whose numbers no training makes."""
    if file.method not in METHODS:
        raise PromptFileError(
            f"{where} was made by the method {file.method!r}, which this version of Promptlet does not "
            f"have; it has: {', '.join(METHODS)}. Upgrade Promptlet; a method of your own is "
            "registered first: promptlet --import FILE ..., or an import."
        )
    check_magnitudes(file, where)


def options_of(file: PromptFile) -> dict[str, Any]:
    """The method's options that a file tells."""
    known: dict[str, Any] = {"rank": file.rank, "n_ctx": file.n_ctx, "ctx_init": file.init}
    if file.init == "none":
        del known["ctx_init"]
    words = file.init.removeprefix("words:")
    known["template"] = f"{words} {{}}." if file.method == "zero_shot" else None
    known["template"] = file.training.get("template", known["template"])
    known["per_class"] = ("P" in file.tensors and file.tensors["P"].ndim == 3) or None
    own = METHODS[file.method].info.options
    known["new_names"] = LEARNED  # a file that does not tell, as all of older formats: as it answered then
    usable = {name: value for name, value in known.items() if name in own and value is not None}
    stored = {name: value for name, value in file.options.items() if name in own or name not in OF_ANSWERS}
    return {**usable, **stored}


def method_of(file: PromptFile, backbone: Backbone) -> Method:
    """The method of a file over its own class names, ready to answer. Raises OptionError and DataError where
    what it says does not fit together, or not this backbone."""
    names = check_class_names(file.class_names, "its class names") if file.class_names else ()
    method = build_method(file.method, backbone, names, **options_of(file))
    return restore(method, file, names or None)


def rejection_of(file: PromptFile, backbone: Backbone) -> Rejection | None:
    """What tells "none of these", where the file has it. Raises DataError where it is of another width."""
    if file.rejection is not None and len(file.rejection.centre) != backbone.feature_dim:
        raise DataError(
            f"its rejection is of {len(file.rejection.centre)} features, and the backbone has "
            f"{backbone.feature_dim}"
        )
    return file.rejection


def restore(method: Method, file: PromptFile, taught: tuple[str, ...] | None) -> Method:
    """Put what ``file`` holds into an untrained method over any names, ready to answer; ``taught``: the names
    it was trained on, as prompts hold them, None where the file leaves them out."""
    method.load_state(file.tensors)
    method.taught = taught
    if isinstance(method, TextPrompt) and "new_names" in file.options:  # also where it is none of its options
        method.new_names = check_rule(str(file.options["new_names"]))
        method.template = check_template(str(file.options.get("template", method.template)))
    return method.eval()


def round_method(method: Method, precision: str | None) -> None:
    """Round what was learned, in place, as a file of ``precision`` would; None takes the method's own."""
    whole = prompt_file_of(method, method.class_names, {})
    method.load_state(loads(dumps(whole, precision or method.stored_precision())).tensors)


def parameters_of(file: PromptFile) -> dict[str, Any]:
    """The parameters of a classifier that a file tells: its method, options, and how it was trained."""
    training = dict(file.training)
    kept = ("shots", "seed", "views", "epochs", "lr", "sampled_classes")
    told: dict[str, Any] = {key: training[key] for key in kept if key in training}
    if training.get("schedule"):
        told |= _schedule_of(METHODS[file.method].info, training)
    options = options_of(file)
    main: dict[str, Any] = {
        name: options.pop(name) for name in ("rank", "n_ctx", "ctx_init", "new_names") if name in options
    }
    return {"method": file.method, "method_options": options or None, **main, **told}


def _schedule_of(info: MethodInfo, training: Mapping[str, Any]) -> dict[str, str]:
    """By its name, where that is known. A file without an optimiser is from before ``fast`` had another one
    than AdamW; one that is "official" and does not say whose settings they are, of before there were others
    than those of base-to-new."""
    try:
        name = check_schedule_name(str(training["schedule"]))
    except OptionError:
        return {}
    if name == FAST and info.fast_whole and training.get("optimizer", ADAMW) == ADAMW:
        name = ADAMW
    if name == OFFICIAL and BASE_TO_NEW in info.official:
        name = f"{OFFICIAL}:{BASE_TO_NEW}"
    return {"schedule": name}


def check_compact(method: str) -> None:
    """Raise OptionError where a file without class names could not be used again."""
    if METHODS[method].info.by_class:
        raise OptionError(
            f"what {method!r} learns belongs to its class names, which a compact file leaves out; "
            "save it without compact"
        )
