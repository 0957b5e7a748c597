"""Folders of backbones that are damaged or made to harm: refused in words, in seconds and little memory."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import hostile_folders
import pytest
import torch
from damaged_folders import edit, refused
from tiny_models import OPEN_CLIP
from tiny_open_clip import save_open_kind

from promptlet.backbones.libraries.asked import BOUNDS, read_asked
from promptlet.backbones.libraries.built import no_larger_than
from promptlet.backbones.libraries.refusal import REASON, refusing
from promptlet.backbones.libraries.texts.in_open_clip import built_from_sizes, config_of
from promptlet.backbones.libraries.weights import weights_in
from promptlet.errors import BackboneError, DataError

SLOW_COUNT, PARTS = 2000, 2
MOST_SECONDS, MOST_MEGABYTES = 5, 500
OTHERS = ("chinese_clip", "altclip", "align", "dual_roberta")
KINDS = ("clip", "gelu", "dual", "siglip", "siglip_naflex", "open_clip", "open_siglip")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder of sound folders, one of each kind, and one with a bare checkpoint of open_clip."""
    from safetensors.torch import load_file

    root = tmp_path_factory.mktemp("hostile")
    for kind in KINDS:
        shutil.copytree(request.getfixturevalue(f"{kind}_folder"), root / "sound" / kind)
    for kind in OTHERS:
        shutil.copytree(request.getfixturevalue("kind_folders")[kind], root / "sound" / kind)
    (root / "sound" / "open_roberta").mkdir()
    save_open_kind("roberta", root / "sound" / "open_roberta")
    (root / "toy-ViT.json").write_text(json.dumps(OPEN_CLIP))
    weights = load_file(root / "sound" / "open_clip" / "open_clip_model.safetensors")
    (root / "sound" / "checkpoint").mkdir()
    torch.save(weights, root / "sound" / "checkpoint" / "weights.pt")
    return root / "sound"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak memory of Linux")
@pytest.mark.parametrize("part", range(PARTS))
def test_two_thousand_hostile_folders(sound: Path, part: int) -> None:
    pytest.importorskip("open_clip")
    first, last = (SLOW_COUNT * step // PARTS for step in (part, part + 1))
    here = Path(__file__).parents[1]
    env = {
        **os.environ,
        "PYTHONPATH": str(here.parent / "src"),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, here / "hostile_folders.py", sound, str(first), str(last)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)  # nothing else was printed
    print(found)
    assert found["faults"] == []
    assert sum(found["ends"].values()) == last - first
    assert min(found["ends"].values()) > (last - first) / 100, "all refused or all loaded proves little"
    assert found["slowest"][0] < MOST_SECONDS, found["slowest"]
    assert found["largest"][0] < MOST_MEGABYTES, found["largest"]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak memory of Linux")
@pytest.mark.slow
def test_some_hostile_folders(clip_folder: Path, siglip_folder: Path, tmp_path: Path) -> None:
    for kind, folder in (("clip", clip_folder), ("siglip", siglip_folder)):
        shutil.copytree(folder, tmp_path / "sound" / kind)
    found = hostile_folders.attack(tmp_path / "sound", tmp_path, range(8))
    assert found["faults"] == []
    assert found["ends"]["refused"] > 2
    assert found["slowest"][0] < MOST_SECONDS
    assert found["largest"][0] < MOST_MEGABYTES


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("num_hidden_layers", 10**7, r"text_config.num_hidden_layers is 10000000; allowed: 1 to 512"),
        ("num_hidden_layers", 400, "asks for a model of over"),
        ("hidden_size", [32], "hidden_size.* expected int, got list"),
        ("hidden_size", 10**400, "hidden_size is a number of 401 digits"),
        ("vocab_size", 4_000_000, "asks for a model of over .* do not belong together"),
        ("vocab_size", -1, "vocab_size is -1; allowed: 1 to"),
        ("vocab_size", True, "vocab_size is True; allowed"),
        ("num_labels", 10**9, "num_labels is 1000000000"),
        ("layer_norm_eps", float("nan"), "layer_norm_eps is nan; allowed"),
        ("unknown_to_all", 10**12, "unknown_to_all is 1000000000000; allowed"),
        ("hidden_act", {"a": 1}, "hidden_act.* expected str, got dict"),
    ],
)
def test_what_a_configuration_asks_for(copied: Path, field: str, value: Any, said: str) -> None:
    edit(copied / "config.json", lambda config: config["text_config"].update({field: value}))
    refused(copied, f"copy.*{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "holds a list where an object is expected"),
        ("null", "holds null where"),
        ("{", "is no readable JSON"),
        ("[" * 10**6, "is no readable JSON"),
        ('{"a":' * 40 + "1" + "}" * 40, "nested over 32 deep"),
        ('{"a": ' + "9" * 5000 + "}", "is no readable JSON|a is"),
        ('{"pad": "' + "x" * (5 << 20) + '"}', "has 5,242,891 bytes, and a file of this model has 4,194,304"),
    ],
)
def test_configurations_that_are_none(copied: Path, text: str, said: str) -> None:
    (copied / "config.json").write_text(text)
    refused(copied, said)


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        ("config.json", "configuration_files", ["config.4.0.0.json"]),
        ("config.json", "transformers_weights", "sub/evil.safetensors"),
        ("tokenizer_config.json", "fast_tokenizer_files", ["sub/tokenizer.4.0.0.json"]),
    ],
)
def test_fields_that_lead_to_files_nobody_looked_at(copied: Path, file: str, field: str, value: Any) -> None:
    (copied / "config.4.0.0.json").write_text('{"num_labels": 5000000}')
    edit(copied / file, lambda config: config.update({field: value}))
    refused(copied, f"{file}: {field} names other files, which are not followed")


