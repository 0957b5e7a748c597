"""Prompts inside both towers, which read images: one file per paper, and what the papers share."""
