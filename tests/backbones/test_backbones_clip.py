"""CLIP folders that Promptlet reads by itself: the library's own numbers, and nothing that is not known."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny_models import CLIP_PIXELS, TOWER, clip_model, clip_tokenizer, save, shaken

from promptlet.backbones import load_backbone
from promptlet.backbones.clip.folder import load_clip
from promptlet.backbones.clip.tokens import tokens_of
from promptlet.backbones.libraries.transformers import load_transformers
from promptlet.backbones.towers import TowerBackbone
from promptlet.errors import BackboneError, WrongBackboneError
from promptlet.mini.names import MODEL_FOLDER

CPU = torch.device("cpu")
TEXTS = ("a photo of a dog.", "Airbus A380-800, 2012", "x" * 30, "café №5")


def own(folder: Path, dtype: torch.dtype = torch.float32) -> TowerBackbone | None:
    return load_clip(folder, "own", str(folder), CPU, dtype)


def both(folder: Path, dtype: torch.dtype = torch.float32) -> tuple[TowerBackbone, TowerBackbone]:
    ours = own(folder, dtype)
    assert ours is not None
    return ours, load_transformers(str(folder), CPU, dtype, "own")


def equal(ours: TowerBackbone, theirs: TowerBackbone) -> None:
    """All that a backbone answers, to the last bit."""
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randn(3, 3, *theirs.images.spec.output_size, generator=draw)
    context = 0.1 * torch.randn(2, 4, theirs.text.dim, generator=draw)
    beside = 0.1 * torch.randn(2, 3, theirs.images.dim, generator=draw)
    for encode in (
        lambda b: b.images.encode(pixels),
        lambda b: b.text.encode_texts(TEXTS),
        lambda b: b.text.encode_texts_reference(TEXTS),
        lambda b: b.text.encode(context[0], ["dog", "cat"]),
        lambda b: b.text.encode_reference(context, ["dog", "cat"], "deep"),
        lambda b: b.images.encode_prompted(pixels, beside),
        lambda b: b.images.encode_prompted_reference(pixels, beside),
        lambda b: b.text.embed_words("a photo of a"),
    ):
        assert torch.equal(encode(ours), encode(theirs))
    for fact in ("fingerprint", "former_fingerprint", "logit_scale", "logit_bias", "feature_dim", "dtype"):
        assert getattr(ours, fact) == getattr(theirs, fact), fact
    assert ours.images.spec == theirs.images.spec
    assert ours.facts == theirs.facts
    assert ours.notes((), ["dog"]) == theirs.notes((), ["dog"])
    names = ["forget-me-not", "A380", "10 euro"]
    assert list(ours.names_read(names)) == list(theirs.names_read(names))


@pytest.fixture(scope="module")
def made_folders(tmp_path_factory: pytest.TempPathFactory, clip_folder: Path, gelu_folder: Path) -> Any:
    """Folders that differ in what settings and files can say."""
    root = tmp_path_factory.mktemp("made")
    found = {"plain": clip_folder, "gelu, old end of text": gelu_folder}
    for name, dtype in (("half", torch.float16), ("brain", torch.bfloat16)):
        found[name] = save(root / name, clip_model(3).to(dtype), clip_tokenizer(), CLIP_PIXELS)
    from transformers import CLIPConfig, CLIPModel

    text = {**clip_model().config.text_config.to_dict(), "hidden_act": "gelu", "layer_norm_eps": 1e-6}
    wide = {**TOWER, "num_attention_heads": 2, "num_hidden_layers": 2, "image_size": 48, "patch_size": 16}
    config = CLIPConfig(text_config=text, vision_config=wide, projection_dim=24)
    pixels = {**CLIP_PIXELS, "size": {"height": 48, "width": 48}, "do_center_crop": False}
    found["other settings"] = save(root / "other", shaken(CLIPModel(config), 4), clip_tokenizer(), pixels)
    found["mini"] = MODEL_FOLDER
    return found


@pytest.mark.parametrize(
    "name", ["plain", "gelu, old end of text", "half", "brain", "other settings", "mini"]
)
def test_a_folder_gives_the_librarys_numbers(name: str, made_folders: dict[str, Path]) -> None:
    equal(*both(made_folders[name]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_lower_precision_too(dtype: torch.dtype, clip_folder: Path) -> None:
    equal(*both(clip_folder, dtype))


def test_weights_are_mapped_where_they_are_float32(clip_folder: Path) -> None:
    """A change of the file shows: they lie in it, and not in memory. (No folder in use is changed so.)"""
    ours = own(clip_folder)
    assert ours is not None
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("this system does not say what is mapped")
    places = [
        tuple(int(part, 16) for part in line.split()[0].split("-"))
        for line in maps.read_text().splitlines()
        if line.endswith(str((clip_folder / "model.safetensors").resolve()))
    ]
    where = ours.text.token_embedding.data_ptr()
    assert any(low <= where < high for low, high in places)


# -- the tokenizer -------------------------------------------------------------------------------------------

WORDS = st.one_of(
    st.text(max_size=60),
    st.text("aA.'sSdtTİßéÉ\u0301 \t\n\u00a0<|>endofxstartoftext№ﬁ中\uff112", max_size=60),
    st.lists(
        st.sampled_from(
            [
                "<|endoftext|>",
                "<|startoftext|>",
                "<|ENDOFTEXT|>",
                " ",
                "'S",
                "Dog's",
                "photo",
                "İ",
                "ﬁ",
                "\x00",
            ]
        ),
        max_size=8,
    ).map("".join),
)


@pytest.fixture(scope="module")
def tokenizers(made_folders: dict[str, Path]) -> list[tuple[Any, Any]]:
    from transformers import AutoTokenizer

    folders = (made_folders["plain"], made_folders["mini"])
    return [(tokens_of(one, str(one)), AutoTokenizer.from_pretrained(one)) for one in folders]


@settings(max_examples=400, deadline=None)
@given(WORDS)
@pytest.mark.slow
def test_ids_are_the_librarys_for_every_text(tokenizers: list[tuple[Any, Any]], text: str) -> None:
    for ours, theirs in tokenizers:
        for special in (False, True):
            found = ours(text, add_special_tokens=special).input_ids
            assert found == list(theirs(text, add_special_tokens=special).input_ids)
        assert ours.convert_ids_to_tokens(found) == theirs.convert_ids_to_tokens(found)


def test_what_a_tokenizer_says_of_itself(tokenizers: list[tuple[Any, Any]]) -> None:
    for ours, theirs in tokenizers:
        assert len(ours) == len(theirs)
        assert ours.get_added_vocab() == theirs.get_added_vocab()
        assert (ours.pad_token_id, ours.unk_token_id) == (theirs.pad_token_id, theirs.unk_token_id)


def edit(path: Path, **changed: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def as_older_versions_write(folder: Path) -> None:
    """OpenAI's own folders: tokens as objects, another expression for words, the whole of an old config."""
    said = json.loads((folder / "tokenizer.json").read_text())
    for token in said["added_tokens"]:
        token["normalized"] = True
    split, level = said["pre_tokenizer"]["pretokenizers"]
    split["pattern"]["Regex"] = split["pattern"]["Regex"].split("|>|", 2)[2]
    del level["use_regex"], said["model"]["byte_fallback"], said["model"]["ignore_merges"]
    (folder / "tokenizer.json").write_text(json.dumps(said))
    token = {
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": True,
        "__type": "AddedToken",
    }
    edit(
        folder / "tokenizer_config.json",
        bos_token={**token, "content": "<|startoftext|>"},
        eos_token={**token, "content": "<|endoftext|>"},
        do_lower_case=True,
        special_tokens_map_file="./special_tokens_map.json",
        name_or_path="openai/clip-vit-base-patch32",
    )
    plain = {name: value for name, value in token.items() if name != "__type"}
    (folder / "special_tokens_map.json").write_text(
        json.dumps({"bos_token": {**plain, "content": "<|startoftext|>"}, "pad_token": "<|endoftext|>"})
    )
    config = json.loads((folder / "config.json").read_text())
    old = {
        "top_k": 50,
        "output_attentions": False,
        "bad_words_ids": None,
        "pruned_heads": {},
        "is_decoder": False,
    }
    config["text_config"] |= old
    config["vision_config"] |= {**old, "id2label": {"0": "LABEL_0"}, "torch_dtype": None, "return_dict": True}
    config |= {"text_config_dict": None, "vision_config_dict": None, "torch_dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config))
    weights = load_file(folder / "model.safetensors")
    weights["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def test_a_folder_as_older_versions_wrote_it(clip_folder: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = shutil.copytree(clip_folder, tmp_path / "old")
    as_older_versions_write(folder)
    equal(*both(folder))
    theirs, ours = AutoTokenizer.from_pretrained(folder), tokens_of(folder, str(folder))
    for text in ("<|endoftext|>", "a<|ENDOFTEXT|>b", "<|startoftext|>dog's", "a < |endoftext| > b"):
        assert ours(text).input_ids == list(theirs(text).input_ids)


# -- what is left to the library -----------------------------------------------------------------------------


def config(**changed: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "config.json", **changed)


def tower(side: str, **changed: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        said = json.loads((folder / "config.json").read_text())
        said[side] = {**said[side], **changed}
        (folder / "config.json").write_text(json.dumps(said))

    return change


def without_end(folder: Path) -> None:
    said = json.loads((folder / "config.json").read_text())
    del said["text_config"]["eos_token_id"]
    (folder / "config.json").write_text(json.dumps(said))


def tokens(**changed: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "tokenizer_config.json", **changed)


def words(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        said = json.loads((folder / "tokenizer.json").read_text())
        change(said)
        (folder / "tokenizer.json").write_text(json.dumps(said))

    return changed


def file(name: str, content: str = "{}") -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None


def gone(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def weights(change: Callable[[dict[str, torch.Tensor]], Any], form: str = "pt") -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        change(held)
        save_file(held, folder / "model.safetensors", {"format": form})

    return changed


NORM = "text_model.final_layer_norm.bias"
ODD: dict[str, Callable[[Path], None]] = {
    "a field that is not known": config(new_field=1),
    "quantised": config(quantization_config={"quant_method": "int8"}),
    "code beside it": config(auto_map={"AutoModel": "code.Model"}),
    "another kind": config(model_type="siglip"),
    "another attention": config(attn_implementation="eager"),
    "another class": config(architectures=["CLIPTextModel"]),
    "parts in other fields": config(text_config_dict={"hidden_act": "gelu"}),
    "another kind of tower": tower("text_config", model_type="clipseg_text_model"),
    "another activation": tower("vision_config", hidden_act="gelu_pytorch_tanh"),
    "a flag that is a number": tower("text_config", is_decoder=0),
    "heads that do not divide": tower("text_config", num_attention_heads=5),
    "patches that do not fill": tower("vision_config", patch_size=15),
    "sides of an image": tower("vision_config", image_size=[32, 32]),
    "several ends": tower("text_config", eos_token_id=[1, 2]),
    "no end": without_end,
    "a whole number for an eps": tower("text_config", layer_norm_eps=1),
    "attentions are asked for": tower("vision_config", output_attentions=True),
    "a range in words": tower("text_config", initializer_range="x"),
    "a whole number for a factor": config(initializer_factor=1),
    "labels in a list": tower("vision_config", id2label=[1]),
    "labels without numbers": tower("vision_config", id2label={"a": "b"}),
    "labels that are lists": tower("vision_config", label2id={"a": [0]}),
    "a flag for a token": tower("text_config", pad_token_id=True),
    "a version that is a list": config(transformers_version=[1]),
    "a temperature in words": tower("text_config", temperature="warm"),
    "a length in words": tokens(model_max_length="long"),
    "padding in the middle": tokens(padding_side="middle"),
    "another tokenizer": tokens(tokenizer_class="GPT2Tokenizer"),
    "a tokenizer that is not named": lambda folder: (
        (folder / "tokenizer_config.json").write_text("{}") and None
    ),
    "a field of a tokenizer": tokens(split_special_tokens=True),
    "capitals": tokens(do_lower_case=False),
    "another padding": tokens(pad_token="!"),
    "a mask": tokens(mask_token="<mask>"),
    "more tokens": tokens(extra_special_tokens=["<one>"]),
    "added tokens elsewhere": tokens(added_tokens_decoder={"5": {"content": "a"}}),
    "tokens in a file of their own": file("added_tokens.json"),
    "a map with another token": file("special_tokens_map.json", '{"eos_token": "!"}'),
    "a second tokenizer": file("tokenizer.2.json"),
    "no tokenizer.json": gone("tokenizer.json"),
    "another normal form": words(lambda said: said["normalizer"]["normalizers"].pop()),
    "other words": words(lambda said: said["pre_tokenizer"]["pretokenizers"].pop(0)),
    "dropout": words(lambda said: said["model"].update(dropout=0.1)),
    "an end of word": words(lambda said: said["model"].update(end_of_word_suffix="")),
    "a word more": words(
        lambda said: said["added_tokens"].append({**said["added_tokens"][0], "id": 999, "content": "<x>"})
    ),
    "a token alone": words(lambda said: said["added_tokens"][1].update(single_word=True)),
    "an adapter": file("adapter_config.json"),
    "a processor in one file": file("processor_config.json"),
    "no image processor": gone("preprocessor_config.json"),
    "images of another size": lambda folder: edit(folder / "preprocessor_config.json", crop_size=16),
    "shards": file("model.safetensors.index.json", '{"weight_map": {}}'),
    "a pickle alone": lambda folder: (
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin") and None
    ),
    "a tensor more": weights(lambda held: held.update(more=torch.zeros(1))),
    "a tensor less": weights(lambda held: held.pop(NORM)),
    "another shape": weights(lambda held: held.update({NORM: torch.zeros(5)})),
    "whole numbers": weights(lambda held: held.update({NORM: torch.zeros(32, dtype=torch.int32)})),
    "doubles": weights(lambda held: held.update({NORM: torch.zeros(32, dtype=torch.float64)})),
    "of another library": weights(lambda held: None, form="tf"),
    "not finite": weights(lambda held: held[NORM].fill_(float("nan"))),
    "a logit scale of nothing": weights(lambda held: held["logit_scale"].fill_(-50.0)),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_is_the_librarys(
    odd: str, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked, with the same folder, and what it says is said."""
    folder = shutil.copytree(clip_folder, tmp_path / "copy")
    ODD[odd](folder)
    asked = []

    def load(source: str, *_: Any) -> Any:
        asked.append(source)
        raise BackboneError("as the library says")

    monkeypatch.setattr("promptlet.backbones.load.load_transformers", load)
    with pytest.raises(BackboneError, match="as the library says"):
        load_backbone(folder, device="cpu")
    assert asked == [str(folder)]


def test_what_is_not_odd_is_not(clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "copy")
    (folder / "README.md").write_text("a model")
    (folder / "code.py").write_text("raise SystemExit")
    monkeypatch.setattr("promptlet.backbones.load.load_transformers", None)
    assert isinstance(load_backbone(folder, device="cpu"), TowerBackbone)


# -- the library's own model, once it is asked for -----------------------------------------------------------


def test_the_model_is_the_librarys_own_and_what_encodes(clip_folder: Path) -> None:
    from transformers import CLIPModel

    backbone: Any = load_backbone(clip_folder, device="cpu")
    text, images = backbone.text, backbone.images
    before = text.encode_texts(TEXTS), images.encode(torch.ones(1, 3, 32, 32)), backbone.fingerprint
    assert backbone.by_library is not None
    assert isinstance(backbone.model, CLIPModel)
    assert (backbone.text, backbone.images, backbone.by_library) == (text, images, None)
    assert torch.equal(text.encode_texts(TEXTS), before[0])
    assert torch.equal(images.encode(torch.ones(1, 3, 32, 32)), before[1])
    assert backbone.fingerprint == before[2]
    handle = backbone.model.visual_projection.register_forward_hook(lambda _m, _a, out: 2 * out)
    assert torch.equal(images.encode(torch.ones(1, 3, 32, 32)), 2 * before[1])
    handle.remove()
    assert torch.equal(text.token_embedding, backbone.model.text_model.embeddings.token_embedding.weight)


def test_a_model_that_changed_in_between_is_refused(clip_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "copy")
    backbone = load_backbone(folder, device="cpu")
    other = clip_model(9)
    (folder / "model.safetensors").unlink()  # as a download does, and not in place: what is read stays
    other.save_pretrained(folder)
    with pytest.raises(WrongBackboneError, match="has changed since"):
        _ = backbone.model


def test_of_the_hub_from_its_cache(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    place = tmp_path / "models--somebody--clip"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("c" * 40)
    (place / "snapshots").mkdir()
    shutil.copytree(clip_folder, place / "snapshots" / ("c" * 40))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("promptlet.backbones.load.load_transformers", None)
    backbone = load_backbone("somebody/clip", device="cpu")
    assert (backbone.name, backbone.fingerprint) == ("somebody/clip", load_backbone(clip_folder).fingerprint)


@pytest.mark.skipif(
    os.environ.get("PROMPTLET_CLIP_FOLDER") is None,
    reason="needs a real CLIP's folder: set PROMPTLET_CLIP_FOLDER",
)
def test_a_folder_of_ones_own() -> None:
    """For a real CLIP's folder, where one has it."""
    equal(*both(Path(os.environ["PROMPTLET_CLIP_FOLDER"])))