def test_the_weights_that_are_looked_at_are_those_that_are_read(copied: Path) -> None:
    whole = (copied / "model.safetensors").stat().st_size
    (copied / "extra.safetensors").write_bytes(b"\xff" * 80)
    assert weights_in(copied, "toy") == whole
    (copied / "model.safetensors").rename(copied / "a.safetensors")
    assert weights_in(copied, "toy") == 0
    index = {"weight_map": {"x": "a.safetensors", "y": "absent.safetensors"}}
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    assert weights_in(copied, "toy") == whole
    torch.save({"x": torch.zeros(1).expand(10**9)}, copied / "pytorch_model.bin")
    (copied / "model.safetensors.index.json").unlink()
    with pytest.raises(BackboneError, match=r"pytorch_model.bin holds a tensor x of shape \(1000000000,\)"):
        weights_in(copied, "toy")


def test_a_text_tower_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    config = config_of({"hf_model_name": str(tmp_path)})
    with (
        pytest.raises(BackboneError, match=r"config\.json is no plain file"),
        built_from_sizes({}, config, "toy"),
    ):
        pass


def test_bounds_hold_at_any_depth_and_in_lists(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for name, (least, most) in BOUNDS.items():
        for value in (least, most, [least, most], None):
            path.write_text(json.dumps({"a": {"b": [{name: value}]}}))
            assert read_asked(path, "toy") == {"a": {"b": [{name: value}]}}
        for value in (least - 1, most + 1, [least, most + 1], "1", 0.5 if name != "mlp_ratio" else -0.5):
            path.write_text(json.dumps({"a": {"b": [{name: value}]}}))
            with pytest.raises(BackboneError, match=f"config.json: a.b.{name} is"):
                read_asked(path, "toy")


def test_files_that_are_no_files(copied: Path) -> None:
    (copied / "merges.txt").unlink(missing_ok=True)
    os.mkfifo(copied / "merges.txt")
    refused(copied, "merges.txt is no plain file")
    (copied / "merges.txt").unlink()
    (copied / "merges.txt").symlink_to("/dev/zero")
    refused(copied, "merges.txt is no plain file")
    (copied / "merges.txt").unlink()
    (copied / "merges.txt").write_bytes(b" " * (5 << 20))
    refused(copied, "merges.txt has 5,242,880 bytes")
    (copied / "config.json").unlink()
    os.mkfifo(copied / "config.json")
    refused(copied, "no readable config.json|no plain file")


@pytest.mark.parametrize("length", [0, 10**6, 2**63])
def test_headers_of_weights(copied: Path, length: int) -> None:
    data = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(struct.pack("<Q", length) + data[8:])
    refused(copied, "header of model.safetensors says it has")


def test_a_header_of_many_tensors(copied: Path) -> None:
    header = json.dumps({f"t{i}": {} for i in range(20_001)}).encode()
    (copied / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    refused(copied, "is no list of at most 20,000 tensors")


def test_shards_outside_of_the_folder(copied: Path) -> None:
    index = {"metadata": {}, "weight_map": {"logit_scale": "../other/model.safetensors"}}
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(copied, "names weights outside of its folder")


@pytest.fixture
def checkpoint(open_clip_folder: Path, tmp_path: Path) -> tuple[str, dict[str, Any], Path]:
    open_clip = pytest.importorskip("open_clip")
    from safetensors.torch import load_file

    (tmp_path / "toy-ViT.json").write_text(json.dumps(OPEN_CLIP))
    open_clip.add_model_config(tmp_path / "toy-ViT.json")
    path = tmp_path / "weights.pt"
    return f"open_clip:toy-ViT/{path}", load_file(open_clip_folder / "open_clip_model.safetensors"), path


def test_a_checkpoint_that_unpacks_to_more(checkpoint: tuple[str, dict[str, Any], Path]) -> None:
    source, weights, path = checkpoint
    torch.save({**weights, "positional_embedding": torch.zeros(1).expand(10**6, 10**5)}, path)
    refused(source, r"holds a tensor positional_embedding of shape \(1000000, 100000\), which is larger than")
    torch.save(weights, path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(path.with_name("packed.pt"), "w", 8) as new:
        for part in old.infolist():
            new.writestr(part.filename, old.read(part))
    refused(source.replace("weights.pt", "packed.pt"), "an archive with packed content")


def test_a_checkpoint_too_small_for_its_name(checkpoint: tuple[str, dict[str, Any], Path]) -> None:
    """ViT-bigG-14 has 2.5 billion numbers; building it would take 10 GB before anybody looked."""
    source, weights, path = checkpoint
    torch.save(weights, path)
    refused(
        source.replace("toy-ViT", "ViT-bigG-14-CLIPA"), "asks for a model of over .* do not belong together"
    )


@pytest.mark.parametrize(
    ("side", "fields", "said"),
    [
        ("text_cfg", {"layers": 10**7}, "text_cfg.layers is 10000000"),
        ("text_cfg", {"context_length": 10**6}, "context_length is 1000000"),
        ("text_cfg", {"vocab_size": 4_000_000}, "asks for a model of over"),
        ("vision_cfg", {"image_size": 4096, "patch_size": 1}, "an image tower with a tensor of"),
        ("vision_cfg", {"width": 10**5}, "an image tower with a tensor of|a model of over"),
        (
            "vision_cfg",
            {"timm_model_name": "hf-hub:somebody/model"},
            "timm_model_name is 'hf-hub:somebody/model'",
        ),
        ("vision_cfg", {"timm_model_name": ["x"]}, "timm_model_name is"),
        ("text_cfg", {"hf_model_name": "/nowhere/tower"}, "cannot load .*"),
        ("text_cfg", {"tokenizer_kwargs": {"proxies": {"https": "x"}}}, "tokenizer_kwargs has .'proxies'."),
        ("text_cfg", {"tokenizer_kwargs": [1]}, "tokenizer_kwargs has"),
    ],
)
def test_what_an_open_clip_configuration_asks_for(
    side: str, fields: dict[str, Any], said: str, open_clip_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(open_clip_folder, tmp_path / "copy"))
    edit(folder / "open_clip_config.json", lambda config: config["model_cfg"][side].update(fields))
    refused(f"open_clip:{folder}", said)


def test_text_towers_of_transformers_are_looked_at_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Their configuration could name a kernel, which is code: it is read as a page of sizes, by tag and by
    file, before transformers reads anything."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("open_clip")
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", None)
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", None)
    page = tmp_path / "config.json"
    page.write_text(json.dumps({"model_type": "xlm-roberta", "num_hidden_layers": 10**7}))
    monkeypatch.setattr("promptlet.backbones.libraries.open_clip.config_of", lambda _text: page)
    torch.save({"logit_scale": torch.ones(())}, tmp_path / "w.pt")
    name = "xlm-roberta-base-ViT-B-32"
    for weights in ("laion5b_s13b_b90k", str(tmp_path / "w.pt")):
        refused(f"open_clip:{name}/{weights}", "config.json: num_hidden_layers is 10000000")


def test_counting_ends_with_the_block() -> None:
    with (
        pytest.raises(BackboneError, match=r"'toy': the configuration asks for .* 2 tensors"),
        no_larger_than(1, "toy"),
    ):
        torch.nn.Linear(1 << 10, 1 << 10)
        torch.nn.Linear(2, 2)
    torch.nn.Linear(1 << 10, 1 << 12)


class Panic(BaseException):
    pass


Panic.__name__ = "PanicException"


@pytest.mark.parametrize("error", [ValueError("a\nb"), MemoryError(), RecursionError(), Panic("a\nb")])
def test_any_error_of_a_library_is_one_of_a_backbone(error: BaseException) -> None:
    with (
        pytest.raises(BackboneError, match=r"^{x} \(.*Error|^{x} \(PanicException: a b\)"),
        refusing("x", f"{{x}} ({REASON})"),
    ):
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), DataError("own")])
def test_what_is_no_error_of_a_library_passes(error: BaseException) -> None:
    with pytest.raises(type(error)), refusing("x", REASON):
        raise error


