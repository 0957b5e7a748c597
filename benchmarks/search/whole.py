"""Search in photos: average precision by words, classes and images; promises; a real folder; a million."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import isolated
from benchmarks.search import classes, folder, likes, promise, words
from benchmarks.search.beds import beds, place_of
from promptlet.search.question import WEIGHT

COUNT = 1_000_000
METHOD = "rlp"


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows, of several tables. Without real features, the million alone."""
    rows: list[dict] = []
    for bed in beds():
        if quick and bed.backbone is not None:
            continue
        rows += words.rows(bed, progress)
        rows += classes.rows(bed, quick, progress)
        rows += likes.rows(bed, progress)
        if bed.backbone is not None:
            rows += promise.rows(bed, METHOD, progress)
    place = place_of("realbed")
    if place is not None:
        rows += folder.rows(place, quick, progress)
    for dtype, count in (("float16", 1), ("float32", 1), ("float16", 100)):
        progress(f"{COUNT:,} vectors as {dtype}, {count} classes")
        asked = (20_000 if quick else COUNT, dtype, count)
        found = isolated.measured("benchmarks.search.million", asked, device, needed=4e9)
        rows.append({"table": "million", "images": asked[0], "dtype": dtype, "classes": count, **found})
    settings = {
        "weight": WEIGHT,
        "shots": classes.SHOTS,
        "taught": "half of the classes, by a fixed draw, in the tables classes and promises",
        "chosen on": "the parts val; test was looked at once the form was chosen",
        "beds": "stand-in text towers, of which nothing follows for CLIP; ViT-B/16: real features and class "
        "texts solved from published cosines, the mean of class names in the place of common words",
    }
    return settings, rows


COLUMNS = (
    ("table", "table", "s"),
    ("bed", "bed", "s"),
    ("part", "part", "s"),
    ("task", "task", "s"),
    ("method", "method", "s"),
    ("folder", "folder", "s"),
    ("form", "form", "s"),
    ("seed", "seed", "d"),
    ("images", "images", "d"),
    ("dtype", "dtype", "s"),
    ("classes", "classes", "d"),
    ("average_precision", "AP", ".1f"),
    ("unwanted_in_20", "unwanted in 20", ".1f"),
    ("strangers", "strangers", "d"),
    ("asked", "asked", ".2f"),
    ("refused", "refused", "d"),
    ("told", "told", "d"),
    ("precision", "right", ".2f"),
    ("precision_of_all", "of all", ".2f"),
    ("recall", "recall", ".2f"),
    ("index_s", "index s", ".1f"),
    ("follow_s", "follow s", ".2f"),
    ("first_s", "first s", ".2f"),
    ("words_s", "words s", ".3f"),
    ("image_s", "image s", ".3f"),
    ("median_s", "s", ".2f"),
    ("best_s", "best s", ".2f"),
    ("peak_bytes", "memory", "MiB"),
    ("file_bytes", "features", "MiB"),
    ("skipped", "skipped", "s"),
)
