"""Models of transformers and open_clip as backbones, and the LoRA of PEFT inside them."""
