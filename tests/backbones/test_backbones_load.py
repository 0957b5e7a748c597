"""What is wrong with a backbone is said in words; what is right loads frozen and without noise."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from damaged_folders import edit, refused
from tiny_models import CLIP_PIXELS, EYES, OPEN_CLIP, SIGLIP_PIXELS, TOWER, clip_model, clip_tokenizer, save

from promptlet.backbones import load, load_backbone
from promptlet.errors import BackboneError, MissingExtraError, OptionError


def test_loaded_frozen(clip_folder: Path, open_clip_folder: Path) -> None:
    for source in (clip_folder, str(clip_folder), f"open_clip:{open_clip_folder}"):
        backbone = load_backbone(source, device="cpu")
        assert not any(p.requires_grad for p in backbone.model.parameters())
        assert not any(m.training for m in backbone.model.modules())
        assert {p.dtype for p in backbone.model.parameters()} == {torch.float32}
        assert (backbone.dtype, backbone.device.type, backbone.feature_dim) == (torch.float32, "cpu", 16)
        assert (backbone.text.dim, backbone.text.depth, backbone.text.context_length) == (32, 3, 77)


FRESH = """
import logging, sys, time
sys.modules["torchvision"] = None
import numpy
from PIL import Image
from transformers.utils import logging as hf
from promptlet.backbones import load, load_backbone
from promptlet.preprocessing.views import pixels_of
from promptlet.data.images.reduced import whole
from promptlet.errors import BackboneError
before = (hf.get_verbosity(), hf.is_progress_bar_enabled(), logging.getLogger().level)
for source in (*sys.argv[1:], "openai/clip-vit-base-patch16"):
    try:
        backbone = load_backbone(source, device="cpu")
        assert len(backbone.fingerprint) == 38
        image = pixels_of(whole(Image.new("RGB", (40, 50))), backbone.images.spec, "", 0)
        assert image.shape == (3, 32, 32)
    except BackboneError as error:
        print(error)
assert (hf.get_verbosity(), hf.is_progress_bar_enabled(), logging.getLogger().level) == before
assert not logging.getLogger().handlers, logging.getLogger().handlers
"""


@pytest.mark.slow
def test_in_a_fresh_process(clip_folder: Path, siglip_folder: Path) -> None:
    """Nothing is printed, torchvision is not needed, a hub id fails at once when there is no network."""
    source = str(Path(__file__).parents[2] / "src")
    env = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    env |= {"HF_HUB_OFFLINE": "1", "HF_HOME": "/nonexistent"}
    command = [sys.executable, "-W", "error", "-c", FRESH]
    command += [str(clip_folder), str(siglip_folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (hub,) = done.stdout.splitlines()
    assert "cannot load backbone 'openai/clip-vit-base-patch16'" in hub and "Did you mean" not in hub
    assert "local Hugging Face cache or the network must be reachable" in hub


def test_open_clip_loads_without_noise(
    open_clip_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """open_clip logs to the root logger, and would give it a handler for good."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    load_backbone(f"open_clip:{open_clip_folder}", device="cpu")
    assert logging.getLogger().handlers == []
    assert capfd.readouterr() == ("", "")


def test_hub_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without network the library itself would retry for 23 seconds."""
    import huggingface_hub

    def unreachable(url: str) -> None:
        raise OSError(f"no route to {url}")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    said = refused("nobody/nothing-at-all", "cannot load backbone 'nobody/nothing-at-all'")
    assert "no route to https://huggingface.co/nobody/nothing-at-all/resolve/main/config.json" in said


def in_cache(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``cache`` the hub's cache, with ``folder`` in it as somebody/tiny."""
    import huggingface_hub.constants

    snapshot = cache / "models--somebody--tiny" / "snapshots" / ("0" * 40)
    shutil.copytree(folder, snapshot)
    (cache / "models--somebody--tiny" / "refs").mkdir()
    (cache / "models--somebody--tiny" / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))


