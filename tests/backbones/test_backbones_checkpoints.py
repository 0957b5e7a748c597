"""Bare checkpoints of open_clip: how they are read is taken from somewhere and said, or asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import OPEN_CLIP
from typer.testing import CliRunner

from promptlet.backbones import load_backbone
from promptlet.backbones.libraries.addresses import address_of
from promptlet.backbones.libraries.read_as import ReadAs, read_as
from promptlet.errors import BackboneError
from promptlet.promptfile.backbone import is_known_name

open_clip = pytest.importorskip("open_clip")
OPENAI = {"mean": (0.48145466, 0.4578275, 0.40821073), "std": (0.26862954, 0.26130258, 0.27577711)}
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "w.pt"
    path.write_bytes(b"")
    return path


def reading(name: str, file: Path, query: str = "") -> ReadAs:
    source = f"open_clip:{name}/{file}{query}"
    return read_as(address_of(source, open_clip), source, open_clip)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("MobileCLIP-S1", {"mean": (0.0,) * 3, "std": (1.0,) * 3, "interpolation": "bilinear"}),
        ("ViT-B-16-SigLIP", {**HALF, "interpolation": "bicubic", "resize_mode": "squash"}),
        ("PE-Core-B-16", {**HALF, "interpolation": "bilinear", "resize_mode": "squash"}),
        ("ViT-B-32-256", {**OPENAI, "interpolation": "bicubic", "resize_mode": "shortest"}),
        ("ViT-B-16-quickgelu", {**OPENAI, "interpolation": "bicubic", "resize_mode": "shortest"}),
    ],
)
def test_what_all_known_weights_of_a_name_share(name: str, fields: dict[str, Any], file: Path) -> None:
    found = reading(name, file)
    assert fields.items() <= found.preprocessing.items()
    assert (found.name, found.quick_gelu) == (name, False)
    assert "as in all weights of " + name in found.remarks[0]


@pytest.mark.parametrize(
    "name", [n for n in open_clip.list_models() if open_clip.list_pretrained_tags_by_model(n)]
)
def test_every_name_is_read_as_its_weights_or_asked_for(name: str, file: Path) -> None:
    """An independent count: where any two tags differ, nothing is taken; else what is taken is the tag's."""
    tags = open_clip.list_pretrained_tags_by_model(name)
    known = [open_clip.get_pretrained_cfg(name, tag) for tag in tags]
    fields = ("mean", "std", "interpolation", "resize_mode")
    ways = {json.dumps([*(config[f] for f in fields), config.get("quick_gelu", False)]) for config in known}
    quick = open_clip.get_model_config(name).get("quick_gelu", False)
    if len(ways) > 1 or known[0].get("quick_gelu", False) != quick:
        with pytest.raises(BackboneError, match="were trained in different ways"):
            reading(name, file)
    else:
        assert reading(name, file).preprocessing == {f: known[0][f] for f in fields}


@pytest.mark.parametrize(
    ("name", "query", "expected"),
    [
        ("ViT-B-16", "?quick_gelu=false", ("ViT-B-16", False)),
        ("ViT-B-16", "?quick_gelu=true", ("ViT-B-16", True)),
        ("ViT-B-16-quickgelu", "?quick_gelu=false", ("ViT-B-16", False)),
        ("ViT-B-16-quickgelu", "?quick_gelu=true", ("ViT-B-16-quickgelu", False)),
        ("ViT-L-14-336", "?quick_gelu=true", ("ViT-L-14-336", True)),
    ],
)
def test_quick_gelu_as_given(name: str, query: str, expected: tuple[str, bool], file: Path) -> None:
    found = reading(name, file, query)
    assert (found.name, found.quick_gelu) == expected
    assert "as given" in found.remarks[0]


