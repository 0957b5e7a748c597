"""A check in words: one line for each kind, and the first of it."""

from __future__ import annotations

from collections.abc import Mapping

from promptlet.own_images.checking.result import (
    COPIES,
    DOUBTFUL,
    KINDS,
    LEAK,
    TWO_CLASSES,
    UNREADABLE,
    Findings,
)
from promptlet.promptfile.backbone import without_folders

FIRST = 5


def headline(findings: Findings) -> str:
    """How much was looked at, and how."""
    told = f"{len(findings.photos):,} images of {len(findings.class_names)} classes"
    if findings.backbone is None:
        return f"{told}; labels were not compared with pictures (that needs a backbone)"
    return f"{told}; backbone {without_folders(findings.backbone)}"


def lines(findings: Findings, first: int = FIRST) -> list[str]:
    """What was found: each kind with its count, and the first few of it below, indented."""
    told = []
    for kind, count in findings.counts().items():
        told.append(f"{count:,} {title(kind, count)}")
        told += [f"  {finding.text}" for finding in findings.of(kind)[:first]]
        if count > first:
            told.append(f"  ... and {count - first:,} more")
    return told or ["nothing suspicious was found"]


def title(kind: str, count: int) -> str:
    """What a kind is called, for so many of it."""
    text = KINDS[kind]
    if count != 1:
        return text
    for many, one in _ONE:
        if text.startswith(many):
            return one + text.removeprefix(many)
    return text


def left_out(counts: Mapping[str, int]) -> str:
    """What a clean table goes without: images, by kind of finding."""
    return ", ".join(f"{count:,} {_LEFT_OUT[kind]}" for kind, count in counts.items())


def explained(kind: str) -> str:
    """What to do about it."""
    return _ADVICE[kind]


_ONE = (
    ("images that cannot", "image that cannot"),
    ("images whose", "image whose"),
    ("photos that are there", "photo that is there"),
    ("photos that are", "photo that is"),
    ("class names that are no words", "class name that is no word"),
    ("class names that tell", "class name that tells"),
    ("class names that the backbone reads", "class name that the backbone reads"),
    ("classes with", "class with"),
    ("images of", "image of"),
    ("tiny images", "tiny image"),
    ("images much", "image much"),
    ("classes of very different size", "pair of classes of very different size"),
)
_LEFT_OUT = {
    UNREADABLE: "unreadable",
    TWO_CLASSES: "of photos in two classes",
    LEAK: "of photos that are test images too",
    COPIES: "further copies",
    DOUBTFUL: "of a doubtful label",
}
_ADVICE = {
    "unreadable": "Replace or remove them; promptlet fit --skip-bad passes them over.",
    "two_classes": "One of the labels is wrong, or the classes overlap. Keep the photo in one class.",
    "leak": "A photo that was taught says nothing as a test image: the test accuracy is too high.",
    "copies": "Copies add nothing, and weigh one photo more than others.",
    DOUBTFUL: "Other images say another class. Some of these labels are wrong, others are only hard photos: "
    "look at each.",
    "alike_name": "No prompt tells two such classes apart: fit refuses them. Rename one, or merge the two.",
    "name": "A backbone reads class names as words. Rename the class to what is seen in its images.",
    "unknown_name": "By its name alone the backbone does not find the class. Try a more common word; "
    "learning from images helps.",
    "few_images": "Little can be learned from so few, and the estimate says little about them.",
    "imbalance": "Large classes are said too often. Give more of the small ones, or fit with --shots.",
    "uniform": "There is nothing in them to learn from.",
    "tiny": "They are enlarged until nothing can be told.",
    "aspect": "Backbones look at a square in the middle. Cut them so that the thing stands there.",
}
