"""A check of labelled images: each kind of fault is found, and what is sound is not told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from promptlet.backbones import load_backbone
from promptlet.classifier import PromptClassifier
from promptlet.data import Split, load_dataset, read_table, sample_shots
from promptlet.data.load import read_own
from promptlet.errors import OptionError
from promptlet.own_images.checking import result, words
from promptlet.own_images.checking.brief import notes_of
from promptlet.own_images.checking.classes import find_names, find_sizes, what_it_is
from promptlet.own_images.checking.clean import clean_table
from promptlet.own_images.checking.copies import find_copies
from promptlet.own_images.checking.labels import find_doubtful, find_unknown_names, rank_share
from promptlet.own_images.checking.looks import look_at
from promptlet.own_images.checking.result import Finding, Findings, Photo
from promptlet.own_images.checking.run import check, told
from promptlet.own_images.fitting import fit
from promptlet.own_images.material import Material


def drawn(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """A picture with large and small shapes, as a photo has."""
    draw = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(draw.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(14):
        x, y, w, h = (draw.integers(0, size[0], 4) * np.array([1, 0.75, 0.4, 0.4])).tolist()
        pen.ellipse((x, y, x + w + 3, y + h + 3), fill=tuple(draw.integers(0, 256, 3).tolist()))
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 12 training and 4 test images."""
    root = tmp_path / "animals"
    for label, name in enumerate(("cat", "dog")):
        for part, count in (("train", 12), ("test", 4)):
            place = root / part / name
            place.mkdir(parents=True)
            for i in range(count):
                drawn(1000 * label + 100 * (part == "test") + i).save(place / f"{i}.png")
    return root


def quick(root: Path) -> Findings:
    return check(read_own(root, check_files=False), root)


def names(finding: Finding) -> set[str]:
    return {photo.name for photo in finding.photos}


def test_a_sound_folder_has_no_finding(folder: Path) -> None:
    assert quick(folder).found == ()


def test_copies_are_found_however_they_were_saved(folder: Path) -> None:
    cats = folder / "train" / "cat"
    (cats / "copy.png").write_bytes((cats / "0.png").read_bytes())
    with Image.open(cats / "1.png") as image:
        image.save(cats / "other.bmp")
    with Image.open(cats / "2.png") as image:
        image.convert("RGB").save(cats / "again.jpg", quality=60)
    with Image.open(cats / "3.png") as image:
        image.resize((60, 45)).save(cats / "half.png")
    with Image.open(cats / "4.png") as image:
        ImageOps.mirror(image).save(cats / "mirrored.png")
    found = quick(folder)
    pairs = {finding.how: [] for finding in found.found}
    for finding in found.of(result.COPIES):
        pairs[finding.how].append(names(finding))
    assert found.counts() == {result.COPIES: 5}
    assert pairs[result.BYTES] == [{"train/cat/0.png", "train/cat/copy.png"}]
    assert pairs[result.PIXELS] == [{"train/cat/1.png", "train/cat/other.bmp"}]
    assert {"train/cat/2.png", "train/cat/again.jpg"} in pairs[result.NEARLY]
    assert {"train/cat/3.png", "train/cat/half.png"} in pairs[result.NEARLY]
    assert {"train/cat/4.png", "train/cat/mirrored.png"} in pairs[result.NEARLY]


def test_what_was_not_looked_for_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cats = folder / "train" / "cat"
    with Image.open(cats / "4.png") as image:
        ImageOps.mirror(image).save(cats / "mirrored.png")
    assert quick(folder).counts() == {result.COPIES: 1} and quick(folder).notes == ()
    for module in ("copies", "run"):
        monkeypatch.setattr(f"promptlet.own_images.checking.{module}.MOST", 32)
    assert quick(folder).counts() == {} and "near-duplicates were not looked for" in quick(folder).notes[0]


