"""CLIP's tokenizer from tokenizer.json, by the package `tokenizers` alone, with the ids of transformers' own.

transformers (5) takes vocabulary, merges and added tokens of that file and puts CLIP's own way of a text
before them (normal form C, one space, lower case, words and bytes), whatever the file says of it. Here the
file must say the same by itself. Words added beside the two special tokens are the library's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from promptlet.backbones.clip.settings import NOTHING, UnknownError, is_one_of
from promptlet.backbones.libraries.asked import read_asked

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE, CONFIG, SPECIAL = "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"
START, END = "<|startoftext|>", "<|endoftext|>"
NORMALIZER = {
    "type": "Sequence",
    "normalizers": [
        {"type": "NFC"},
        {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
        {"type": "Lowercase"},
    ],
}
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
REGEXES = (rf"<\|startoftext\|>|<\|endoftext\|>|{WORDS}", WORDS)
"""Of this and of older versions; special tokens are cut out before either is asked."""
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
BPE = {
    "type": "BPE",
    "dropout": None,
    "unk_token": END,
    "continuing_subword_prefix": "",
    "end_of_word_suffix": "</w>",
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": False,
}
ABSENT = {"byte_fallback": False, "ignore_merges": False}
"""What older files do not say, and then mean."""
TOKEN = {"single_word": False, "lstrip": False, "rstrip": False, "special": True}
NAMED = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
SIDES = ("left", "right")
CONFIG_MUST_BE: dict[str, tuple[Any, ...]] = {
    "tokenizer_class": ("CLIPTokenizer", "CLIPTokenizerFast"),
    "backend": ("tokenizers",),
    "do_lower_case": (True,),
    "add_prefix_space": (False,),
    "errors": ("replace",),
    "extra_special_tokens": ({}, []),
    "additional_special_tokens": ([],),
    "padding_side": SIDES,
    "truncation_side": SIDES,
}
NO_MATTER: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("model_max_length", "max_length"), (int, float, NOTHING)),  # cut and padded here
    **dict.fromkeys(("stride", "pad_token_type_id", "pad_to_multiple_of"), (int, NOTHING)),
    **dict.fromkeys(("clean_up_tokenization_spaces", "is_local", "local_files_only"), (bool, NOTHING)),
    **dict.fromkeys(("name_or_path", "special_tokens_map_file", "processor_class"), (str, NOTHING)),
    "truncation_strategy": (str, NOTHING),
}
"""Fields that decide nothing here, with the types that they have."""
OTHERS = ("added_tokens.json", "tokenizer.model", "tiktoken.model", "tekken.json")
"""Files that would add to what is read here, or stand in its place."""


class Model(msgspec.Struct):
    """Of the vocabulary and its merges only how they are used; they are passed over."""

    type: Any = None
    dropout: Any = None
    unk_token: Any = None
    continuing_subword_prefix: Any = None
    end_of_word_suffix: Any = None
    fuse_unk: Any = None
    byte_fallback: Any = False
    ignore_merges: Any = False


class Said(msgspec.Struct):
    """What tokenizer.json says beside its vocabulary."""

    model: Model
    normalizer: Any = None
    pre_tokenizer: Any = None
    added_tokens: Any = None


@dataclass(frozen=True)
class Ids:
    """As transformers' tokenizers answer."""

    input_ids: list[int]


class ClipTokens:
    """What `words_of` asks of a tokenizer of transformers, of a backend of the package `tokenizers`."""

    def __init__(self, backend: Tokenizer, start: int, end: int) -> None:
        self.backend = backend
        self.start, self.end = start, end
        self.pad_token_id = self.unk_token_id = end

    def __call__(self, text: str, add_special_tokens: bool = True, verbose: bool = False) -> Ids:  # noqa: ARG002
        ids = self.backend.encode(text, add_special_tokens=False).ids
        return Ids([self.start, *ids, self.end] if add_special_tokens else ids)

    def __len__(self) -> int:
        return self.backend.get_vocab_size(with_added_tokens=True)

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        """Ids in signs."""
        return [self.backend.id_to_token(one) or "" for one in ids]

    def get_added_vocab(self) -> dict[str, int]:
        """The two special tokens."""
        return {START: self.start, END: self.end}