DOUBLE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
TWICE = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 2}


@pytest.mark.parametrize(
    ("part", "steps"),
    [
        ("normalizer", [DOUBLE] * 34),
        ("normalizer", [{"type": "Sequence", "normalizers": [DOUBLE] * 9}] * 4),
        ("normalizer", [{"type": "Replace", "pattern": {"Regex": "."}, "content": "x" * 1000}] * 3),
        ("normalizer", [{"type": "Prepend", "prepend": "x" * 100_000}]),
        ("post_processor", [TWICE] * 34),
        ("pre_tokenizer", [{"type": "Digits", "individual_digits": True}] * 65),
    ],
)
@pytest.mark.slow
def test_tokenizers_that_make_a_text_longer_and_longer(copied: Path, part: str, steps: list[Any]) -> None:
    """Run, each of them ends the process: the library cannot say that memory is short."""
    names = {"normalizer": "normalizers", "post_processor": "processors", "pre_tokenizer": "pretokenizers"}
    edit(
        copied / "tokenizer.json", lambda file: file.update({part: {"type": "Sequence", names[part]: steps}})
    )
    edit(copied / "tokenizer_config.json", lambda config: config.update(tokenizer_class="TokenizersBackend"))
    refused(copied, "the steps in tokenizer.json make a text up to .* times longer in")
    (copied / "tokenizer.json").rename(copied / "tokenizer.1.0.0.json")
    edit(
        copied / "tokenizer_config.json",
        lambda config: config.update(fast_tokenizer_files=["tokenizer.1.0.0.json"]),
    )
    refused(copied, "the steps in tokenizer.1.0.0.json make")