@pytest.mark.parametrize(
    ("name", "query", "said"),
    [
        (
            "ViT-B-16",
            "",
            r"quick_gelu: true or false.*w.pt\?quick_gelu=true', or give open_clip:ViT-B-16-quickgelu/",
        ),
        ("ViT-L-14", "?mean=0.5&std=0.5", r"std=0.5&quick_gelu="),
        ("ViT-L-14", "?quick_gelu=true", r"mean: 0.48145466,0.4578275,0.40821073 or 0.5,0.5,0.5"),
        ("ViT-B-16", "?quick_gelu=maybe", "quick_gelu=maybe; allowed: true or false"),
        ("roberta-ViT-B-32", "?quick_gelu=false", "has roberta-ViT-B-32 with QuickGELU alone"),
        ("MobileCLIP-S1", "?mean=1,2", r"mean=\[1.0, 2.0\]; allowed: 3 numbers"),
        ("MobileCLIP-S1", "?mean=nan", r"mean=\[nan, nan, nan\]; allowed: 3 numbers"),
        ("MobileCLIP-S1", "?std=0,0,0", r"std=\[0.0, 0.0, 0.0\]; allowed"),
        ("MobileCLIP-S1", "?std=", "std=; allowed"),
        ("MobileCLIP-S1", "?interpolation=best", "interpolation=best; allowed: bicubic, bilinear"),
        ("MobileCLIP-S1", "?resize_mode=longest", "resize_mode='longest'"),
        ("MobileCLIP-S1", "?meen=0", "'meen=0' behind . is not known; allowed, once each: mean, std"),
        ("MobileCLIP-S1", "?mean=0&mean=1", "'mean=1' behind . is not known"),
        ("MobileCLIP-S1", "?", "'' behind . is not known"),
    ],
)
def test_what_is_asked_for_or_wrong(name: str, query: str, said: str, file: Path) -> None:
    with pytest.raises(BackboneError, match=said):
        reading(name, file, query)


def test_one_number_stands_for_three(file: Path) -> None:
    assert reading("MobileCLIP-S1", file, "?mean=0.25&std=0.5").preprocessing["mean"] == [0.25] * 3


def beside(file: Path, preprocess: Any, model: Any) -> None:
    (file.parent / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model, "preprocess_cfg": preprocess})
    )


def test_a_configuration_beside_the_file(file: Path) -> None:
    model = {**open_clip.get_model_config("ViT-L-14"), "quick_gelu": True}
    beside(file, {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5]}, model)
    found = reading("ViT-L-14", file)
    assert (found.preprocessing["mean"], found.quick_gelu) == ([0.1, 0.2, 0.3], True)
    assert f"from {file.parent / 'open_clip_config.json'}" in found.remarks[0]
    assert reading("ViT-L-14", file, "?mean=0.5").preprocessing["mean"] == [0.5] * 3, (
        "the person's word comes first"
    )


@pytest.mark.parametrize(
    ("preprocess", "model", "said"),
    [
        ({"mean": [0.1] * 4}, {}, "mean=.*; allowed: 3 numbers"),
        ({"std": [0, 1, 1]}, {}, "std=.*; allowed"),
        ({"mean": None}, {}, "mean=None; allowed"),
        ([], {}, "must be objects"),
        ({}, {"embed_dim": 7}, "is of another model than MobileCLIP-S1"),
        ({}, {"quick_gelu": "yes"}, "quick_gelu=yes; allowed"),
    ],
)
def test_a_configuration_beside_the_file_that_is_wrong(
    preprocess: Any, model: Any, said: str, file: Path
) -> None:
    beside(file, preprocess, model)
    with pytest.raises(BackboneError, match=said):
        reading("MobileCLIP-S1", file)


def test_a_name_without_known_weights_says_what_is_assumed(file: Path) -> None:
    found = reading("ViT-S-16", file)
    assert (
        "open_clip knows no weights of ViT-S-16, so images are read as OpenAI's CLIP reads them"
        in found.remarks[0]
    )
    assert reading("ViT-S-16", file, "?mean=0&std=1").preprocessing == {"mean": [0.0] * 3, "std": [1.0] * 3}


