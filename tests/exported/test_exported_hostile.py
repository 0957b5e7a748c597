"""Files and folders that are damaged, or meant to harm: a named error each, and no memory for their lies."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_vectors import made, made_folder, unit_rows

from promptlet.errors import ExportError, OptionError
from promptlet.exported import SUFFIXES, new_folder, open_exported, read_vectors, write_vectors
from promptlet.exported.facts import facts_of
from promptlet.exported.files.npz import read_array
from promptlet.exported.manifest import manifest_of

Change = Callable[[dict[str, Any]], Any]


def npz(path: Path, facts: object, classes: np.ndarray | None = None, **more: np.ndarray) -> Path:
    """An .npz as NumPy writes it."""
    np.savez(path, classes=made().classes if classes is None else classes, facts=facts, **more)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_cut_off_or_has_a_wrong_bit_is_an_error_or_the_same_numbers(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"pets{suffix}"
    write_vectors(path, made())
    whole, classes = path.read_bytes(), made().classes
    draw = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        if draw.random() < 0.5:
            del damaged[int(draw.integers(len(whole))) :]
        else:
            damaged[int(draw.integers(len(whole)))] ^= 1 << int(draw.integers(8))
        path.write_bytes(damaged)
        try:
            found = read_vectors(path)
        except ExportError as error:
            assert str(error).startswith(f"cannot read {path}: ")
        else:
            assert found.classes.tobytes() == classes.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.update(format="other"), "its format is 'other', expected 'promptlet-vectors'"),
        (lambda f: f.update(version=2), "made by a newer Promptlet: version 2 .* pip install -U promptlet"),
        (lambda f: f.update(version=True), "version must be 1, not True"),
        (lambda f: f.update(extra=1), r"it has \['extra'\], which this format does not have"),
        (lambda f: f.pop("logit_bias"), "logit_bias is missing"),
        (lambda f: f.update(names=["a", "a", "b", "c", "d"]), "names has 'a' twice"),
        (lambda f: f.update(names=["a"]), r"shape \[5, 16\], and its facts tell \[1, 16\]"),
        (lambda f: f.update(dim=17), r"facts tell \[5, 17\]"),
        (lambda f: f.update(dim=10**9), "dim must be a whole number from 1 to 16,384"),
        (lambda f: f.update(sha256="0" * 64), "are not those that were written .* export anew"),
        (lambda f: f["preprocessing"].update(size=[1, 2, 3]), "preprocessing.size must be"),
        (lambda f: f["preprocessing"].update(filter="magic"), "preprocessing.filter must be 'nearest' or"),
        (lambda f: f["preprocessing"].update(crop=None), "preprocessing.crop must be .* where resize is"),
        (lambda f: f["rejection"].update(signs=["+"]), "rejection.signs must be a list of 5 texts"),
        (lambda f: f["rejection"].update(signs=["*" * 16] * 5), "rejection.signs must be texts of 16 signs"),
        (lambda f: f["rejection"].update(centre=[0.1] * 16), "numbers that are not those of fp16"),
        (lambda f: f["rejection"].update(thresholds={"94": 0.1}), "rejection.thresholds must be an object"),
        (lambda f: f["rejection"].update(thresholds={"80": 0.1, "95": 0.2}), "must fall from each"),
        (lambda f: f.update(backbone=["x"]), "backbone must be a text"),
    ],
)
def test_facts_that_do_not_fit_are_named(change: Change, message: str, tmp_path: Path) -> None:
    facts = facts_of(made())
    change(facts)
    with pytest.raises(ExportError, match=message):
        read_vectors(npz(tmp_path / "x.npz", json.dumps(facts)))


def test_the_sum_may_be_left_out_by_other_writers(tmp_path: Path) -> None:
    facts = facts_of(made())
    facts["sha256"] = None
    assert read_vectors(npz(tmp_path / "x.npz", json.dumps(facts))).names == made().names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        ('{"a": NaN}', "NaN is not a number of JSON"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("[]," * (1 + (1 << 20)), "more than 1,048,576 lists and objects"),
        ("[1]", "is no object"),
        ("{", "is not valid JSON"),
    ],
)
def test_json_that_is_no_facts_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=message):
        read_vectors(npz(tmp_path / "x.npz", text))


def test_an_npz_with_pickles_or_anything_more_is_refused(tmp_path: Path) -> None:
    facts = json.dumps(facts_of(made()))
    objects = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ExportError, match="must be numbers or a text"):
        read_vectors(npz(tmp_path / "x.npz", facts, classes=objects))
    with pytest.raises(ExportError, match=r"must hold classes\.npy and facts\.npy alone"):
        read_vectors(npz(tmp_path / "y.npz", facts, other=np.zeros(3)))
    with pytest.raises(ExportError, match="classes must be float32, not float64"):
        read_vectors(npz(tmp_path / "z.npz", facts, classes=made().classes.astype(np.float64)))
    with pytest.raises(ExportError, match="facts must be one text"):
        read_vectors(npz(tmp_path / "w.npz", np.zeros(4)))


def bomb(path: Path, shape: tuple[int, ...], told: int) -> None:
    """An .npz whose classes tell a huge shape, or unpack to very much."""
    facts = facts_of(made())
    head = BytesIO()
    described: Any = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, described)
    text = BytesIO()
    np.lib.format.write_array(text, np.array(json.dumps(facts)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("facts.npy", text.getvalue())
        archive.writestr("classes.npy", head.getvalue() + bytes(told))


@pytest.mark.slow
def test_memory_is_not_taken_for_what_a_file_tells(tmp_path: Path) -> None:
    bomb(tmp_path / "shape.npz", (1 << 40, 1 << 20), 320)
    bomb(tmp_path / "unpacks.npz", (5, 16), 1 << 28)
    (tmp_path / "rows.json").write_text(json.dumps(facts_of(made()))[:-1] + ', "classes": [' + "9," * 10**6)
    code = (
        "import resource, sys\n"
        "from promptlet.exported import read_vectors\n"
        "import promptlet.errors, zipfile\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 29, 3 << 29))\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        read_vectors(path)\n"
        "    except promptlet.errors.ExportError as error:\n"
        "        print(error)\n"
    )
    assert resource.RLIMIT_AS
    done = subprocess.run(
        [sys.executable, "-c", code, *(str(tmp_path / n) for n in ("shape.npz", "unpacks.npz", "rows.json"))],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert "does not fit its bytes" in lines[0]
    assert "would have 268,435,584 bytes, more than 10,320" in lines[1]
    assert "is not valid JSON" in lines[2]


def test_a_csv_that_was_sorted_or_rounded_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pets.csv"
    write_vectors(path, made())
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:2], *sorted(lines[2:])]), encoding="utf-8")
    with pytest.raises(ExportError, match="line 3 must be of class 'tabby cat'"):
        read_vectors(path)
    rounded = lines[2].rpartition(",")[0] + ",0.1"
    path.write_text("\n".join([*lines[:2], rounded, *lines[3:]]), encoding="utf-8")
    with pytest.raises(ExportError, match=r"length|not those that were written"):
        read_vectors(path)
    path.write_text("\n".join(lines + lines[-1:]), encoding="utf-8")
    with pytest.raises(ExportError, match="after its 5 classes more follows"):
        read_vectors(path)
    path.write_text("\n".join([*lines[:2], lines[2] + ",1", *lines[3:]]), encoding="utf-8")
    with pytest.raises(ExportError, match="line 3 has 17 numbers, expected 16"):
        read_vectors(path)


@pytest.mark.parametrize("header", ["{'descr': '<f4', 'shape': (2,\0", "(" * 9000, "{'a'", "9" * 5000])
def test_a_header_that_numpy_cannot_parse_is_an_error_of_the_file(header: str) -> None:
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    with pytest.raises(ExportError, match=r"golden\.npy is no array of NumPy"):
        read_array(data, "golden.npy")


def test_a_missing_file_and_a_pipe_are_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="there is no such file"):
        read_vectors(tmp_path / "no.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(ExportError, match="not a regular file"):
        read_vectors(tmp_path / "pipe.npz")


# -- folders -----------------------------------------------------------------------------------------------


def test_a_folder_that_nobody_may_enter_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", locked)
    with pytest.raises(ExportError, match=r"x cannot be read \(Permission denied\); check the path"):
        open_exported(tmp_path / "x")


def test_a_folder_is_read_with_its_vectors(tmp_path: Path) -> None:
    exported = open_exported(made_folder(tmp_path / "out"))
    exported.check()
    assert exported.vectors.names == made().names
    assert exported.manifest.graphs[0].has_probabilities
    assert exported.manifest.graphs[0].inputs[0].shape == ("batch", 3, 32, 32)
    assert exported.file("model.onnx").read_bytes() == b"no graph"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    with pytest.raises(StopError), new_folder(tmp_path / "out") as folder:
        (folder / "model.onnx").write_bytes(b"x")
        raise StopError
    with (
        pytest.raises(ExportError, match=r"nothing was exported: export\.json is missing"),
        new_folder(tmp_path / "out"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ExportError, match=r"the folder .* does not exist"):
        made_folder(tmp_path / "no" / "out")


def test_what_goes_wrong_meanwhile_is_told_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^of another kind$"), new_folder(tmp_path / "out"):
        raise OptionError("of another kind")  # which is a ValueError, too
    with (
        pytest.raises(ExportError, match=r"cannot write .*out: the disk is full"),
        new_folder(tmp_path / "out"),
    ):
        raise OSError(errno.ENOSPC, "no space")
    with (
        pytest.raises(ExportError, match=r"out: not all of it could be written \(problem writing element 8"),
        new_folder(tmp_path / "out"),
    ):
        raise OSError("problem writing element 8 to file")  # as NumPy tells of a full disk
    with pytest.raises(ExportError, match="no folder can have this name"):
        made_folder(tmp_path / "a\0b")
    assert list(tmp_path.iterdir()) == []


def test_whatever_a_library_makes_of_a_full_disk_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _size: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    for error in (ExportError("cannot read this graph"), OSError("of no kind")):
        with (
            pytest.raises(ExportError, match=r"cannot write .*out: the disk is full: free some space"),
            new_folder(tmp_path / "out"),
        ):
            monkeypatch.setattr("promptlet.disk._fill", full)
            raise error
    assert list(tmp_path.iterdir()) == []


def test_only_an_exported_folder_is_replaced_and_only_by_force(tmp_path: Path) -> None:
    made_folder(tmp_path / "out")
    with pytest.raises(ExportError, match="is there already"):
        made_folder(tmp_path / "out")
    made_folder(tmp_path / "out", True, made(names=("a", "b"), classes=unit_rows(2, 16), rejection=None))
    assert open_exported(tmp_path / "out").vectors.names == ("a", "b")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_bytes(b"x")
    with pytest.raises(ExportError, match="no exported folder, so it is not replaced"):
        made_folder(tmp_path / "photos", force=True)
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(ExportError, match="no exported folder, so it is not replaced"):
        made_folder(tmp_path / "link", force=True)
    (tmp_path / "out" / "mine.jpg").write_bytes(b"x")
    for told in (None, "{damaged"):
        if told:
            (tmp_path / "out" / "export.json").write_text(told)
        with pytest.raises(ExportError, match=r"holds .*mine\.jpg.* so it is not replaced; move that"):
            made_folder(tmp_path / "out", force=True)
    assert (tmp_path / "out" / "mine.jpg").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "out", "photos"]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: (f / "model.onnx").write_bytes(b"no grapf"), r"its sum \(sha256\) is not that of"),
        (
            lambda f: (f / "model.onnx").write_bytes(b"longer than that"),
            "has 16 bytes, and export.json tells 8",
        ),
        (lambda f: (f / "model.onnx").unlink(), "export.json names it, and it is not there"),
        (lambda f: (f / "more.bin").write_bytes(b"x"), "holds more.bin, of which export.json knows nothing"),
        (lambda f: (f / "export.json").unlink(), "it has no export.json"),
        (lambda f: (f / "export.json").write_text("{}"), "its format is None"),
        (lambda f: (f / "export.json").write_bytes(b"\xff"), "is no UTF-8"),
        (lambda f: made_a_link(f / "model.onnx"), "is a link"),
    ],
)
def test_a_folder_that_was_harmed_is_told(harm: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    folder = made_folder(tmp_path / "out")
    harm(folder)
    with pytest.raises(ExportError, match=message):
        open_exported(folder).check()


def made_a_link(path: Path) -> None:
    """The same content, reached by a link."""
    path.symlink_to(path.rename(path.with_name("x")).name)


def facts_of_folder(tmp_path: Path) -> dict[str, Any]:
    """Of ``export.json``."""
    facts: dict[str, Any] = json.loads((made_folder(tmp_path / "out") / "export.json").read_text("utf-8"))
    return facts


@pytest.mark.parametrize(
    "name", ["../model.onnx", "/etc/passwd", "a/b", "export.json", ".hidden", "", "a\0b"]
)
def test_names_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    facts = facts_of_folder(tmp_path)
    facts["files"][name] = facts["files"]["model.onnx"]
    facts["graphs"][0]["file"] = name
    with pytest.raises(ExportError, match=r"must be the name of a file in the folder|a text of 1 to"):
        manifest_of(facts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.update(kind="pickle"), "kind must be 'onnx' or 'torch' or 'openvino'"),
        (lambda f: f.update(version=9), "made by a newer Promptlet"),
        (lambda f: f.update(graphs=[]), "one graph or more"),
        (lambda f: f["graphs"][0].update(precision="fp8"), r"graphs\[0\].precision must be"),
        (lambda f: f["graphs"][0].update(inside=["magic"]), r"graphs\[0\].inside must be a list of resize"),
        (lambda f: f["graphs"][0].update(file="other.onnx"), "names .'other.onnx'. without telling"),
        (lambda f: f["graphs"][0].update(inputs=[]), r"graphs\[0\].inputs must be"),
        (lambda f: f["graphs"][0]["inputs"][0].update(shape=[-1]), r"inputs\[0\].shape must be"),
        (lambda f: f["files"]["model.onnx"].update(sha256="x"), "64 small hexadecimal digits"),
        (lambda f: f["files"]["model.onnx"].update(bytes=-1), "bytes must be a whole number"),
        (lambda f: f.update(golden={"image": "golden.png"}), "golden.features is missing"),
        (lambda f: f.update(surprise=1), "which this format does not have"),
    ],
)
def test_a_manifest_that_does_not_fit_is_named(change: Change, message: str, tmp_path: Path) -> None:
    facts = facts_of_folder(tmp_path)
    change(facts)
    with pytest.raises(ExportError, match=message):
        manifest_of(facts)
