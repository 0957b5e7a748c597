"""Words added to a tokenizer: where the tower would read its features at them, and where it knows none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import CLIP_PIXELS, clip_model, clip_tokenizer, save

from promptlet.backbones import load_backbone
from promptlet.errors import BackboneError, DataError


def with_words(*words: str) -> Any:
    tokenizer = clip_tokenizer()
    tokenizer.add_tokens(list(words))
    return tokenizer


@pytest.fixture
def old(gelu_folder: Path, tmp_path: Path) -> Path:
    """A CLIP with eos_token_id 2, as before transformers 4.31, and a tokenizer with two more words."""
    copy = Path(shutil.copytree(gelu_folder, tmp_path / "old"))
    with_words("glorp", "zibble").save_pretrained(copy)
    return copy


def test_features_would_be_read_at_the_added_word() -> None:
    """The library's own pooling, as it is: argmax of the ids, which is the added word and not the end."""
    end = len(clip_tokenizer()) - 1
    model = clip_model(vocab_size=end + 3, eos_token_id=2)
    ids = torch.tensor([[end - 1, 5, end + 1, 7, end]])
    states = model.text_model(input_ids=ids)
    torch.testing.assert_close(states.pooler_output, states.last_hidden_state[:, 2])


def test_the_true_reason_and_what_to_do(old: Path, gelu_folder: Path) -> None:
    end = len(clip_tokenizer()) - 1
    with pytest.raises(
        BackboneError, match=rf"2 words such as .* were added .* behind token {end}.*eos_token_id"
    ):
        load_backbone(old, device="cpu")
    config = json.loads((old / "config.json").read_text())
    config["text_config"]["eos_token_id"] = end
    (old / "config.json").write_text(json.dumps(config))
    advised, before = load_backbone(old, device="cpu"), load_backbone(gelu_folder, device="cpu")
    context = before.text.embed_words("a photo of a")
    torch.testing.assert_close(advised.text.encode(context, ["dog"]), before.text.encode(context, ["dog"]))


def test_a_word_without_a_vector_is_named(old: Path) -> None:
    config = json.loads((old / "config.json").read_text())
    config["text_config"]["eos_token_id"] = len(clip_tokenizer()) - 1
    (old / "config.json").write_text(json.dumps(config))
    text = load_backbone(old, device="cpu").text
    with pytest.raises(
        DataError, match=r"class name 'glorp' holds a word that was added .* no vector for it"
    ):
        text.encode(text.embed_words("a photo of a"), ["dog", "glorp"])
    with pytest.raises(DataError, match=r"text 'a zibble.' holds a word that was added"):
        text.encode_texts(["a zibble."])


def test_added_words_that_were_learned(tmp_path: Path) -> None:
    """A tower with a vector for each word, which reads at the end: nothing stands in the way."""
    tokenizer = with_words("glorp")
    model = clip_model(vocab_size=len(tokenizer))
    folder = save(tmp_path / "learned", model, tokenizer, CLIP_PIXELS)
    text = load_backbone(folder, device="cpu").text
    context = text.embed_words("a photo of a")
    torch.testing.assert_close(
        text.encode(context, ["glorp"]), text.encode_reference(context, ["glorp"]), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(
    ("change", "said"), [({"hf_tokenizer_name": ""}, "start token is"), ({}, "padding token is")]
)
def test_a_tokenizer_of_another_model_in_a_folder_of_open_clip(
    change: dict[str, Any], said: str, open_siglip_folder: Path, tmp_path: Path
) -> None:
    """With no name, open_clip takes CLIP's own tokenizer; a new padding token has a new number."""
    copy = Path(shutil.copytree(open_siglip_folder, tmp_path / "copy"))
    config = json.loads((copy / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"].update(change)
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps({**settings, "pad_token": "glorp"}))
    with pytest.raises(BackboneError, match=said + " .*, and the text tower has vectors for tokens 0 to"):
        load_backbone(f"open_clip:{copy}", device="cpu")


def test_a_special_token_without_a_vector(old: Path) -> None:
    config = json.loads((old / "config.json").read_text())
    end = len(clip_tokenizer()) - 1
    config["text_config"]["eos_token_id"] = end
    (old / "config.json").write_text(json.dumps(config))
    settings = json.loads((old / "tokenizer_config.json").read_text())
    (old / "tokenizer_config.json").write_text(json.dumps({**settings, "pad_token": "glorp"}))
    with pytest.raises(
        BackboneError, match=f"padding token is {end + 1}, and the text tower has vectors for tokens 0"
    ):
        load_backbone(old, device="cpu")
