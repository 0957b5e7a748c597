"""Changes of the weights themselves: CLIP-LoRA."""