def test_a_photo_in_two_classes_and_one_in_two_parts(folder: Path) -> None:
    (folder / "train/dog/wrong.png").write_bytes((folder / "train/cat/5.png").read_bytes())
    (folder / "train/dog/leak.png").write_bytes((folder / "test/dog/2.png").read_bytes())
    found = quick(folder)
    assert found.counts() == {result.TWO_CLASSES: 1, result.LEAK: 1}
    [both], [leak] = found.of(result.TWO_CLASSES), found.of(result.LEAK)
    assert names(both) == {"train/cat/5.png", "train/dog/wrong.png"} and both.class_names == ("cat", "dog")
    assert names(leak) == {"train/dog/leak.png", "test/dog/2.png"} and "train and test" in leak.text


def test_a_camera_that_stands_still_takes_different_photos() -> None:
    """Only a small thing differs; a copy that was saved again differs far less."""
    pictures = []
    for i in range(40):
        image = drawn(7, (160, 120))
        x, y = 4 * i % 140, 5 + 3 * (i % 30)
        ImageDraw.Draw(image).rectangle((x, y, x + 8, y + 8), fill="white", outline="black", width=2)
        pictures.append(image)
    looks = [look_at(image) for image in pictures]
    photos = [Photo(image, str(i), "train", "part") for i, image in enumerate(pictures)]
    flat = np.stack([look.small.ravel() for look in looks])
    alike = (np.triu(flat @ flat.T, 1) > 0.985).sum()
    assert alike > 40, "the case is as hard as it should be"
    assert len(find_copies(photos, looks)) <= 2


def test_poor_pictures_and_unreadable_ones(folder: Path) -> None:
    cats = folder / "train" / "cat"
    Image.new("RGB", (80, 80), (9, 9, 9)).save(cats / "black.png")
    drawn(50, (20, 30)).save(cats / "tiny.png")
    drawn(51, (400, 60)).save(cats / "long.png")
    (cats / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (cats / "empty.png").write_bytes(b"")
    found = quick(folder)
    assert found.counts() == {result.UNREADABLE: 2, result.UNIFORM: 1, result.TINY: 1, result.ASPECT: 1}
    assert {photo.name for f in found.of(result.UNREADABLE) for photo in f.photos} == {
        "train/cat/bad.jpg",
        "train/cat/empty.png",
    }
    assert str(folder) not in " ".join(finding.text for finding in found.found)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("7", "a number"),
        ("n01440764", "a WordNet id"),
        ("d41d8cd98f00", "a hash"),
        ("猫", ""),
        ("x", "a single letter"),
        ("class 3", "a code"),
        ("IMG 0042", "a code"),
        ("--", "no word"),
        ("New Folder", "no class"),
        ("cat", ""),
        ("ox", ""),
        ("7 up", ""),
        ("facade", ""),
        ("Boeing 737-800", ""),
        ("2012 BMW M3 Coupe", ""),
        ("猫 科", ""),
    ],
)
def test_names_that_are_no_words(name: str, what: str) -> None:
    assert what_it_is(name) == what


def test_a_code_that_the_backbone_knows_is_a_name() -> None:
    assert [f.class_names for f in find_names(["F-16", "B-52"], known=["F-16"])] == [("B-52",)]


def test_small_and_uneven_classes() -> None:
    photos = [Photo(None, str(i), "train", "cat") for i in range(30)]
    photos += [Photo(None, "x", "train", "dog"), Photo(None, "y", "test", "owl")]
    found = find_sizes(["cat", "dog", "owl"], photos)
    assert [(f.kind, f.class_names) for f in found] == [
        (result.FEW, ("dog",)),
        (result.FEW, ("owl",)),
        (result.IMBALANCE, ("cat", "dog")),
    ]
    assert found[0].text == "dog: 1 training image" and found[1].text == "owl: no training images"


def test_doubtful_labels_are_told_the_surest_first() -> None:
    targets = np.array([0, 0, 1, 1, 0])
    rows = np.array([[0.9, 0.1], [0.1, 0.9], [0.02, 0.98], [0.99, 0.01], [np.nan, np.nan]])
    photos = [Photo(None, str(i), "train", "ab"[t]) for i, t in enumerate(targets)]
    found = find_doubtful(photos, targets, rows, ["a", "b"])
    assert [(f.photos[0].name, f.said) for f in found] == [("3", "a"), ("1", "b")]
    assert found[0].score == pytest.approx(0.01 / 0.99)