def test_cached_hub_model_needs_no_network(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    in_cache(clip_folder, tmp_path, monkeypatch)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", None)
    loaded = load_backbone("somebody/tiny", device="cpu")
    assert loaded.name == "somebody/tiny"
    assert loaded.fingerprint == load_backbone(clip_folder, device="cpu").fingerprint


def test_open_clip_asks_the_hub_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("open_clip")
    import huggingface_hub

    def unreachable() -> None:
        raise OSError("no route to the hub")

    monkeypatch.setattr(huggingface_hub, "get_session", unreachable)
    for source in ("ViT-B-16/laion2b_s34b_b88k", "hf-hub:nobody/nothing-at-all"):
        refused(f"open_clip:{source}", "OSError: no route to the hub. The weights must be in the local cache")
    assert not huggingface_hub.constants.HF_HUB_OFFLINE


def test_cached_open_clip_model_needs_no_network(
    open_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    in_cache(open_clip_folder, tmp_path, monkeypatch)
    monkeypatch.setattr(huggingface_hub, "get_session", None)
    loaded = load_backbone("open_clip:hf-hub:somebody/tiny", device="cpu")
    assert loaded.fingerprint == load_backbone(f"open_clip:{open_clip_folder}", device="cpu").fingerprint


@pytest.mark.parametrize("source", ["./none", "/none/at/all", "~/none", "a/b/c", Path("none")])
def test_missing_folder(source: Any) -> None:
    refused(source, "does not exist; give a folder saved by save_pretrained")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["config.json"],
            r"no readable config.json \(FileNotFoundError: there is none\).*Save the whole model there",
        ),
        (["model.safetensors"], "cannot load the weights of .*Save the whole model there"),
        (
            ["tokenizer.json", "tokenizer_config.json"],
            r"no tokenizer that fits its text tower \(.*Save the whole model there",
        ),
        (["preprocessor_config.json"], "has no image preprocessor .*Save the whole model there"),
    ],
)
def test_a_file_is_missing(copied: Path, names: list[str], said: str) -> None:
    for name in names:
        (copied / name).unlink()
    refused(copied, said)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"]
)
def test_a_file_is_damaged(copied: Path, name: str) -> None:
    (copied / name).write_bytes(b"{ \x00 nonsense")
    assert "Save the whole model there" in refused(copied, "copy")


def test_weights_that_are_incomplete(copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copied / "model.safetensors")
    gone = next(name for name in weights if name.endswith("fc1.weight"))
    rest = {name: tensor for name, tensor in weights.items() if name != gone}
    save_file(rest, copied / "model.safetensors", {"format": "pt"})
    assert "fc1.weight" in refused(copied, "incomplete: 1 tensors are missing")
    save_file({**rest, gone: torch.zeros(3, 3)}, copied / "model.safetensors", {"format": "pt"})
    refused(copied, "weights")


def test_models_that_are_no_dual_encoder(copied: Path, tmp_path: Path) -> None:
    from transformers import BertConfig, DistilBertConfig, VisionTextDualEncoderConfig, ViTConfig

    BertConfig().save_pretrained(tmp_path / "bert")
    refused(tmp_path / "bert", "is a bert model, not a dual encoder.*Supported: CLIP, MetaCLIP 2, SigLIP")
    pair = VisionTextDualEncoderConfig.from_vision_text_configs(ViTConfig(), DistilBertConfig())
    pair.save_pretrained(tmp_path / "pair")
    refused(tmp_path / "pair", r"is a vision-text-dual-encoder \(distilbert\) model")
    edit(copied / "config.json", lambda c: c.update(model_type="siglip_text_model"))
    refused(copied, "is a siglip_text_model .*model")


