"""How good a prompt is on labelled images: answers, scores, what goes wrong, and a page that shows it."""

from promptlet.own_images.evaluating.result import Evaluation, Judged
from promptlet.own_images.evaluating.run import evaluate

__all__ = ["Evaluation", "Judged", "evaluate"]
