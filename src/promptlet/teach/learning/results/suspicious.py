"""Images that deserve a look, as the library's check finds them, each with a repair that can be posted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from promptlet.own_images.checking import result as kinds
from promptlet.own_images.checking.result import Finding, Findings, Photo

MOST: Final = 300
NAMES: Final = {
    kinds.DOUBTFUL: "doubtful-label",
    kinds.COPIES: "duplicate",
    kinds.TWO_CLASSES: "two-classes",
    kinds.UNREADABLE: "unreadable",
    kinds.TINY: "tiny",
    kinds.UNIFORM: "uniform",
    kinds.ASPECT: "aspect",
    kinds.NAME: "name",
    kinds.UNKNOWN_NAME: "unknown-name",
    kinds.ALIKE_NAME: "alike-name",
    kinds.IMBALANCE: "imbalance",
}
"""How the kinds are told. Classes with few images are told by the advice."""
NEAR_DUPLICATE: Final = "near-duplicate"
OF_COMMANDS: Final = ", or --shots to fit"
Image = tuple[str, str]
"""Its id, and the name of its file as it was dropped."""


def suspicious(findings: Findings, images: Mapping[Path, Image]) -> list[dict[str, Any]]:
    """The gravest first. Images that moved away meanwhile are passed over."""
    doubtful = {
        str(photo.source): finding.said for finding in findings.of(kinds.DOUBTFUL) for photo in finding.photos
    }
    told = [_told(finding, images, doubtful) for finding in findings.found if finding.kind in NAMES]
    return [one for one in told if one is not None][:MOST]


def _told(
    finding: Finding, images: Mapping[Path, Image], doubtful: Mapping[str, str]
) -> dict[str, Any] | None:
    photos = [photo for photo in finding.photos if _is_there(photo, images)]
    if len(photos) < len(finding.photos):
        return None
    ids = [images[Path(photo.source)][0] for photo in photos]
    kind = NAMES[finding.kind]
    if finding.kind == kinds.COPIES and finding.how == kinds.NEARLY:
        kind = NEAR_DUPLICATE
    own = finding.class_names[0] if finding.class_names else photos[0].class_name if photos else None
    return {
        "kind": kind,
        "images": ids,
        "class": own,
        "suggested": finding.said or None,
        "words": _words(finding, images),
        "repair": _repair(finding, ids, doubtful),
    }


def _is_there(photo: Photo, images: Mapping[Path, Image]) -> bool:
    return Path(photo.source) in images and Path(photo.source).exists()


def _words(finding: Finding, images: Mapping[Path, Image]) -> str:
    """The library's sentence, with the names of files as they were dropped."""
    text = finding.text.removesuffix(OF_COMMANDS)
    for photo in finding.photos:
        text = text.replace(photo.name, images[Path(photo.source)][1])
    return text


def _repair(finding: Finding, ids: list[str], doubtful: Mapping[str, str]) -> dict[str, Any] | None:
    """A body for ``POST …/changes``; None where a person has to decide."""
    if finding.kind == kinds.DOUBTFUL:
        return {"action": "move-images", "images": ids, "to": finding.said}
    if finding.kind == kinds.COPIES:
        return {"action": "remove-images", "images": ids[1:]}
    if finding.kind == kinds.TWO_CLASSES:
        wrong = [
            one
            for one, photo in zip(ids, finding.photos, strict=True)
            if doubtful.get(str(photo.source)) in set(finding.class_names) - {photo.class_name}
        ]
        is_settled = 0 < len(wrong) < len(ids)
        return {"action": "remove-images", "images": wrong} if is_settled else None
    if finding.kind in (kinds.UNREADABLE, kinds.TINY, kinds.UNIFORM):
        return {"action": "remove-images", "images": ids}
    if finding.kind == kinds.ALIKE_NAME:
        return {"action": "merge-classes", "names": list(finding.class_names), "to": finding.class_names[0]}
    return None
