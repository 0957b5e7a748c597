"""Images a second and milliseconds of a server under load, beside the same files encoded without a server."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import isolated, models
from benchmarks.clip_folder import make_clip
from benchmarks.serve import load, material
from benchmarks.serve.server import Server, served

CLIENTS = (1, 8, 64)
IMAGES = (1, 4)
SECONDS = 6.0
ROUNDS = 3
IDLE = 100
SETTINGS = ("--set", "recent_bytes=0", "--set", "wait_seconds=60")
COLUMNS = (
    ("backbone", "backbone", "s"),
    ("what", "what", "s"),
    ("clients", "clients", "d"),
    ("images", "images a request", "d"),
    ("images_per_s", "images/s", ".1f"),
    ("share", "of the bare way", ".0%"),
    ("p50_ms", "p50 ms", ".1f"),
    ("p99_ms", "p99 ms", ".1f"),
    ("server_cpu", "server's cores", ".2f"),
    ("other", "other answers", "d"),
)


def run(device: str, quick: bool, progress: Callable[[str], None]) -> tuple[dict[str, Any], list[dict]]:
    """Settings and rows: the bare way, then each number of clients and images, in turns."""
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        backbones = {"mini": "mini"}
        if not quick:
            backbones["ViT-B/16 (random)"] = str(make_clip(place / "clip", quick=False))
        for name, source in backbones.items():
            folder = place / f"bank-{len(rows)}"
            [prompt] = material.write_bank(folder, source, 1)
            with served(folder, source, "--device", device, *SETTINGS) as server:
                rows += _of(name, source, prompt, server, device, quick, progress)
    settings = {
        "seconds": 1.0 if quick else SECONDS,
        "rounds": 1 if quick else ROUNDS,
        "photos": {name: f"JPEG of {size[0]} x {size[1]}" for name, size in material.SIZES.items()},
        "bare way": "encode_images of the same files in a process of its own, while the server is idle",
        "clients": "connections on loopback that ask again once they are answered; they share the cores",
        "wait_seconds": "60 in place of 5, or 64 clients of a large tower are refused",
        "prompt": f"one of {material.CLASSES} classes; no image is remembered",
        "weights": f"random but for mini's, torch seed {models.SEED}",
    }
    return settings, rows


def _of(
    name: str,
    source: str,
    prompt: str,
    server: Server,
    device: str,
    quick: bool,
    progress: Callable[[str], None],
) -> list[dict]:
    seconds, rounds = (1.0, 1) if quick else (SECONDS, ROUNDS)
    size = material.SIZES[name]
    files = material.jpegs(size)
    load.run(server.port, _requests(files, prompt, 2, 4), 4, 1.0)  # once before
    bare: list[dict[str, Any]] = []
    found: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for turn in range(rounds):
        progress(f"{name}, round {turn + 1} of {rounds}")
        given = [source, "auto", device, *size, seconds]
        bare.append(isolated.measured("benchmarks.serve.bare", given, device))
        for images in IMAGES:
            for clients in CLIENTS:
                cpu = server.cpu_s
                told = load.run(server.port, _requests(files, prompt, clients, images), images, seconds)
                found.setdefault((clients, images), []).append(_facts(told, server.cpu_s - cpu))
    alone = _median_of(bare, "images_per_s")
    rows = [
        {"backbone": name, "what": "the bare tower", "images_per_s": _median_of(bare, "tower_images_per_s")},
        {
            "backbone": name,
            "what": "the bare way",
            "images_per_s": alone,
            "share": 1.0,
            "arithmetic": bare[0]["arithmetic"],
        },
        {"backbone": name, "what": "one image, no server", "p50_ms": _median_of(bare, "one_ms")},
        {"backbone": name, "what": "one image, idle server", **_idle(server.port, files, prompt)},
    ]
    for (clients, images), facts in found.items():
        row = {key: _median_of(facts, key) for key in facts[0]} | {
            "other": sum(one["other"] for one in facts)
        }
        share = row["images_per_s"] / alone
        rows.append(
            {"backbone": name, "what": "server", "clients": clients, "images": images, "share": share, **row}
        )
    return rows


def _requests(files: list[bytes], prompt: str, clients: int, images: int) -> list[list[bytes]]:
    """For each client a few requests of ``images`` files; no file is asked twice in a round."""
    found = []
    for client in range(clients):
        own = [files[(client + i) % len(files)] + bytes([client, i, images]) for i in range(max(images, 4))]
        starts = range(0, max(len(own) - images, 0) + 1, images)
        found.append([load.predict(own[start : start + images], [prompt]) for start in starts])
    return found


def _facts(told: load.Load, cpu: float) -> dict[str, Any]:
    return {
        "images_per_s": told.rate,
        "p50_ms": 1000 * told.percentile(50),
        "p99_ms": 1000 * told.percentile(99),
        "server_cpu": cpu / told.wall,
        "other": sum(count for status, count in told.statuses.items() if status != 200),
    }


def _idle(port: int, files: list[bytes], prompt: str) -> dict[str, Any]:
    """One image after another, each on a connection of its own that is open already."""
    told = load.run(port, [[load.predict([files[0]], [prompt])]], 1, 3.0)
    return {
        "clients": 1,
        "images": 1,
        "p50_ms": 1000 * told.percentile(50),
        "p99_ms": 1000 * told.percentile(99),
    }


def _median_of(rows: list[dict[str, Any]], key: str) -> float:
    return median(row[key] for row in rows)