@pytest.mark.parametrize(
    "wrong",
    [
        {"added_tokens_decoder": {"524": {"content": "<|endoftext|>", 'forged\n{"schema": 1}': 1}}},
        {"added_tokens_decoder": {"524": {"forged": 1}}},
        {"extra_special_tokens": [{"__type": "AddedToken", "content": "x", "forged": 1}]},
        {"pad_token": {"forged": True}},
        {"added_tokens": [{"id": 524, "content": "<|endoftext|>", "forged": 1}]},
    ],
)
def test_nothing_of_a_tokenizer_reaches_standard_output(
    wrong: dict[str, Any], copied: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The library prints each word that it does not know of a token, which could forge what --json says."""
    name = "tokenizer.json" if "added_tokens" in wrong else "tokenizer_config.json"
    edit(copied / name, lambda config: config.update(wrong))
    refused(copied, f"{name} says .forged.* of a token; known: content")
    assert capfd.readouterr().out == ""


def test_a_tokenizer_with_a_billion_extra_tokens(copied: Path) -> None:
    settings = {"tokenizer_class": "T5Tokenizer", "extra_ids": 10**9}
    edit(copied / "tokenizer_config.json", lambda config: config.update(settings))
    refused(copied, "tokenizer_config.json: extra_ids is 1000000000; allowed: 0 to 1024")
