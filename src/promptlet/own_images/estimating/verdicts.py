"""What accuracies mean for a person with photos: sentences, and "" where there is nothing to say."""

from __future__ import annotations

WIDE = 30.0
"""Percent between the ends of an interval that says too little."""
NEAR = 1.25
"""As many times what guessing is right is still near it."""


def guessing(chance: float, majority: float) -> float:
    """What the better of answering by chance and always the largest class is right on, in percent. Images of
    one class alone tell no guess of the largest."""
    return chance if majority >= 100 else max(chance, majority)


def worse_than_guessing(accuracy: float | None, guess: float) -> str:
    """guess: the accuracy, in percent, of the better of answering by chance and always the largest class."""
    if accuracy is None or accuracy > min(NEAR * guess, (guess + 100.0) / 2):
        return ""
    return (
        f"{accuracy:.1f} % is about what guessing gives ({guess:.1f} %): this prompt is of no use as it is. "
        "Likely causes: a backbone that knows nothing of such pictures (--backbone), class names that are no "
        "words (numbers, codes), labels that do not fit the pictures (promptlet check), too few images"
    )


def too_few(accuracy: float | None, low: float | None, high: float | None, guess: float) -> str:
    """Of an interval, in percent, that is wide, or that guessing lies in."""
    if accuracy is None or low is None or high is None:
        return ""
    if low <= guess < accuracy:
        return f"too few images to say that this is better than guessing ({guess:.1f} %): give more"
    if high - low > WIDE:
        return f"too few images to say more than {low:.0f} to {high:.0f} %; give more of each class"
    return ""


def worse_than_names(high: float | None, zero_shot: float | None) -> str:
    """Of a prompt that is surely worse than the class names by themselves."""
    if high is None or zero_shot is None or zero_shot <= high:
        return ""
    return (
        f"the class names alone are right more often ({zero_shot:.1f} %, zero_shot): learning did harm. "
        "Check the labels (promptlet check), or compare the methods (promptlet compare)"
    )
