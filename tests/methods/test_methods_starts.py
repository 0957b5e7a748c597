"""How a context starts: for each class by itself, behind zeros, and at ProGrad's own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from learning_toys import NAMES, toy_arrays

from promptlet import PromptClassifier, rng
from promptlet.backbones import load_backbone
from promptlet.errors import OptionError
from promptlet.methods import build_method
from promptlet.promptfile import load_prompt_file

N_CTX = 16
OF_PROGRAD = {
    "oxford_pets": ("a type of pet, a photo of a", 8, "a"),
    "oxford_flowers": ("a type of flower, a photo of a", 8, "a"),
    "fgvc_aircraft": ("a type of aircraft, a photo of a", 8, "a"),
    "food101": ("a type of food, a photo of", 7, "of"),
    "dtd": ("a texture of", 3, ""),
    "eurosat": ("a centered satellite photo of", 5, ""),
    "ucf101": ("a photo of a person doing", 6, ""),
    "caltech101": ("a photo of a", 4, ""),
}
"""By data set, as its official code has it with CLIP's tokenizer: the words before the name, how many tokens
of them are learned, and what is left over."""
every_start = pytest.mark.parametrize("dataset", OF_PROGRAD)


@pytest.fixture(scope="module")
def real_words(open_clip_folder: Path) -> Any:
    """A tiny CLIP with CLIP's real tokenizer, which open_clip brings."""
    return load_backbone(f"open_clip:{open_clip_folder}", device="cpu")


def by_hand(model: Any, context: torch.Tensor, sentences: list[list[int]]) -> torch.Tensor:
    """Normalised features of open_clip's own layers, the vectors behind the start token replaced."""
    rows = []
    for ids in sentences:
        states = model.token_embedding(torch.tensor([ids]))
        states = torch.cat([states[:, :1], context[None], states[:, 1 + len(context) :]], dim=1)
        states = states + model.positional_embedding[: len(ids)]
        mask = model.attn_mask[: len(ids), : len(ids)]
        states = model.ln_final(model.transformer(states, attn_mask=mask))
        rows.append(states[0, -1] @ model.text_projection)
    return F.normalize(torch.stack(rows), dim=-1)


@every_start
def test_prograds_official_start_is_that_of_its_code(dataset: str, real_words: Any) -> None:
    """Zeros; as many tokens as there are words; the rest of the words stays before the name."""
    import open_clip

    text, learned, between = OF_PROGRAD[dataset]
    method: Any = build_method(
        "prograd", real_words, NAMES, n_ctx=N_CTX, ctx_init="template", template=f"{text} {{}}."
    ).eval()
    tokenizer, model = open_clip.SimpleTokenizer(), real_words.model
    ids = tokenizer.encode(text)
    assert len(text.split()) == learned
    with torch.no_grad():
        words = model.token_embedding(torch.tensor(ids[:learned]))
        context = torch.cat([torch.zeros(N_CTX - learned, words.shape[1]), words])
        assert torch.equal(method.context.merged(), context)
        assert method.between == between == tokenizer.decode(ids[learned:]).strip()
        filler = " ".join(["X"] * (N_CTX - learned))
        sentences = [
            [tokenizer.sot_token_id, *tokenizer.encode(f"{filler} {text} {name}."), tokenizer.eot_token_id]
            for name in NAMES
        ]
        expected = by_hand(model, context, sentences)
        torch.testing.assert_close(method.class_features(), expected, atol=1e-5, rtol=1e-4)
    kept = {"between": between} if between else {}
    assert method.stored_options() == kept
    first = " ".join(text.split()[: len(text.split()) - len(between.split())])
    assert method.init == f"zeros:{first}"


def test_of_its_code_s_own_list_the_starts_are_those(real_words: Any) -> None:
    from promptlet.data import DATASETS
    from promptlet.methods import METHODS

    for dataset, (text, _, _) in OF_PROGRAD.items():
        own = METHODS["prograd"].info.templates.get(dataset, DATASETS[dataset].template)
        assert own == f"{text} {{}}."


def test_what_is_given_wins_over_what_is_left_over(real_words: Any) -> None:
    template = "a type of pet, a photo of a {}."
    options: Any = {"n_ctx": N_CTX, "ctx_init": "template", "template": template}
    for between, wanted in ((None, "a"), ("", ""), ("the", "the")):
        assert build_method("prograd", real_words, NAMES, between=between, **options).between == wanted


def test_with_another_tokenizer_whole_words_are_learned(tiny_backbone: Any) -> None:
    """There "type" alone is four tokens: of eight at most, "a type of" is the most."""
    text = "a type of pet, a photo of a"
    assert len(tiny_backbone.text.embed_words("a type of")) <= 8
    assert len(tiny_backbone.text.embed_words("a type of pet,")) > 8
    method: Any = build_method(
        "prograd", tiny_backbone, NAMES, n_ctx=N_CTX, ctx_init="template", template=f"{text} {{}}."
    )
    assert (method.init, method.between) == ("zeros:a type of", "pet, a photo of a")