def tokens_of(folder: Path, source: str) -> ClipTokens:
    """The tokenizer of a folder whose files `check_tokenizer_files` has seen. Raises UnknownError."""
    for name in OTHERS:
        if (folder / name).exists():
            raise UnknownError(name)
    if [path.name for path in folder.glob("tokenizer*.json") if path.name not in (FILE, CONFIG)]:
        raise UnknownError("more than one tokenizer")
    content = (folder / FILE).read_bytes()
    said = msgspec.json.decode(content, type=Said)
    ids = _special_ids(said.added_tokens)
    _check_way(said)
    config = read_asked(folder / CONFIG, source)
    _check_config(config, said.added_tokens)
    if (folder / SPECIAL).exists():
        _check_named(read_asked(folder / SPECIAL, source))
    from tokenizers import Tokenizer

    backend = Tokenizer.from_buffer(content)
    backend.no_padding()
    backend.no_truncation()
    tokens = ClipTokens(backend, ids[START], ids[END])
    if (
        any(backend.token_to_id(word) != at for word, at in ids.items())
        or len(tokens) != max(ids.values()) + 1
    ):
        raise UnknownError("special tokens that are not the vocabulary's last")
    return tokens


def _special_ids(added: Any) -> dict[str, int]:
    if not isinstance(added, list) or len(added) != 2:
        raise UnknownError("other added tokens than a start and an end")
    found = {}
    for token in added:
        rest = {**token}
        found[rest.pop("content")] = rest.pop("id")
        if not isinstance(rest.pop("normalized"), bool) or rest != TOKEN:
            raise UnknownError("an added token with other rules")
    if set(found) != {START, END} or not all(type(at) is int for at in found.values()):
        raise UnknownError("other added tokens than a start and an end")
    return found


def _check_way(said: Said) -> None:
    """A text's way is CLIP's own."""
    model = {name: getattr(said.model, name) for name in BPE}
    if model != BPE or said.normalizer != NORMALIZER:
        raise UnknownError("another model or normalizer")
    way = said.pre_tokenizer
    steps = way.get("pretokenizers") if isinstance(way, dict) and way.get("type") == "Sequence" else None
    if not isinstance(steps, list) or len(steps) != 2:
        raise UnknownError("another pre_tokenizer")
    split, last = ({"use_regex": True, **step} if step.get("type") == "ByteLevel" else step for step in steps)
    expected = [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Removed", "invert": True}
        for regex in REGEXES
    ]
    if split not in expected or last != BYTES:
        raise UnknownError("another pre_tokenizer")


def _check_config(config: Mapping[str, Any], added: Any) -> None:
    rest = {name: value for name, value in config.items() if type(value) not in NO_MATTER.get(name, ())}
    _check_named({name: rest.pop(name) for name in NAMED if name in rest})
    listed = rest.pop("added_tokens_decoder", None)
    if listed is not None and listed != _by_id(added):
        raise UnknownError("added_tokens_decoder")
    if "tokenizer_class" not in rest:
        raise UnknownError("tokenizer_class is not said")
    for name, value in rest.items():
        if not is_one_of(value, CONFIG_MUST_BE.get(name, ())):
            raise UnknownError(f"{name}={str(value)[:60]}")


def _by_id(added: Any) -> dict[str, Any]:
    return {
        str(token["id"]): {name: value for name, value in token.items() if name != "id"} for token in added
    }


def _check_named(named: Mapping[str, Any]) -> None:
    """Start, end, unknown and padding are the two special tokens; tokenizer.json says how each stands."""
    for name, value in named.items():
        content = value.get("content") if isinstance(value, dict) else value
        if name not in NAMED or content != NAMED[name]:
            raise UnknownError(f"{name}={str(value)[:60]}")
