"""What was said of photos that were held back, kept beside the project for its report."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from promptlet.own_images.estimating.out_of_fold import OutOfFold
from promptlet.own_images.material import Material
from promptlet.promptfile.files import write_whole

FILE: Final = ".answers.npz"
MOST_BYTES: Final = 1 << 30


@dataclass(frozen=True, eq=False)
class Answers:
    """images (N,): ids. targets (N,) and probabilities (N, C) are of classes as in class_names (C,). digest:
    of the prompt file that was trained with them."""

    digest: str
    class_names: tuple[str, ...]
    images: tuple[str, ...]
    targets: np.ndarray
    probabilities: np.ndarray


def answers_of(
    digest: str, class_names: tuple[str, ...], material: Material, said: OutOfFold, ids: dict[str, str]
) -> Answers:
    """Of those images that were asked about, and are known by their path. class_names: in the order to be
    told."""
    order = np.array([material.class_names.index(name) for name in class_names])
    place = np.argsort(order)
    rows = [row for row in np.flatnonzero(said.asked) if str(material.sources[row]) in ids]
    return Answers(
        digest,
        class_names,
        tuple(ids[str(material.sources[row])] for row in rows),
        place[material.targets[rows]],
        said.probabilities[rows][:, order],
    )


def write_answers(folder: Path, answers: Answers) -> None:
    """Raises OSError."""
    out = io.BytesIO()
    np.savez(
        out,
        digest=np.array(answers.digest),
        class_names=np.array(answers.class_names),
        images=np.array(answers.images, "U16"),
        targets=answers.targets.astype(np.int32),
        probabilities=answers.probabilities.astype(np.float16),
    )
    write_whole(folder / FILE, out.getvalue())


def read_answers(folder: Path) -> Answers | None:
    """None where there are none, or what is there is damaged."""
    path = folder / FILE
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        with np.load(path, allow_pickle=False) as found:
            return _checked(found)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _checked(found: Any) -> Answers:
    names, images = tuple(found["class_names"].tolist()), tuple(found["images"].tolist())
    targets, probabilities = found["targets"], found["probabilities"].astype(np.float32)
    is_whole = probabilities.shape == (len(images), len(names)) and targets.shape == (len(images),)
    if not is_whole or not (len(images) and targets.min() >= 0 and targets.max() < len(names)):
        raise ValueError("it is not whole")
    return Answers(str(found["digest"]), names, images, targets, probabilities)