def test_rank_share_is_the_share_of_pairs() -> None:
    draw = np.random.default_rng(0)
    own, rest = draw.integers(0, 9, 20), draw.integers(0, 9, 30)
    pairs = [(a > b) + 0.5 * (a == b) for a in own for b in rest]
    assert rank_share(own, rest) == pytest.approx(np.mean(pairs))


def test_names_that_tell_nothing() -> None:
    draw = np.random.default_rng(1)
    targets = np.repeat([0, 1], 20)
    scores = draw.normal(size=(40, 2))
    scores[:20, 0] += 5
    scores[:20, 1] += 2  # images of the first fit the name of the second better than its own
    found, known = find_unknown_names(["cat", "blorp"], targets, scores)
    assert [f.class_names for f in found] == [("blorp",)] and known == ["cat"]


def test_the_clean_table_is_read_again(folder: Path, tmp_path: Path) -> None:
    cats = folder / "train" / "cat"
    (cats / "copy.png").write_bytes((cats / "0.png").read_bytes())
    (cats / " =odd, name.png").write_bytes((cats / "1.png").read_bytes())
    (cats / "1.png").unlink()
    (cats / "bad.png").write_bytes(b"nothing")
    (folder / "train/dog/leak.png").write_bytes((folder / "test/dog/2.png").read_bytes())
    (folder / "train/dog/wrong.png").write_bytes((cats / "5.png").read_bytes())
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    clean = clean_table(quick(folder), tmp_path)
    (tmp_path / "clean.csv").write_text(clean.text, encoding="utf-8")
    split = read_table(tmp_path / "clean.csv")
    kept = {told(item.path.resolve(), folder.resolve()) for item in split.every_item}
    every = {told(path, folder) for path in before}
    assert every - kept == {
        "train/cat/copy.png",
        "train/cat/bad.png",
        "train/dog/leak.png",
        "train/dog/wrong.png",
        "train/cat/5.png",
    }
    assert (len(split.train), len(split.test)) == (23, 8) and clean.images == 31
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_class_of_which_nothing_is_left_is_named() -> None:
    photos = tuple(Photo(Path(f"{i}.jpg"), f"{i}.jpg", "train", name) for i, name in enumerate("aab"))
    clean = clean_table(Findings(photos, ("a", "b"), (Finding(result.TWO_CLASSES, "", photos[1:]),)), Path())
    assert clean.emptied == ("b",) and clean.images == 1


def test_the_clean_table_counts_the_images_that_it_goes_without() -> None:
    """Not the photos: of three equal files two go."""
    photos = tuple(Photo(Path(f"{i}.jpg"), f"{i}.jpg", "train", "cat") for i in range(6))
    found = (
        Finding(result.TWO_CLASSES, "", photos[:2]),
        Finding(result.COPIES, "", photos[2:5]),
    )
    left = clean_table(Findings(photos, ("cat",), found), Path()).left_out
    assert words.left_out(left) == "2 of photos in two classes, 2 further copies"
    assert set(words._LEFT_OUT) == {
        result.UNREADABLE,
        result.TWO_CLASSES,
        result.LEAK,
        result.COPIES,
        result.DOUBTFUL,
    }


def test_sizes_name_their_classes_as_such() -> None:
    photos = [Photo(i, f"{i}", "train", "1" if i == 0 else "cat") for i in range(12)]
    (found,) = (f for f in find_sizes(["1", "cat"], photos) if f.kind == result.IMBALANCE)
    assert found.text.startswith("11 training images of class cat, and 1 of class 1: ")


def test_doubtful_images_stay_unless_asked() -> None:
    photos = tuple(Photo(Path(f"{i}.png"), f"{i}.png", "train", "cat") for i in range(3))
    doubtful = Finding(result.DOUBTFUL, "", (photos[1],))
    findings = Findings(photos, ("cat", "dog"), (doubtful,))
    assert clean_table(findings, Path()).images == 3
    assert clean_table(findings, Path(), drop_doubtful=True).left_out == {result.DOUBTFUL: 1}
    features = Findings((Photo(np.ones(3), "a", "train", "cat"),), ("cat", "dog"), ())
    with pytest.raises(OptionError, match="features are none"):
        clean_table(features, Path())


