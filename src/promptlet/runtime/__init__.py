"""Answers from an exported folder by onnxruntime, with the library's own preprocessing, and without torch."""

from promptlet.runtime.classifier import Classifier

__all__ = ["Classifier"]
