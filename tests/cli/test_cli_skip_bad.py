"""Images that cannot be read, on the command line: named at once, or left out and told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from promptlet.data.images import formats
from promptlet.protocols.bench import open_bench

BAD = ("train/cat/train1.png", "test/dog/test0.png")
FEW = ("--backbone", "mini", "--epochs", 2)


@pytest.fixture
def damaged(pictures: Path, tmp_path: Path) -> Path:
    """The pictures, one of 12 and one of 6 of which cannot be read."""
    root = tmp_path / "pets"
    shutil.copytree(pictures, root)
    for name in BAD:
        (root / name).write_bytes(b"nothing")
    return root


def test_fit_names_all_and_how_to_go_on(shell: Any, damaged: Path, tmp_path: Path) -> None:
    said = shell.run("fit", damaged, "--out", tmp_path / "a.prompt", *FEW, exit_code=1).stderr
    assert "error: 2 of 18 images cannot be read. " in said and "leave it out with --skip-bad:\n" in said
    for name in BAD:  # a line each
        assert f"\n  {damaged / name}: this is not an image that is read" in said
    assert not (tmp_path / "a.prompt").exists()


@pytest.mark.slow
def test_fit_goes_on_without_them(shell: Any, damaged: Path, tmp_path: Path) -> None:
    result = shell.run("fit", damaged, "--out", tmp_path / "a.prompt", *FEW, "--skip-bad", "--json")
    facts = json.loads(result.stdout)
    assert (facts["images"], facts["test_images"]) == (11, 5)
    assert [Path(row["path"]).relative_to(damaged).as_posix() for row in facts["left_out"]] == list(BAD)
    assert "note: 2 images were left out, which cannot be read:" in result.stderr
    assert "not taken" not in result.stderr


@pytest.mark.slow
def test_fit_without_bad_images_says_nothing(shell: Any, pictures: Path, tmp_path: Path) -> None:
    result = shell.run("fit", pictures, "--out", tmp_path / "a.prompt", *FEW, "--skip-bad", "--json")
    assert json.loads(result.stdout)["left_out"] == [] and "left out" not in result.stderr


def test_a_class_that_is_left_empty(shell: Any, damaged: Path, tmp_path: Path) -> None:
    for path in (damaged / "train" / "box").iterdir():
        path.write_bytes(b"x")
    said = shell.fails("fit", damaged, "--out", tmp_path / "a.prompt", *FEW, "--skip-bad")
    assert "no training image is left of 'box'; replace them, or remove the class" in said


@pytest.mark.slow
def test_bench_run(shell: Any, damaged: Path, tmp_path: Path) -> None:
    words = ("--datasets", damaged, "--protocol", "few-shot", "--methods", "zero_shot,rlp", "--shots", 2)
    words = ("bench", "run", *words, "--seeds", 1, *FEW, "--out", tmp_path / "runs")
    said = shell.run(*words, exit_code=1).stderr
    assert "failed: 2 of 18 images cannot be read. " in said and "--skip-bad" in said
    assert "[2/2] pets rlp (2 shots, seed 1, fast): failed: the same as [1]" in said
    planned = shell.json(*words, "--skip-bad", "--dry-run")
    result = shell.run(*words, "--skip-bad", "--json")
    facts = json.loads(result.stdout)
    assert len(facts["done"]) == 2 and planned["left_out"] == facts["left_out"]
    assert [Path(row["path"]).name for row in facts["left_out"]["pets"]] == ["train1.png", "test0.png"]
    assert "note: pets: 2 images were left out" in result.stderr


def test_bench_names_all_to_methods_that_read_images(shell: Any, damaged: Path, tmp_path: Path) -> None:
    for name in BAD:  # of which only decoding tells
        data = (damaged / name.replace("train1", "train0").replace("test0", "test1")).read_bytes()
        (damaged / name).write_bytes(data[: len(data) // 2])
    words = (
        "--datasets",
        damaged,
        "--protocol",
        "few-shot",
        "--methods",
        "maple",
        "--shots",
        4,
        "--seeds",
        1,
    )
    said = shell.run("bench", "run", *words, *FEW, "--out", tmp_path / "runs", exit_code=1).stderr
    assert "failed: 2 of 18 images cannot be read. " in said and "--skip-bad" in said
    assert all(str(damaged / name) in said for name in BAD)


def test_bench_in_python(damaged: Path, tmp_path: Path) -> None:
    bench = open_bench(
        damaged, "zero_shot", protocol="few-shot", backbone="mini", out=tmp_path, skip_bad=True
    )
    assert [path.name for path in bench.left_out["pets"]] == ["train1.png", "test0.png"]
    for name in BAD:
        (damaged / name).unlink()
    without = (
        open_bench(damaged, "zero_shot", protocol="few-shot", backbone="mini", out=tmp_path).runs[0].data
    )
    assert without == bench.runs[0].data  # as if they were not there


@pytest.mark.slow
def test_parts_are_told(shell: Any, pictures: Path, tmp_path: Path) -> None:
    root = tmp_path / "pets"
    shutil.copytree(pictures / "train", root / "Training")
    shutil.copytree(pictures / "test", root / "Valid")
    result = shell.run("fit", root, "--out", tmp_path / "a.prompt", *FEW)
    assert "its folders Training, Valid: 12 training, 6 validation, 0 test images" in result.stdout
    assert "none is learned from. Call that part test to have them tested" in result.stderr


@pytest.mark.slow
def test_heic_photos_that_are_passed_over(
    shell: Any, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "_is_installed", lambda module: False)
    root = tmp_path / "pets"
    shutil.copytree(pictures / "train", root)
    photo = root / "cat" / "IMG_1.HEIC"
    photo.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(80))
    said = shell.run("fit", root, "--out", tmp_path / "a.prompt", *FEW).stderr
    assert "HEIC photos are not taken without the extra 'heic' (pip install 'promptlet[heic]')" in said
    assert str(photo) in said and "not taken (no image" not in said
    compared = shell.run("compare", root, "--backbone", "mini", "--methods", "zero_shot", "--folds", 2)
    assert str(photo) in compared.stderr and "HEIC photos are not taken" in compared.stderr
    said = shell.run("predict", tmp_path / "a.prompt", root / "cat", exit_code=1).stderr
    assert f"{photo}: this is a HEIC photo, which is read with the extra 'heic': pip install" in said


@pytest.mark.slow
def test_heic_photos_are_taken_with_the_extra(shell: Any, pictures: Path, tmp_path: Path) -> None:
    plugin = pytest.importorskip("pillow_heif")
    root = tmp_path / "pets"
    shutil.copytree(pictures / "train", root)
    plugin.from_pillow(Image.new("RGB", (48, 40), (200, 30, 30))).save(root / "cat" / "IMG_1.HEIC")
    assert shell.json("fit", root, "--out", tmp_path / "a.prompt", *FEW)["images"] == 13
    found = shell.json("predict", tmp_path / "a.prompt", root / "cat")["predictions"]
    assert str(root / "cat" / "IMG_1.HEIC") in [row["path"] for row in found]


@pytest.mark.slow
def test_a_path_that_is_not_there_is_said_once(shell: Any, pictures: Path, tmp_path: Path) -> None:
    shell.run("fit", pictures, "--out", tmp_path / "a.prompt", *FEW)
    for given in ("nosuchfolder/", "nosuch.jpg", "./nosuch/../x"):
        said = shell.run("predict", tmp_path / "a.prompt", given, exit_code=1).stderr
        [line] = [line for line in said.splitlines() if given.strip("./") in line]
        assert line.startswith(f"error: {given}: there is no such file or folder; check the path")
        assert line.count(given.rstrip("/")) == 1
