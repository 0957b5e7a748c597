"""The main job from end to end, offline: images per class -> a prompt -> a small file -> predictions.

    python examples/first_prompt.py [BACKBONE]

Without a BACKBONE (a transformers folder, a hub id, or open_clip:NAME/PRETRAINED) it makes a tiny dual
encoder with RANDOM weights and draws its own images. That shows every step and its files, not what a
pretrained model can do: a random backbone knows no words.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

import promptlet as pl

COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (50, 70, 200), "yellow": (220, 200, 40)}
SHAPES = ("circle", "square")


def draw(colour: str, shape: str, seed: int) -> Image.Image:
    """One 64 x 64 picture: a shape somewhere on a noisy grey ground."""
    random = np.random.default_rng(seed)
    ground = random.normal(128, 25, (64, 64, 3)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(ground)
    size, left, top = random.integers(22, 36), *random.integers(2, 26, 2)
    pen = ImageDraw.Draw(image)
    box = (int(left), int(top), int(left + size), int(top + size))
    (pen.ellipse if shape == "circle" else pen.rectangle)(box, fill=COLOURS[colour])
    return image


def draw_folder(root: Path, images: int, first_seed: int) -> None:
    """A folder of images per class, as anybody's would be."""
    for i, colour in enumerate(COLOURS):
        for j, shape in enumerate(SHAPES):
            folder = root / f"{colour}_{shape}"
            folder.mkdir(parents=True)
            for k in range(images):
                draw(colour, shape, first_seed + 1000 * (2 * i + j) + k).save(folder / f"{k:02d}.png")


def random_backbone(folder: Path) -> str:
    """A tiny dual encoder with random weights, saved as open_clip saves its models."""
    import open_clip
    from safetensors.torch import save_file

    tower = {"width": 64, "layers": 3}
    config = {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 64, "patch_size": 8, "head_width": 32, **tower},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "heads": 2, **tower},
    }
    preprocess = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    torch.manual_seed(0)
    model = open_clip.CLIP(**config)
    folder.mkdir()
    settings = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(settings))
    save_file(
        {name: t.contiguous() for name, t in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    return f"open_clip:{folder}"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        draw_folder(root / "train", images=16, first_seed=0)
        draw_folder(root / "test", images=25, first_seed=10**6)
        source = sys.argv[1] if len(sys.argv) > 1 else random_backbone(root / "random-backbone")
        backbone = pl.load_backbone(source)
        print(
            f"backbone: {source}" + ("" if len(sys.argv) > 1 else "  (random weights: shows the steps only)")
        )
        for method in ("zero_shot", "coop", "rlp"):
            classifier = pl.PromptClassifier(backbone=backbone, method=method, cache=False)
            classifier.fit(root / "train")
            size = classifier.save(root / f"{method}.prompt")
            count = classifier.method_.trainable_count()
            accuracy = 100 * classifier.score(root / "test")
            print(
                f"{method:10s} {count:6d} numbers learned  {size:6d} bytes  test accuracy {accuracy:5.1f} %"
            )
        again = pl.PromptClassifier.load(root / "rlp.prompt", backbone=backbone)
        picture = root / "test" / "blue_circle" / "00.png"
        print(f"{picture.parent.name}/{picture.name} is: {again.predict(picture)[0]}")
        names = ["blue circle", "blue triangle", "orange square"]
        chances = again.predict_proba(picture, class_names=names)[0]
        print("among other names:", ", ".join(f"{n} {p:.2f}" for n, p in zip(names, chances, strict=True)))
    print(
        "With your own images: promptlet fit FOLDER --out my.prompt --backbone openai/clip-vit-base-patch16"
    )


if __name__ == "__main__":
    main()
