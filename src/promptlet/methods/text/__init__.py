"""Prompts in the text tower: CoOp and what came of it, one file per paper."""
