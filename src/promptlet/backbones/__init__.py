"""Frozen dual encoders: loading, the exact text engine, and the plain path it is measured against."""

from promptlet.backbones.backbone import Backbone
from promptlet.backbones.load import DEFAULT_BACKBONE, load_backbone

__all__ = ["DEFAULT_BACKBONE", "Backbone", "load_backbone"]