@pytest.mark.slow
def test_tokenizers_of_another_model(copied: Path, siglip_folder: Path) -> None:
    edit(copied / "config.json", lambda c: c["text_config"].update(vocab_size=100))
    refused(copied, "weights|tokenizer")
    from transformers import BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz."]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    model = clip_model()
    folder = save(
        copied.parent / "bert", model, BertTokenizer(vocab={w: i for i, w in enumerate(words)}), CLIP_PIXELS
    )
    refused(folder, "pools at token .* but the tokenizer ends a text with 3")
    edit(folder / "config.json", lambda c: c["text_config"].update(eos_token_id=2))
    refused(folder, "pools at token 2 but the tokenizer ends a text with 3")


def test_tokenizer_larger_than_the_vocabulary(copied: Path) -> None:
    tokenizer = clip_tokenizer()
    tokenizer.add_tokens([f"word{i}" for i in range(300)])
    tokenizer.save_pretrained(copied)
    refused(copied, "no tokenizer that fits its text tower")


def test_siglip_needs_no_special_start(siglip_folder: Path) -> None:
    tokens = load_backbone(siglip_folder, device="cpu").text.tokenizer
    assert (tokens.start, tokens.end, tokens.pad, tokens.length) == (None, 1, 0, 64)


def test_processor_saved_as_one_file(copied: Path) -> None:
    """transformers 5 saves the image processor inside processor_config.json."""
    (copied / "preprocessor_config.json").unlink()
    (copied / "processor_config.json").write_text(json.dumps({"image_processor": CLIP_PIXELS}))
    assert load_backbone(copied, device="cpu").images.spec.crop == (32, 32)


def test_devices_and_dtypes(clip_folder: Path) -> None:
    with pytest.raises(OptionError, match="device='gpu' is not known; give 'cpu'"):
        load_backbone(clip_folder, device="gpu")
    with pytest.raises(
        OptionError, match="dtype='half' is not known; allowed: auto, float32, mixed, bfloat16, float16"
    ):
        load_backbone(clip_folder, dtype="half")
    with pytest.raises(OptionError, match=r"dtype='torch.int8' is not known"):
        load_backbone(clip_folder, dtype=torch.int8)
    assert load_backbone(clip_folder, device="cpu", dtype=torch.bfloat16).dtype == torch.bfloat16


