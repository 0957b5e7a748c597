"""The main job from end to end, offline: images per class -> a prompt -> a small file -> predictions.

    python examples/first_prompt.py [FOLDER [BACKBONE]]

FOLDER holds one folder of images per class, perhaps below train/ and test/; of a folder without test/, every
fourth image is kept for testing. Without FOLDER, drawn flowers are taken (from the mini world). BACKBONE is
a hub id such as openai/clip-vit-base-patch16, a transformers folder, or open_clip:NAME/PRETRAINED; without
it, the small one for drawn pictures that comes with the package.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import promptlet as pl


def main() -> None:
    source, backbone_name = (sys.argv[1:] + ["mini-flowers", "mini"][len(sys.argv) - 1 :])[:2]
    split = pl.data.load_dataset(source)
    if not split.test:
        kept = [i for i in range(len(split.train)) if i % 4 == 3]
        test = tuple(split.train[i] for i in kept)
        train = tuple(item for i, item in enumerate(split.train) if i not in set(kept))
        split = replace(split, train=train, test=test)
    backbone = pl.load_backbone(backbone_name)
    base, new = pl.data.base_new(split)  # train on the first half of the classes, keep the others unseen
    images, labels = [item.path for item in base.train], [item.class_name for item in base.train]

    for method in ("zero_shot", "coop", "rlp"):
        classifier = pl.PromptClassifier(backbone=backbone, method=method).fit(images, labels)
        right = {}
        for half, part in (("base", base), ("new", new)):
            chances = classifier.predict_proba([i.path for i in part.test], class_names=part.class_names)
            right[half] = 100 * (chances.argmax(1) == [i.label for i in part.test]).mean()
        count, base_right, new_right = classifier.method_.trainable_count(), right["base"], right["new"]
        print(f"{method:10s} {count:5d} numbers learned   base {base_right:5.1f} %   new {new_right:5.1f} %")

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "my.prompt"
        print(f"the file has {classifier.save(file):,} bytes")
        again = pl.PromptClassifier.load(file, backbone=backbone)
        picture = base.test[0]
        print(f"{picture.path.parent.name}/{picture.path.name} is: {again.predict([picture.path])[0]}")


if __name__ == "__main__":
    main()