@pytest.fixture
def loaded(open_clip_folder: Path, tmp_path: Path) -> Callable[[str], Any]:
    """A tiny model loaded from a bare checkpoint."""
    from safetensors.torch import load_file

    (tmp_path / "toy-ViT.json").write_text(json.dumps(OPEN_CLIP))
    open_clip.add_model_config(tmp_path / "toy-ViT.json")
    torch.save(load_file(open_clip_folder / "open_clip_model.safetensors"), tmp_path / "w.pt")
    return lambda query: load_backbone(f"open_clip:toy-ViT/{tmp_path / 'w.pt'}{query}", device="cpu")


def test_what_was_said_is_what_images_and_features_are_made_with(loaded: Callable[[str], Any]) -> None:
    plain = loaded("")
    told = loaded("?mean=0,0.5,1&std=0.25&interpolation=bilinear&resize_mode=squash&quick_gelu=true")
    assert (told.images.spec.mean, told.images.spec.std) == ((0.0, 0.5, 1.0), (0.25,) * 3)
    assert (told.images.spec.resize, told.images.spec.resample) == ("exact", 2)
    assert told.fingerprint != plain.fingerprint
    pixels = torch.ones(1, 3, 32, 32)
    assert not torch.allclose(told.images.encode(pixels), plain.images.encode(pixels)), (
        "QuickGELU is another one"
    )
    assert any("as given" in note for note in told.notes((), ()))
    assert any("open_clip knows no weights of toy-ViT" in note for note in plain.notes((), ()))


def test_the_command_line_says_it(loaded: Callable[[str], Any]) -> None:
    from promptlet.cli.app import app

    name = loaded("").name
    said = CliRunner().invoke(app, ["backbones", name, "--device", "cpu"])
    assert "note: open_clip knows no weights of toy-ViT" in said.stderr
    notes = json.loads(CliRunner().invoke(app, ["backbones", name, "--device", "cpu", "--json"]).stdout)[
        "notes"
    ]
    assert "open_clip knows no weights of toy-ViT" in notes[0]


def test_files_may_not_name_them() -> None:
    assert not is_known_name("open_clip:ViT-B-16/w.pt?quick_gelu=true")
    assert not is_known_name("open_clip:ViT-B-16/openai?mean=0")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("w.pt", r"this file exists, .* give its name first, open_clip:NAME/w.pt"),
        ("./w.pt", r"this file exists, .* give its name first, open_clip:NAME/./w.pt"),
        ("{here}/w.pt", "this file exists, .* open_clip:NAME/{here}/w.pt"),
        ("ViT-B-16/inside.pt", "this file exists, .* open_clip:NAME/ViT-B-16/inside.pt"),
        ("ViT-B-16/weights", "'weights' is a folder; give the checkpoint file in it"),
        (
            "weights",
            "no open_clip_config.json in this folder, and a checkpoint .* open_clip:NAME/weights/a.pt",
        ),
        ("hugging", "holds a model of transformers: give hugging without open_clip:"),
        ("hugging/config.json", "a configuration is given by its folder: open_clip:hugging"),
        ("nowhere/a.pt", "open_clip has no model 'nowhere'"),
        ("./nowhere", "no such folder; give open_clip:FOLDER"),
        ("ViT-B-16/openai?mean=0", "knows how images of the tag 'openai' are read"),
        ("ViT-B-16/nothing.pt?mean=0", "'nothing.pt' is neither a checkpoint file nor known weights"),
    ],
)
def test_paths_that_exist_and_are_no_address(
    given: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "w.pt",
        "ViT-B-16/inside.pt",
        "weights/a.pt",
        "hugging/config.json",
        "hugging/model.safetensors",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(BackboneError, match=said.format(here=tmp_path)):
        load_backbone("open_clip:" + given.format(here=tmp_path), device="cpu")


def test_a_question_mark_may_stand_in_a_name(tmp_path: Path) -> None:
    (tmp_path / "a?b.pt").write_bytes(b"")
    assert address_of(f"open_clip:ViT-B-16/{tmp_path}/a?b.pt", open_clip).told == {}
    assert address_of(f"open_clip:ViT-B-16/{tmp_path}/a?b.pt?mean=1", open_clip).told == {"mean": [1.0] * 3}
