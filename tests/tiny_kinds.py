"""Small random dual encoders of the kinds that take the plain path, each with a tokenizer of its own kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny_models import CLIP_PIXELS, EYES, SIGLIP_PIXELS, TOWER, save, shaken

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = ("photo", "dog", "cat", "of", "the", "house", "and")
CHINESE = "一张狗猫的照片鸟"
SIGNS = ".,:!'&<>-()/#"
TWICE = {**TOWER, "num_hidden_layers": 2}
BERT = {**TWICE, "max_position_embeddings": 48, "type_vocab_size": 2}
ROBERTA = {**BERT, "type_vocab_size": 1, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
ALIGN_EYES = {
    "image_size": 64,
    "width_coefficient": 1.0,
    "depth_coefficient": 1.0,
    "depth_divisor": 8,
    "in_channels": [32, 16],
    "out_channels": [16, 24],
    "kernel_sizes": [3, 5],
    "strides": [1, 2],
    "num_block_repeats": [1, 2],
    "expand_ratios": [1, 6],
    "hidden_dim": 24,
}
ALIGN_PIXELS = {
    "image_processor_type": "EfficientNetImageProcessor",
    "size": {"height": 70, "width": 70},
    "crop_size": {"height": 61, "width": 61},
    "do_center_crop": True,
    "resample": 2,
    "rescale_factor": 1 / 127.5,
    "rescale_offset": True,
    "do_normalize": False,
    "include_top": False,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
CHINESE_PIXELS = {
    **CLIP_PIXELS,
    "image_processor_type": "ChineseCLIPImageProcessor",
    "do_center_crop": False,
    "size": {"height": 32, "width": 32},
}


def bert_tokenizer(**more: Any) -> Any:
    """BERT's kind: pieces of words in lower case, Chinese sign by sign."""
    from transformers import BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{one}" for one in LETTERS)]
    words += [*WORDS, "##s", *SIGNS, *CHINESE]
    return BertTokenizer(vocab={word: at for at, word in enumerate(words)}, **more)


def xlm_tokenizer(**more: Any) -> Any:
    """XLM-RoBERTa's kind: pieces with the space before them marked, capitals kept."""
    from transformers import XLMRobertaTokenizer

    pieces = [(one, 0.0) for one in ("<s>", "<pad>", "</s>", "<unk>")]
    pieces += [(f"▁{word}", -3.0) for word in ("a", *WORDS)]
    pieces += [(one, -9.0) for one in ("▁", *LETTERS, *LETTERS[:26].upper(), *SIGNS, *CHINESE)]
    return XLMRobertaTokenizer(vocab=[*pieces, ("<mask>", 0.0)], **more)


def roberta_tokenizer(**more: Any) -> Any:
    """RoBERTa's kind: all bytes, special tokens first."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import RobertaTokenizer

    words = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "do", "dog", "Ġdog", "<mask>"]
    merges = [("d", "o"), ("do", "g"), ("Ġ", "dog")]
    return RobertaTokenizer(vocab={word: at for at, word in enumerate(words)}, merges=merges, **more)


def metaclip_2() -> tuple[Any, Any, dict[str, Any]]:
    """MetaCLIP 2: CLIP's towers under other names, XLM-V's tokens."""
    from transformers import MetaClip2Config, MetaClip2Model

    tokenizer = xlm_tokenizer()
    text = {**TWICE, "vocab_size": len(tokenizer), "max_position_embeddings": 48}
    text |= {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    config = MetaClip2Config(text_config=text, vision_config=EYES, projection_dim=16)
    return shaken(MetaClip2Model(config), 11), tokenizer, CLIP_PIXELS


def chinese_clip() -> tuple[Any, Any, dict[str, Any]]:
    """Chinese-CLIP: BERT's tower, read at its first token, beside CLIP's image tower."""
    from transformers import ChineseCLIPConfig, ChineseCLIPModel

    tokenizer = bert_tokenizer(model_max_length=40)
    text = {**BERT, "vocab_size": len(tokenizer)}
    config = ChineseCLIPConfig(text_config=text, vision_config=EYES, projection_dim=16)
    config.logit_scale_init_value = 3.0
    return shaken(ChineseCLIPModel(config), 12), tokenizer, CHINESE_PIXELS


def altclip() -> tuple[Any, Any, dict[str, Any]]:
    """AltCLIP: XLM-RoBERTa's tower and two more layers, beside CLIP's image tower."""
    from transformers import AltCLIPConfig, AltCLIPModel

    tokenizer = xlm_tokenizer()
    text = {**ROBERTA, "vocab_size": len(tokenizer), "project_dim": 24}
    config = AltCLIPConfig(text_config=text, vision_config=EYES, projection_dim=16)
    return shaken(AltCLIPModel(config), 13), tokenizer, CLIP_PIXELS


def align() -> tuple[Any, Any, dict[str, Any]]:
    """ALIGN: BERT's tower, read at its first token, beside an EfficientNet; a temperature."""
    import torch
    from transformers import AlignConfig, AlignModel

    tokenizer = bert_tokenizer(model_max_length=32)
    text = {**BERT, "vocab_size": len(tokenizer)}
    config = AlignConfig(text_config=text, vision_config=ALIGN_EYES, projection_dim=24)
    model = shaken(AlignModel(config), 14)
    with torch.no_grad():
        model.temperature.fill_(0.05)
    return model, tokenizer, ALIGN_PIXELS


def dual(kind: str) -> tuple[Any, Any, dict[str, Any]]:
    """A VisionTextDualEncoder of the library's own text tower of this kind beside a ViT, or CLIP's own tower
    (BERT)."""
    from transformers import (
        BertConfig,
        CamembertConfig,
        CLIPVisionConfig,
        RobertaConfig,
        VisionTextDualEncoderConfig,
        VisionTextDualEncoderModel,
        ViTConfig,
        XLMRobertaConfig,
    )

    makes: dict[str, tuple[Any, Any, dict[str, Any]]] = {
        "bert": (BertConfig, bert_tokenizer(), BERT),
        "roberta": (RobertaConfig, roberta_tokenizer(), ROBERTA),
        "xlm-roberta": (XLMRobertaConfig, xlm_tokenizer(), ROBERTA),
        "camembert": (CamembertConfig, xlm_tokenizer(), ROBERTA),
    }
    make, tokenizer, sizes = makes[kind]
    text = make(**{**sizes, "vocab_size": len(tokenizer)})
    eyes = CLIPVisionConfig(**EYES) if kind == "bert" else ViTConfig(**EYES)
    both = VisionTextDualEncoderConfig.from_vision_text_configs(eyes, text, projection_dim=16)
    return shaken(VisionTextDualEncoderModel(both), 15 + len(kind)), tokenizer, SIGLIP_PIXELS


MADE: dict[str, Callable[[], tuple[Any, Any, dict[str, Any]]]] = {
    "metaclip_2": metaclip_2,
    "chinese_clip": chinese_clip,
    "altclip": altclip,
    "align": align,
    "dual_bert": lambda: dual("bert"),
    "dual_roberta": lambda: dual("roberta"),
    "dual_xlm": lambda: dual("xlm-roberta"),
    "dual_camembert": lambda: dual("camembert"),
}


def save_kind(kind: str, folder: Path) -> Path:
    """A folder with a small model of one of the kinds in `MADE`."""
    return save(folder, *MADE[kind]())
