"""Checkpoints that are pickles: their code never runs, in either library."""

from __future__ import annotations

import pickle
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from promptlet.backbones import load_backbone
from promptlet.backbones.libraries.no_code import ForeignCodeError
from promptlet.errors import BackboneError


class Evil:
    """Unpickled, it leaves a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def plain(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps({"state_dict": Evil(marker)}, 2))


def archive(path: Path, marker: Path) -> None:
    """What `torch.save` writes: a zip with a pickle."""
    torch.save({"weight": torch.zeros(2), "state_dict": Evil(marker)}, path)


def script(path: Path, marker: Path) -> None:
    """TorchScript: a zip that says so, with the same pickle as its data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is old
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with zipfile.ZipFile(path) as old:
        files = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for name, data in files.items():
            new.writestr(name, pickle.dumps(Evil(marker), 2) if name.endswith("data.pkl") else data)


every_kind = pytest.mark.parametrize("write", [plain, archive, script])


def test_the_files_are_what_they_are_said_to_be(tmp_path: Path) -> None:
    """Read carelessly, they run."""
    archive(tmp_path / "a.pt", tmp_path / "ran")
    torch.load(tmp_path / "a.pt", weights_only=False)
    assert (tmp_path / "ran").exists()


@every_kind
def test_a_checkpoint_of_open_clip(write: Any, tmp_path: Path) -> None:
    pytest.importorskip("open_clip", reason="open_clip is not installed")
    file, marker = tmp_path / "evil.pt", tmp_path / "ran"
    write(file, marker)
    with pytest.raises(ForeignCodeError, match="take them as a safetensors file"):
        load_backbone(f"open_clip:ViT-S-32-alt/{file}", device="cpu")
    assert not marker.exists()


@every_kind
@pytest.mark.parametrize(
    ("kind", "sound", "evil"),
    [
        ("clip_folder", "model.safetensors", ["pytorch_model.bin"]),
        (
            "open_clip_folder",
            "open_clip_model.safetensors",
            ["open_clip_pytorch_model.bin", "open_clip_model.pt"],
        ),
    ],
)
def test_weights_in_a_folder(
    write: Any, kind: str, sound: str, evil: list[str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    copy, marker = tmp_path / "copy", tmp_path / "ran"
    shutil.copytree(request.getfixturevalue(kind), copy)
    (copy / sound).unlink()
    for name in evil:
        write(copy / name, marker)
    with pytest.raises(BackboneError):
        load_backbone(f"open_clip:{copy}" if kind == "open_clip_folder" else copy, device="cpu")
    assert not marker.exists()
