"""`Index`: made once, follows the folder, goes on after a kill, keeps folders and backbones apart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_photos import COLOURS, draw

from promptlet.backbones import Backbone, load_backbone
from promptlet.errors import DataError, OptionError, WrongBackboneError
from promptlet.features import encode_images
from promptlet.search import Index, Query, index, taking
from promptlet.search.file import read_index
from promptlet.search.places import default_file, list_kept


def test_features_are_those_of_the_backbone_in_the_order_of_paths(photos: Path, backbone: Backbone) -> None:
    found = Index.build(photos, backbone)
    assert len(found) == 18
    assert found.paths == sorted(found.paths)
    features = encode_images(backbone, found.paths)[0]
    expected = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(found.stored.features, expected, atol=1e-3)
    assert Index.open(photos, backbone).paths == found.paths


def test_what_is_known_is_not_read_again(
    photos: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Index.build(photos, backbone)
    before = own.file.stat().st_mtime_ns
    monkeypatch.setattr(taking, "hash_and_encode", None)
    changes = own.update()
    assert (changes.known, changes.added, changes.changed, changes.removed) == (18, 0, 0, 0)
    assert own.file.stat().st_mtime_ns == before


def test_additions_changes_and_removals_are_followed(photos: Path, backbone: Backbone) -> None:
    own = Index.build(photos, backbone)
    was = dict(zip(own.paths, np.array(own.stored.features), strict=True))
    (photos / "red" / "0.png").unlink()
    draw(photos / "red" / "1.png", COLOURS["blue"], 99)
    shutil.copy(photos / "blue" / "0.png", photos / "more.png")
    changes = own.update()
    assert (changes.known, changes.added, changes.changed, changes.removed) == (16, 1, 1, 1)
    now = dict(zip(own.paths, np.array(own.stored.features), strict=True))
    assert now.keys() == was.keys() - {str(photos / "red/0.png")} | {str(photos / "more.png")}
    np.testing.assert_array_equal(now[str(photos / "more.png")], was[str(photos / "blue/0.png")])
    assert (now[str(photos / "red/1.png")] != was[str(photos / "red/1.png")]).any()
    np.testing.assert_array_equal(now[str(photos / "red/2.png")], was[str(photos / "red/2.png")])


def test_broken_images_are_told_and_left_out(photos: Path, backbone: Backbone) -> None:
    (photos / "broken.jpg").write_bytes(b"nothing")
    own = Index(photos, backbone)
    for _ in range(2):
        changes = own.update()
        assert list(changes.unread) == [str(photos / "broken.jpg")]
        assert "this is not an image" in changes.unread[str(photos / "broken.jpg")]
        assert len(own) == 18
    draw(photos / "broken.jpg", COLOURS["red"], 5)
    assert own.update().added == 1


def test_a_folder_of_nothing_but_broken_images(tmp_path: Path, backbone: Backbone) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    own = Index.build(tmp_path, backbone)
    assert len(own) == 0
    assert own.search("red").hits == ()


@pytest.mark.parametrize("cache", [True, False])
def test_a_stop_keeps_what_was_encoded(
    photos: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch, cache: bool
) -> None:
    monkeypatch.setattr(taking, "BATCH", 4)
    monkeypatch.setattr(taking, "next_size", lambda size, _: size)

    def stop(done: int, _total: int) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    own = Index(photos, backbone, cache=cache)
    with pytest.raises(KeyboardInterrupt):
        own.update(stop)
    kept = len(Index.open(photos, backbone))
    assert kept in (4, 8)
    done: list[tuple[int, int]] = []
    changes = own.update(lambda *told: done.append(told))
    assert (changes.known, changes.added) == (kept, 18 - kept)
    assert done[-1] == (18 - kept, 18 - kept)


def test_new_images_are_put_on_the_disk_now_and_then(
    photos: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a kill, of which nothing is told, costs little."""
    monkeypatch.setattr(taking, "BATCH", 4)
    monkeypatch.setattr(taking, "next_size", lambda size, _: size)
    monkeypatch.setattr(index, "ROWS", 5)
    own, seen = Index(photos, backbone), []

    def look(_done: int, _total: int) -> None:
        seen.append(len(read_index(own.file)) if own.file.exists() else 0)

    own.update(look)
    assert max(seen) >= 8
    assert len(own) == 18


