"""The mini world: pictures from seeds, classes told apart, captions in the words of class names."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from mini_golden import GOLDEN, TOLERANCE, block_means

from promptlet.data.items import check_class_names
from promptlet.mini.datasets import EVERY_DATASET, MINI_DATASETS, PARTS, VERSION, MiniDataset
from promptlet.mini.families import FAMILIES
from promptlet.mini.names import EVERY_NAME, HARDER_NAMES, MINI_NAMES, MIRRORS, SHIFT_NAMES
from promptlet.mini.pen import CANVAS, INK, PAPER, Pen, ellipse_points, new_canvas
from promptlet.mini.scene import RENDITIONS, STYLES, picture
from promptlet.rng import generator

DATASETS = list(MINI_DATASETS.values())
BY_NAME = pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
TO_LEARN = [*DATASETS, *(EVERY_DATASET[name] for name in HARDER_NAMES)]
BY_NAME_TO_LEARN = pytest.mark.parametrize("dataset", TO_LEARN, ids=lambda dataset: dataset.name)


def pixels(dataset: MiniDataset, name: str, part: str, number: int) -> np.ndarray:
    return np.asarray(dataset.picture(name, part, number))


def test_eleven_and_four_and_six() -> None:
    assert (len(MINI_NAMES), len(HARDER_NAMES)) == (11, 6)
    assert (*MINI_NAMES, *SHIFT_NAMES, *HARDER_NAMES) == EVERY_NAME
    assert tuple(f"mini-general-{shift}" for shift in ("v2", "sketch", "hard", "rendition")) == SHIFT_NAMES
    assert len(set(MIRRORS.values())) == 15
    assert len({dataset.about for dataset in EVERY_DATASET.values()}) == 21
    general = EVERY_DATASET["mini-general"]
    for name in SHIFT_NAMES:
        assert EVERY_DATASET[name].class_names == general.class_names
        assert EVERY_DATASET[name].parts == ("test",)
    assert max(len(d.class_names) for d in DATASETS) == len(general.class_names) >= 50


@pytest.mark.parametrize("name", EVERY_NAME)
def test_pictures_are_as_they_were(name: str) -> None:
    golden = json.loads(GOLDEN.read_text())
    assert golden["version"] == VERSION, "run tests/mini/mini_golden.py"
    np.testing.assert_allclose(block_means(EVERY_DATASET[name]), golden["pictures"][name], atol=TOLERANCE)


@BY_NAME_TO_LEARN
def test_classes_have_good_names(dataset: MiniDataset) -> None:
    names = dataset.class_names
    assert check_class_names(names) == names
    assert len(names) >= 10
    assert all(re.fullmatch(r"[a-z]+( [a-z]+){0,6}", name) for name in names)
    assert "{}" in dataset.template


@BY_NAME_TO_LEARN
def test_pictures_come_from_their_number_alone(dataset: MiniDataset) -> None:
    name = dataset.class_names[0]
    first = pixels(dataset, name, "train", 0)
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    assert np.array_equal(first, pixels(dataset, name, "train", 0))
    others = [pixels(dataset, name, "train", 1), pixels(dataset, name, "test", 0)]
    others.append(pixels(dataset, dataset.class_names[1], "train", 0))
    assert not any(np.array_equal(first, other) for other in others)
    assert first.std() > 5


def test_the_same_pictures_in_another_process() -> None:
    """Nothing depends on the hash seed, the order of imports or what was drawn before."""
    code = (
        "import hashlib; from promptlet.mini.datasets import EVERY_DATASET as every;"
        "print(hashlib.sha256(b''.join(d.picture(d.class_names[-1], 'test', 3).tobytes() "
        "for d in every.values())).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


@BY_NAME
def test_every_class_can_be_drawn_in_every_style(dataset: MiniDataset) -> None:
    for number, name in enumerate(dataset.class_names):
        for style in STYLES.values():
            image = picture(
                dataset.family, dataset.family.CLASSES[name], generator(dataset.name, number), style
            )
            assert image.size == (64, 64)


@BY_NAME
def test_captions_know_the_words_of_class_names(dataset: MiniDataset) -> None:
    """Every word of a class name is in some caption, and no caption is always the class name."""
    rng = np.random.default_rng(0)
    for name in dataset.class_names:
        spec = dataset.family.CLASSES[name]
        captions = [dataset.family.caption(spec, rng) for _ in range(80)]
        words = {word for caption in captions for word in re.findall(r"[a-z]+", caption)}
        assert set(name.split()) <= words
        assert len(set(captions)) > 1


@BY_NAME
def test_pretraining_sees_more_than_the_classes(dataset: MiniDataset) -> None:
    rng = np.random.default_rng(0)
    drawn = {str(dataset.family.sample(rng)) for _ in range(400)}
    assert len(drawn) >= min(20, len(dataset.class_names))
    assert np.asarray(picture(dataset.family, dataset.family.sample(rng), rng, STYLES["web"])).std() > 0


@pytest.mark.parametrize("name", FAMILIES)
def test_sketches_are_ink_on_paper(name: str) -> None:
    """No colour gives a class away in a line drawing."""
    family = FAMILIES[name]
    for number, title in enumerate(family.CLASSES):
        canvas = new_canvas()
        family.draw(Pen(canvas, sketch=True), family.CLASSES[title], np.random.default_rng(number))
        image = np.asarray(canvas).astype(int)
        assert (image.min((0, 1)) < 90).all(), title
        spread = image.max(-1) - image.min(-1)
        assert spread.max() <= 40, title


def test_the_pen_moves_turns_and_scales() -> None:
    canvas = new_canvas((0, 0, 0))
    pen = Pen(canvas)
    with pen.moved(0.5, 0.0, 0.5, 90), pen.moved(0.5, 0.0):  # half a unit along x, turned: down
        pen.ellipse(0, 0, 0.2, 0.2, (255, 255, 255))
    rows, columns = np.nonzero(np.asarray(canvas)[..., 0])
    assert columns.mean() == pytest.approx(0.75 * CANVAS, abs=1.5)
    assert rows.mean() == pytest.approx(0.625 * CANVAS, abs=1.5)
    assert np.ptp(columns) == pytest.approx(0.1 * CANVAS, abs=3)


@pytest.mark.parametrize("pattern", ["striped", "spotted", "checked"])
def test_patterns_stay_inside_their_shape(pattern: str) -> None:
    canvas = new_canvas((0, 0, 0))
    Pen(canvas).patterned(ellipse_points(0, 0, 0.5, 0.5), pattern, (200, 0, 0), (0, 200, 0))
    image = np.asarray(canvas)
    y, x = np.mgrid[:CANVAS, :CANVAS] / (CANVAS / 2) - 1
    outside = np.hypot(x, y) > 0.52
    assert not image[outside].any()
    inside = image[np.hypot(x, y) < 0.45]
    share = (inside[:, 1] > 100).mean()
    assert 0.1 < share < 0.9


@pytest.mark.slow
def test_sketching_pens_use_two_colours() -> None:
    canvas = new_canvas((9, 9, 9))
    Pen(canvas, sketch=True).rect(0, 0, 1, 1, (255, 0, 0))
    assert set(map(tuple, np.asarray(canvas).reshape(-1, 3).tolist())) == {(9, 9, 9), INK, PAPER}


def test_renditions_keep_the_size() -> None:
    image = EVERY_DATASET["mini-general"].picture("apple and book", "test", 0)
    made = [rendition(image) for rendition in RENDITIONS]
    assert all(one.size == (64, 64) and one.mode == "RGB" for one in made)
    assert len({one.tobytes() for one in made}) == len(made)


def test_parts_are_large_enough_for_16_shots() -> None:
    assert PARTS["train"] >= 16 and PARTS["val"] >= 4 and PARTS["test"] >= 20
