"""What is kept of a model's files: taken again for the same files alone, whatever their times are set to."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from strange_places import KINDS, strange
from tiny_models import clip_model

from promptlet.backbones import fingerprint, found, load_backbone
from promptlet.backbones.found import BLOCK, BLOCKS, Found, identity
from promptlet.errors import BackboneError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="nothing is kept there")
WEIGHTS = "model.safetensors"
SETTLED = found.SETTLED


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files of a moment ago count as settled, and the cache is empty."""
    monkeypatch.setattr(found, "SETTLED", 0.0)
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "own cache"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often weights were digested or looked through."""
    from promptlet.backbones import parts, towers

    calls: list[str] = []

    def counting(name: str, function: Any) -> Any:
        def wrapped(*args: Any) -> Any:
            calls.append(name)
            return function(*args)

        return wrapped

    monkeypatch.setattr(parts, "weights_digest", counting("digest", parts.weights_digest))
    monkeypatch.setattr(towers, "check_weights", counting("check", towers.check_weights))
    return calls


@pytest.fixture
def folder(clip_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(clip_folder, tmp_path / "copy")


def place_of(path: Path, name: str) -> int:
    """Where the numbers of a tensor begin in a file."""
    import json

    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        start: int = json.loads(file.read(length))[name]["data_offsets"][0]
    return 8 + length + start


def edit_in_place(path: Path, name: str, number: float) -> None:
    """Another first number of a tensor; size and time of the file, and the file itself, stay as they were."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(place_of(path, name))
        file.write(torch.tensor([number]).numpy().tobytes())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    )


def tick() -> None:
    """A file's time is counted in steps of the kernel's clock."""
    time.sleep(0.02)


def test_weights_are_looked_through_once(folder: Path, counted: list[str]) -> None:
    tick()
    first = load_backbone(folder, device="cpu").fingerprint
    assert sorted(counted) == ["check", "digest", "digest"]
    counted.clear()
    again = load_backbone(folder, device="cpu")
    assert again.fingerprint == first
    assert again.former_fingerprint == first
    assert counted == []


def test_not_where_they_changed_a_moment_ago(
    folder: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(found, "SETTLED", 60.0)
    for _ in range(2):
        load_backbone(folder, device="cpu")
    assert sorted(counted) == ["check"] * 2 + ["digest"] * 4


@pytest.mark.parametrize("side", ["text_model.final_layer_norm.bias", "vision_model.post_layernorm.bias"])
def test_a_weight_edited_in_place_under_the_same_size_and_time(folder: Path, side: str) -> None:
    tick()
    before = load_backbone(folder, device="cpu").fingerprint
    assert load_backbone(folder, device="cpu").fingerprint == before
    tick()
    edit_in_place(folder / WEIGHTS, side, 3.0)
    after = load_backbone(folder, device="cpu").fingerprint
    changed = [a != b for a, b in zip(before.split("-"), after.split("-"), strict=True)]
    assert changed == ([True, False, False] if side.startswith("text") else [False, False, True])


def test_a_weight_that_is_no_longer_a_number(folder: Path) -> None:
    tick()
    load_backbone(folder, device="cpu")
    tick()
    edit_in_place(folder / WEIGHTS, "text_model.final_layer_norm.bias", float("nan"))
    with pytest.raises(BackboneError, match="are damaged"):
        load_backbone(folder, device="cpu")


def test_another_file_under_the_same_name(folder: Path) -> None:
    tick()
    before = load_backbone(folder, device="cpu").fingerprint
    times = (folder / WEIGHTS).stat()
    (folder / WEIGHTS).unlink()
    clip_model(5).save_pretrained(folder)
    os.utime(folder / WEIGHTS, ns=(times.st_atime_ns, times.st_mtime_ns))
    tick()
    assert load_backbone(folder, device="cpu").fingerprint != before


def test_a_copy_is_looked_at_anew_and_is_the_same(folder: Path, tmp_path: Path, counted: list[str]) -> None:
    tick()
    first = load_backbone(folder, device="cpu").fingerprint
    copy = shutil.copytree(folder, tmp_path / "second")
    tick()
    counted.clear()
    assert load_backbone(copy, device="cpu").fingerprint == first
    assert sorted(counted) == ["check", "digest", "digest"]


def test_other_settings_beside_the_same_weights(folder: Path) -> None:
    """The weights' file is the same; what is computed beside them is not."""
    tick()
    before = load_backbone(folder, device="cpu").fingerprint
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace("quick_gelu", "gelu"))
    after = load_backbone(folder, device="cpu").fingerprint
    assert [a != b for a, b in zip(before.split("-"), after.split("-"), strict=True)] == [True, False, True]


def test_a_damaged_cache_is_passed_over(folder: Path, tmp_path: Path) -> None:
    tick()
    first = load_backbone(folder, device="cpu").fingerprint
    [kept] = (tmp_path / "own cache").glob("agreed-*")
    kept.write_bytes(b"\xff\x00 nothing = = \n=\n")
    assert load_backbone(folder, device="cpu").fingerprint == first


# -- the identity of files -----------------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(bytes(3 * BLOCKS * BLOCK + 17))
    return path


