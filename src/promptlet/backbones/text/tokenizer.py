"""A tokenizer as the encoders need it: words to ids, and the special ids around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from promptlet.errors import BackboneError, DataError

PROBE = "a photo of a dog, 2 cars & café №7."
LEAD = "a"
LEAST_LENGTH = 5
"""Of a text, in tokens: a start, a context of two vectors, a word and an end."""
NOBODYS = "\U000f1234"
"""A character without a meaning: what a tokenizer makes of it, it makes of all that it does not know."""


@dataclass(frozen=True)
class Reading:
    """What a tokenizer reads of a class name: its tokens, in signs for people, and whether one of them stands
    for characters that it does not know."""

    ids: tuple[int, ...]
    shown: str
    has_unknown: bool


@dataclass(frozen=True)
class Tokenizer:
    """``words`` maps text to ids without special tokens. A prompt is ``[start] ids [end] pad ...``.

    unknown: the id that stands for characters it does not know; None where it knows all.
    pieces: ids in signs.
    ``vocabulary``: for how many tokens the text tower has vectors; None where nobody told.
    ``hides_padding``: no token sees the padding, so that a row needs no more of it than its neighbours ask.
    """

    words: Callable[[str], list[int]]
    start: int | None
    end: int | None
    pad: int
    length: int
    unknown: int | None = None
    pieces: Callable[[Sequence[int]], Sequence[str]] | None = None
    vocabulary: int | None = None
    hides_padding: bool = False

    def reading(self, class_name: str) -> Reading:
        """What it reads of ``class_name.`` behind other words.

        Raises DataError for a name without tokens, with a special token or one that the tower does not know,
        or of unknown characters alone.
        """
        ids = tuple(self.behind_words(f"{class_name}."))
        if not self.words(class_name) or ids == tuple(self.behind_words(".")):
            raise DataError(
                f"class name {class_name!r} has no tokens for this backbone; give it a name in words"
            )
        if {self.start, self.end, self.pad if self.hides_padding else None} & set(ids):
            raise DataError(
                f"class name {class_name!r} holds a special or unknown token of this backbone's tokenizer; "
                "give it a name in words"
            )
        self._check_known(ids, f"class name {class_name!r}")
        has_unknown = self.unknown in ids
        if has_unknown and set(self.behind_words(class_name)) <= self._nothing:
            raise DataError(
                f"class name {class_name!r} is of nothing but characters that this backbone's tokenizer does "
                "not know: all such names would be the same; give it a name in words that it knows"
            )
        return Reading(ids, self._shown(ids), has_unknown)

    @cached_property
    def _nothing(self) -> frozenset[int]:
        """The tokens of characters that it does not know, as words of their own."""
        return frozenset(self.behind_words(NOBODYS))

    def _shown(self, ids: tuple[int, ...]) -> str:
        signs = map(str, ids) if self.pieces is None else self.pieces(list(ids))
        return " ".join(signs)

    def name(self, class_name: str, n_ctx: int, reading: Reading | None = None) -> tuple[int, ...]:
        """Ids of ``class_name.`` and end-of-text: what stands behind the start token and the context.

        reading: that of the name, where it is known. Raises DataError for a name that `reading` refuses, or
        that is too long for the tower.
        """
        ids = (self.reading(class_name) if reading is None else reading).ids
        end = () if self.end is None else (self.end,)
        room = self.length - (self.start is not None) - n_ctx - len(end)
        if len(ids) > room:
            shown = class_name if len(class_name) <= 60 else class_name[:57] + "..."
            raise DataError(
                f"class name {shown!r} has {len(ids)} tokens; with n_ctx={n_ctx} this backbone has room for "
                f"{max(room, 0)} (context length {self.length}). Shorten the name or lower n_ctx."
            )
        return ids + end

    def text(self, text: str) -> tuple[int, ...]:
        """Ids of a whole text behind the start token, with end-of-text, cut to the tower's length."""
        end = () if self.end is None else (self.end,)
        room = self.length - (self.start is not None) - len(end)
        ids = self.words(text)[:room]
        self._check_known(ids, f"text {text!r}")
        return (*ids, *end)

    def _check_known(self, ids: Sequence[int], what: str) -> None:
        """Words can be added to a tokenizer without teaching the tower, which has no vectors for them."""
        if self.vocabulary is not None and any(token >= self.vocabulary for token in ids):
            raise DataError(
                f"{what} holds a word that was added to the tokenizer, and the text tower of this backbone "
                f"has no vector for it (token {max(ids)} of {self.vocabulary}); say it in other words"
            )

    def check_vectors(self) -> None:
        """Raise BackboneError where the tower has no vectors for the special tokens, or for those of common
        words: the two do not belong together."""
        common = max(self.words(PROBE), default=0)
        special = {"start": self.start, "end": self.end, "padding": self.pad, "words'": common}
        for name, token in special.items():
            if self.vocabulary is not None and token is not None and not 0 <= token < self.vocabulary:
                raise BackboneError(
                    f"the tokenizer's {name} token is {token}, and the text tower has vectors for tokens 0 "
                    f"to {self.vocabulary - 1}: they do not belong together. Save the model's own tokenizer "
                    "beside it."
                )

    def check_length(self) -> None:
        """Raise BackboneError where no text has room: two vectors of a context, a word and the ends."""
        if self.length < LEAST_LENGTH:
            raise BackboneError(
                f"a text may have {self.length} tokens with this backbone, and must have room for "
                f"{LEAST_LENGTH} at least (model_max_length of the tokenizer, or the positions of the text "
                "tower). Save the model's own tokenizer beside it."
            )

    def behind_words(self, text: str) -> list[int]:
        """Ids of ``text`` behind other words: some tokenizers (SigLIP 2) mark the space before it."""
        lead, both = self.words(LEAD), self.words(f"{LEAD} {text}")
        return both[len(lead) :] if both[: len(lead)] == lead else self.words(text)

    def rows(self, sequences: Sequence[tuple[int, ...]], n_ctx: int) -> list[list[int]]:
        """Whole rows of ids, `full`; as long as the longest text where the padding is hidden."""
        rows = [self.full(sequence, n_ctx) for sequence in sequences]
        if not self.hides_padding:
            return rows
        longest = (self.start is not None) + n_ctx + max(map(len, sequences))
        return [row[:longest] for row in rows]

    def full(self, sequence: tuple[int, ...], n_ctx: int) -> list[int]:
        """The whole padded row of ids. Where the context will be put, `filler` stands."""
        start = [] if self.start is None else [self.start]
        row = start + [self.filler(sequence)] * n_ctx + list(sequence)
        return row + [self.pad] * (self.length - len(row))

    def filler(self, sequence: tuple[int, ...]) -> int:
        """A word's token to hold a place in a row: not end-of-text, at which towers pool, nor the padding's,
        which some pass over."""
        special = self.end, self.pad
        return next((token for token in sequence if token not in special), sequence[0])


def split_special(full: list[int], raw: list[int]) -> tuple[int | None, int | None]:
    """(start, end) ids that a tokenizer puts around ``raw`` in ``full``; at most one on each side."""
    for at in range(len(full) - len(raw) + 1):
        if full[at : at + len(raw)] == raw and at <= 1:
            rest = full[at + len(raw) :]
            return (full[0] if at else None), (rest[0] if rest else None)
    raise BackboneError(
        f"this tokenizer puts more than one start token before a text (ids {full[:8]}...), which is not "
        "supported; use a CLIP or SigLIP tokenizer"
    )