def test_the_index_lies_in_the_cache_folder_or_where_it_is_put(
    photos: Path, backbone: Backbone, tmp_path: Path, own_cache: Path
) -> None:
    own = Index.build(photos, backbone)
    assert own.file == default_file(photos, own.facts.identity)
    assert own_cache in own.file.parents
    [kept] = list_kept()
    assert (kept.folder, kept.backbone, kept.images) == (str(photos.resolve()), "mini", 18)
    other = Index.build(photos, backbone, tmp_path / "own.index")
    assert other.file.read_bytes() == own.file.read_bytes()


def test_relative_and_absolute_names_are_one_folder(
    photos: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    Index.build(photos, backbone)
    monkeypatch.chdir(photos.parent)
    found = Index.open("photos", backbone)
    assert found.paths[0] == str(Path("photos", "blue", "0.png"))


def test_an_index_of_another_folder_is_refused(photos: Path, backbone: Backbone, tmp_path: Path) -> None:
    file = tmp_path / "own.index"
    Index.build(photos, backbone, file)
    with pytest.raises(DataError, match=r"is the index of .*photos, not of .*red; give that folder"):
        Index.build(photos / "red", backbone, file)


def test_an_index_of_another_backbone_is_refused_by_name(
    photos: Path, backbone: Backbone, tmp_path: Path, clip_folder: Path
) -> None:
    file = tmp_path / "own.index"
    Index.build(photos, backbone, file)
    before = file.read_bytes()
    other = load_backbone(clip_folder, device="cpu")
    for make in (Index.build, Index.open):
        with pytest.raises(WrongBackboneError, match=r"was made with backbone 'mini'.*--backbone"):
            make(photos, other, file)
    assert file.read_bytes() == before
    low = load_backbone("mini", device="cpu", dtype="bfloat16")
    with pytest.raises(WrongBackboneError, match="give the same --dtype"):
        Index.build(photos, low, file)


def test_a_folder_that_is_none(tmp_path: Path, backbone: Backbone) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        Index.build(tmp_path / "absent", backbone)
    with pytest.raises(DataError, match="no image matches"):
        Index.build(tmp_path, backbone)
    with pytest.raises(DataError, match="has no index at"):
        Index.open(tmp_path, backbone)


def test_images_that_vanished_are_left_out_and_told(photos: Path, backbone: Backbone) -> None:
    own = Index.build(photos, backbone)
    before = own.search("red", top=18)
    gone = [before.hits[0].path, before.hits[2].path, before.hits[17].path]
    for path in gone:
        Path(path).unlink()
    after = own.search("red", top=5)
    assert [hit.path for hit in after.hits] == [hit.path for hit in before.hits if hit.path not in gone][:5]
    assert list(after.missing) == gone[:2]
    shutil.rmtree(photos)
    assert (own.search("red").hits, len(own.search("red").missing)) == ((), 18)


def test_an_image_finds_itself_and_its_kind(photos: Path, backbone: Backbone) -> None:
    own = Index.build(photos, backbone)
    path = str(photos / "green" / "3.png")
    found = own.search(Query(images=[path]), top=6)
    assert path in [hit.path for hit in found.hits]
    assert {Path(hit.path).parent.name for hit in found.hits} == {"green"}
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)


def test_top_is_a_number(photos: Path, backbone: Backbone) -> None:
    own = Index.build(photos, backbone)
    assert len(own.search("red", top=3).hits) == 3
    assert len(own.search("red", top=1000).hits) == 18
    with pytest.raises(OptionError, match="top=0 is outside"):
        own.search("red", top=0)


def test_a_damaged_index_says_so(photos: Path, backbone: Backbone) -> None:
    own: Any = Index.build(photos, backbone)
    own.stored.features[3, 2] = np.nan
    with pytest.raises(DataError, match="it is damaged; remove it"):
        own.search("red")
