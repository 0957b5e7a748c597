"""The page of `promptlet teach` in Chromium: from a drop to an answer, first load, thousands of images."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.page.chromium import CHROMIUM, chromium
from tools.page.pictures import drawn_material, many, photos, real_material

from benchmarks.teach import parts

ROUNDS = 3
MANY, LARGE, SCROLLED = 1000, 100, 5000
COLUMNS = (
    ("what", "what", "s"),
    ("backbone", "backbone", "s"),
    ("images", "images", "d"),
    ("there_s", "there s", ".2f"),
    ("encoded_s", "encoded s", ".2f"),
    ("result_s", "result s", ".2f"),
    ("answer_s", "answer s", ".2f"),
    ("method", "method", "s"),
    ("requests", "requests", "d"),
    ("kib", "KiB", ".0f"),
    ("ready_ms", "ready ms", ".0f"),
    ("interactive_s", "interactive s", ".2f"),
    ("frames", "frames", "d"),
    ("frame_ms", "frame ms", ".1f"),
    ("frame_p95_ms", "95 %", ".1f"),
    ("frame_p99_ms", "99 %", ".1f"),
    ("frame_longest_ms", "longest", ".1f"),
    ("late", "late", "d"),
    ("tab_mib", "tab MiB", ".0f"),
    ("server_mib", "server MiB", ".0f"),
)


def run(_device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: the way with each backbone, the first load, many images at once, scrolling."""
    if CHROMIUM is None:
        return {"skipped": "needs Chromium"}, []
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        place = Path(temporary) / "server"
        for name, backbone, material in _beds(Path(temporary), quick):
            rounds = []
            for number in range(1 if quick else ROUNDS):
                progress(f"the way with {name}, round {number + 1}")
                rounds.append(parts.way(browser, place, backbone, material))
            rows.append({"what": "the way", "backbone": name, **parts.medians(rounds), "rounds": rounds})
        progress("first load")
        rows += parts.first_load(browser, place)
        small, large, scrolled = (60, 6, 400) if quick else (MANY, LARGE, SCROLLED)
        for what, made in (
            ("small", many(place.parent / "small", small)),
            ("large", photos(place.parent / "large", large)),
        ):
            progress(f"{len(made)} {what} images dropped")
            rows.append(
                {"what": f"{what} ones dropped", "backbone": "mini", **parts.dropped(browser, place, made)}
            )
        progress(f"{scrolled} images scrolled")
        rows.append({"what": "scrolled", "backbone": "mini", **parts.scrolled(browser, place, scrolled)})
        version = browser.version
    return {**_settings(quick), "chromium": version}, rows


def _beds(place: Path, quick: bool) -> list[tuple[str, str, Any]]:
    """Drawn images with mini; photos with the test bed's model, where they are."""
    beds = [("mini", "mini", drawn_material(place / "drawn"))]
    real = None if quick else real_material()
    if real is not None:
        root = os.environ.get("PROMPTLET_REALBED", "../shared/realbed")
        beds.append(("the test bed's", str(Path(root).resolve() / "model"), real))
    return beds


def _settings(quick: bool) -> dict[str, Any]:
    return {
        "rounds": 1 if quick else ROUNDS,
        "the way": "4 classes of 5 images dropped as a folder of folders, the one button, one image asked; "
        "there, result: from the drop; answer: from dropping that image; medians of rounds",
        "images": "drawn, 64 x 64, with mini; photos of Caltech101 with the test bed's model, no CLIP",
        "small, large": "64 x 64, which are sent as they are; 4000 x 3000, which the browser makes smaller",
        "first load": "from opening the address to a dialog that a click opened; ready: DOMContentLoaded",
        "scrolled": f"{parts.TURNS} turns of the wheel by {parts.WHEEL} pixels, {parts.PAUSE} ms apart; "
        "late: frames beyond 50 ms",
        "window": f"{parts.WINDOW['width']} x {parts.WINDOW['height']}",
        "cores": "browser, server and what drives them share them",
    }
