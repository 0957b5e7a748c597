"""Frozen words between the context and the name: against whole sentences, the plain path, and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from learning_toys import NAMES, noise, toy_arrays, toy_problem

from promptlet import PromptClassifier
from promptlet.backbones import load_backbone
from promptlet.errors import OptionError
from promptlet.methods import METHODS, build_method
from promptlet.methods.text_prompt import TextPrompt
from promptlet.promptfile import dumps, load_prompt_file, loads
from promptlet.training import Schedule, train

BETWEEN = "of the big"
SPARE = (200, 210, 220, 230)  # token ids that no prompt here uses
SHORT = Schedule("short", lr=0.05, epochs=3, batch_size=6)
AT_THE_TEXT = [name for name, method in METHODS.items() if issubclass(method, TextPrompt)]
every_method = pytest.mark.parametrize("name", AT_THE_TEXT)


def test_all_methods_at_the_text_input_have_it() -> None:
    assert len(AT_THE_TEXT) == 8
    assert all(METHODS[name].info.options["between"] is None for name in AT_THE_TEXT)


@every_method
def test_words_in_front_are_the_sentence_of_the_tokenizer(name: str, tiny_backbone: Any) -> None:
    """A context of the words "a photo of a" and words between are one hand-written sentence."""
    from transformers import AutoTokenizer

    method: Any = build_method(name, tiny_backbone, NAMES, between=BETWEEN).eval()
    assert method.init == "words:a photo of a"
    sentences = [f"a photo of a {BETWEEN} {name}." for name in NAMES]
    tokenizer = AutoTokenizer.from_pretrained(tiny_backbone.name)
    start, *words = tokenizer("a photo of a").input_ids[:-1]
    behind = tiny_backbone.text.sequences([f"{BETWEEN} {name}" for name in NAMES], 4)
    assert [[start, *words, *ids] for ids in behind] == [tokenizer(one).input_ids for one in sentences]
    if name == "qcoop":  # whose numbers are rounded from the start
        return
    expected = F.normalize(tiny_backbone.text.encode_texts_reference(sentences), dim=-1)
    torch.testing.assert_close(method.class_features(), expected, atol=1e-5, rtol=1e-4)


def test_any_context_is_the_library_s_own_forward_with_it_put_in_by_hand(tiny_backbone: Any) -> None:
    context = noise("between", (4, 32), 0.5)
    method = build_method("coop", tiny_backbone, NAMES, between=BETWEEN).eval()
    method.load_state({"P": context.numpy()})
    tokenizer = tiny_backbone.text.tokenizer
    ids = [[tokenizer.start, *SPARE, *tokenizer.words(f"{BETWEEN} {name}."), tokenizer.end] for name in NAMES]
    model = tiny_backbone.model
    weight = model.text_model.embeddings.token_embedding.weight
    before = weight[list(SPARE)].clone()
    with torch.no_grad():
        weight[list(SPARE)] = context
        try:
            given = [model.get_text_features(input_ids=torch.tensor([row])) for row in ids]
        finally:
            weight[list(SPARE)] = before
    rows = torch.stack([getattr(one, "pooler_output", one)[0] for one in given])
    torch.testing.assert_close(method.class_features(), F.normalize(rows, dim=-1), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("position", ["end", "middle", "front"])
@pytest.mark.parametrize("folder", ["clip", "siglip"])
def test_the_engine_is_the_plain_path(
    folder: str, position: str, per_class: bool, request: pytest.FixtureRequest
) -> None:
    """Features and gradients; SigLIP's tower takes the plain path by itself."""
    backbone = load_backbone(request.getfixturevalue(f"{folder}_folder"), device="cpu")
    options: Any = {"per_class": per_class, "class_token_position": position, "ctx_init": "random"}
    method: Any = build_method("coop", backbone, NAMES, between=BETWEEN, **options).train()
    placement = "per_class" if per_class else "input"
    named = [f"{BETWEEN} {name}" for name in NAMES]
    plain = backbone.text.encode_reference(method.context.P, named, placement, position)
    found, expected = method.class_features(), F.normalize(plain, dim=-1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    weights = noise("probe", tuple(found.shape))
    gradients = [torch.autograd.grad((one * weights).sum(), method.context.P)[0] for one in (found, expected)]
    assert (gradients[0] - gradients[1]).norm() < 1e-4 * gradients[1].norm()
    without = build_method("coop", backbone, NAMES, **options).eval()
    assert (without.class_features() - found).abs().max() > 1e-3


@every_method
def test_it_is_learned_with_and_kept_in_the_file(name: str, tiny_backbone: Any, tmp_path: Path) -> None:
    features, labels = toy_arrays(tiny_backbone)
    options = {"between": f" {BETWEEN} "}
    own: Any = PromptClassifier(tiny_backbone, method=name, method_options=options, epochs=2, cache=False)
    own.fit(features, labels).save(tmp_path / "between.prompt")
    file = load_prompt_file(tmp_path / "between.prompt")
    assert file.options["between"] == BETWEEN
    assert file.is_context
    back: Any = PromptClassifier.load(tmp_path / "between.prompt", tiny_backbone)
    assert back.method_.between == BETWEEN
    for names in (None, ["a boat", "a tree"]):
        assert (back.predict_proba(features, names) == own.predict_proba(features, names)).all()
    compact = loads(dumps(file, compact=True))
    assert compact.options == {"between": BETWEEN}
    assert f"between='{BETWEEN}'" in repr(own.method_)


def test_the_words_do_not_change(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method: Any = build_method("coop", tiny_backbone, NAMES, between=BETWEEN)
    assert {name: tuple(p.shape) for name, p in method.trainables().items()} == {"context.P": (4, 32)}
    history = train(method, features, labels, SHORT).history
    assert history[-1].loss < history[0].loss
    learned = method.context.merged()
    named = [f"{BETWEEN} {name}" for name in NAMES]
    expected = F.normalize(tiny_backbone.text.encode_reference(learned, named), dim=-1)
    torch.testing.assert_close(method.eval().class_features(), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("words", [None, "", "  "])
@every_method
def test_without_words_it_is_as_it_was(name: str, words: Any, tiny_backbone: Any) -> None:
    plain: Any = build_method(name, tiny_backbone, NAMES)
    none: Any = build_method(name, tiny_backbone, NAMES, between=words)
    assert torch.equal(plain.class_features(), none.class_features())
    assert repr(plain) == repr(none)
    assert plain.stored_options() == none.stored_options()


@pytest.mark.parametrize("rule", ["blend:0.4", "zero-shot"])
def test_taught_names_are_known_again_behind_the_words(rule: str, tiny_backbone: Any) -> None:
    features, labels = toy_arrays(tiny_backbone)
    options = {"between": BETWEEN}
    own: Any = PromptClassifier(
        tiny_backbone, method="rlp", method_options=options, new_names=rule, epochs=1, cache=False
    )
    own.fit(features, labels)
    own.method_.set_classes(("dog", "a boat"))
    assert own.method_.is_taught() == [True, False]
    assert np.isfinite(own.predict_proba(features, ["dog", "a boat"])).all()


@pytest.mark.parametrize("position", ["end", "front"])
def test_a_compact_file_of_a_context_for_each_class_keeps_the_names(
    position: str, tiny_backbone: Any
) -> None:
    from promptlet.classifier.files import prompt_file_of

    options: Any = {"per_class": True, "class_token_position": position}
    for more in ({"between": BETWEEN}, {}):
        method = build_method("coop", tiny_backbone, NAMES, **options, **more)
        file = prompt_file_of(method, NAMES, {})
        assert loads(dumps(file, compact=True)).class_names == NAMES


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "between=3 is not allowed; give words, or '' for none"),
        (["a"], r"between=\['a'\] is not allowed"),
        ("<|endoftext|>", "has no tokens for this backbone, or a special one; give words such as 'a'"),
        ("<|startoftext|> a", "or a special one"),
    ],
)
def test_what_is_no_words_is_refused(given: Any, message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        build_method("coop", tiny_backbone, NAMES, between=given)
