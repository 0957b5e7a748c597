"""Classes that are hard to learn: with few images, much smaller than others, with names that are no words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from promptlet.own_images.checking.result import FEW, IMBALANCE, NAME, Finding, Photo

FEWEST = 4
"""Training images of a class below which nothing sure can be learned or estimated."""
UNEVEN = 10.0
"""Times as many images in the largest class as in the smallest."""
NO_WORDS = (
    (re.compile(r"[-+]?[\d.,\s]+"), "a number"),
    (re.compile(r"n\d{8}( .*)?"), "a WordNet id"),
    (re.compile(r"(?=.*\d)[0-9a-f]{8,}(-[0-9a-f]{4,})*", re.IGNORECASE), "a hash"),
    (re.compile(r"[a-zß-ɏͰ-ϿЀ-ӿ]", re.IGNORECASE), "a single letter"),  # a sign of Chinese is a word
    (re.compile(r"(class|cls|label|category|cat|id|type|group|folder)[ -]?\d+", re.IGNORECASE), "a code"),
    (re.compile(r"(?=.*\d)[a-z]{1,4}[ -]?\d{1,6}", re.IGNORECASE), "a code"),
    (re.compile(r"[\W\d]+"), "no word"),
    (
        re.compile(r"(new folder|untitled( folder)?|unnamed|unknown|images?|photos?)", re.IGNORECASE),
        "no class",
    ),
)
"""What class names are that say nothing to a backbone, which knows words."""
NUMBER_OF_PART = {"train": "training", "val": "validation", "test": "test"}


def find_names(class_names: Sequence[str], known: Sequence[str] = ()) -> list[Finding]:
    """Names that are no words. known: names that the backbone was seen to know, whatever they look like."""
    told = [(name, what) for name in class_names if name not in known and (what := what_it_is(name))]
    return [
        Finding(NAME, f"{name} is {what}: rename it to what is seen in the images", (), (name,))
        for name, what in told
    ]


def what_it_is(name: str) -> str:
    """``a number``, ``a hash`` ...; nothing for a word."""
    return next((what for pattern, what in NO_WORDS if pattern.fullmatch(name.strip())), "")


def find_sizes(class_names: Sequence[str], photos: Sequence[Photo]) -> list[Finding]:
    """Classes with few training images, or none where there are test images; and classes of unlike size."""
    has_train = any(photo.part == "train" for photo in photos)
    part = "train" if has_train else photos[0].part if photos else "train"
    counts = Counter(photo.class_name for photo in photos if photo.part == part)
    found = [
        Finding(FEW, f"{name}: {counts[name] or 'no'} {_images(counts[name], part)}", (), (name,))
        for name in class_names
        if counts[name] < FEWEST
    ]
    filled = [name for name in class_names if counts[name]]
    if filled:
        largest, smallest = max(filled, key=counts.__getitem__), min(filled, key=counts.__getitem__)
        if counts[largest] >= UNEVEN * counts[smallest]:
            text = (
                f"{counts[largest]:,} {_images(counts[largest], part)} of class {largest}, and "
                f"{counts[smallest]:,} of class {smallest}: give more of the small classes, or --shots to fit"
            )
            found.append(Finding(IMBALANCE, text, (), (largest, smallest)))
    return found


def _images(count: int, part: str) -> str:
    return f"{NUMBER_OF_PART[part]} image{'' if count == 1 else 's'}"
