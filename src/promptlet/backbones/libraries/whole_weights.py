"""Weights as they were trained: no adapter beside a model, no quantised numbers.

transformers puts an adapter of PEFT that lies beside a model into it without a word where PEFT is installed,
and passes over it where it is not: the same folder would answer differently on two machines. The adapter's
configuration may also name another model, which would be loaded in the place of the one asked for.
"""

from __future__ import annotations

from typing import Any

from promptlet.errors import BackboneError

CONFIGURATION = "adapter_config.json"


def check_no_adapter(source: str, local: bool) -> None:
    """Raise BackboneError for a folder or repository with an adapter of PEFT in it."""
    from transformers.utils import find_adapter_config_file

    try:
        found = find_adapter_config_file(source, local_files_only=local)
    except (OSError, ValueError):  # the model's own configuration will say it better
        return
    if found is not None:
        raise BackboneError(
            f"{source!r} has an adapter of PEFT beside the model ({CONFIGURATION}). Merge it into the "
            "weights, PeftModel.from_pretrained(model, FOLDER).merge_and_unload().save_pretrained(NEW), and "
            f"save tokenizer and image processor too; or move {CONFIGURATION} away for the model without it"
        )


def check_not_quantised(source: str, config: Any) -> None:
    """Raise BackboneError for a model whose weights are stored quantised."""
    parts = (config, *(getattr(config, f"{side}_config", None) for side in ("text", "vision")))
    kinds = [kind for part in parts if (kind := getattr(part, "quantization_config", None)) is not None]
    if kinds:
        method = kinds[0].get("quant_method") if isinstance(kinds[0], dict) else None
        raise BackboneError(
            f"{source!r} has quantised weights{f' ({method})'[:60] if method else ''}, through which nothing "
            "can be learned; take the model with its weights in float32, float16 or bfloat16"
        )
