"""The browser example's preprocessing and its reader of NumPy's files, run by Node: to the last bit what the
library has."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image

from promptlet.decoding.pixels import View, decode
from promptlet.preprocessing.spec import ImageSpec

EXAMPLE = Path(__file__).parents[2] / "examples" / "browser"
NODE = shutil.which("node")
pytestmark = [
    pytest.mark.page,
    pytest.mark.skipif(NODE is None, reason="needs Node, which comes with npm: make test-page"),
    pytest.mark.skipif(
        int(PIL.__version__.split(".")[0]) < 13, reason="the example resizes as Pillow 13 does: in this order"
    ),
]
SIZES = ((64, 64), (313, 207), (207, 313), (40, 30), (31, 500), (900, 33), (1, 7), (65, 66))
FACTS = "é € 😀 " * 50
RUN = """
import { readFileSync, writeFileSync } from "node:fs";
import { preprocess, whyNot } from "./pixels.mjs";
import { readNpz } from "./arrays.mjs";
const asked = JSON.parse(readFileSync("asked.json"));
const found = [];
for (const { file, width, height, spec } of asked.pictures) {
  const { values } = preprocess({ width, height, data: readFileSync(file) }, spec);
  found.push(Array.from(new Uint32Array(values.buffer)));
}
const npz = [];
for (const name of asked.npz) {
  const arrays = await readNpz(new Uint8Array(readFileSync(name)));
  const { shape, data } = arrays.classes;
  npz.push({ facts: arrays.facts.data, shape, first: Array.from(data.slice(0, 4)) });
}
writeFileSync("found.json", JSON.stringify({ found, npz, why: asked.specs.map(whyNot) }));
"""


def spec(**given: Any) -> dict[str, Any]:
    usual = {
        "resize": "shortest",
        "size": [32, 32],
        "filter": "bicubic",
        "crop": [32, 32],
        "crop_rounding": "down",
        "scale": 1 / 255,
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "std": [0.26862954, 0.26130258, 0.27577711],
    }
    return {**usual, **given}


SPECS = (
    spec(),
    spec(crop=[28, 31], crop_rounding="nearest"),
    spec(resize="exact", size=[24, 40], crop=None, filter="bilinear"),
    spec(size=[20, 20], crop=[32, 33]),
)


def own(told: dict[str, Any]) -> ImageSpec:
    kind = Image.Resampling[told["filter"].upper()]
    more = {key: told[key] for key in ("resize", "crop_rounding", "scale")}
    crop = None if told["crop"] is None else tuple(told["crop"])
    return ImageSpec(
        size=tuple(told["size"]), crop=crop, resample=int(kind), mean=told["mean"], std=told["std"], **more
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[tuple[Path, dict[str, Any]]]]:
    folder = tmp_path_factory.mktemp("node")
    for name in ("pixels", "arrays"):
        shutil.copy(EXAMPLE / f"{name}.js", folder / f"{name}.mjs")
    draw = np.random.default_rng(0)
    asked, pictures = [], []
    for width, height in SIZES:
        levels = draw.integers(0, 256, (height, width, 4)).astype(np.uint8)
        Image.fromarray(levels[..., :3]).save(folder / f"{width}x{height}.png")
        levels.tofile(folder / f"{width}x{height}.rgba")
        for one in SPECS:
            asked.append({"file": f"{width}x{height}.rgba", "width": width, "height": height, "spec": one})
            pictures.append((folder / f"{width}x{height}.png", one))
    arrays = {"facts": np.array(FACTS), "classes": np.arange(12, dtype=np.float32).reshape(3, 4)}
    np.savez(folder / "plain.npz", **arrays)
    np.savez_compressed(folder / "small.npz", **arrays)
    others = [None, spec(resize="patches"), spec(resize="none"), spec(filter="lanczos"), spec()]
    document = {"pictures": asked, "npz": ["plain.npz", "small.npz"], "specs": others}
    (folder / "asked.json").write_text(json.dumps(document))
    (folder / "run.mjs").write_text(RUN)
    subprocess.run([str(NODE), "run.mjs"], cwd=folder, check=True, capture_output=True, text=True)
    return json.loads((folder / "found.json").read_text()), pictures


def test_pixel_values_are_the_librarys(ran: Any) -> None:
    for found, (path, told) in zip(ran[0]["found"], ran[1], strict=True):
        want = decode(View(path, str(path), "", 0), own(told), is_reduced=False)
        values = np.array(found, np.uint32).view(np.float32).reshape(want.shape)
        assert np.array_equal(values, want), (path.name, told)


def test_files_of_numpy_are_read_packed_and_plain(ran: Any) -> None:
    want = {"facts": FACTS, "shape": [3, 4], "first": [0, 1, 2, 3]}
    assert ran[0]["npz"] == [want, want]


def test_what_it_cannot_prepare_it_says(ran: Any) -> None:
    assert ran[0]["why"] == [
        "these class vectors are of features, not of pictures",
        "pictures are resized in another way (patches)",
        "pictures are resized in another way (none)",
        "its filter is lanczos",
        "",
    ]
