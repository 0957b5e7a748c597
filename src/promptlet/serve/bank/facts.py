"""What a prompt file says, as plain values for people and programs."""

from __future__ import annotations

from typing import Any

from promptlet.methods import METHODS
from promptlet.methods.new_names import LEARNED
from promptlet.promptfile import PromptFile
from promptlet.promptfile.backbone import without_folders
from promptlet.serve.bank.listing import Listed


def file_facts(listed: Listed, file: PromptFile) -> dict[str, Any]:
    """estimate: of its accuracy, None where the file has none; new_names: None where there is no choice;
    rejection: whether it can tell "none of these", and rejection_shares the percentages of own images that
    may be accepted. Of the backbone's name no folders are told."""
    info = METHODS[file.method].info
    is_learned_context = file.is_context and bool(file.tensors)
    return {
        "name": listed.name,
        "digest": listed.digest,
        "bytes": listed.bytes,
        "modified": listed.modified,
        "method": file.method,
        "title": info.title,
        "class_names": list(file.class_names),
        "classes": len(file.class_names),
        "takes_other_names": info.unseen_classes,
        "new_names": str(file.options.get("new_names", LEARNED)) if is_learned_context else None,
        "n_ctx": file.n_ctx,
        "rank": file.rank,
        "dim": file.dim,
        "init": file.init,
        "learned": sum(tensor.size for tensor in file.tensors.values()),
        "precision": file.precision,
        "format": file.format_version,
        "options": dict(file.options),
        "training": dict(file.training),
        "estimate": file.training.get("estimate"),
        "rejection": file.rejection is not None,
        "rejection_shares": [] if file.rejection is None else list(file.rejection.thresholds),
        "backbone": without_folders(file.backbone),
        "fingerprint": file.fingerprint,
    }
