"""Folders of models that come with code: it never runs, and nobody is asked."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from promptlet.backbones import load_backbone
from promptlet.backbones.libraries.no_code import GUARDED, ForeignCodeError, no_foreign_code

CODE = """
from pathlib import Path
Path({marker!r}).write_text("ran")
from transformers import CLIPConfig, CLIPModel, CLIPTokenizerFast
class Config(CLIPConfig):
    model_type = "evil"
class Model(CLIPModel):
    config_class = Config
class Tokenizer(CLIPTokenizerFast):
    pass
"""


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture(autouse=True)
def a_person_who_would_say_yes(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    answers = io.StringIO("y\n" * 9)
    monkeypatch.setattr(sys, "stdin", answers)
    yield
    assert answers.tell() == 0, "somebody read the standard input"
    assert capsys.readouterr().out == ""


def with_code(folder: Path, where: Path, marker: Path) -> Path:
    copy = where / "evil"
    shutil.copytree(folder, copy)
    (copy / "evil.py").write_text(CODE.format(marker=str(marker)))
    return copy


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.exists() else {}), **values}))


CONFIG = {"auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
TOKENIZER = {
    "auto_map": {"AutoTokenizer": ["evil.Tokenizer", "evil.Tokenizer"]},
    "tokenizer_class": "Tokenizer",
}


@pytest.mark.parametrize(
    "files",
    [
        {"config.json": {"model_type": "evil", **CONFIG}},
        {"config.json": {"model_type": "evil", "trust_remote_code": True, **CONFIG}},
        {"tokenizer_config.json": TOKENIZER},
        {"tokenizer_config.json": {**TOKENIZER, "trust_remote_code": True}},
    ],
    ids=["config", "config that trusts itself", "tokenizer", "tokenizer that trusts itself"],
)
def test_code_in_a_folder_of_transformers(
    files: dict[str, Any], clip_folder: Path, tmp_path: Path, marker: Path
) -> None:
    folder = with_code(clip_folder, tmp_path, marker)
    for name, values in files.items():
        change(folder / name, **values)
    with pytest.raises(ForeignCodeError, match="Python code of its own, which Promptlet never runs"):
        load_backbone(folder)
    assert not marker.exists()


def test_a_known_architecture_is_loaded_without_the_code_beside_it(
    clip_folder: Path, tmp_path: Path, marker: Path
) -> None:
    folder = with_code(clip_folder, tmp_path, marker)
    change(folder / "config.json", **CONFIG)
    assert load_backbone(folder).fingerprint == load_backbone(clip_folder).fingerprint
    assert not marker.exists()


@pytest.mark.parametrize(
    "kernel",
    [
        "somebody/kernel",
        "flash_attention_2",
        {"text_config": "somebody/kernel"},
        {"": "sdpa", "vision_config": "somebody/kernel"},
    ],
)
@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
def test_attention_of_somebody_else_is_not_taken(
    key: str, kernel: Any, clip_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(clip_folder, folder)
    change(folder / "config.json", **{key: kernel})
    backbone = load_backbone(folder)
    assert backbone.fingerprint == load_backbone(clip_folder).fingerprint
    configs = (m.config for m in backbone.model.modules() if hasattr(m, "config"))
    assert {config._attn_implementation for config in configs} == {"sdpa"}


@pytest.mark.parametrize("kernel", ["somebody/kernel", {"": "flash_attention_2"}])
@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation_internal"])
@pytest.mark.parametrize("part", ["text_config", "vision_config"])
def test_nor_in_a_part_of_the_configuration(
    part: str, key: str, kernel: Any, clip_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(clip_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    change(folder / "config.json", **{part: {**config[part], key: kernel}})
    model = load_backbone(folder).model
    assert {m.config._attn_implementation for m in model.modules() if hasattr(m, "config")} == {"sdpa"}


@pytest.mark.parametrize("kwargs", [{}, {"trust_remote_code": True}], ids=["asks", "trusts itself"])
def test_a_tokenizer_with_code_in_a_folder_of_open_clip(
    kwargs: dict[str, Any], open_siglip_folder: Path, tmp_path: Path, marker: Path
) -> None:
    folder = with_code(open_siglip_folder, tmp_path, marker)
    change(folder / "tokenizer_config.json", **TOKENIZER)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {
        **config["model_cfg"]["text_cfg"].get("tokenizer_kwargs", {}),
        **kwargs,
    }
    change(folder / "open_clip_config.json", **config)
    for source in (f"open_clip:{folder}", f"open_clip:local-dir:{folder}"):
        with pytest.raises(ForeignCodeError, match="Python code of its own"):
            load_backbone(source)
    assert not marker.exists()


def test_a_text_tower_with_code_in_a_folder_of_open_clip(
    open_siglip_folder: Path, clip_folder: Path, tmp_path: Path, marker: Path
) -> None:
    folder = with_code(open_siglip_folder, tmp_path, marker)
    (tmp_path / "tower").mkdir()
    tower = with_code(clip_folder, tmp_path / "tower", marker)
    change(tower / "config.json", model_type="evil", **CONFIG)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] = {"hf_model_name": str(tower), "hf_tokenizer_name": str(tower)}
    change(folder / "open_clip_config.json", **config)
    with pytest.raises(ForeignCodeError, match="Python code of its own"):
        load_backbone(f"open_clip:{folder}")
    assert not marker.exists()


def test_the_functions_that_run_code_are_still_there_and_free_outside() -> None:
    from transformers import dynamic_module_utils as dynamic

    with no_foreign_code("somebody/model"):
        for name in GUARDED:
            with pytest.raises(ForeignCodeError):
                getattr(dynamic, name)("evil", "evil.py")
    with pytest.raises(Exception) as caught:
        dynamic.get_class_in_module("Model", "/nowhere/evil.py")
    assert not isinstance(caught.value, ForeignCodeError)
