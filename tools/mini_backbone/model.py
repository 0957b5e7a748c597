"""The untrained model, its tokenizer and its image preprocessor: transformers' own classes, small."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

SEED = 0
VOCABULARY = 2048
CONTEXT = 32
WIDTH = 128
PIXELS = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": 64},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 64, "width": 64},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "do_convert_rgb": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
}


def make_tokenizer(texts: Iterable[str]) -> CLIPTokenizer:
    """CLIP's kind of byte-level BPE, with merges learned from ``texts``."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in kept] + [chr(256 + i) for i in range(256 - len(kept))]
    special = ["<|startoftext|>", "<|endoftext|>"]
    words = [*letters, *(letter + "</w>" for letter in letters)]
    merges = learn_merges(texts, VOCABULARY - len(words) - len(special))
    words += ["".join(merge) for merge in merges] + special
    return CLIPTokenizer(
        vocab={word: i for i, word in enumerate(words)}, merges=merges, model_max_length=CONTEXT
    )


def learn_merges(texts: Iterable[str], count: int) -> list[tuple[str, str]]:
    """Byte-pair merges, most frequent first, by the tokenizers library; words end in ``</w>``."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", "removed"),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=count + 256, end_of_word_suffix="</w>", show_progress=False, min_frequency=2
    )
    learner.train_from_iterator(texts, trainer)
    found = json.loads(learner.to_str())["model"]["merges"]
    return [(first, second) for first, second in found[:count]]


def make_model(vocabulary: int) -> CLIPModel:
    """A CLIPModel with random weights: ViT of 8 x 8 patches, causal text tower."""
    tower: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_attention_heads": 4,
        "projection_dim": WIDTH,
    }
    torch.manual_seed(SEED)
    return CLIPModel(
        CLIPConfig(
            text_config={
                **tower,
                "num_hidden_layers": 4,
                "vocab_size": vocabulary,
                "max_position_embeddings": CONTEXT,
                "bos_token_id": vocabulary - 2,
                "eos_token_id": vocabulary - 1,
                "pad_token_id": vocabulary - 1,
            },
            vision_config={**tower, "num_hidden_layers": 5, "image_size": 64, "patch_size": 8},
            projection_dim=WIDTH,
        )
    )
