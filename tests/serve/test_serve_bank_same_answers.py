"""What a bank answers is what the library answers: of every method, under every rule for new names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bank_prompts import NAMES, SERVED, answer, bank_of, drawn, fitted, learner_of, place, queries, run
from learning_toys import toy_arrays

from promptlet.backbones.arithmetic.unit import unit
from promptlet.classifier.answers.deciding import Rule
from promptlet.errors import DataError, OptionError, PromptletError
from promptlet.methods import METHODS
from promptlet.promptfile import PromptFile, dumps, loads
from promptlet.serve.bank import Answerer

NEW = ("a boat", "a tree")
MIXED = ("dog", "a boat", "cat")
LEARNED = [method for method in SERVED if "new_names" in METHODS[method].info.options]


@pytest.fixture(scope="module")
def prompts(tiny_backbone: Any) -> dict[str, PromptFile]:
    """Of each method that is served, as its file has it."""
    return {method: loads(dumps(fitted(tiny_backbone, method))) for method in SERVED}


def answered(folder: Path, backbone: Any, file: PromptFile, *asked: Any) -> Answerer:
    place(folder, "it", file)
    return run(bank_of(folder, backbone).answerer("it", *asked))


def probabilities(one: Answerer, features: np.ndarray) -> np.ndarray:
    return np.stack([own.probabilities for own in answer([one], features, Rule())[0]])


@pytest.mark.parametrize("names", [None, NEW, MIXED], ids=["own", "new", "mixed"])
@pytest.mark.parametrize("method", SERVED)
def test_the_same_probabilities(
    method: str, names: Any, prompts: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    features, own = queries(tiny_backbone), learner_of(prompts[method], tiny_backbone, tmp_path)
    try:
        wanted = own.predict_proba(features, names)
    except PromptletError as error:
        with pytest.raises(type(error)) as caught:
            answered(tmp_path, tiny_backbone, prompts[method], names)
        assert str(caught.value) == str(error)
        return
    one = answered(tmp_path, tiny_backbone, prompts[method], names)
    np.testing.assert_allclose(probabilities(one, features), wanted, atol=1e-6, rtol=0)
    assert one.names == (own.class_names_ if names is None else names)
    assert one.taught == own.class_names_
    logits = one.score(unit(torch.from_numpy(features)))
    np.testing.assert_allclose(logits.softmax(-1).numpy(), wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("names", [None, NEW, MIXED], ids=["own", "new", "mixed"])
@pytest.mark.parametrize("rule", ["learned", "blend:0.4"])
@pytest.mark.parametrize("method", ["rlp", "prograd"])
def test_words_between_context_and_name(
    method: str, rule: str, names: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    options = {"n_ctx": 3, "ctx_init": "zeros:a photo"}
    words = ({"between": "of the"}, None)
    files = [fitted(tiny_backbone, method, method_options=one, **options) for one in words]
    features, own = queries(tiny_backbone), learner_of(files[0], tiny_backbone, tmp_path)
    one = answered(tmp_path, tiny_backbone, files[0], names, rule)
    wanted = own.predict_proba(features, names, rule)
    np.testing.assert_allclose(probabilities(one, features), wanted, atol=1e-6, rtol=0)
    other = learner_of(files[1], tiny_backbone, tmp_path).predict_proba(features, names, rule)
    assert np.abs(other - wanted).max() > 1e-3


@pytest.mark.parametrize("names", [None, NEW, MIXED], ids=["own", "new", "mixed"])
@pytest.mark.parametrize("rule", ["learned", "blend:0.4", "zero-shot", "blend"])
def test_each_rule_for_new_names(
    rule: str, names: Any, prompts: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    features = queries(tiny_backbone)
    own = learner_of(prompts["rlp"], tiny_backbone, tmp_path)
    one = answered(tmp_path, tiny_backbone, prompts["rlp"], names, rule)
    wanted = own.predict_proba(features, names, rule)
    np.testing.assert_allclose(probabilities(one, features), wanted, atol=1e-6, rtol=0)
    assert (one.matrix is None) == (names == MIXED and rule != "learned")


@pytest.mark.parametrize("rule", ["learned", "blend:0.4", "zero-shot"])
@pytest.mark.parametrize("method", LEARNED)
def test_a_file_s_own_rule(method: str, rule: str, tiny_backbone: Any, tmp_path: Path) -> None:
    file = fitted(tiny_backbone, method, new_names=rule)
    features, own = queries(tiny_backbone), learner_of(file, tiny_backbone, tmp_path)
    for names in (NEW, MIXED):
        one = answered(tmp_path, tiny_backbone, file, names)
        wanted = own.predict_proba(features, names)
        np.testing.assert_allclose(probabilities(one, features), wanted, atol=1e-6, rtol=0)


def test_none_of_these_as_the_library_says(prompts: Any, tiny_backbone: Any, tmp_path: Path) -> None:
    own_images, _ = toy_arrays(tiny_backbone)
    features = np.concatenate([own_images * 3, queries(tiny_backbone, 30)])
    for method, names in (("coop", None), ("rlp", ("dog", "box")), ("tip_adapter", None)):
        own = learner_of(prompts[method], tiny_backbone, tmp_path)
        one = answered(tmp_path, tiny_backbone, prompts[method], names)
        for share in (True, 75):
            told, accepted = own.answer(features, names, accepted=share)
            found = answer([one], features, Rule(accept=share))[0]
            assert [a.class_name is not None for a in found] == accepted.tolist()
            np.testing.assert_allclose(np.stack([a.probabilities for a in found]), told, atol=1e-6, rtol=0)
        assert 0 < sum(accepted) < len(features)


def test_what_cannot_be_rejected_is_refused_in_the_library_s_words(
    prompts: Any, tiny_backbone: Any, tmp_path: Path
) -> None:
    features = queries(tiny_backbone)
    without = replace(prompts["coop"], rejection=None)
    for file, names, share in (
        (without, None, True),
        (prompts["coop"], NEW, True),
        (prompts["coop"], None, 99),
    ):
        own = learner_of(file, tiny_backbone, tmp_path)
        with pytest.raises(OptionError) as wanted:
            own.answer(features, names, accepted=share)
        one = answered(tmp_path, tiny_backbone, file, names)
        with pytest.raises(OptionError) as caught:
            answer([one], features, Rule(accept=share))
        assert str(caught.value) == str(wanted.value)
        assert len(answer([one], features, Rule())[0]) == len(features)


def test_a_prompt_without_names_takes_those_given(tiny_backbone: Any, tmp_path: Path) -> None:
    compact = dumps(drawn(tiny_backbone, 3), compact=True)
    place(tmp_path, "it", compact)
    bank = bank_of(tmp_path, tiny_backbone)
    with pytest.raises(DataError, match=r"without class names; give class_names="):
        run(bank.answerer("it"))
    features, own = queries(tiny_backbone), learner_of(compact, tiny_backbone, tmp_path)
    one = run(bank.answerer("it", NEW))
    np.testing.assert_allclose(
        probabilities(one, features), own.predict_proba(features, NEW), atol=1e-6, rtol=0
    )
    with pytest.raises(OptionError, match="saved without class names"):
        run(bank.answerer("it", NEW, "blend"))
    assert bank.get("it").state == "ready" and bank.get("it").classes == 0


@pytest.mark.parametrize(
    "names", [("one",), ("cat", "Cat"), ("cat", ""), "cat", ("cat", 3), ("cat", "dog " * 80)], ids=repr
)
def test_names_that_cannot_be_answered(names: Any, tiny_backbone: Any, tmp_path: Path) -> None:
    file = drawn(tiny_backbone, 1)
    own = learner_of(file, tiny_backbone, tmp_path)
    with pytest.raises(DataError) as wanted:
        own.predict_proba(queries(tiny_backbone), names)
    with pytest.raises(DataError) as caught:
        answered(tmp_path, tiny_backbone, file, names)
    assert str(caught.value) == str(wanted.value)
    with pytest.raises(OptionError, match="new_names='odd' is not allowed"):
        answered(tmp_path, tiny_backbone, file, None, "odd")


def test_a_tower_that_only_the_plain_path_reads(siglip_folder: Path, tmp_path: Path) -> None:
    from promptlet.backbones import load_backbone

    backbone = load_backbone(siglip_folder, device="cpu")
    assert not backbone.text.exact_sharing
    names = tuple(f"{a} {b}" for a in ("red", "old") for b in ("cat", "dog", "car"))
    files = {f"p{seed}": drawn(backbone, seed, names) for seed in range(6)}
    for name, file in files.items():
        place(tmp_path, name, file)
    bank = bank_of(tmp_path, backbone)
    features = queries(backbone)
    for one, file in zip(run(bank.answerers(list(files))), files.values(), strict=True):
        assert isinstance(one, Answerer)
        wanted = learner_of(file, backbone, tmp_path).predict_proba(features)
        np.testing.assert_allclose(probabilities(one, features), wanted, atol=1e-6, rtol=0)


def test_ready_vectors_as_backbone(tmp_path: Path) -> None:
    from promptlet import rng
    from promptlet.backbones import load_backbone, write_text_features

    vectors = rng.normal("test/bank/vectors", 0, (len(NAMES), 8), 1.0)
    write_text_features(tmp_path / "texts.npz", list(NAMES), vectors)
    backbone = load_backbone(f"features:{tmp_path / 'texts.npz'}")
    file = loads(dumps(_zero_shot(backbone)))
    features = queries(backbone)
    one = answered(tmp_path, backbone, file)
    wanted = learner_of(file, backbone, tmp_path).predict_proba(features)
    np.testing.assert_allclose(probabilities(one, features), wanted, atol=1e-6, rtol=0)


def _zero_shot(backbone: Any) -> PromptFile:
    from promptlet.classifier.files import prompt_file_of
    from promptlet.methods import build_method

    return prompt_file_of(build_method("zero_shot", backbone, NAMES).eval(), NAMES, {})
