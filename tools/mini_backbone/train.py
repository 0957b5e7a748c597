"""Contrastive training on pairs, as CLIP's; pairs that show the same thing are no negatives of each other."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer

from tools.mini_backbone.model import CONTEXT, PIXELS

BATCH = 128
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.1
WARM_UP = 200
LARGEST_SCALE = math.log(100)
SHIFT = 3
"""Pixels that a picture moves at most, each time it is seen."""


class Pairs:
    """Pictures and tokenized captions in memory, drawn in batches."""

    def __init__(self, folder: Path, tokenizer: CLIPTokenizer) -> None:
        self.pixels = torch.from_numpy(np.load(folder / "pixels.npy"))
        texts = json.loads((folder / "pairs.json").read_text())
        numbers: dict[str, int] = {}
        self.shown = torch.tensor([numbers.setdefault(key, len(numbers)) for key, _ in texts])
        self.captions = len(texts[0][1])
        every = [caption for _, captions in texts for caption in captions]
        tokens = tokenizer(every, padding="max_length", truncation=True, max_length=CONTEXT)["input_ids"]
        self.ids = torch.tensor(tokens, dtype=torch.int32).view(len(texts), self.captions, -1)
        self.end = tokenizer.eos_token_id

    def batch(self, index: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Pixel values (B, 3, 64, 64), token ids (B, L) cut to the longest, what is shown (B,)."""
        which = torch.from_numpy(rng.integers(self.captions, size=len(index)))
        ids = self.ids[index, which].long()
        longest = int((ids == self.end).int().argmax(1).max()) + 1
        pixels = moved(self.pixels[index].permute(0, 3, 1, 2).float() / 255, rng)
        mean, std = (torch.tensor(PIXELS[key]).view(1, 3, 1, 1) for key in ("image_mean", "image_std"))
        return (pixels - mean) / std, ids[:, :longest], self.shown[index]


def moved(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """The batch shifted by a few pixels, a little lighter or darker."""
    dx, dy = rng.integers(-SHIFT, SHIFT + 1, 2)
    padded = F.pad(pixels, [SHIFT] * 4, mode="replicate")
    size = pixels.shape[-1]
    cut = padded[..., SHIFT + dy : SHIFT + dy + size, SHIFT + dx : SHIFT + dx + size]
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (len(pixels), 1, 1, 1)).astype(np.float32))
    return (cut * gain).clamp(0, 1)


def contrastive_loss(images: Tensor, texts: Tensor, scale: Tensor, shown: Tensor) -> Tensor:
    """CLIP's symmetric loss on features (B, D); what shows the same shares the target equally."""
    logits = scale * F.normalize(images.float(), dim=-1) @ F.normalize(texts.float(), dim=-1).t()
    target = (shown[:, None] == shown[None]).float()
    target /= target.sum(1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2


def train(
    model: CLIPModel, pairs: Pairs, steps: int, on_step: Callable[[dict[str, Any]], None], seed: int = 0
) -> dict[str, Any]:
    """AdamW, warm-up and a cosine over ``steps``; what was done."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.98), fused=True)
    rng = np.random.default_rng(seed)
    order, began = np.empty(0, np.int64), time.monotonic()
    model.train()
    for step in range(1, steps + 1):
        if len(order) < BATCH:
            order = np.concatenate([order, rng.permutation(len(pairs.pixels))])
        index, order = torch.from_numpy(order[:BATCH]), order[BATCH:]
        pixels, ids, shown = pairs.batch(index, rng)
        for group in optimizer.param_groups:
            group["lr"] = (
                LEARNING_RATE * min(1.0, step / WARM_UP) * (1 + math.cos(math.pi * step / steps)) / 2
            )
        with torch.autocast("cpu", torch.bfloat16):
            images = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
            texts = model.text_projection(model.text_model(input_ids=ids).pooler_output)
        loss = contrastive_loss(images, texts, model.logit_scale.exp(), shown)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=LARGEST_SCALE)
        if step % 50 == 0:
            minutes, scale = (time.monotonic() - began) / 60, float(model.logit_scale.detach().exp())
            on_step({"step": step, "minutes": minutes, "loss": float(loss.detach()), "scale": scale})
    model.eval()
    seconds = round(time.monotonic() - began)
    return {"steps": steps, "batch": BATCH, "pictures_seen": steps * BATCH, "training_seconds": seconds}
