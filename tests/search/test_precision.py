"""How many of the hits are right: the closed form, that the promise is kept, and every reason to refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_photos import COLOURS, draw

import promptlet
from promptlet.backbones import Backbone
from promptlet.data import FeatureFile, write_feature_file
from promptlet.data.items import Item, Split
from promptlet.errors import DataError, OptionError
from promptlet.search import ClassOf, Index, Query
from promptlet.search.asking import ask_of
from promptlet.search.precision import telling
from promptlet.search.precision.counting import FAR, bounds, keep, p_values, unlike
from promptlet.search.precision.teaching import OTHER_CLASSES, STRANGERS, learn, of_logits


def test_p_values_are_counted_by_hand() -> None:
    kinds = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([0.0, 2.5])}
    found = p_values(np.array([0.5, 2.0, 2.5, 3.5]), kinds)
    np.testing.assert_allclose(found, [4 / 4, 3 / 4, 2 / 3, 1 / 3])


def test_as_many_are_kept_as_the_share_of_wrong_ones_allows() -> None:
    scores = np.array([9.0, 0.1, 8.0, 0.2, 7.0, 0.3, 0.4, 0.5])
    kinds = {"others": np.linspace(0, 1, 79)}
    share = 1 - 0.1 ** (1 / 79)  # that none of 79 is above would happen in one of ten cases
    kept = keep(scores, kinds, 0.9)  # of three, 8 times that share may be wrong
    assert kept.rows.tolist() == [0, 2, 4]
    assert kept.threshold == 7.0
    assert kept.best == (pytest.approx(1 - 8 * share / 3), 3)
    assert keep(scores, kinds, 0.93).rows.tolist() == []
    assert keep(scores[:0], kinds, 0.5).rows.tolist() == []


def test_bounds_hold_in_nine_of_ten_cases() -> None:
    draw_ = np.random.default_rng(0)
    true = 0.02  # of normal scores, above 2.0537
    found = np.array([bounds(np.array([2.0537]), {"a": draw_.normal(0, 1, 200)})[0] for _ in range(4000)])
    assert 0.9 <= (found >= true).mean() <= 0.96
    assert bounds(np.array([-9.0]), {"a": draw_.normal(0, 1, 9)})[0] == 1.0


@pytest.mark.parametrize("others", [400, 2000])
@pytest.mark.parametrize("frequency", [0.01, 0.1, 0.4])
def test_the_promise_is_kept_where_anything_is_kept(frequency: float, others: int) -> None:
    """20 % wrong are allowed. Means in the place of bounds find 53 % wrong of the rarest class."""
    draw_ = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        own = int(1000 * frequency)
        scores = np.concatenate([draw_.normal(3, 1, own), draw_.normal(0, 1, 1000 - own)])
        rows = keep(scores, {"others": draw_.normal(0, 1, others)}, 0.8).rows
        shares += [float((rows >= own).mean())] if len(rows) else []
    assert np.mean(shares or [0.0]) <= 0.22  # of so few draws the mean is known to 0.02
    assert bool(shares) == ((frequency, others) != (0.01, 400))  # which are too few for that


def test_a_folder_of_another_kind_is_noticed() -> None:
    draw_ = np.random.default_rng(0)
    own, kinds = draw_.normal(4, 1, 30), {"others": draw_.normal(0, 1, 500)}
    like = np.concatenate([draw_.normal(4, 1, 50), draw_.normal(0, 1, 2000)])
    assert unlike(like, own, kinds) < FAR
    assert unlike(np.concatenate([like, draw_.normal(1.2, 0.5, 2000)]), own, kinds) > FAR
    assert unlike(own[:0], own, kinds) == 0.0


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, backbone: Backbone) -> tuple[str, Path]:
    """A prompt of three classes, and the features that taught it, with a class of strangers beside them."""
    draw_ = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("taught")
    names = ("red cat", "dog", "fish", "other")
    centres = draw_.normal(size=(4, backbone.feature_dim))
    labels = np.repeat(np.arange(4), 20)
    features = (centres[labels] + 0.7 * draw_.normal(size=(80, backbone.feature_dim))).astype(np.float32)
    items = tuple(Item(Path(f"{row}.jpg"), int(label), names[label], row) for row, label in enumerate(labels))
    data = folder / "taught.npz"
    write_feature_file(data, FeatureFile.of(Split("taught", names, items, (), ()), features))
    clf = promptlet.PromptClassifier(backbone, epochs=3, cache=False, shots=12)
    clf.fit(list(features[:60]), [names[label] for label in labels[:60]]).save(folder / "x.prompt")
    return str(folder / "x.prompt"), data


def test_the_score_by_logits_is_the_score_by_features(taught: tuple[str, Path], backbone: Backbone) -> None:
    asked = ClassOf(taught[0], "dog")
    nothing = np.zeros(backbone.feature_dim, np.float32)
    question = ask_of(Query(classes=[asked]), backbone, nothing, None).question
    x = np.random.default_rng(1).normal(size=(5, backbone.feature_dim)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    clf = promptlet.PromptClassifier.load(taught[0], backbone)
    logits = backbone.logit_scale * x @ clf.class_features(("dog", "fish", "red cat")).T + 3.0
    np.testing.assert_allclose(
        of_logits(question, logits), question.scores(x @ question.matrix), rtol=1e-4, atol=1e-5
    )


def test_each_image_that_taught_is_asked_of_a_prompt_that_it_did_not_teach(
    taught: tuple[str, Path], backbone: Backbone
) -> None:
    asked, nothing = ClassOf(taught[0], "dog"), np.zeros(backbone.feature_dim, np.float32)
    question = ask_of(Query(classes=[asked]), backbone, nothing, None).question
    done: list[tuple[int, int]] = []
    found = learn(asked, question, taught[1], backbone, None, lambda *told: done.append(told))
    assert {kind: len(scores) for kind, scores in found.kinds.items()} == {OTHER_CLASSES: 40, STRANGERS: 20}
    assert (len(found.own), found.others) == (20, 60)
    assert done[-1] == (5, 5)
    from promptlet.data import read_feature_file

    rows = read_feature_file(taught[1]).features.astype(np.float32)[:60]
    plain = question.scores(rows / np.linalg.norm(rows, axis=1, keepdims=True) @ question.matrix)
    assert found.own.mean() < plain[20:40].mean()  # by the prompt that they taught, they score higher


def test_labels_that_are_not_enough(taught: tuple[str, Path], backbone: Backbone, tmp_path: Path) -> None:
    names = ("dog", "fish")
    items = tuple(Item(Path(f"{row}.jpg"), row % 2, names[row % 2], row) for row in range(8))
    data = tmp_path / "few.npz"
    features = np.random.default_rng(0).normal(size=(8, backbone.feature_dim))
    write_feature_file(data, FeatureFile.of(Split("few", names, items, (), ()), features))
    nothing = np.zeros(backbone.feature_dim, np.float32)
    asked = ClassOf(taught[0], "dog")
    question = ask_of(Query(classes=[asked]), backbone, nothing, None).question
    with pytest.raises(DataError, match="has no training images of red cat"):
        learn(asked, question, data, backbone, None)
    with pytest.raises(OptionError, match=r"was not taught 'dogg'.*Did you mean 'dog'"):
        learn(ClassOf(taught[0], "dogg"), question, taught[1], backbone, None)


@pytest.mark.parametrize(
    ("query", "precision", "data", "reason"),
    [
        (Query(["cat"]), 0.9, "d", "labelled images say nothing of words"),
        (Query(["cat"]), None, "d", "give a precision with them"),
        (Query(classes=[ClassOf("f", "a")]), 0.9, None, "give the images that taught the prompt"),
        (Query(classes=[ClassOf("f", "a")], not_words=["b"]), 0.9, "d", "one class of a prompt alone"),
        (Query(classes=[ClassOf("f", "a"), ClassOf("f", "b")]), 0.9, "d", "one class of a prompt alone"),
        (Query(classes=[ClassOf("f", "a")]), 90, "d", r"for 90 % give 0\.9"),
        (Query(classes=[ClassOf("f", "a")]), 0.0, "d", "must be a share between 0 and 1"),
    ],
)
def test_what_nothing_can_tell_is_refused(query: Query, precision: Any, data: Any, reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        telling.check(query, precision, data)


@pytest.fixture
def shown(photos: Path, tmp_path: Path) -> tuple[Path, Path, str]:
    """A folder with 20 of each colour, what taught a prompt, and the prompt."""
    folder, data = tmp_path / "shown", tmp_path / "data"
    for number, (name, colour) in enumerate(COLOURS.items()):
        for i in range(20):
            draw(folder / f"{name}{i}.png", colour, 1000 + 50 * number + i)
            draw(data / name / f"{i}.png", colour, 5000 + 50 * number + i)
    file = tmp_path / "colours.prompt"
    promptlet.PromptClassifier("mini", epochs=3, cache=False).fit(data).save(file)
    return folder, data, str(file)


@pytest.mark.slow
def test_those_are_kept_of_which_so_many_are_right(shown: tuple[Path, Path, str], backbone: Backbone) -> None:
    folder, data, file = shown
    own = Index.build(folder, backbone)
    query = Query(classes=[ClassOf(file, "red")])
    found = own.search(query, precision=0.8, taught=data, nothing_else=True)
    are_red = [Path(hit.path).name.startswith("red") for hit in found.hits]
    assert sum(are_red) == 20
    assert np.mean(are_red) > 0.8
    assert found.precision is not None
    assert (found.precision.asked, found.precision.others) == (0.8, 40)
    assert found.precision.threshold == found.hits[-1].score
    assert found.told == "about 80 % of them right, or more"
    assert found.facts()["precision"]["threshold"] == found.hits[-1].score
    assert len(own.search(query, 3, precision=0.8, taught=data, nothing_else=True).hits) == 3
    Path(found.hits[4].path).unlink()
    after = own.search(query, precision=0.8, taught=data, nothing_else=True)
    assert (len(after.hits), after.missing) == (len(found.hits) - 1, (found.hits[4].path,))
    none = own.search(query, precision=0.99, taught=data, nothing_else=True)  # 40 cannot tell that of 60
    assert none.hits == ()
    assert none.told == ""
    assert "40 labelled images of other things tell that 84 % are right" in none.notes[0]


@pytest.mark.slow
def test_a_folder_that_labelled_images_say_nothing_of_is_refused(
    shown: tuple[Path, Path, str], backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, data, file = shown
    monkeypatch.setattr(telling, "unlike", lambda *_: 2.5)
    own = Index.build(folder, backbone)
    with pytest.raises(DataError, match=r"another kind .*2\.5 times as many.*as a class of their own"):
        own.search(Query(classes=[ClassOf(file, "red")]), precision=0.9, taught=data, nothing_else=True)