@pytest.mark.parametrize(
    "template", ["{} texture.", "a photo of a {}, a type of pet.", "a photo of a {}", "a photo of a{}."]
)
def test_a_template_that_does_not_end_in_the_name_is_no_start(template: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match="starts at the words before the name of a template that ends in"):
        build_method("prograd", tiny_backbone, NAMES, ctx_init="template", template=template, n_ctx=N_CTX)


def test_a_first_word_of_too_many_tokens_is_no_start(tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=r"the first word of template='photographs \{\}.' alone has more"):
        build_method("prograd", tiny_backbone, NAMES, ctx_init="template", template="photographs {}.")


@pytest.mark.parametrize("name", ["coop", "rlp", "cocoop", "ivlp"])
def test_zeros_stand_before_the_words(name: str, tiny_backbone: Any) -> None:
    options: Any = {"n_ctx": 6, "ctx_init": "zeros:a photo of a"}
    method: Any = build_method(name, tiny_backbone, NAMES, **options).eval()
    context = method.text_context()[0] if name == "ivlp" else method.context.merged()
    assert torch.equal(context[:2], torch.zeros(2, 32))
    assert torch.equal(context[2:], tiny_backbone.text.embed_words("a photo of a"))
    assert method.init == "zeros:a photo of a"
    assert build_method(name, tiny_backbone, NAMES, n_ctx=4, ctx_init="zeros:a photo of a").init == (
        "words:a photo of a"
    )


def test_more_words_than_vectors_are_refused(tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match="has 4 tokens for this backbone, which is more than n_ctx=3"):
        build_method("coop", tiny_backbone, NAMES, n_ctx=3, ctx_init="zeros:a photo of a")


@pytest.mark.parametrize("method", ["rlp", "coop", "prograd"])
def test_a_file_says_so(method: str, tiny_backbone: Any, tmp_path: Path) -> None:
    features, labels = toy_arrays(tiny_backbone)
    own: Any = PromptClassifier(
        tiny_backbone, method=method, n_ctx=6, ctx_init="zeros:a photo of", epochs=2, cache=False
    )
    own.fit(features, labels).save(tmp_path / "zeros.prompt")
    assert load_prompt_file(tmp_path / "zeros.prompt").init == "zeros:a photo of"
    back: Any = PromptClassifier.load(tmp_path / "zeros.prompt", tiny_backbone)
    assert (back.predict_proba(features) == own.predict_proba(features)).all()


@pytest.mark.parametrize("seed", [0, 7])
def test_each_class_has_a_random_start_of_its_own(seed: int, tiny_backbone: Any) -> None:
    options: Any = {"n_ctx": 3, "ctx_init": "random", "seed": seed}
    own: Any = build_method("coop", tiny_backbone, NAMES, per_class=True, **options)
    starts = own.context.merged()
    assert starts.shape == (len(NAMES), 3, 32)
    drawn = rng.normal("context", seed, (len(NAMES) * 3, 32), 0.02)  # one after the other
    assert np.array_equal(starts.numpy(), drawn.reshape(len(NAMES), 3, 32))
    assert 0.017 < float(starts.std()) < 0.023
    flat = starts.flatten(1)
    assert np.abs(np.corrcoef(flat.numpy()) - np.eye(len(NAMES))).max() < 0.5
    one: Any = build_method("coop", tiny_backbone, NAMES, **options)
    assert torch.equal(starts[0], one.context.merged())
    assert own.init == one.init == f"seed:{seed}"
    for options["ctx_init"], instead in (("each", "random"), (f"each:{seed}", f"seed:{seed}")):
        said: Any = build_method("coop", tiny_backbone, NAMES, per_class=True, **options)
        assert torch.equal(said.context.merged(), starts) and said.init == own.init
        with pytest.raises(OptionError, match=f"needs per_class=True; give that, or '{instead}'"):
            build_method("coop", tiny_backbone, NAMES, **options)
    with pytest.raises(OptionError, match="ctx_init='seed:x': the seed must be a whole number"):
        build_method("coop", tiny_backbone, NAMES, per_class=True, n_ctx=3, ctx_init="each:x")


def test_words_are_one_start_for_all_classes(tiny_backbone: Any) -> None:
    own: Any = build_method("coop", tiny_backbone, NAMES, per_class=True)
    words = tiny_backbone.text.embed_words("a photo of a")
    assert torch.equal(own.context.merged(), words.expand(len(NAMES), -1, -1))


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("start", [1e5, 3, True, ["each"]])
def test_a_start_that_is_no_text_is_refused(start: Any, per_class: bool, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=r"ctx_init=.* is not allowed; give words"):
        build_method("coop", tiny_backbone, NAMES, ctx_init=start, per_class=per_class)
