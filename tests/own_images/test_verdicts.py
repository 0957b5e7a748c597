"""What accuracies mean, as sentences."""

from __future__ import annotations

from promptlet.own_images.estimating.verdicts import guessing, worse_than_guessing


def test_images_of_one_class_are_held_against_chance() -> None:
    """Always saying that class is right on all of them, and is no guess."""
    assert guessing(25.0, 100.0) == 25.0
    assert guessing(25.0, 60.0) == 60.0
    assert worse_than_guessing(100.0, guessing(25.0, 100.0)) == ""
    assert "of no use" in worse_than_guessing(20.0, guessing(25.0, 100.0))
