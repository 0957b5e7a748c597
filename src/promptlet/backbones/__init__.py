"""Frozen dual encoders: loading, the exact text engine, and the plain path it is measured against."""

from promptlet.backbones.backbone import Backbone
from promptlet.backbones.load import DEFAULT_BACKBONE, load_backbone
from promptlet.backbones.pickling import know_backbones
from promptlet.backbones.vectors.file import write_text_features

know_backbones()

__all__ = ["DEFAULT_BACKBONE", "Backbone", "load_backbone", "write_text_features"]
