"""Open a data set on the Hugging Face hub with `datasets`, or as it was when it was last downloaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from promptlet.data.hugging_face.open import Opened, import_datasets, load, quiet, readable, split_of
from promptlet.data.hugging_face.source import HubSource
from promptlet.errors import DataError

TIMEOUT = 10.0
"""Seconds in which the hub has to answer at all."""
REFUSALS = (400, 401, 403, 404)
"""What the hub answers about a data set that is not there or may not be read."""


def open_hub(source: HubSource) -> Opened:
    """The splits, by way of the hub's own cache; from that alone where the hub cannot be reached.

    Raises `DataError` for what is not there or cannot be reached or read, `MissingExtraError`.
    """
    datasets = import_datasets()
    with quiet(datasets):
        why = _why_unreachable(datasets, source)
        loaded = _from_cache(datasets, source, why) if why else _from_hub(datasets, source)
    files = tuple(
        Path(entry["filename"])
        for part in loaded.values()
        for entry in part.cache_files
        if "filename" in entry
    )
    commit = next((part for path in files for part in path.parts if re.fullmatch("[0-9a-f]{40}", part)), "")
    if why and source.revision and not commit.startswith(source.revision):
        raise _not_reached(source, why)
    return Opened({name: split_of(part) for name, part in loaded.items()}, files, commit)


def _from_hub(datasets: Any, source: HubSource) -> Any:
    with readable(source):
        return load(datasets, source.place, source.config, revision=source.revision)


def _from_cache(datasets: Any, source: HubSource, why: str) -> Any:
    """Without waiting for the hub a second time."""
    was = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        return _from_hub(datasets, source)
    except DataError as error:
        raise _not_reached(source, why) if isinstance(error.__cause__, ConnectionError) else error from None
    finally:
        datasets.config.HF_HUB_OFFLINE = was


def _why_unreachable(datasets: Any, source: HubSource) -> str:
    """Empty where the hub knows the data set. Raises `DataError` where it says that there is none."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    if datasets.config.HF_HUB_OFFLINE:
        return "it is set to be offline: HF_HUB_OFFLINE or HF_DATASETS_OFFLINE"
    try:
        HfApi().dataset_info(source.place, revision=source.revision, timeout=TIMEOUT)
    except OfflineModeIsEnabled:
        return "it is set to be offline: HF_HUB_OFFLINE"
    except (HFValidationError, HfHubHTTPError) as error:
        status = getattr(getattr(error, "response", None), "status_code", REFUSALS[0])
        if status not in REFUSALS:
            return f"it answers {status}"
        raise DataError(
            f"{source.text}: the Hugging Face hub has no such data set that you may read "
            f"({type(error).__name__}), and there is no such folder here; check name and revision; where "
            "access is given on request, ask on its page and log in: hf auth login"
        ) from error
    except Exception as error:  # whichever HTTP client it uses has its own errors
        return f"{type(error).__name__}: {error}"
    return ""


def _not_reached(source: HubSource, why: str) -> DataError:
    revision, at = (f" --revision {source.revision}", " at that revision") if source.revision else ("", "")
    return DataError(
        f"{source.text}: the Hugging Face hub cannot be reached ({why}), its cache on this machine lacks the "
        f"data set{at}, and there is no such folder here; where there is a network: hf download "
        f"{source.place} --repo-type dataset{revision} --local-dir FOLDER; copy it here and give hf:FOLDER"
    )
