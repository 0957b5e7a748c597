"""Damaged and hostile data inputs, the same in every run: made one by one, read, and judged.

``python damage.py FOLDER COUNT`` reads COUNT inputs of every kind and prints what came of it as JSON, so that a
test can measure a process that does nothing else.
"""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import sys
import time
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from promptlet.backbones.image.preprocess import ImageSpec, augmented_view, preprocess
from promptlet.data import load_dataset, open_image
from promptlet.errors import PromptletError

SPECS = (
    ImageSpec("shortest", (32, 32), (32, 32), 3, (0.5,) * 3, (0.5,) * 3),
    ImageSpec("exact", (32, 32), None, 2, (0.5,) * 3, (0.5,) * 3),
    ImageSpec("patches", (64, 64), None, 2, (0.5,) * 3, (0.5,) * 3, patch_size=16, max_patches=16),
)
FORMATS = ("png", "jpg", "gif", "bmp", "webp", "tif", "ppm", "avif", "jp2")
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
        *(np.full((8, 4), 1e25), np.full((8, 4), 1e-40), np.zeros((2,) * 20), np.array(["a"] * 8, "U9999")),
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
                    else magic + bytes(int(draw.choice([0, 128, 1 << 25])))
                )
            archive.writestr(name, data)
    return new.getvalue()


def split_files(draw: Draw, folder: Path) -> Iterator[Path]:
    path = folder / "split_zhou_Fuzz.json"
    while True:
        rows: list[Any] = [[f"{i}.png", i % 2, "cat dog".split()[i % 2]] for i in range(6)]
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
            *([f"{i}.png", "cat dog".split()[i % 2], "train"] for i in range(6)),
        ]
        for _ in range(int(draw.integers(0, 3))):
            rows[int(draw.integers(0, 7))][int(draw.integers(0, 3))] = str(odd(draw))
        text = "\n".join(mark.join(row) for row in rows).encode("utf-8", "surrogatepass")
        text = text.decode("utf-8", "replace").encode("utf-16") if draw.random() < 0.05 else text
        path.write_bytes(damaged(draw, text) if draw.random() < 0.5 else text)
        yield path


def trees(draw: Draw, folder: Path) -> Iterator[Path]:
    """Folders of images, with names and things that folders of images do not have."""
    number = 0
    names = [
        b"cat",
        b"dog",
        b"train",
        b"test",
        b"\xff\xfe",
        b"a\nb",
        b"\x1b[31m",
        b".hidden",
        b"__MACOSX",
        b"x.jpg",
        b"cat_",
    ]
    while True:
        number += 1
        root = os.fsencode(folder / f"tree{number}")
        os.mkdir(root)
        for name in (b"cat", b"dog") if draw.random() < 0.8 else ():
            os.mkdir(os.path.join(root, name))
            Image.new("RGB", (9, 7), "red").save(os.fsdecode(os.path.join(root, name, b"0.png")))
        for _ in range(int(draw.integers(1, 6))):
            parts = [
                names[int(i)]
                for i in draw.integers(0, int(draw.choice([2, len(names)])), draw.integers(1, 4))
            ]
            place = os.path.join(root, *parts)
            try:
                os.makedirs(place, exist_ok=True)
                _put(draw, place)
            except OSError:  # it is there already, as something else
                continue
        yield Path(os.fsdecode(root))


def _put(draw: Draw, place: bytes) -> None:
    target = os.path.join(
        place, [b"1.png", b"\xfe.jpg", b"2.JPG", b"a b.png", b"n\n.png"][int(draw.integers(0, 5))]
    )
    match draw.integers(0, 8):
        case 0:
            os.mkfifo(target)
        case 1:
            os.symlink(b"/dev/zero", target)
        case 2:
            os.symlink(target, target)
        case 3:
            os.mkdir(target)
        case 4:
            os.symlink(b"..", os.path.join(place, b"loop"))
        case 5:
            with open(target, "wb"):
                pass
        case _:
            Image.new("RGB", (9, 7), "red").save(os.fsdecode(target), "PNG")


