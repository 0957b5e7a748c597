"""Learning from images and answering: `PromptLearner`, and its scikit-learn face, `PromptClassifier`.

Names load when they are asked for: scikit-learn takes a second to import, which a command line need not wait
for, and what asks a server needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptlet.classifier.estimator import PromptClassifier
    from promptlet.classifier.files import prompt_file_of
    from promptlet.classifier.learner import PromptLearner

__all__ = ["PromptClassifier", "PromptLearner", "prompt_file_of"]
_HOMES = {"PromptClassifier": "estimator", "PromptLearner": "learner", "prompt_file_of": "files"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"promptlet.classifier.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'promptlet.classifier' has no attribute {name!r}")
