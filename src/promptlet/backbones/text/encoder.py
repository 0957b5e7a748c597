"""The text side of a backbone: class names and a context in, one feature vector per class out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from promptlet.backbones.arithmetic.precision import library_precision
from promptlet.backbones.plain import Watch
from promptlet.backbones.text.class_token import (
    CLASS_TOKENS,
    ClassToken,
    Sequences,
    context_positions,
    name_length,
    vectors_before,
    with_gaps,
    with_placeholders,
)
from promptlet.backbones.text.engine import TextEngine
from promptlet.backbones.text.reference import IN_TURN, PlainTower, encode_plain, encode_plain_at
from promptlet.backbones.text.tokenizer import Tokenizer
from promptlet.backbones.text.tower import CausalTower
from promptlet.errors import BackboneError, DataError, OptionError, check_option
from promptlet.session import own_arithmetic

MAX_LISTS, MAX_NAMES = 16, 1 << 16
Placement = Literal["input", "deep", "per_class"]
PLACEMENTS = ("input", "deep", "per_class")


class TextEncoder:
    """Encodes class prompts ``[start] context name "." [end]``; nothing in it is trainable.

    Attributes: ``dim`` (width d of token states), ``feature_dim`` (D), ``depth`` (layers),
    ``context_length`` (positions), ``exact_sharing`` (whether `encode` takes the shared-prefix engine),
    ``watch`` (the tower's layers, which the engine reads while they are plain), ``products`` (dtype of the
    matrix products; the weights' own at first, `compute_in`).
    """

    def __init__(
        self,
        plain: PlainTower,
        tower: CausalTower | None,
        tokenizer: Tokenizer,
        embedding: Tensor,
        watch: Watch | None = None,
    ) -> None:
        if not isinstance(embedding, Tensor):
            raise BackboneError(
                f"the token embedding is a {type(plain.token_embedding).__qualname__}, whose weights cannot "
                "be read; load the model with its weights as they were trained"
            )
        self.plain = plain
        self.watch = Watch(()) if watch is None else watch
        self.tokenizer = tokenizer
        self.token_embedding = embedding
        self.engine = (
            TextEngine(tower, tokenizer.start) if tower is not None and tokenizer.start is not None else None
        )
        self.products = embedding.dtype
        self.dim = int(embedding.shape[1])
        self.depth = len(plain.layers)
        self.context_length = tokenizer.length
        self.reading = lru_cache(MAX_NAMES)(tokenizer.reading)
        self._tokenized = lru_cache(MAX_LISTS)(self._tokenize)
        self._placed = lru_cache(MAX_LISTS)(self._place)

    def compute_in(self, products: torch.dtype) -> None:
        """From now on, matrix products are in this dtype, but those of ``encode_reference``."""
        self.products = products
        if self.engine is not None:
            self.engine.products = products

    @property
    def exact_sharing(self) -> bool:
        """True for causal towers with end-of-text pooling; False where only the plain path is exact."""
        self.watch.use()
        return self.engine is not None and not self.watch.added()

    def _sharing(self) -> TextEngine | None:
        """The engine, where it is exact now. Raises BackboneError where the layers are no longer those that
        were loaded."""
        self.watch.check("text")
        return self.engine if self.exact_sharing else None

    @property
    def device(self) -> torch.device:
        """Where the tower lives."""
        return self.token_embedding.device

    def embed_words(self, text: str) -> Tensor:
        """Token embeddings of ``text`` without special tokens or positions: (number of tokens, d)."""
        ids = self.tokenizer.words(text)
        if not ids:
            raise OptionError(f"{text!r} has no tokens; give words such as 'a photo of a'")
        with torch.no_grad(), IN_TURN:  # the layer, not its weights: it may be more than a table
            words: Tensor = self.plain.token_embedding(self._ids(ids))
        return words.float().clone()

    def sequences(self, class_names: Sequence[str], n_ctx: int) -> tuple[tuple[int, ...], ...]:
        """Token ids of each class behind the context. Raises DataError naming the class that does not fit."""
        if isinstance(class_names, str):
            raise DataError(f"class_names is the text {class_names!r}; give a list of names")
        if not class_names:
            raise DataError("class_names is empty; give at least one name")
        return self._tokenized(tuple(class_names), n_ctx)

    def _tokenize(self, class_names: tuple[str, ...], n_ctx: int) -> tuple[tuple[int, ...], ...]:
        return tuple(self.tokenizer.name(name, n_ctx, self.reading(name)) for name in class_names)

    def _lengths(self, class_names: tuple[str, ...], n_ctx: int) -> list[int]:
        """How many tokens of each sequence are the name."""
        sequences = self.sequences(class_names, n_ctx)
        return [name_length(self.tokenizer, *pair) for pair in zip(class_names, sequences, strict=True)]

    def _place(self, class_names: tuple[str, ...], n_ctx: int, class_token: ClassToken) -> Sequences:
        """`sequences` with placeholders for the context."""
        before = vectors_before(class_token, n_ctx)
        lengths = self._lengths(class_names, n_ctx)
        return with_placeholders(self.sequences(class_names, n_ctx), lengths, before, n_ctx)

    def encode(
        self,
        context: Tensor,
        class_names: Sequence[str],
        placement: Placement = "input",
        class_token: ClassToken = "end",
    ) -> Tensor:
        """Class features, not normalised, differentiable with respect to ``context``.

        placement "input":     (n_ctx, d) -> (C, D);  (B, n_ctx, d) -> (B, C, D)
        placement "deep":      (depth, n_ctx, d) -> (C, D);  (B, depth, n_ctx, d) -> (B, C, D); context i
                               replaces the context's states before layer i
        placement "per_class": (C, n_ctx, d) -> (C, D)

        class_token: where the name stands, see `class_token`; "middle" and "front" for one context at
        the input, or one per class.
        """
        engine = self._sharing()
        if engine is None:
            with self._library():
                return self.encode_reference(context, class_names, placement, class_token)
        context = self._checked(context, len(class_names), placement, class_token)
        n_ctx = context.shape[-2]
        sequences = self.sequences(class_names, n_ctx)
        if placement == "per_class" or class_token != "end":
            placed = self._placed(tuple(class_names), n_ctx, class_token)
            if placement == "per_class":
                return engine.encode_per_class(context, placed)
            before = vectors_before(class_token, n_ctx)
            return engine.encode_among(context, [sequence[before:] for sequence in placed], before)
        batched = context.dim() == (4 if placement == "deep" else 3)
        full = context if placement == "deep" else context.unsqueeze(-3)
        features = engine.encode(full if batched else full[None], sequences)
        return features if batched else features[0]

    def encode_reference(
        self,
        context: Tensor,
        class_names: Sequence[str],
        placement: Placement = "input",
        class_token: ClassToken = "end",
    ) -> Tensor:
        """`encode` by the plain path: all positions of every prompt, the library model's own forward."""
        self.watch.check("text")
        context = self._checked(context, len(class_names), placement, class_token)
        n_ctx = context.shape[-2]
        if placement != "per_class" and context.dim() == (4 if placement == "deep" else 3):
            return torch.stack([self.encode_reference(one, class_names, placement) for one in context])
        sequences = self.sequences(class_names, n_ctx)
        at = int(self.tokenizer.start is not None)
        if class_token != "end":
            lengths, before = self._lengths(tuple(class_names), n_ctx), vectors_before(class_token, n_ctx)
            fillers = [self.tokenizer.filler(sequence) for sequence in sequences]
            sequences = with_gaps(sequences, fillers, lengths, before, n_ctx)
            ids = self._ids(self.tokenizer.rows(sequences, 0))
            positions = context_positions(lengths, before, n_ctx, at).to(self.device)
            return encode_plain_at(self.plain, ids, context, positions).to(context.dtype)
        ids = self._ids(self.tokenizer.rows(sequences, n_ctx))
        first, *deep = context if placement == "deep" else (context,)
        return encode_plain(self.plain, ids, first, deep, at).to(context.dtype)

    @own_arithmetic()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Features of whole sentences, such as ``"a photo of a dog."``: (N, D), not normalised, no gradient.

        A sentence longer than the tower is cut, as the libraries' own tokenizers do.
        """
        if isinstance(texts, str) or not texts:
            raise DataError(f"texts={texts!r}; give a list of at least one sentence")
        sequences = [self.tokenizer.text(text) for text in texts]
        with torch.no_grad():
            engine = self._sharing()
            if engine is not None:
                nothing = torch.zeros(1, 1, 0, self.dim, dtype=torch.float32, device=self.device)
                return engine.encode(nothing, sequences)[0]
            with self._library():
                return self.encode_texts_reference(texts)

    def encode_texts_reference(self, texts: Sequence[str]) -> Tensor:
        """`encode_texts` by the plain path."""
        rows = self.tokenizer.rows([self.tokenizer.text(text) for text in texts], 0)
        with torch.no_grad(), IN_TURN:
            return self.plain.forward(self._ids(rows)).float()

    def _library(self) -> AbstractContextManager[object]:
        """Around the library's own forward pass, where it stands for the engine."""
        return library_precision(self.device, self.token_embedding.dtype, self.products)

    def _ids(self, rows: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(rows, dtype=torch.int64, device=self.device)

    def _checked(self, context: Tensor, classes: int, placement: str, class_token: str) -> Tensor:
        check_option("placement", placement, PLACEMENTS)
        check_option("class_token", class_token, CLASS_TOKENS)
        shapes = {
            "input": ("(n_ctx, d) or (B, n_ctx, d)", (2, 3)),
            "deep": ("(depth, n_ctx, d) or (B, depth, n_ctx, d)", (3, 4)),
            "per_class": ("(C, n_ctx, d)", (3,)),
        }
        text, dims = shapes[placement]
        if context.dim() not in dims or context.shape[-1] != self.dim or 0 in context.shape[:-2]:
            raise OptionError(
                f"a context of shape {tuple(context.shape)} does not fit placement={placement!r}: "
                f"expected {text} with d={self.dim}"
            )
        if placement == "per_class" and context.shape[0] != classes:
            raise OptionError(f"{context.shape[0]} per-class contexts for {classes} class names")
        if placement == "deep" and not 1 <= context.shape[-3] <= self.depth:
            raise OptionError(
                f"depth {context.shape[-3]} is outside 1..{self.depth}, the layers of this tower"
            )
        if class_token != "end" and (placement == "deep" or (placement == "input" and context.dim() == 3)):
            raise OptionError(
                f"class_token={class_token!r} is not possible with placement='deep' or a batch of contexts; "
                "give one context (n_ctx, d), or placement='per_class', or class_token='end'"
            )
        return context