def pictures(draw: Draw, folder: Path) -> Iterator[Path]:
    plain = Image.fromarray(draw.integers(0, 256, (40, 30, 3)).astype(np.uint8))
    sound = {}
    for suffix in FORMATS:
        for mode in ("RGB", "L", "P", "RGBA", "1", "CMYK", "I;16"):
            stored = io.BytesIO()
            try:
                plain.convert(mode if mode != "I;16" else "L").convert(mode).save(stored, _format(suffix))
            except (OSError, ValueError, KeyError):
                continue
            sound[suffix, mode] = stored.getvalue()
    keys = list(sound)
    sides = (0, 1, 2, 99_999, 1_000_000, 2**31 - 1, 10_000, 65_535)
    while True:
        suffix, mode = keys[int(draw.integers(0, len(keys)))]
        content = sound[suffix, mode]
        if draw.random() < 0.2:
            size = [sides[int(i)] for i in draw.integers(0, len(sides), 2)]
            content = _png(draw, *size)
            suffix = "png"
        elif draw.random() < 0.9:
            head = int(draw.integers(0, 200))  # headers are the more dangerous part
            content = (
                damaged(draw, content[:head]) + content[head:]
                if draw.random() < 0.6
                else damaged(draw, content)
            )
        path = folder / f"p.{suffix}"
        path.write_bytes(content)
        yield path


def _format(suffix: str) -> str:
    return {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(suffix, suffix.upper())


def _png(draw: Draw, width: int, height: int) -> bytes:
    """A PNG that claims a size, with sound checksums, and texts or a profile of any length."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    depth, colour = [(1, 0), (8, 0), (8, 2), (16, 0), (8, 3), (8, 6), (16, 6), (3, 9)][
        int(draw.integers(0, 8))
    ]
    parts = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(draw.integers(0, 2))))
    ]
    long = zlib.compress(b"x" * int(draw.choice([10, 1 << 21, 1 << 24])))
    parts += [
        [b"", chunk(b"zTXt", b"k\0\0" + long), chunk(b"iCCP", b"k\0\0" + long), chunk(b"PLTE", bytes(9))][
            int(draw.integers(0, 4))
        ]
    ]
    raw = bytes(min(width * height, int(draw.choice([0, 10, 1 << 20]))))
    parts += [chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


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
        labels = [str(odd(draw)) if draw.random() < 0.1 else "cat dog".split()[i % 2] for i in range(6)]
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


def read_set(path: Path) -> None:
    load_dataset(path)


def read_known(root: Path) -> None:
    for name in ("oxford_flowers", "oxford_pets"):
        try:
            load_dataset(name, root)
        except PromptletError:
            continue


def read_picture(path: Path) -> None:
    image = open_image(path)
    for spec in SPECS:
        preprocess(image, spec)
        augmented_view(image, spec, "picture", 1)


def read_tree(root: Path) -> None:
    from promptlet.data.doctor import examine

    load_dataset(root)
    examine(str(root), open_images=True)


KINDS: dict[str, tuple[Callable[[Draw, Path], Iterator[Path]], Callable[[Path], None]]] = {
    "feature files": (feature_files, read_set),
    "split files": (split_files, read_set),
    "tables": (tables, read_set),
    "folders": (trees, read_tree),
    "pictures": (pictures, read_picture),
    "known data sets": (known_sets, read_known),
    "parquet": (parquet_files, read_set),
}


def judge(kind: str, folder: Path, count: int, seed: int = 0) -> dict[str, Any]:
    """What came of ``count`` inputs of a kind: how many were read and refused, the longest time, and faults."""
    make, read = KINDS[kind]
    folder.mkdir(parents=True)
    for i in range(6):
        Image.new("RGB", (9, 7), "red").save(folder / f"{i}.png")
    found: dict[str, Any] = {"read": 0, "refused": 0, "slowest": 0.0, "faults": []}
    paths = make(np.random.default_rng(seed), folder)
    for number in range(count):
        path = next(paths)
        start = time.perf_counter()
        try:
            read(path)
            found["read"] += 1
        except PromptletError as error:
            found["refused"] += 1
            if len(str(error)) > 20_000:
                found["faults"].append(f"{kind} {number}: a message of {len(str(error))} characters")
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            found["faults"].append(f"{kind} {number}: {error!r} in {at.filename}:{at.lineno}"[:400])
        found["slowest"] = max(found["slowest"], time.perf_counter() - start)
    return found


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    kinds = sys.argv[3:] or list(KINDS)
    judge(kinds[0], folder / "warm", 3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {kind: judge(kind, folder / kind, count, seed=1) for kind in kinds}
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"kinds": found, "megabytes": (after - before) / 1024}))


if __name__ == "__main__":
    main()