def test_cuda_that_is_not_there(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(OptionError, match="sees no CUDA device; give 'cpu'"):
        load_backbone(clip_folder, device="cuda")
    assert load_backbone(clip_folder).device.type == "cpu"


def test_the_librarys_own_model_computes_in_the_same(clip_folder: Path) -> None:
    """Loaded when somebody asks for it, as PEFT does."""
    backbone = load_backbone(clip_folder, device="cpu", dtype="mixed")
    assert backbone.model is not None
    assert backbone.arithmetic == "mixed"
    assert backbone.text.engine is None or backbone.text.engine.products == torch.bfloat16


def test_without_a_device_an_accelerator_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA before Apple's, Apple's before the CPU."""
    there = {torch.cuda: True, torch.backends.mps: True}
    for place in there:
        monkeypatch.setattr(place, "is_available", lambda place=place: there[place])
    assert load._device(None) == torch.device("cuda")
    there[torch.cuda] = False
    assert load._device(None) == torch.device("mps")
    there[torch.backends.mps] = False
    assert load._device(None) == torch.device("cpu")


def test_a_known_name_that_cannot_be_loaded_is_not_said_to_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, *_: object) -> None:
        raise BackboneError(f"cannot load {name}")

    monkeypatch.setattr(load, "load_transformers", unreachable)
    for given, told in (("minni", " Did you mean 'mini'?"), (load.EXAMPLES[-1], "")):
        with pytest.raises(BackboneError) as error:
            load_backbone(given, device="cpu")
        assert str(error.value) == f"cannot load {given}{told}"


def test_open_clip_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'promptlet\[open-clip\]'"):
        load_backbone("open_clip:ViT-B-16/openai")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ViT-B16/openai", r"no model 'ViT-B16'. Did you mean 'ViT-B-16'\? Give open_clip:NAME/PRETRAINED"),
        ("ViT-B-16/laion2b_s34b", r"known: .*laion2b_s34b_b88k.* Did you mean 'laion2b_s34b_b8"),
        ("ViT-B-16", "'' is neither a checkpoint file nor known weights of ViT-B-16"),
        ("/none/at/all", "no such folder; give open_clip:FOLDER"),
        ("ViT-B-16/openai", "trained with QuickGELU.*give open_clip:ViT-B-16-quickgelu/openai"),
        ("ViT-B-16-quickgelu/laion2b_s34b_b88k", "neither a checkpoint|trained with GELU"),
        ("xlm-roberta-base-ViT-B-32/nothing.pt", "neither a checkpoint"),
    ],
)
def test_open_clip_names(source: str, said: str) -> None:
    pytest.importorskip("open_clip")
    refused(f"open_clip:{source}", said)


def test_open_clip_folders(open_clip_folder: Path, tmp_path: Path) -> None:
    refused(f"open_clip:{tmp_path}", "no open_clip_config.json in this folder")
    shutil.copy(open_clip_folder / "open_clip_config.json", tmp_path)
    refused(f"open_clip:{tmp_path}", "cannot load .*The weights must be in the local cache")
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"nonsense")
    refused(f"open_clip:{tmp_path}", "cannot load")


def test_open_clip_name_with_a_checkpoint(open_clip_folder: Path, tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    from safetensors.torch import load_file

    config = tmp_path / "toy-ViT.json"
    config.write_text(json.dumps(OPEN_CLIP))
    open_clip.add_model_config(config)
    weights = load_file(open_clip_folder / "open_clip_model.safetensors")
    torch.save(weights, tmp_path / "weights.pt")
    loaded = load_backbone(f"open_clip:toy-ViT/{tmp_path / 'weights.pt'}", device="cpu")
    assert loaded.fingerprint == load_backbone(f"open_clip:{open_clip_folder}", device="cpu").fingerprint
    torch.save({k: v for k, v in weights.items() if k != "ln_final.bias"}, tmp_path / "part.pt")
    refused(f"open_clip:toy-ViT/{tmp_path / 'part.pt'}", "ln_final.bias")


def test_open_clip_tower_that_pools_elsewhere(open_clip_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(open_clip_folder, tmp_path / "copy"))
    pools = {"pool_type": "eos", "eos_id": 49406}
    edit(folder / "open_clip_config.json", lambda c: c["model_cfg"]["text_cfg"].update(pools))
    refused(f"open_clip:{folder}", "pools at token 49406 but the tokenizer ends a text with 49407")
    edit(folder / "open_clip_config.json", lambda c: c["model_cfg"]["text_cfg"].update(eos_id=49407))
    text = load_backbone(f"open_clip:{folder}", device="cpu").text
    context = text.embed_words("a photo of a")
    assert text.exact_sharing
    torch.testing.assert_close(
        text.encode(context, ["dog"]), text.encode_reference(context, ["dog"]), atol=1e-5, rtol=0
    )


def test_the_library_keeps_its_own_voice(clip_folder: Path) -> None:
    """Verbosity and root handlers are as before, also when loading fails."""
    from transformers.utils import logging as transformers_logging

    before = transformers_logging.get_verbosity(), list(logging.getLogger().handlers)
    with pytest.raises(BackboneError):
        load_backbone("/none/at/all")
    load_backbone(clip_folder, device="cpu")
    assert (transformers_logging.get_verbosity(), list(logging.getLogger().handlers)) == before


def test_vision_towers_without_a_crop(tmp_path: Path) -> None:
    from transformers import CLIPConfig, CLIPModel

    assert CLIPModel(CLIPConfig(text_config=TOWER, vision_config=EYES))
    settings = {k: v for k, v in CLIP_PIXELS.items() if k != "crop_size"}
    folder = save(tmp_path, clip_model(), clip_tokenizer(), {**settings, "do_center_crop": False})
    refused(folder, "makes images of different sizes")
    (folder / "preprocessor_config.json").write_text(json.dumps({**SIGLIP_PIXELS, "do_pad": True}))
    refused(folder, "has do_pad, which is not supported")
