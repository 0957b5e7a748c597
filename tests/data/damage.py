"""Damage, and damaged files of every kind that holds no pictures: the same in every run."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WORDS = (
    b"\0",
    b"\xff",
    b"9" * 30,
    b"-1",
    b"1e999",
    b"\x93NUMPY",
    b'"',
    b"[" * 50,
    b"\xed\xa0\x80",
    b"\n",
    b"\\",
)
ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        10**30,
        0.5,
        float("nan"),
        "",
        "\0",
        "\ud800",
        "..",
        "/etc/passwd",
        "C:\\x",
        "a\\b.png",
    ),
    *([], {}, [[]], "x" * 5000, [None] * 3, {"a": 1}, "/dev/zero", "cat", "\x1b[31m", 2**63),
)
Draw = np.random.Generator


def damaged(draw: Draw, content: bytes) -> bytes:
    """Bits turned, bytes cut out, put in, written over, or the end cut off."""
    data = bytearray(content)
    for _ in range(int(draw.integers(1, 4))):
        at = int(draw.integers(0, max(1, len(data))))
        match draw.integers(0, 5):
            case 0:
                data[at : at + 1] = bytes([(data[at] if data else 0) ^ (1 << int(draw.integers(0, 8)))])
            case 1:
                del data[at : at + int(draw.integers(1, 40))]
            case 2:
                data[at:at] = WORDS[int(draw.integers(0, len(WORDS)))]
            case 3:
                word = WORDS[int(draw.integers(0, len(WORDS)))]
                data[at : at + len(word)] = word
            case _:
                del data[at:]
    return bytes(data)


def odd(draw: Draw) -> Any:
    return ODD[int(draw.integers(0, len(ODD)))]


def feature_files(draw: Draw, folder: Path) -> Iterator[Path]:
    arrays: dict[str, Any] = {
        "features": draw.normal(size=(8, 4)).astype(np.float32),
        "labels": np.arange(8) % 2,
        "class_names": np.array(["cat", "dog"]),
        "split": np.zeros(8, np.int8),
        "paths": np.array([f"{i}.png" for i in range(8)]),
    }
    strange = [
        *(np.zeros((8, 4)), np.full((8, 4), 1e300), np.full((8, 4), np.nan), np.zeros((0, 4)), np.array(5)),
        *(
            np.array(["\0a"] * 8),
            np.array(["\ud800"] * 8),
            np.full(8, 2**64 - 1, np.uint64),
            np.arange(8) - 9,
        ),
        *(np.array([b"a"] * 8), np.zeros(8, "f4,i2"), np.zeros((8, 4), complex), np.zeros(8, "M8[s]")),
        *(np.full((8, 4), 1e25), np.full((8, 4), 1e-40), np.zeros((2,) * 20), np.array(["a"] * 8, "U999")),
        np.array(["x"] * 8, dtype="U4").view(np.uint32).reshape(8, 4).astype("u4").view("U4").ravel(),
    ]
    headers = (
        "(99999999999999999999999,4)",
        "(-8,4)",
        "(8,)",
        "8",
        "(8,4,)",
        "(True,4)",
        "(8.0,4)",
        "((((((8,),),),),),)",
    )
    path = folder / "f.npz"
    while True:
        changed = dict(arrays)
        if draw.random() < 0.5:
            changed[str(draw.choice(list(arrays)))] = strange[int(draw.integers(0, len(strange)))]
        saved = io.BytesIO()
        (np.savez if draw.random() < 0.5 else np.savez_compressed)(saved, **changed)
        content = saved.getvalue()
        match draw.integers(0, 4):
            case 0:
                content = damaged(draw, content)
            case 1:
                content = _repacked(draw, content, str(draw.choice(headers)))
            case 2:
                content = _repacked(draw, content, None)
        path.write_bytes(content)
        yield path


def _repacked(draw: Draw, content: bytes, shape: str | None) -> bytes:
    """The same archive with a damaged member: a header of another shape, or any damage."""
    new = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        chosen = draw.choice(old.namelist())
        for name in old.namelist():
            data = old.read(name)
            if name == chosen:
                head = f"{{'descr':'<f4','fortran_order':False,'shape':{shape}}}\n".encode()
                magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head
                data = (
                    damaged(draw, data)
                    if shape is None
                    else magic + bytes(int(draw.choice([0, 128, 1 << 22])))
                )
            archive.writestr(name, data)
    return new.getvalue()


def split_files(draw: Draw, folder: Path) -> Iterator[Path]:
    path = folder / "split_zhou_Fuzz.json"
    while True:
        rows: list[Any] = [[f"{i}.png", i % 2, ("cat", "dog")[i % 2]] for i in range(6)]
        content: Any = {"train": rows[:2], "val": rows[2:4], "test": rows[4:]}
        for _ in range(int(draw.integers(0, 3))):
            match draw.integers(0, 3):
                case 0:
                    content[str(draw.choice(["train", "val", "test", "more"]))] = odd(draw)
                case 1:
                    rows[int(draw.integers(0, 6))][:] = [odd(draw) for _ in range(int(draw.integers(0, 5)))]
                case _:
                    rows[int(draw.integers(0, 6))][int(draw.integers(0, 3)) : 3] = [odd(draw)]
        text = json.dumps(content).encode("ascii")
        path.write_bytes(damaged(draw, text) if draw.random() < 0.5 else text)
        yield path


def tables(draw: Draw, folder: Path) -> Iterator[Path]:
    while True:
        path = folder / f"t{draw.choice(['.csv', '.tsv'])}"
        mark = "\t" if path.suffix == ".tsv" else str(draw.choice([",", ";"]))
        rows = [
            ["path", "label", "split"],
            *([f"{i}.png", ("cat", "dog")[i % 2], "train"] for i in range(6)),
        ]
        for _ in range(int(draw.integers(0, 3))):
            rows[int(draw.integers(0, 7))][int(draw.integers(0, 3))] = str(odd(draw))
        text = "\n".join(mark.join(row) for row in rows).encode("utf-8", "surrogatepass")
        text = text.decode("utf-8", "replace").encode("utf-16") if draw.random() < 0.05 else text
        path.write_bytes(damaged(draw, text) if draw.random() < 0.5 else text)
        yield path


def known_sets(draw: Draw, folder: Path) -> Iterator[Path]:
    """Annotations of known data sets, damaged: MATLAB's, lists, JSON."""
    from scipy.io import savemat

    number = 0
    while True:
        number += 1
        root = folder / f"known{number}"
        (root / "oxford_flowers/jpg").mkdir(parents=True)
        stored = io.BytesIO()
        savemat(stored, {"labels": np.arange(1, 103)}, do_compression=draw.random() < 0.5)
        (root / "oxford_flowers/imagelabels.mat").write_bytes(damaged(draw, stored.getvalue()))
        (root / "oxford_pets/images").mkdir(parents=True)
        (root / "oxford_pets/annotations").mkdir()
        for part in ("trainval", "test"):
            text = "".join(f"Cat_{i} {i % 37 + 1} 1 1\n" for i in range(80)).encode()
            (root / f"oxford_pets/annotations/{part}.txt").write_bytes(damaged(draw, text))
        yield root


