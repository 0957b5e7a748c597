"""SigLIP's texts are in lower case, whatever class the tokenizer beside the model was saved as."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import gemma_pieces, gemma_tokenizer

from promptlet.backbones import load_backbone
from promptlet.backbones.libraries.texts.words import in_lower_case

TEXTS = ("Dog", "a photo of a DOG.", "Ärger, ΟΔΟΣ İ", "<EOS> 2 Cars")


def plain_gemma() -> Any:
    """Gemma's tokenizer with SigLIP 2's vocabulary, rebuilt from its parts: it keeps capitals."""
    from transformers import GemmaTokenizer

    vocabulary, merges = gemma_pieces()
    return GemmaTokenizer(
        vocab=vocabulary, merges=merges, padding_side="right", add_bos_token=False, add_eos_token=True
    )


@pytest.fixture(scope="module")
def folder(siglip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny SigLIP 2 of type "siglip", with the tokenizer that such models were saved with."""
    copy = Path(shutil.copytree(siglip_folder, tmp_path_factory.mktemp("plain") / "copy"))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    plain_gemma().save_pretrained(copy)
    return copy


@pytest.mark.parametrize(
    "kind", ["GemmaTokenizer", "GemmaTokenizerFast", "TokenizersBackend", "Siglip2Tokenizer"]
)
def test_capitals_are_read_as_the_authors_read_them(
    kind: str, folder: Path, siglip_folder: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    config = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": kind}))
    ours, authors = load_backbone(copy, device="cpu"), load_backbone(siglip_folder, device="cpu")
    reference = gemma_tokenizer()  # Siglip2Tokenizer, as transformers has it
    for text in TEXTS:
        assert ours.text.tokenizer.words(text) == list(reference(text, add_special_tokens=False).input_ids)
    assert ours.text.tokenizer.name("Dog", 4) == ours.text.tokenizer.name("dog", 4)
    assert ours.fingerprint == authors.fingerprint
    context = ours.text.embed_words("A Photo of a")
    torch.testing.assert_close(ours.text.encode(context, ["DOG"]), authors.text.encode(context, ["dog"]))


def test_the_tokenizer_given_stays_as_it_is() -> None:
    given = plain_gemma()
    before = [given(text).input_ids for text in TEXTS]
    own = in_lower_case(given)
    assert own("Dog").input_ids == given("dog").input_ids != given("Dog").input_ids
    assert [given(text).input_ids for text in TEXTS] == before
    assert in_lower_case(own) is own
    reference = gemma_tokenizer()
    assert in_lower_case(reference) is reference


def test_open_clip_reads_as_its_own_tokenizer_does(open_siglip_folder: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    own = open_clip.get_tokenizer(f"local-dir:{open_siglip_folder}")
    tokens = load_backbone(f"open_clip:{open_siglip_folder}", device="cpu").text.tokenizer
    for text in TEXTS:
        row = [*tokens.words(text), tokens.end]
        assert row + [tokens.pad] * (tokens.length - len(row)) == own([text])[0].tolist()
    assert tokens.words("Dog") == tokens.words("dog")


def test_clip_keeps_its_own_tokenizer(clip_folder: Path) -> None:
    tokens = load_backbone(clip_folder, device="cpu").text.tokenizer
    assert tokens.words("Dog") == tokens.words("dog"), "CLIP's own is in lower case already"


def test_siglip_one_is_as_it_was(tmp_path: Path) -> None:
    """Its own class lowers and leaves out punctuation by itself: nothing is added."""
    sentencepiece = pytest.importorskip("sentencepiece")
    from transformers import SiglipTokenizer

    texts = [f"a photo of a {word}" for word in ("dog", "cat", "bird", "car", "tree") for _ in range(40)]
    (tmp_path / "texts").write_text("\n".join(texts))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "texts"),
        model_prefix=str(tmp_path / "spiece"),
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
    )
    tokenizer = SiglipTokenizer(str(tmp_path / "spiece.model"))
    assert in_lower_case(tokenizer) is tokenizer
    ids = [
        tokenizer(text, add_special_tokens=False).input_ids
        for text in ("A Photo, of a DOG!", "a photo of a dog")
    ]
    assert ids[0] == ids[1]