def told(path: Path, monkeypatch: pytest.MonkeyPatch, **same: int) -> str:
    """The identity on a file system that keeps none of the times in ``same``."""
    real = os.fstat

    def fstat(descriptor: int) -> Any:
        status = real(descriptor)
        facts = {name: getattr(status, name) for name in dir(status) if name.startswith("st_")}
        return type("Status", (), {**facts, **same})()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fstat)
        return identity([path])


@pytest.mark.parametrize("block", [0, 10, BLOCKS - 1])
def test_content_is_sampled_where_times_say_nothing(
    block: int, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"st_mtime_ns": 1, "st_ctime_ns": 1, "st_mtime": 1, "st_ctime": 1}
    begin = block * (large.stat().st_size - BLOCK) // (BLOCKS - 1)
    before = told(large, monkeypatch, **times)
    with large.open("r+b") as file:
        file.seek(begin + BLOCK - 1)
        file.write(b"\x01")
    assert told(large, monkeypatch, **times) != before


def test_all_of_a_small_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "small"
    times = {"st_mtime_ns": 1, "st_ctime_ns": 1, "st_mtime": 1, "st_ctime": 1}
    path.write_bytes(bytes(1000))
    before = told(path, monkeypatch, **times)
    assert told(path, monkeypatch, **times) == before
    for at in range(0, 1000, 333):
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"\x01")
        after = told(path, monkeypatch, **times)
        assert after != before
        before = after


@pytest.mark.parametrize("name", ["st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"])
def test_each_fact_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    tick()
    assert told(path, monkeypatch) == told(path, monkeypatch) != ""
    assert told(path, monkeypatch, **{name: 4}) != told(path, monkeypatch)


def test_a_file_of_the_future_or_none_has_no_identity(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1")
    os.utime(path, (0, time.time() + 1000))
    assert identity([path]) == ""
    assert identity([tmp_path / "absent"]) == ""


def test_nothing_is_kept_of_a_file_that_changed_while_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1")
    tick()
    known = Found([path])
    assert known.identity
    path.write_bytes(b"2")
    known.settle()
    assert known.identity == ""
    assert (known.once("what", lambda: "a"), known.once("what", lambda: "b")) == ("a", "b")


def test_what_is_asked_counts(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1")
    tick()
    known = Found([path])
    assert known.once("what", lambda: "a") == "a"
    assert known.once("what", lambda: "b") == "a"
    assert known.once("what else", lambda: "b") == "b"
    assert Found([path]).once("what", lambda: "c") == "a"


def test_of_another_format_all_is_found_anew(
    folder: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tick()
    _ = load_backbone(folder, device="cpu").fingerprint
    counted.clear()
    _ = load_backbone(folder, device="cpu").fingerprint
    assert not counted
    monkeypatch.setattr(found, "FORMAT", "files 0")
    _ = load_backbone(folder, device="cpu").fingerprint
    assert sorted(counted) == ["check", "digest", "digest"]


def test_what_is_kept_has_a_number() -> None:
    """Where the digest changes, `FORMAT` needs another number."""
    layer = torch.nn.Linear(2, 3)
    torch.nn.init.constant_(layer.weight, 0.5)
    torch.nn.init.constant_(layer.bias, -70000.0)
    assert (found.FORMAT, fingerprint.weights_digest([layer], ["extra"])) == ("files 2", "8195447ebcc2")


def test_nothing_is_kept_within_a_minute_of_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "SETTLED", SETTLED)
    path = tmp_path / "file"
    path.write_bytes(b"1")
    for name in ("st_mtime", "st_ctime"):
        other = {"st_mtime": 0, "st_ctime": 0}
        assert told(path, monkeypatch, **{**other, name: int(time.time()) - 50}) == ""
        assert told(path, monkeypatch, **{**other, name: int(time.time()) - 70}) != ""


def test_the_tensors_of_a_file_lie_where_they_are_edited(folder: Path) -> None:
    """`place_of`, by the library's own reader."""
    edit_in_place(folder / WEIGHTS, "text_model.final_layer_norm.bias", 7.5)
    with safe_open(folder / WEIGHTS, "pt") as file:
        assert float(file.get_tensor("text_model.final_layer_norm.bias")[0]) == 7.5


def test_a_link_that_changes_while_it_is_read_is_followed_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what is found of one file would be kept of another."""
    from promptlet.backbones.clip import folder as reading

    link, own, other = folder / WEIGHTS, folder.parent / "own", folder.parent / "other"
    link.rename(own)
    shutil.copyfile(own, other)
    edit_in_place(other, "text_model.final_layer_norm.bias", float("nan"))
    link.symlink_to(own)
    tick()
    _ = load_backbone(folder, "cpu", "float32").fingerprint  # found to be sound
    real = reading._model

    def swapped(*given: Any) -> Any:
        link.unlink()
        link.symlink_to(other)
        model = real(*given)
        link.unlink()
        link.symlink_to(own)
        return model

    monkeypatch.setattr(reading, "_model", swapped)
    assert bool(load_backbone(folder, "cpu", "float32").text.encode_texts(["dog"]).isfinite().all())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_has_no_identity_and_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    assert identity([strange(tmp_path, kind, WEIGHTS)]) == ""


def test_what_is_not_there_has_no_identity(tmp_path: Path) -> None:
    assert identity([tmp_path / WEIGHTS]) == ""


def test_a_pipe_in_the_place_of_the_weights_is_refused(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    os.mkfifo(folder / WEIGHTS)
    with pytest.raises(BackboneError):
        load_backbone(folder, device="cpu")
