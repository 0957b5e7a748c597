"""Small random models of open_clip whose text towers are not CLIP's: CoCa, towers of transformers, PE."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny_kinds import BERT, LETTERS, ROBERTA, SIGNS, WORDS, bert_tokenizer, roberta_tokenizer, xlm_tokenizer
from tiny_models import OPEN_CLIP, save_open_clip

TEXT: dict[str, Any] = OPEN_CLIP["text_cfg"]  # type: ignore[assignment]
EYES: dict[str, Any] = OPEN_CLIP["vision_cfg"]  # type: ignore[assignment]
COCA = {
    **OPEN_CLIP,
    "custom_text": True,
    "vision_cfg": {**EYES, "attentional_pool": True, "attn_pooler_heads": 4, "output_tokens": True},
    "text_cfg": {**TEXT, "context_length": 24, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 1},
}
PE = {
    **OPEN_CLIP,
    "custom_text": True,
    "text_cfg": {**TEXT, "context_length": 32},
    "vision_cfg": {
        "image_size": 384,
        "timm_model_name": "vit_pe_core_tiny_patch16_384",
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": None,
    },
    "embed_dim": 512,
}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "pad_token_id": 0}
M2M = {
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_layers": 1,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 48,
    "scale_embedding": True,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}


def t5_tokenizer() -> Any:
    """mT5's kind: an end token alone, the space before a word marked."""
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(f"▁{word}", -3.0) for word in ("a", *WORDS)]
    pieces += [(one, -9.0) for one in ("▁", *LETTERS, *LETTERS[:26].upper(), *SIGNS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def nllb_tokenizer() -> Any:
    """NLLB's kind: a text begins with its language."""
    from transformers import NllbTokenizer

    words = ["<s>", "<pad>", "</s>", "<unk>", "▁", *LETTERS, *LETTERS[:26].upper(), *SIGNS]
    words += ["do", "dog", "▁dog", "ph", "▁ph"]
    merges = [("d", "o"), ("do", "g"), ("▁", "dog"), ("p", "h"), ("▁", "ph")]
    return NllbTokenizer(vocab={word: at for at, word in enumerate(words)}, merges=merges)


TOWERS: dict[str, tuple[str, dict[str, Any], Any, dict[str, Any]]] = {
    "roberta": ("roberta", ROBERTA, roberta_tokenizer, {"hf_pooler_type": "mean_pooler"}),
    "xlm": ("xlm-roberta", ROBERTA, xlm_tokenizer, {"hf_proj_type": "mlp"}),
    "bert": ("bert", BERT, bert_tokenizer, {"hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"}),
    "bert_last": ("bert", BERT, bert_tokenizer, {"hf_pooler_type": "cls_last_hidden_state_pooler"}),
    "mt5": ("mt5", T5, t5_tokenizer, {"hf_pooler_type": "mean_pooler"}),
    "nllb": ("m2m_100", M2M, nllb_tokenizer, {"hf_pooler_type": "cls_pooler"}),
    "coca_roberta": ("roberta", ROBERTA, roberta_tokenizer, {"output_tokens": True}),
}
"""By name: transformers' kind of the tower, its sizes, its tokenizer, what open_clip is told of it."""
MADE = ("coca", "pe", "worldwide", *TOWERS)


def _worldwide(folder: Path) -> Path:
    """MetaCLIP 2: open_clip's own causal tower, with XLM-V's tokens, read at the end token 2."""
    tokenizer = xlm_tokenizer()
    tokenizer.save_pretrained(folder)
    text = {**TEXT, "vocab_size": len(tokenizer), "hf_tokenizer_name": "local"}
    text |= {"context_length": 48, "pool_type": "eos", "eos_id": 2}
    return save_open_clip(folder, {**OPEN_CLIP, "quick_gelu": True, "text_cfg": text}, {}, seed=23)


def save_open_kind(kind: str, folder: Path) -> Path:
    """A folder for ``open_clip:FOLDER`` with a small model of one of the kinds in `MADE`."""
    if kind in ("coca", "pe"):
        return save_open_clip(folder, COCA if kind == "coca" else PE, {}, seed=21)
    if kind == "worldwide":
        return _worldwide(folder)
    name, sizes, make, told = TOWERS[kind]
    tokenizer = make()
    tokenizer.save_pretrained(folder)
    (folder / "tower").mkdir()
    config = {"model_type": name, **sizes, "vocab_size": len(tokenizer)}
    (folder / "tower" / "config.json").write_text(json.dumps(config))
    text = {"hf_model_name": str(folder / "tower"), "hf_model_pretrained": False, "context_length": 40}
    text |= {"hf_tokenizer_name": "local", "hf_proj_type": "linear", **told}
    whole = {**OPEN_CLIP, "custom_text": True, "text_cfg": text}
    if kind.startswith("coca"):
        whole |= {"vision_cfg": COCA["vision_cfg"], "multimodal_cfg": COCA["multimodal_cfg"]}
    return save_open_clip(folder, whole, {}, seed=22)
