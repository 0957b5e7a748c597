"""Whatever kind images and labels come in, the same is learned from them as from paths and names."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from promptlet import PromptClassifier
from promptlet.classifier.given.paths import images_below
from promptlet.data import load_dataset
from promptlet.data.images import formats
from promptlet.data.images.opening import content_hash
from promptlet.errors import DataError, ImageError, OptionError

COLOURS = {"blue box": (20, 20, 200), "green box": (20, 200, 20), "red box": (200, 20, 20)}
NAMES = list(COLOURS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per class, four noisy pictures of one colour each."""
    root, draw = tmp_path_factory.mktemp("given") / "boxes", np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(4):
            pixels = np.clip(np.array(colour) + draw.integers(-20, 20, (40, 36, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def paths(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.glob("*/*.png"))]


@pytest.fixture(scope="module")
def words(paths: list[str]) -> list[str]:
    return [Path(path).parent.name for path in paths]


@pytest.fixture(scope="module")
def numbers(words: list[str]) -> list[int]:
    return [NAMES.index(word) for word in words]


@pytest.fixture(scope="module")
def pixels(paths: list[str]) -> torch.Tensor:
    """(N, 3, H, W), uint8."""
    return torch.from_numpy(np.stack([np.asarray(Image.open(path)) for path in paths])).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def quick(tiny_backbone: Any) -> Callable[..., PromptClassifier]:
    def make(**options: Any) -> PromptClassifier:
        return PromptClassifier(**{"backbone": tiny_backbone, "epochs": 2, "cache": False, **options})

    return make


@pytest.fixture(scope="module")
def expected(quick: Any, paths: list[str], words: list[str]) -> np.ndarray:
    answers: np.ndarray = quick().fit(paths, words).predict_proba(paths)
    return answers


class Colours(Dataset):  # type: ignore[type-arg]
    """As torchvision's data sets are."""

    classes = NAMES

    def __init__(self, images: Any, labels: list[Any], as_dict: bool = False) -> None:
        self.images, self.labels, self.as_dict = images, labels, as_dict

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> Any:
        pair = self.images[i], self.labels[i]
        return {"image": pair[0], "label": pair[1]} if self.as_dict else pair


@pytest.mark.parametrize(
    "kind",
    [
        lambda paths, _: [Path(path).read_bytes() for path in paths],
        lambda paths, _: [bytearray(Path(path).read_bytes()) for path in paths],
        lambda paths, _: [io.BytesIO(Path(path).read_bytes()) for path in paths],
        lambda paths, _: [{"bytes": Path(path).read_bytes(), "path": None} for path in paths],
        lambda _, pixels: pixels,
        lambda _, pixels: pixels.float() / 255,
        lambda _, pixels: list(pixels.permute(0, 2, 3, 1)),
        lambda _, pixels: (pixels.double() / 255).requires_grad_(),
    ],
)
def test_bytes_files_and_tensors(
    kind: Any, quick: Any, paths: list[str], words: list[str], pixels: torch.Tensor, expected: np.ndarray
) -> None:
    clf = quick().fit(kind(paths, pixels), words)
    np.testing.assert_allclose(clf.predict_proba(kind(paths, pixels)), expected, atol=1e-5)


def test_one_picture_of_any_kind_has_one_row(
    quick: Any, paths: list[str], words: list[str], pixels: torch.Tensor, expected: np.ndarray
) -> None:
    clf = quick().fit(paths, words)
    with Path(paths[0]).open("rb") as file:
        for single in (Path(paths[0]).read_bytes(), file, pixels[0], pixels[0].float() / 255):
            np.testing.assert_allclose(clf.predict_proba(single), expected[:1], atol=1e-5)


def test_bytes_are_known_again_as_their_file(paths: list[str]) -> None:
    assert content_hash(Path(paths[0]).read_bytes()) == content_hash(paths[0])


@pytest.mark.slow
def test_folder_table_pairs_and_data_that_is_read(
    quick: Any, folder: Path, paths: list[str], words: list[str], expected: np.ndarray, tmp_path: Path
) -> None:
    table = tmp_path / "images.csv"
    lines = [f"{path},{word}" for path, word in zip(paths, words, strict=True)]
    table.write_text("\n".join(["filename,class", *lines]), encoding="utf-8")
    pairs = list(zip(paths, words, strict=True))
    for given in (folder, str(folder), table, str(table), pairs, iter(pairs), load_dataset(folder)):
        clf = quick().fit(given)
        np.testing.assert_allclose(clf.predict_proba(paths), expected, atol=1e-5)
    for given in (folder, table, pairs, load_dataset(folder)):
        assert clf.score(given) == np.mean(clf.predict(paths) == words)
        assert clf.predict(given).tolist() == clf.predict(paths).tolist()
        assert [str(path) for path in clf.images_in(given)] == paths


def test_parts_of_a_folder_are_learned_from_and_judged_by(
    quick: Any, folder: Path, paths: list[str], words: list[str], tmp_path: Path
) -> None:
    for path, word in zip(paths, words, strict=True):
        part = "test" if path.endswith("3.png") else "train"
        (tmp_path / part / word).mkdir(parents=True, exist_ok=True)
        (tmp_path / part / word / Path(path).name).write_bytes(Path(path).read_bytes())
    clf = quick().fit(tmp_path)
    assert clf.training_["images"] == 9
    split = load_dataset(tmp_path)
    untested = replace(split, train=split.train[:6], val=split.train[6:], test=())
    rest = [path for path in paths if not path.endswith("3.png")]
    hits = clf.predict(rest) == [Path(path).parent.name for path in rest]
    assert clf.score(untested, sample_weight=np.ones(9)) == np.mean(hits)
    tested = [path for path in paths if path.endswith("3.png")]
    assert clf.score(tmp_path) == np.mean(clf.predict(tested) == NAMES)
    assert len(clf.predict(tmp_path)) == 12  # every image below


def test_a_folder_that_is_called_as_a_known_data_set_is_one_s_own(
    quick: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mini-flowers", "caltech101"):
        shutil.copytree(folder, tmp_path / name)
        assert quick().fit(name).classes_.tolist() == quick().fit(tmp_path / name).classes_.tolist()


def test_images_below_a_folder_are_a_person_s_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(folder, tmp_path / "boxes")
    [first, *_] = whole = images_below(folder)
    for left in ("@eaDir/SYNOPHOTO_THUMB.jpg", "__MACOSX/a.png", "Thumbs.db", ".hidden/b.png", "._c.png"):
        (folder / left).parent.mkdir(exist_ok=True)
        shutil.copy(first, folder / left)
    (folder / "gone.png").symlink_to("nowhere")
    assert images_below(folder) == whole
    monkeypatch.setattr(formats, "reads_heic", lambda: False)
    (folder / ".hidden" / "phone").mkdir()
    (folder / ".hidden" / "phone" / "a.HEIC").write_bytes(b"x")
    with pytest.raises(DataError, match=r"no image file in it.* its 1 HEIC photos are read with the extra"):
        images_below(folder / ".hidden" / "phone")


def test_data_frames_of_pandas(quick: Any, paths: list[str], words: list[str], expected: np.ndarray) -> None:
    pandas = pytest.importorskip("pandas")
    frames = {
        "by their names": pandas.DataFrame({"id": range(12), "File Name": paths, "category": words}),
        "by what they hold": pandas.DataFrame(
            {"what": [Path(p).read_bytes() for p in paths], "label": words}
        ),
        "categories": pandas.DataFrame({"path": paths, "label": pandas.Categorical(words)}),
    }
    for frame in frames.values():
        clf = quick().fit(frame)
        np.testing.assert_allclose(clf.predict_proba(frame), expected, atol=1e-5)
        assert clf.score(frame) == clf.score(paths, words)
    with_id = pandas.DataFrame({"id": [f"x{i}" for i in range(12)], "image_path": paths, "class": words})
    assert quick().images_in(with_id) == paths  # as of a table in a file
    other = pandas.DataFrame({"a": paths, "b": words[::-1], "c": words})
    clf = quick(image_column="a", label_column="c").fit(other)
    np.testing.assert_allclose(clf.predict_proba(other[["a"]]), expected, atol=1e-5)
    np.testing.assert_allclose(quick().fit(other["a"], other["c"]).predict_proba(paths), expected, atol=1e-5)
    np.testing.assert_allclose(
        quick().fit(frames["categories"][["path"]], words).predict_proba(paths), expected
    )


def test_a_data_frame_of_features_with_a_column_of_labels(
    quick: Any, paths: list[str], words: list[str], expected: np.ndarray, tiny_backbone: Any
) -> None:
    pandas = pytest.importorskip("pandas")
    from promptlet.features import encode_images

    features = pandas.DataFrame(encode_images(tiny_backbone, paths)[0]).rename(columns=lambda i: f"f{i}")
    clf = quick().fit(features.assign(label=words))
    assert (clf.n_features_in_, list(clf.feature_names_in_)) == (16, list(features))
    for asked in (features, features.assign(label="?"), features.to_numpy()):
        np.testing.assert_allclose(clf.predict_proba(asked), expected, atol=1e-5)
    turned = features[list(features)[::-1]]
    for ask in (clf.predict, lambda frame: clf.score(frame, words)):
        with pytest.raises(ValueError, match="Feature names must be in the same order"):
            ask(turned)
    with pytest.raises(ValueError, match="unseen at fit time:\n- g"):
        clf.predict(features.rename(columns={"f0": "g"}))
    with pytest.raises(DataError, match=r"read as features, .* but the columns 'note' beside them"):
        quick().fit(features.assign(label=words, note="x"))


@pytest.mark.parametrize(
    ("columns", "options", "error", "message"),
    [
        (
            ["image_file", "file"],
            {},
            DataError,
            "'image_file' and 'file' can each hold the images",
        ),
        (["image", "path"], {}, DataError, "'image' and 'path' can each hold the images"),
        (["a", "b"], {"image_column": "fille"}, OptionError, "image_column='fille' is no column"),
        (["path"], {"label_column": "labl"}, OptionError, "label_column='labl' is no column"),
    ],
)
def test_columns_that_are_no_choice(
    columns: list[str],
    options: dict[str, str],
    error: Any,
    message: str,
    quick: Any,
    paths: list[str],
    words: Any,
) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({**dict.fromkeys(columns, paths), "label": words})
    with pytest.raises(error, match=message):
        quick(**options).fit(frame)


def test_columns_are_not_chosen_in_files(quick: Any, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "images.csv"
    table.write_text("path,label,species\n", encoding="utf-8")
    clf = quick(label_column="species")
    for given in (table, "hf:owner/name"):
        with pytest.raises(OptionError, match="label_column='species' would do nothing"):
            clf.fit(given)
    assert len(clf.images_in(folder)) == 12 and clf.fit(folder).score(folder) >= 0


def test_data_frames_that_lack_something(quick: Any, paths: list[str], words: list[str]) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"path": paths, "label": words})
    for message, given in {
        "no column is called as labels are": frame[["path"]],
        "the column 'label' has no value in row 2 .*1 of 12 rows": frame.assign(
            label=[*words[:2], None, *words[3:]]
        ),
        "the column 'path' has no value in row 0": frame.assign(path=[float("nan"), *paths[1:]]),
        "'class' and 'category' can each hold the labels": frame.rename(columns={"label": "class"}).assign(
            category="x"
        ),
        "the column 'path' is there twice": pandas.concat([frame, frame[["path"]]], axis=1),
        "no column is called as images are": pandas.DataFrame({"a": words, "label": words}),
    }.items():
        with pytest.raises(DataError, match=message):
            quick().fit(given)


def test_torch_data_sets(
    quick: Any, paths: list[str], numbers: list[int], pixels: torch.Tensor, expected: np.ndarray
) -> None:
    tensors = Colours(pixels, [torch.tensor(number) for number in numbers])
    whole = Colours(pixels, numbers)
    for given in (tensors, Subset(whole, range(12)), Colours(pixels, numbers, as_dict=True)):
        clf = quick().fit(given)
        assert clf.classes_.tolist() == NAMES
        np.testing.assert_allclose(clf.predict_proba(given), expected, atol=1e-5)
        assert clf.score(given) == np.mean(clf.predict(paths) == np.array(NAMES)[numbers])
    np.testing.assert_array_equal(clf.predict(TensorDataset(pixels)), clf.predict(pixels))
    with pytest.raises(DataError, match=r"DataLoader.*loader\.dataset"):
        quick().fit(DataLoader(whole))
    with pytest.raises(DataError, match="item 0 of the data set is a int"):
        quick().fit(Subset([1, 2], [0, 1]))  # type: ignore[arg-type]


def test_folders_of_torchvision_give_their_files(
    quick: Any, folder: Path, paths: list[str], pixels: torch.Tensor, numbers: list[int]
) -> None:
    sets = pytest.importorskip("torchvision.datasets")
    whole = sets.ImageFolder(str(folder))
    clf = quick()
    assert clf.images_in(whole) == paths
    assert clf.images_in(Subset(whole, [7, 2])) == [paths[7], paths[2]]
    for own in (
        sets.ImageFolder(str(folder), transform=np.asarray),
        sets.ImageFolder(str(folder), loader=lambda path: np.asarray(Image.open(path))),
        Subset(sets.ImageFolder(str(folder), transform=np.asarray), range(12)),
    ):
        np.testing.assert_array_equal(clf.images_in(own), pixels.permute(0, 2, 3, 1))
    reads = Colours(pixels, numbers)  # in its own way, whatever its samples are
    reads.samples = [("elsewhere.png", number) for number in numbers]  # type: ignore[attr-defined]
    reads.loader = whole.loader  # type: ignore[attr-defined]
    assert isinstance(clf.images_in(reads)[0], np.ndarray)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_hugging_face_data_sets(
    quick: Any, paths: list[str], words: list[str], numbers: list[int], expected: np.ndarray
) -> None:
    datasets = pytest.importorskip("datasets")
    kinds = {"picture": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)}
    data = datasets.Dataset.from_dict({"picture": paths, "label": numbers}, features=datasets.Features(kinds))
    for given in (data, data.with_format("torch"), datasets.DatasetDict(train=data, test=data)):
        clf = quick().fit(given)
        assert clf.classes_.tolist() == NAMES
        np.testing.assert_allclose(clf.predict_proba(data), expected, atol=1e-5)
        assert clf.score(given) == clf.score(paths, words)
    assert quick(label_names=NAMES).fit(data).classes_.tolist() == [0, 1, 2]
    with pytest.raises(DataError, match=r"has the parts train; give one of them, as in data\['train'\]"):
        clf.predict(datasets.DatasetDict(train=data))
    without = data.map(lambda row: {"label": -1}, features=data.features)
    with pytest.raises(DataError, match="the column 'label' has no value in row 0"):
        quick().fit(without)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (torch.zeros(3, 32, 3), ImageError, "may have its channels first or last"),
        (torch.zeros(7, 32, 32), ImageError, r"shape \(7, 32, 32\) is no image"),
        (torch.zeros(4, 32, 32), ImageError, r"leave out the alpha channel: tensor\[:3\]"),
        (torch.zeros(2, 3, 32, 32) - 1, ImageError, "undo any mean and standard deviation"),
        (torch.zeros(16), DataError, "one row of 16 numbers"),
        (np.zeros(16, np.float32), DataError, r"give X\[:1\], not X\[0\]"),
        ([0.1, 0.2], DataError, "one row of 2 numbers"),
        (b"", ImageError, "an image of 0 bytes: the file is empty"),
        (b"no picture", ImageError, "this is not an image that is read"),
        (io.BytesIO(b""), ImageError, "has nothing left to read"),
        (io.StringIO("text"), DataError, "open as text; open it with mode 'rb'"),
        ({"cat": ["1.jpg"]}, DataError, "is a dict with the keys cat; give the images and the labels"),
        ((["1.jpg", "2.jpg"], ["cat", "dog"]), DataError, "is a tuple of two lists; give them apart"),
    ],
)
def test_what_is_no_image_is_refused(
    given: Any, error: Any, message: str, quick: Any, paths: list[str], words: list[str]
) -> None:
    with pytest.raises(error, match=message):
        quick().fit(paths, words).predict(given)


def test_validation_images_may_bring_their_labels(
    quick: Any, folder: Path, paths: list[str], words: list[str]
) -> None:
    expected = quick(method="tip_adapter").fit(paths, words, paths, words).predict_proba(paths)
    brought = quick(method="tip_adapter").fit(paths, words, folder).predict_proba(paths)
    np.testing.assert_allclose(brought, expected)
    with pytest.raises(DataError, match="val_labels is the text 'cat'"):
        quick(method="tip_adapter").fit(paths, words, paths[:3], "cat")
    for val in ((paths, None), (None, words)):
        with pytest.raises(DataError, match="val_images and val_labels go together"):
            quick(method="tip_adapter").fit(paths, words, *val)
