"""A question as vectors: its closed form, what is subtracted, and that negatives work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import promptlet
from promptlet.backbones import Backbone
from promptlet.errors import ImageError, OptionError, WrongBackboneError
from promptlet.search import ClassOf, Index, Query
from promptlet.search.asking import ask_of
from promptlet.search.common import COMMON
from promptlet.search.file import FEATURE
from promptlet.search.query import sentence
from promptlet.search.question import OF_IMAGE, WEIGHT, Question
from promptlet.search.ranking import all_scores, best, mean_of


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def text(backbone: Backbone, *texts: str) -> np.ndarray:
    return unit(backbone.encode_texts(texts).numpy())


def nothing(backbone: Backbone) -> np.ndarray:
    return np.zeros(backbone.feature_dim, np.float32)


def test_the_score_is_that_of_the_formula() -> None:
    draw = np.random.default_rng(0)
    question = Question(draw.normal(size=6).astype("f4"), draw.normal(size=(3, 6)).astype("f4"), 20.0)
    x = unit(draw.normal(size=(50, 6))).astype("f4")
    wanted, others = 20.0 * x @ question.wanted, 20.0 * x @ question.others.T
    share = np.exp(wanted) / (np.exp(wanted) + np.exp(others).sum(1))
    expected = wanted / 20 + WEIGHT / 20 * np.log(share)
    np.testing.assert_allclose(question.scores(x @ question.matrix), expected, rtol=1e-4, atol=1e-5)
    alone = Question(question.wanted, question.others[:0], 20.0)
    np.testing.assert_allclose(alone.scores(x @ alone.matrix), wanted / 20, rtol=1e-5)


def test_ranking_is_exact_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    features = unit(draw.normal(size=(1000, 8))).astype(FEATURE)
    question = Question(draw.normal(size=8).astype("f4"), draw.normal(size=(2, 8)).astype("f4"), 10.0)
    whole = all_scores(features, question)
    np.testing.assert_allclose(
        whole, question.scores(features.astype("f4") @ question.matrix), rtol=1e-4, atol=1e-5
    )
    monkeypatch.setattr("promptlet.search.ranking.BLOCK", 7)
    np.testing.assert_allclose(all_scores(features, question), whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        mean_of(features), features[np.linspace(0, 999, 7).astype(int)].mean(0), atol=1e-3
    )


def test_the_best_are_those_of_a_full_sort_and_equal_ones_keep_their_order() -> None:
    scores = np.array([3, 1, 3, 2, 3, 0], np.float32)
    for count in range(8):
        np.testing.assert_array_equal(best(scores, count), np.argsort(-scores, kind="stable")[:count])
    assert best(np.zeros(0, np.float32), 3).tolist() == []


def test_words_are_a_direction_away_from_common_words(backbone: Backbone) -> None:
    found = ask_of(Query(["cat", "a dog"]), backbone, nothing(backbone), None).question
    common = text(backbone, *(f"a photo of a {word}." for word in COMMON)).mean(0)
    own = text(backbone, "a photo of a cat.", "a photo of a dog.")
    np.testing.assert_allclose(found.wanted, own.mean(0) - common, atol=1e-5)
    assert found.others.shape == (0, backbone.feature_dim)
    assert found.scale == backbone.logit_scale


def test_what_is_not_looked_for_is_one_of_the_others(backbone: Backbone, photos: Path) -> None:
    image = photos / "red" / "0.png"
    mean = np.full(backbone.feature_dim, 0.01, np.float32)
    found = ask_of(Query(["cat"], not_words=["dog"], not_images=[image]), backbone, mean, None).question
    common = text(backbone, *(f"a photo of a {word}." for word in COMMON)).mean(0)
    seen = unit(promptlet_features(backbone, image)) - mean
    np.testing.assert_allclose(found.others[0], text(backbone, "a photo of a dog.")[0] - common, atol=1e-5)
    np.testing.assert_allclose(found.others[1], OF_IMAGE * seen, atol=1e-5)
    alike = ask_of(Query(images=[image], not_images=[image]), backbone, mean, None).question
    np.testing.assert_allclose(alike.wanted, seen, atol=1e-5)
    np.testing.assert_allclose(alike.others[0], seen, atol=1e-5)


def promptlet_features(backbone: Backbone, image: Path) -> np.ndarray:
    from promptlet.features import encode_images

    return encode_images(backbone, [image])[0, 0]


@pytest.mark.parametrize(
    ("template", "words", "expected"),
    [
        ("a photo of a {}.", "red bicycle", "a photo of a red bicycle."),
        ("a photo of a {}.", "a red  bicycle ", "a photo of a red bicycle."),
        ("a photo of a {}.", "An apple", "a photo of An apple."),
        ("a photo of a {}.", "the sea", "a photo of the sea."),
        ("a photo of a {}.", "a", "a photo of a a."),
        ("{}", "a red bicycle", "a red bicycle"),
        ("a drawing, {}.", "a cat", "a drawing, a cat."),
    ],
)
def test_words_with_an_article_bring_it_into_the_template(template: str, words: str, expected: str) -> None:
    assert sentence(template, words) == expected


def test_a_query_says_what_it_is() -> None:
    query = Query(["a cat", "snow"], [ClassOf("x/pets.prompt", "beagle")], ["d/b.jpg"], ["a dog"], ["c.jpg"])
    assert str(query) == "a cat + snow + pets.prompt:beagle + like b.jpg, not a dog, c.jpg"


def test_a_query_without_anything_to_look_for_is_refused() -> None:
    with pytest.raises(OptionError, match="nothing is looked for"):
        Query(not_words=["carrot"])
    with pytest.raises(OptionError, match="words to look for are empty"):
        Query([" "])
    with pytest.raises(OptionError, match="exactly once"):
        Query(["x"], template="no place")


def test_a_class_is_named_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "a:b.prompt"
    file.write_text("")
    assert ClassOf.parse(f"{file}:ratio 1:2") == ClassOf(str(file), "ratio 1:2")
    assert ClassOf.parse("absent.prompt:beagle") == ClassOf("absent.prompt", "beagle")
    for text_ in ("pets.prompt", "pets.prompt:", ":beagle"):
        with pytest.raises(OptionError, match="names no class of a prompt"):
            ClassOf.parse(text_)


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory, backbone: Backbone) -> str:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(12, backbone.feature_dim)).astype("f4")
    path = tmp_path_factory.mktemp("prompt") / "pets.prompt"
    clf = promptlet.PromptClassifier(backbone, epochs=2, cache=False)
    clf.fit(list(x), ["red_cat", "dog", "fish"] * 4).save(path)
    return str(path)


def test_a_class_stands_against_the_prompts_other_classes(prompt: str, backbone: Backbone) -> None:
    ready = ask_of(Query(classes=[ClassOf(prompt, "Red cat")]), backbone, nothing(backbone), None)
    clf = promptlet.PromptClassifier.load(prompt, backbone)
    own, *others = clf.class_features(("red cat", "dog", "fish"))
    np.testing.assert_allclose(ready.question.wanted, own - np.mean(others, axis=0), atol=1e-5)
    np.testing.assert_allclose(ready.question.others, others - np.mean(others, axis=0), atol=1e-5)
    assert ready.notes == ()
    both = Query(classes=[ClassOf(prompt, "dog"), ClassOf(prompt, "fish")])
    assert len(ask_of(both, backbone, nothing(backbone), None).question.others) == 1


def test_a_class_that_was_not_taught_is_told(prompt: str, backbone: Backbone) -> None:
    ready = ask_of(Query(classes=[ClassOf(prompt, "fisch")]), backbone, nothing(backbone), None)
    assert ready.notes == (
        f"{prompt} was not taught 'fisch'; it is looked for as a new name. Did you mean 'fish'?",
    )
    assert len(ready.question.others) == 3


def test_a_prompt_of_another_backbone_is_refused(
    prompt: str, tiny_backbone: Backbone, backbone: Backbone
) -> None:
    with pytest.raises(WrongBackboneError, match="was made with backbone 'mini'"):
        ask_of(Query(classes=[ClassOf(prompt, "dog")]), tiny_backbone, nothing(tiny_backbone), None)


@pytest.mark.parametrize(
    ("method", "reason"),
    [("tip_adapter", "more than one vector a class"), ("vpt", "changes how the image tower reads images")],
)
def test_prompts_that_are_no_directions_are_refused(
    method: str, reason: str, backbone: Backbone, photos: Path, tmp_path: Path
) -> None:
    file = tmp_path / "x.prompt"
    clf = promptlet.PromptClassifier(backbone, method, epochs=1, cache=False, shots=1)
    clf.fit(photos).save(file)
    with pytest.raises(OptionError, match=reason):
        ask_of(Query(classes=[ClassOf(str(file), "red")]), backbone, nothing(backbone), None)


def test_an_image_of_the_query_that_cannot_be_read(photos: Path, backbone: Backbone) -> None:
    own = Index.build(photos, backbone)
    with pytest.raises(ImageError, match=r"absent\.jpg"):
        own.search(Query(images=["absent.jpg"]))


def test_negatives_push_down_what_they_name() -> None:
    """Two kinds that a query finds alike; the one that is not looked for goes behind the other."""
    draw = np.random.default_rng(0)
    axes = np.eye(8, dtype="f4")
    kinds = [unit(axes[0] + axes[k] + 0.1 * draw.normal(size=(20, 8))) for k in (1, 2)]
    features = np.concatenate(kinds).astype(FEATURE)
    without = Question(axes[0], np.zeros((0, 8), "f4"), 50.0)
    assert 5 < (best(all_scores(features, without), 20) < 20).sum() < 15
    negative = Question(axes[0], unit(axes[0] + axes[2])[None], 50.0)
    assert (best(all_scores(features, negative), 20) < 20).all()
