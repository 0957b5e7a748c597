"""`promptlet.evaluate`, against `score`, scikit-learn and counts by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

import promptlet
from promptlet.backbones import Backbone
from promptlet.classifier import PromptClassifier
from promptlet.data import FeatureFile, read_folder
from promptlet.errors import DataError, OptionError
from promptlet.evaluation import paired_difference, wilson
from promptlet.features import encode_images
from promptlet.own_images.evaluating.page import evaluation_html, of_classifier

COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200), "dark_green": (10, 90, 20)}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three classes in two parts; noise, so that not all are answered rightly."""
    draw = np.random.default_rng(0)
    for part, count in (("train", 3), ("test", 6)):
        for name, colour in COLOURS.items():
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                noisy = np.clip(draw.normal(colour, 110, (40, 40, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(folder / f"{index}.png")
    return tmp_path / "photos"


@pytest.fixture
def classifier(photos: Path, tiny_backbone: Backbone) -> PromptClassifier:
    return PromptClassifier(tiny_backbone, "coop", epochs=2, cache=False).fit(photos)


def test_its_numbers_are_those_of_score_and_scikit_learn(photos: Path, classifier: PromptClassifier) -> None:
    found = promptlet.evaluate(classifier, photos)
    items = read_folder(photos).test
    labels = [item.class_name for item in items]
    said = classifier.predict([item.path for item in items]).tolist()
    said = [name.replace("_", " ") for name in said]
    assert [one.said for one in found.images] == said and found.part == "test"
    assert found.accuracy == pytest.approx(100 * classifier.score(photos)) == found.strict_accuracy
    assert found.accuracy == pytest.approx(100 * accuracy_score(labels, said)) and 0 < found.accuracy < 100
    assert found.macro_f1 == pytest.approx(100 * f1_score(labels, said, average="macro"))
    assert (found.low, found.high) == wilson(round(found.accuracy * 18 / 100), 18)
    assert found.chance == pytest.approx(100 / 3) == found.majority
    assert sum(one.count for one in found.classes) == 18 == found.matrix.sum()
    assert found.worst(99)[0].probability == max(one.probability for one in found.images if not one.right)
    assert len(found.worst(99)) == 18 - found.hits.sum() == sum(one.count for one in found.confused(99))
    assert "of 18 images of 3 classes" in repr(found) and len(repr(found)) < 120


def test_its_facts_are_plain(photos: Path, classifier: PromptClassifier) -> None:
    found = promptlet.evaluate(classifier, photos)
    facts = json.loads(json.dumps(found.facts(), allow_nan=False))
    assert facts["images"] == 18 and facts["right"] == found.hits.sum()
    assert [one["path"] for one in facts["wrong"]] == [one.path for one in found.worst(99)]
    assert facts["thresholds"][0]["share"] == 100


def test_the_names_alone_are_held_beside_it(
    photos: Path, classifier: PromptClassifier, tiny_backbone: Backbone
) -> None:
    found = promptlet.evaluate(classifier, photos)
    alone = PromptClassifier(tiny_backbone, "zero_shot", cache=False).fit(photos)
    items = read_folder(photos).test
    labels = np.array([item.class_name for item in items])
    names = np.char.replace(alone.predict([item.path for item in items]).astype(str), "_", " ")
    assert found.zero_shot == pytest.approx(100 * float(np.mean(names == labels)))
    assert (found.gain_low, found.gain_high) == paired_difference(found.hits, names == labels)
    judged = promptlet.evaluate(alone, photos)
    assert judged.accuracy == found.zero_shot and judged.zero_shot is None
    assert classifier.cache is False and classifier.on_encode is None


@pytest.mark.slow
def test_a_file_images_with_labels_and_features_give_the_same(
    photos: Path, classifier: PromptClassifier, tiny_backbone: Backbone, tmp_path: Path
) -> None:
    expected = promptlet.evaluate(classifier, photos)
    split = read_folder(photos)
    paths = [item.path for item in split.test]
    labels = [item.class_name.upper().replace(" ", "_") for item in split.test]  # as score reads them
    given = promptlet.evaluate(classifier, paths, labels)
    assert given.accuracy == expected.accuracy and given.part == "all"
    vectors = encode_images(tiny_backbone, [item.path for item in split.every_item])[0]
    rows = promptlet.evaluate(classifier, FeatureFile.of(split, vectors))
    assert [one.said for one in rows.images] == [one.said for one in expected.images]
    assert [one.path for one in rows.images] == [str(path) for path in paths]
    page = evaluation_html(rows)
    assert "data:image/jpeg" not in page and "no picture" not in page and rows.worst()[0].path in page


def test_labels_come_as_score_takes_them(photos: Path, tiny_backbone: Backbone) -> None:
    import pandas as pd

    split = read_folder(photos)
    images = [str(item.path) for item in split.test]
    numbers = [item.label for item in split.test]
    by_number = PromptClassifier(tiny_backbone, "zero_shot", cache=False, label_names=split.class_names)
    by_number.fit([item.path for item in split.train], [item.label for item in split.train])
    found = promptlet.evaluate(by_number, images, numbers)
    assert found.accuracy == pytest.approx(100 * by_number.score(images, numbers))
    assert found.class_names == split.class_names
    frame = pd.DataFrame({"image": images, "label": [split.class_names[number] for number in numbers]})
    assert promptlet.evaluate(by_number, frame).accuracy == found.accuracy
    pairs = list(zip(images, frame["label"], strict=True))
    assert promptlet.evaluate(by_number, pairs).images == found.images


def test_parts_are_chosen_and_a_folder_without_a_test_part_is_told(
    photos: Path, classifier: PromptClassifier
) -> None:
    assert len(promptlet.evaluate(classifier, photos, part="train").images) == 9
    assert len(promptlet.evaluate(classifier, photos, part="all").images) == 27
    whole = promptlet.evaluate(classifier, photos / "test")
    assert whole.part == "all" and any("too good" in note for note in whole.notes)
    assert not any("too good" in note for note in promptlet.evaluate(classifier, photos).notes)
    with pytest.raises(DataError, match=r"part val holds no images.*train, test"):
        promptlet.evaluate(classifier, photos, part="val")
    with pytest.raises(OptionError, match="tset"):
        promptlet.evaluate(classifier, photos, part="tset")


def test_classes_that_were_not_asked_are_left_out_and_told(
    photos: Path, classifier: PromptClassifier
) -> None:
    (photos / "test" / "red").rename(photos / "test" / "pink")
    (photos / "train" / "red").rename(photos / "train" / "pink")
    found = promptlet.evaluate(classifier, photos)
    assert (found.unknown_classes, found.missing_classes) == ({"pink": 6}, ("red",))
    assert len(found.images) == 12 and len(found.strangers) == 6
    assert all(one.right is None for one in found.strangers)
    assert found.strict_accuracy == pytest.approx(100 * classifier.score(photos))
    assert found.strict_accuracy == pytest.approx(found.accuracy * 12 / 18)
    own = promptlet.evaluate(classifier, photos, names="data")
    assert own.class_names == ("blue", "dark green", "pink") and len(own.images) == 18
    some = promptlet.evaluate(classifier, photos, class_names=["blue", "PINK"])
    assert (len(some.images), some.unknown_classes) == (12, {"dark green": 6})


def test_images_that_cannot_be_read_cost_themselves_alone(photos: Path, classifier: PromptClassifier) -> None:
    expected = promptlet.evaluate(classifier, photos)
    broken = photos / "test" / "red" / "3.png"
    broken.write_bytes(b"no image")
    found = promptlet.evaluate(classifier, photos)
    assert list(found.unreadable) == [str(broken)] and "no image" in found.unreadable[str(broken)]
    others = [(one.path, one.said) for one in expected.images if one.path != str(broken)]
    assert [(one.path, one.said) for one in found.images] == others
    for path in (photos / "test").rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="none of the 18 images could be read"):
        promptlet.evaluate(classifier, photos)


def test_what_cannot_be_judged_is_refused(
    photos: Path, classifier: PromptClassifier, tmp_path: Path, tiny_backbone: Backbone
) -> None:
    with pytest.raises(DataError, match=r"no image is of a class that is asked.*names='data'"):
        promptlet.evaluate(classifier, photos, class_names=["cat", "dog"])
    with pytest.raises(DataError, match="two answers"):
        promptlet.evaluate(classifier, photos, class_names=["cat", "dog"], names="data")
    with pytest.raises(DataError, match="labels are missing"):
        promptlet.evaluate(classifier, [photos / "test" / "red" / "1.png"])
    with pytest.raises(DataError, match="no images given"):
        promptlet.evaluate(classifier, [], [])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="folder of images per class"):
        promptlet.evaluate(classifier, tmp_path / "empty")
    wide: Any = np.ones((2, 99), np.float32)
    with pytest.raises(DataError, match="99 numbers"):
        promptlet.evaluate(classifier, wide, ["red", "blue"])
    classifier.save(tmp_path / "compact.prompt", compact=True)
    nameless = PromptClassifier.load(tmp_path / "compact.prompt", tiny_backbone).set_params(cache=False)
    with pytest.raises(DataError, match="saved without class names"):
        promptlet.evaluate(nameless, photos)
    assert promptlet.evaluate(nameless, photos, names="data").class_names == ("blue", "dark green", "red")


def test_the_page_shows_wrong_images_and_holds_against_hostile_names(
    photos: Path, classifier: PromptClassifier
) -> None:
    (photos / "test" / "blue" / "2.png").write_bytes(b"no image")
    (photos / "test" / "red" / "1.png").rename(photos / "test" / "red" / '<img onerror="x">.png')
    found = promptlet.evaluate(classifier, photos)
    page = evaluation_html(found, "a.prompt", ["<script>", *of_classifier(classifier)])
    assert str(photos.parent) not in page and str(Path(classifier.backbone_.name).parent) not in page
    assert "<script" not in page and "<img onerror" not in page
    assert re.findall(r"(?:src|href)=\"(?!data:|#)", page) == []
    assert page.count("blue/2.png: this is not an image") == 1
    shown = found.worst(60)
    assert page.count("data:image/jpeg") == len(shown) > 0 and page.count("data:image/png") == 2
    assert f"said {shown[0].said}, {100 * shown[0].probability:.0f}" in page


def test_the_page_of_none_wrong_lists_none(photos: Path, classifier: PromptClassifier) -> None:
    sources = sorted(photos.rglob("*.png"))
    page = evaluation_html(promptlet.evaluate(classifier, sources, list(classifier.predict(sources))))
    assert "No image was answered wrongly." in page and 'aria-label="Images answered wrongly"' not in page


@pytest.mark.slow
def test_the_page_of_many_classes_folds_the_matrix(tiny_backbone: Backbone) -> None:
    draw = np.random.default_rng(0)
    names = [f"kind {word}" for word in "abcdefghijklmnopqrstuvwxyz"] + [
        f"sort {word}" for word in "abcdefghi"
    ]
    vectors = draw.normal(size=(140, tiny_backbone.feature_dim)).astype(np.float32)
    zero_shot = PromptClassifier(tiny_backbone, "zero_shot", cache=False).fit(vectors[:70], names * 2)
    found = promptlet.evaluate(zero_shot, vectors, names * 4)
    page = evaluation_html(found)
    assert page.count("data:image/png") == 3 and "all others" in page and "mistakes" in page
    assert page.count('class="upright"') == 16