def parquet_files(draw: Draw, folder: Path) -> Iterator[Path]:
    """Parquet and Arrow files as `datasets` writes them, damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    picture = io.BytesIO()
    Image.new("RGB", (9, 7), "red").save(picture, "PNG")
    images = [{"bytes": picture.getvalue(), "path": f"{i}.png"} for i in range(6)]
    number = 0
    while True:
        number += 1
        labels = [str(odd(draw)) if draw.random() < 0.1 else ("cat", "dog")[i % 2] for i in range(6)]
        labels = [label.encode("utf-8", "replace").decode() for label in labels]
        table = pa.table({"image": images, "label": labels})
        stored = io.BytesIO()
        path = folder / f"{number}{draw.choice(['.parquet', '.arrow'])}"
        if path.suffix == ".parquet":
            pq.write_table(table, stored, compression=str(draw.choice(["snappy", "none", "zstd"])))
        else:
            with pa.ipc.new_stream(stored, table.schema) as writer:
                writer.write_table(table)
        path.write_bytes(damaged(draw, stored.getvalue()))
        yield path


def saved_folders(draw: Draw, folder: Path) -> Iterator[Path]:
    """Folders of `datasets`' save_to_disk, one file of which is damaged."""
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    rows = {"image": [Image.new("RGB", (9, 7), "red")] * 6, "label": [0, 1] * 3}
    datasets.disable_progress_bars()
    sound = folder / "sound"
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(sound))
    contents = {path.name: path.read_bytes() for path in sorted(sound.iterdir())}
    for number in count():
        root = folder / f"saved{number}"
        root.mkdir()
        chosen = draw.choice(list(contents))
        for name, content in contents.items():
            (root / name).write_bytes(damaged(draw, content) if name == chosen else content)
        yield Path(f"hf:{root}")
