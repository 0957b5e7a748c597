"""Zero-shot accuracy of a backbone on every data set of the mini world.

python -m tools.mini_backbone.evaluate      # the shipped one, written into its log
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from promptlet.backbones import load_backbone
from promptlet.features import encode_images
from promptlet.mini.datasets import EVERY_DATASET, PARTS, MiniDataset


def zero_shot_table(source: str) -> list[dict[str, Any]]:
    """One `zero_shot_row` per data set."""
    backbone = load_backbone(source, device="cpu")
    return [zero_shot_row(backbone, dataset) for dataset in EVERY_DATASET.values()]


def zero_shot_row(backbone: Any, dataset: MiniDataset) -> dict[str, Any]:
    """Top-1 in percent on the test pictures of one data set: among all classes, and within each half."""
    names = dataset.class_names
    pictures = [dataset.picture(name, "test", k) for name in names for k in range(PARTS["test"])]
    labels = np.repeat(np.arange(len(names)), PARTS["test"])
    features = torch.from_numpy(encode_images(backbone, pictures)[0])
    texts = backbone.text.encode_texts([dataset.template.format(name) for name in names])
    logits = (F.normalize(features, dim=-1) @ F.normalize(texts, dim=-1).t()).numpy()
    half = -(-len(names) // 2)
    base = labels < half
    return {
        "dataset": dataset.name,
        "classes": len(names),
        "images": len(labels),
        "all": _percent(logits.argmax(1) == labels),
        "base": _percent(logits[base][:, :half].argmax(1) == labels[base]),
        "new": _percent(logits[~base][:, half:].argmax(1) == labels[~base] - half),
    }


def _percent(right: np.ndarray) -> float:
    return round(100 * float(right.mean()), 2)


def main() -> None:
    """Measure the shipped backbone again, after a change of a template or of what is measured."""
    path = Path(__file__).parent / "log.json"
    log = json.loads(path.read_text())
    log["zero_shot"] = zero_shot_table("mini")
    path.write_text(json.dumps(log, indent=1) + "\n")
    for row in log["zero_shot"]:
        print(row)


if __name__ == "__main__":
    main()