def test_what_a_fit_tells_in_passing(folder: Path) -> None:
    cats = folder / "train" / "cat"
    with Image.open(cats / "2.png") as image:
        image.convert("RGB").save(folder / "train/dog/again.jpg", quality=80)
    paths = [*sorted(cats.iterdir()), *sorted((folder / "train/dog").iterdir())]
    targets = np.array([0] * 12 + [1] * 13)
    hashes = [str(i) for i in range(25)]
    hashes[3] = hashes[20] = "same"
    features = np.random.default_rng(0).normal(size=(25, 128)).astype(np.float32)
    features[paths.index(folder / "train/dog/again.jpg")] = features[paths.index(cats / "2.png")] * 1.001
    features[7] = features[6] * 1.001  # near by features; the pictures are not alike
    backbone = load_backbone("mini")
    material = made(paths, targets, ("cat", "7"), hashes, features)
    told = notes_of(backbone, material, labels=False, test_hashes=["same", "other"], where="animals")
    assert told == (
        "1 photo is there more than once, 1 of them in two classes: see promptlet check animals",
        "1 photo is nearly the same as another (saved again, resized, mirrored), 1 of them in two classes: "
        "see promptlet check animals",
        "1 test image is also among the training images, so the test accuracy is too high: "
        "see promptlet check animals",
        "class names that are no words, which a backbone cannot read: 7: see promptlet check animals",
    )
    rows = np.random.default_rng(1).normal(size=(4, 128)).astype(np.float32)
    alone = made(rows, np.arange(4), ("cat", "dog", "cow", "hen"), [""] * 4, rows)
    assert notes_of(backbone, alone) == ()


def made(
    sources: Sequence[object],
    targets: np.ndarray,
    names: tuple[str, ...],
    hashes: Sequence[str],
    features: np.ndarray,
) -> Material:
    shares = np.bincount(targets) / len(targets)
    return Material(tuple(sources), targets, np.array(names), names, tuple(hashes), features[None], shares)


@pytest.mark.slow
def test_a_fit_and_a_check_doubt_the_same_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the method, and however many readings of each image it was taught."""
    backbone = load_backbone("mini")
    split = load_dataset("mini-cats")
    assert isinstance(split, Split)
    few = [item for item in sample_shots(split, 12, 1).train if item.label < 4]
    names = sorted({item.class_name for item in few})
    items = tuple(
        replace(item, class_name=names[label], label=label)
        for row, item in enumerate(few)
        for label in [(names.index(item.class_name) + (row % 9 == 0)) % 4]
    )
    data = Split("some", tuple(names), items, (), ())
    found = check(data, tmp_path, backbone, cache=False)
    doubtful = len(found.of(result.DOUBTFUL))
    assert doubtful > 1
    for method, views in (("zero_shot", 1), ("tip_adapter", 2)):
        report = fit(PromptClassifier(backbone, method, views=views, cache=False), data)
        [note] = [note for note in report.findings if "deserve" in note]
        assert note.startswith(f"the label of {doubtful} images deserves a look")
    monkeypatch.setattr("promptlet.own_images.checking.brief.MOST_COMPARED", 1000)
    report = fit(PromptClassifier(backbone, "zero_shot", cache=False), data)
    assert not any("deserve" in note for note in report.findings)


def test_names_that_a_backbone_reads_alike_are_told(open_siglip_folder: Path, folder: Path) -> None:
    backbone = load_backbone(f"open_clip:{open_siglip_folder}")
    for place in (folder / "train", folder / "test"):
        (place / "cat").rename(place / "St Bernard")
        (place / "dog").rename(place / "St. Bernard")
    data = read_own(folder)
    found = check(data, folder, backbone, cache=False)
    [one] = found.of(result.ALIKE_NAME)
    assert one.class_names == ("St Bernard", "St. Bernard") and "no prompt tells them apart" in one.text
    assert str(open_siglip_folder) not in one.text
    assert words.title(result.ALIKE_NAME, 1) == "class name that the backbone reads as another"
    assert not check(data, folder, None).of(result.ALIKE_NAME)
