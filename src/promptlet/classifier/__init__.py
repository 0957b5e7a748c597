"""The scikit-learn face of the library: `PromptClassifier`."""

from promptlet.classifier.estimator import PromptClassifier
from promptlet.classifier.files import prompt_file_of

__all__ = ["PromptClassifier", "prompt_file_of"]
