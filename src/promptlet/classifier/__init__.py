"""Learning from images and answering: `PromptLearner`, and its scikit-learn face, `PromptClassifier`.

The face loads when it is asked for: scikit-learn takes a second to import, which a command line need not wait
for.
"""

from typing import TYPE_CHECKING, Any

from promptlet.classifier.files import prompt_file_of
from promptlet.classifier.learner import PromptLearner

if TYPE_CHECKING:
    from promptlet.classifier.estimator import PromptClassifier

__all__ = ["PromptClassifier", "PromptLearner", "prompt_file_of"]


def __getattr__(name: str) -> Any:
    if name == "PromptClassifier":
        from promptlet.classifier.estimator import PromptClassifier

        return PromptClassifier
    raise AttributeError(f"module 'promptlet.classifier' has no attribute {name!r}")
