"""How RLP's defaults were chosen: what the paper leaves unknown, measured on images outside every test split.

    python benchmarks/rlp_defaults.py --realbed ../shared/realbed --out benchmarks/results/rlp_defaults.json

Development images: Caltech101's own val split; for Tiny-ImageNet, training images not drawn as shots.
Seeds 11 to 13, which no reported result uses. Base and new are the halves of the base-to-new protocol.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from promptlet.backbones import load_backbone
from promptlet.data import FeatureFile, Split, base_new, read_feature_file, sample_shots
from promptlet.evaluation import accuracy, harmonic_mean
from promptlet.methods import Method, build_method
from promptlet.training import resolve_schedule, train

SHOTS = 16


def development(file: FeatureFile, seed: int) -> tuple[tuple[Split, Split], tuple[Split, Split]]:
    """(base, new) with 16-shot training images, and (base, new) whose val holds the development images."""
    drawn = sample_shots(file.split, SHOTS, seed)
    used = {item.row for item in drawn.train}
    held_out = file.split.val or tuple(item for item in file.split.train if item.row not in used)
    return base_new(drawn), base_new(replace(file.split, val=held_out))


def score(method: Method, file: FeatureFile, split: Split) -> float:
    """Accuracy in percent on the development images of ``split``, among its classes."""
    features = torch.from_numpy(file.features[[item.row for item in split.val]].astype(np.float32))
    method.set_classes(split.class_names)
    with torch.no_grad():
        predicted = method.logits(F.normalize(features, dim=-1)).argmax(1).numpy()
    return accuracy(predicted, np.array([item.label for item in split.val]))


def configurations() -> Iterator[dict[str, Any]]:
    """What is compared: zero-shot, CoOp under both schedules, and a grid for RLP."""
    yield {"method": "zero_shot", "schedule": "fast", "options": {}, "changes": {}, "seeds": [11]}
    for schedule in ("fast", "coop"):
        seeds = [11, 12] if schedule == "fast" else [11]
        yield {"method": "coop", "schedule": schedule, "options": {}, "changes": {}, "seeds": seeds}
    for lr in (0.01, 0.03, 0.1):
        for init_std in (0.02, 0.1):
            for dropout in (0.0, 0.1, 0.3):
                options = {"init_std": init_std, "dropout": dropout}
                yield {
                    "method": "rlp",
                    "schedule": "fast",
                    "options": options,
                    "changes": {"lr": lr},
                    "seeds": [11, 12],
                }
    for lr in (0.002, 0.01, 0.05):
        yield {
            "method": "rlp",
            "schedule": "coop",
            "options": {"init_std": 0.02, "dropout": 0.1},
            "changes": {"lr": lr},
            "seeds": [11],
        }


def measure(config: dict[str, Any], file: FeatureFile, seed: int, backbone: Any) -> dict[str, float]:
    """Train once, score base and new development images."""
    (base, _), (dev_base, dev_new) = development(file, seed)
    options = dict(config["options"], **({} if config["method"] == "zero_shot" else {"seed": seed}))
    method = build_method(config["method"], backbone, base.class_names, **options)
    features = torch.from_numpy(file.features[[item.row for item in base.train]].astype(np.float32))
    labels = torch.tensor([item.label for item in base.train])
    schedule = resolve_schedule(config["schedule"], **config["changes"])
    result = train(method, features[None], labels, schedule, seed=seed)
    method.eval()
    return {
        "base": score(method, file, dev_base),
        "new": score(method, file, dev_new),
        "text_passes": result.text_passes,
        "seconds": round(result.seconds, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--realbed", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    backbone = load_backbone(arguments.realbed / "model", device="cpu")
    rows = []
    for name in ("caltech101", "tiny_imagenet"):
        file = read_feature_file(arguments.realbed / "features" / f"{name}.npz")
        for config in configurations():
            runs = [measure(config, file, seed, backbone) for seed in config["seeds"]]
            base, new = (float(np.mean([run[part] for run in runs])) for part in ("base", "new"))
            row = {
                "dataset": name,
                **config,
                "base": base,
                "new": new,
                "H": harmonic_mean(base, new),
                "runs": runs,
            }
            rows.append(row)
            print(
                f"{name:14s} {config['method']:10s} {config['schedule']:5s} {config['changes']} "
                f"{config['options']} "
                f"base {base:.1f} new {new:.1f} H {row['H']:.2f} {runs[0]['seconds']}s",
                flush=True,
            )
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"schema": 1, "fingerprint": backbone.fingerprint, "rows": rows}, indent=1)
            arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
