"""A program of torch that somebody made to run code is not loaded: each way in, and what ours are made of."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_graphs import SIDE, vectors

from promptlet.errors import ExportError
from promptlet.export.program import captured
from promptlet.export.running.plain_program import check_plain
from promptlet.export.running.torch_program import outputs_by
from promptlet.export.torch_program import TowerAndClasses, _saved, _without_samples

GRAPH, SAMPLES = "models/model.json", "data/sample_inputs/model.pt"
WEIGHTS = "data/weights/model_weights_config.json"


class Tower(torch.nn.Module):
    """A convolution, and sizes that hang on the number of images."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 6, SIDE)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        rows = self.layer(pixels).reshape(pixels.shape[0], -1)
        rows = torch.cat([rows, rows.new_ones(pixels.shape[0] * 2, 6)])[: pixels.shape[0]]
        return torch.nn.functional.normalize(rows, dim=-1)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "classifier.pt2"
    _without_samples(_saved(captured(TowerAndClasses(Tower(), vectors()), (SIDE, SIDE))), path)
    return path


def changed(program: Path, path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A copy whose files ``change`` has altered: JSON is given to it as values."""
    with zipfile.ZipFile(program) as archive:
        files: dict[str, Any] = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    files = {name: json.loads(data) if name.endswith(".json") else data for name, data in files.items()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            content = data if isinstance(data, bytes) else json.dumps(data).encode()
            archive.writestr(f"archive/{name}", content)
    return path


def evil(folder: Path) -> bytes:
    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(folder / "ran"),)

    return pickle.dumps((Evil(),))


def of_graph(**parts: Any) -> Callable[[dict[str, Any]], Any]:
    """Parts of the program's text replaced, wherever they stand."""

    def change(files: dict[str, Any]) -> None:
        def walk(value: Any) -> None:
            if isinstance(value, dict):
                value.update({key: part for key, part in parts.items() if key in value})
            for one in (
                value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            ):
                walk(one)

        walk(files[GRAPH])

    return change


def of_weights(**parts: Any) -> Callable[[dict[str, Any]], Any]:
    def change(files: dict[str, Any]) -> None:
        next(iter(files[WEIGHTS]["config"].values())).update(parts)

    return change


def test_what_is_exported_is_plain_and_answers(program: Path, tmp_path: Path) -> None:
    check_plain(program)
    found = outputs_by(changed(program, tmp_path / "same.pt2", lambda files: None))
    assert found({"pixels": np.zeros((3, 3, SIDE, SIDE), np.float32)})["features"].shape == (3, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_graph(target="torch.os.system"), r"the function 'torch\.os\.system'"),
        (of_graph(target="torch.ops.aten.from_file.default"), "the function"),
        (of_graph(target=["torch.ops.aten.add.Tensor"]), "the function"),
        (of_graph(expr_str="__import__('os').mkdir('ran')"), "the expression"),
        (of_graph(expr_str="s0.__class__"), "the expression"),
        (of_graph(expr_str="Symbol(exec)"), "the expression"),
        (of_graph(expr_str="9**9**9**9"), "the expression"),
        (of_graph(guards_code=["print(1)"]), "guards_code"),
        (of_graph(range_constraints={"exit()": {"min_val": 1, "max_val": 2}}), "the sizes"),
        (of_graph(in_spec='[1, {"type": "os.system", "context": "null", "children_spec": []}]'), "structure"),
        (of_weights(use_pickle=True), "a pickle, 'weight_0'"),
        (of_weights(path_name="opaque_obj_0"), "a pickle, 'opaque_obj_0'"),
        (
            lambda files: files.update({"data/weights/model.pt": b"x"}),
            r"the file 'archive/data/weights/model\.pt'",
        ),
        (lambda files: files.update({"data/aotinductor/model/a.so": b"x"}), r"the file .*a\.so'"),
        (lambda files: files.update({"models/other.json": {}}), r"the file .*other\.json'"),
        (lambda files: files.update({GRAPH: b"["}), "is no program of torch.export"),
        (lambda files: files.pop(WEIGHTS), "is no program of torch.export"),
    ],
)
def test_ways_to_run_code_are_refused(
    program: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        outputs_by(changed(program, tmp_path / "classifier.pt2", change))


def test_a_pickle_in_the_place_of_inputs_is_not_opened(program: Path, tmp_path: Path) -> None:
    harmed = changed(program, tmp_path / "x.pt2", lambda files: files.update({SAMPLES: evil(tmp_path)}))
    with pytest.raises(ExportError, match=r"x\.pt2 holds the file .* may be code, .* it is not loaded"):
        outputs_by(harmed)
    assert not (tmp_path / "ran").exists()


def test_what_torch_cannot_run_is_told_in_one_line(
    program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    harmed = changed(program, tmp_path / "x.pt2", of_graph(target="torch.ops.aten.softmox.int"))
    with pytest.raises(ExportError, match=r"x\.pt2: torch .* cannot run it \(SerializeError: .*softmox"):
        outputs_by(harmed)
    assert "Traceback" not in capfd.readouterr().err


def test_packed_files_and_other_files_are_refused(program: Path, tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(program) as old,
        zipfile.ZipFile(tmp_path / "x.pt2", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(ExportError, match="holds the packed file"):
        check_plain(tmp_path / "x.pt2")
    (tmp_path / "x.pt2").write_bytes(b"no archive")
    with pytest.raises(ExportError, match=r"x\.pt2 is no program of torch\.export"):
        check_plain(tmp_path / "x.pt2")
