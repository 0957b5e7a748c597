"""Tokens that the library would end the process for are refused before it reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptlet.backbones.libraries.tokenizer_files import check_tokenizer_files, lengths_of_pieces
from promptlet.errors import BackboneError


@pytest.mark.parametrize("kind", [{"type": "Unigram"}, {}])
def test_a_token_too_long_for_a_tree_is_refused(kind: dict[str, str], tmp_path: Path) -> None:
    """The library ends the process at one of 400,000 letters: its tree is as deep."""

    def write(length: int, **more: str) -> None:
        model = {**kind, **more, "vocab": [["a", 0.0], ["\u00e9" * length, -1.0], [None, 1], 7]}
        (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}), encoding="utf-8")

    write(500)
    check_tokenizer_files(tmp_path, "toy")
    write(501)
    with pytest.raises(BackboneError, match=r"'toy' .* has a token of 1,002 bytes; 1,000 are the most"):
        check_tokenizer_files(tmp_path, "toy")
    write(501, type="BPE")  # a table, where a token may be long
    check_tokenizer_files(tmp_path, "toy")


def model(*pieces: str) -> bytes:
    """A model of SentencePiece, as its own library writes it."""
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto()
    for piece in pieces:
        proto.pieces.add(piece=piece, score=-1.5, type=1)
    proto.trainer_spec.model_type = 1
    proto.normalizer_spec.precompiled_charsmap = bytes(range(256)) * 40
    return bytes(proto.SerializeToString())


def test_nor_one_of_sentencepiece(tmp_path: Path) -> None:
    (tmp_path / "spiece.model").write_bytes(model("a", "\u2581b", "x" * 900))
    check_tokenizer_files(tmp_path, "toy")
    (tmp_path / "spiece.model").write_bytes(model("a", "x" * 1200))
    with pytest.raises(BackboneError, match=r"spiece\.model has a token of 1,200 bytes; 1,000 are the most"):
        check_tokenizer_files(tmp_path, "toy")
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")  # settings may ask for the other
    with pytest.raises(BackboneError, match=r"spiece\.model has a token"):
        check_tokenizer_files(tmp_path, "toy")


def test_pieces_are_found_and_damage_ends_them() -> None:
    data = model("a", "bc")
    assert list(lengths_of_pieces(data)) == [1 + 2 + 5 + 2, 2 + 2 + 5 + 2]
    for cut in range(len(data)):
        assert len(list(lengths_of_pieces(data[:cut]))) <= 2
    assert list(lengths_of_pieces(b"\xff" * 1000)) == [] and list(lengths_of_pieces(b"\x0b")) == []
