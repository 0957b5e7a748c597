"""One list of checks, run over every method."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, toy_problem

from promptlet.errors import OptionError
from promptlet.methods import METHODS, Method, build_method
from promptlet.training import Schedule, train

SCHEDULE = Schedule("short", lr=0.05, epochs=3, batch_size=6)
DESCENT = Schedule("descent", lr=0.01, epochs=30, batch_size=None, warmup_lr=None, optimizer="adamw")
CUDA = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
)


@dataclass(frozen=True)
class Case:
    """A method with options, and how many numbers it learns on the tiny backbone (d = 32), by hand."""

    name: str
    learned: int
    options: dict[str, Any] = field(default_factory=dict)
    fixed_classes: bool = False
    pure: bool = True  # the loss is cross-entropy alone at the start


CASES = [
    Case("zero_shot", 0),
    Case("zero_shot", 0, {"template": "the {} of a dog."}),
    Case("coop", 4 * 32),
    Case("coop", 3 * 32, {"n_ctx": 3, "ctx_init": "random"}),
    Case("coop", len(NAMES) * 4 * 32, {"per_class": True}, fixed_classes=True),
    Case("kgcoop", 4 * 32),
    Case("kgcoop", 4 + 32, {"rank": 1, "template": "the {} of a dog.", "weight": 0.5}, pure=False),
    Case("prograd", 4 * 32),
    Case("prograd", 2 * (4 + 32), {"rank": 2, "dropout": 0.1, "temperature": 2.0, "weight": 0.3}),
    Case("dip_do", 4 * 32, {"k": 2}, pure=False),
    Case("dip_pp", 3 * 32, {"n_ctx": 3, "weight": 0.1}, pure=False),
    Case("rlp", 4 + 32),
    Case("rlp", 2 * (5 + 32), {"rank": 2, "n_ctx": 5, "dropout": 0.5}),
]
every_method = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}{case.options or ''}")
learning = pytest.mark.parametrize(
    "case", [case for case in CASES if case.learned], ids=lambda case: f"{case.name}{case.options or ''}"
)


def make(case: Case, backbone: Any, **more: Any) -> Method:
    return build_method(case.name, backbone, NAMES, **{**case.options, **more})


def trained(case: Case, backbone: Any, seed: int = 1, schedule: Schedule = SCHEDULE) -> Method:
    features, labels = toy_problem(backbone)
    method = make(case, backbone, **({"seed": seed} if "seed" in METHODS[case.name].info.options else {}))
    train(method, features, labels, schedule, seed=seed)
    return method


def digest(module: Any) -> str:
    summary = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        summary.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return summary.hexdigest()


def features_of(method: Method) -> torch.Tensor:
    with torch.no_grad():
        return method.class_features()


def test_every_method_has_a_case() -> None:
    assert {case.name for case in CASES} == set(METHODS)
    assert all(method.info.name == name for name, method in METHODS.items())


@every_method
def test_training_leaves_frozen_weights_alone(case: Case, tiny_backbone: Any) -> None:
    before = digest(tiny_backbone.model)
    trained(case, tiny_backbone)
    assert digest(tiny_backbone.model) == before
    assert not any(p.requires_grad for p in tiny_backbone.model.parameters())
    assert all(p.grad is None for p in tiny_backbone.model.parameters())


@every_method
def test_only_declared_trainables_change_and_all_of_them_do(case: Case, tiny_backbone: Any) -> None:
    fresh, after = make(case, tiny_backbone), trained(case, tiny_backbone)
    trainables = set(after.trainables())
    for name, tensor in fresh.state_dict().items():
        assert torch.equal(tensor, after.state_dict()[name]) == (name not in trainables), name


@every_method
def test_the_backbone_is_no_part_of_the_method(case: Case, tiny_backbone: Any) -> None:
    method = make(case, tiny_backbone)
    assert method.backbone is tiny_backbone
    assert sum(p.numel() for p in method.parameters()) == case.learned


@every_method
def test_the_count_of_learned_numbers_is_the_one_computed_by_hand(case: Case, tiny_backbone: Any) -> None:
    method = make(case, tiny_backbone)
    assert method.trainable_count() == case.learned
    assert sum(array.size for array in method.state().values()) == case.learned


@learning
def test_the_same_seed_gives_the_same_bits(case: Case, tiny_backbone: Any) -> None:
    assert digest(trained(case, tiny_backbone)) == digest(trained(case, tiny_backbone))


@learning
def test_another_seed_gives_another_result(case: Case, tiny_backbone: Any) -> None:
    digests = {digest(trained(case, tiny_backbone, seed)) for seed in (0, 1, 2)}
    assert len(digests) == 3


@learning
def test_training_lowers_the_loss(case: Case, tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)

    def loss(method: Method) -> float:
        with torch.no_grad():
            return float(method.eval().loss(features[0], labels)[0])

    after = loss(trained(case, tiny_backbone, schedule=DESCENT))
    assert after < 0.95 * loss(make(case, tiny_backbone))


@every_method
def test_state_goes_out_and_comes_back(case: Case, tiny_backbone: Any) -> None:
    method, other = trained(case, tiny_backbone), make(case, tiny_backbone).eval()
    state = method.state()
    assert all(isinstance(a, np.ndarray) and a.dtype == np.float32 for a in state.values())
    other.load_state(state)
    features, _ = toy_problem(tiny_backbone)
    with torch.no_grad():
        assert torch.equal(other.logits(features[0]), method.logits(features[0]))


@learning
def test_state_is_a_copy(case: Case, tiny_backbone: Any) -> None:
    method = make(case, tiny_backbone)
    before = digest(method)
    for array in method.state().values():
        array += 1
    assert digest(method) == before


@learning
def test_state_of_another_method_is_refused(case: Case, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match="this context has"):
        make(case, tiny_backbone).load_state({"X": np.zeros((4, 32), np.float32)})


@every_method
def test_class_features_are_normalised_float32(case: Case, tiny_backbone: Any) -> None:
    features = features_of(make(case, tiny_backbone))
    assert features.shape == (len(NAMES), tiny_backbone.feature_dim)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(len(NAMES)))


@every_method
def test_logits_are_scaled_cosines_and_the_loss_is_their_cross_entropy(
    case: Case, tiny_backbone: Any
) -> None:
    method = make(case, tiny_backbone).eval()
    features, labels = toy_problem(tiny_backbone)
    expected = tiny_backbone.logit_scale * features[0] @ features_of(method).T
    loss, logits = method.loss(features[0], labels)
    torch.testing.assert_close(logits, expected)
    by_hand = -(expected.log_softmax(-1)[torch.arange(len(labels)), labels]).mean()
    assert torch.allclose(loss, by_hand, rtol=1e-4) == case.pure


@every_method
def test_set_classes_reorders_the_features(case: Case, tiny_backbone: Any) -> None:
    method = trained(case, tiny_backbone)
    before = features_of(method)
    order = [3, 0, 4, 2, 1]
    names = [NAMES[i] for i in order]
    if case.fixed_classes:
        with pytest.raises(OptionError, match=r"per_class=True.* use per_class=False"):
            method.set_classes(names)
        assert method.class_names == NAMES
        method.set_classes(list(NAMES))
    else:
        method.set_classes(names)
        torch.testing.assert_close(features_of(method), before[order], atol=1e-5, rtol=1e-5)


@every_method
def test_unseen_names_work_or_are_refused(case: Case, tiny_backbone: Any) -> None:
    method = trained(case, tiny_backbone)
    if case.fixed_classes:
        with pytest.raises(OptionError, match="know only the classes they were made for"):
            method.set_classes(["a boat", "a tree"])
    else:
        method.set_classes(["a boat", "a tree", "cat"])
        assert features_of(method).shape[0] == 3


@every_method
def test_names_are_text_never_format(case: Case, tiny_backbone: Any) -> None:
    """Braces, commas, quotes and percent signs stand in class names."""
    names = ["{}", "a, b", "{x} 100%", "it's"]
    method = build_method(case.name, tiny_backbone, names, **case.options)
    assert features_of(method).shape[0] == 4


@pytest.mark.parametrize("name", METHODS)
def test_info_tells_the_constructors_options_and_defaults(name: str) -> None:
    parameters = list(inspect.signature(METHODS[name].__init__).parameters.values())
    assert [p.name for p in parameters[:3]] == ["self", "backbone", "class_names"]
    info = METHODS[name].info
    assert {p.name: p.default for p in parameters[3:]} == dict(info.options)
    assert [p.name for p in parameters[3:]] == list(info.options)


@pytest.mark.parametrize("name", METHODS)
def test_info_is_complete(name: str) -> None:
    info = METHODS[name].info
    assert info.paper.startswith("arXiv ")
    assert info.bibtex.startswith("@")
    assert info.bibtex.count("{") == info.bibtex.count("}")
    assert info.title
    assert info.summary
    assert info.trains
    with pytest.raises(TypeError):
        info.options["rank"] = 3  # type: ignore[index]


@pytest.mark.parametrize("name", METHODS)
def test_each_file_keeps_to_one_method(name: str) -> None:
    """One file per paper; none imports another."""
    source = Path(inspect.getfile(METHODS[name])).read_text()
    others = [f"promptlet.methods.{other}" for other in METHODS if other != name]
    assert not [other for other in others if other in source]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("coopp", {}, "method='coopp' is not known; allowed: zero_shot, coop, .*Did you mean 'coop'"),
        ("rlp", {"rnak": 2}, "method 'rlp' has no option 'rnak'; it has: rank, .*Did you mean 'rank'"),
        ("coop", {"rank": 2}, "method 'coop' has no option 'rank'"),
        ("rlp", {"rank": 9}, r"rank=9 is outside 1\.\.4"),
        ("kgcoop", {"rank": 5}, r"rank=5 is outside 1\.\.4"),
        ("kgcoop", {"rank": 1.5}, r"rank=1.5 is not allowed; give a whole number"),
        ("kgcoop", {"weight": -1.0}, "weight=-1.0 must be a number, 0 or more"),
        ("kgcoop", {"template": "x"}, r"must hold {} exactly once"),
        ("prograd", {"temperature": 0.0}, "temperature=0.0 must be a number above 0"),
        ("prograd", {"weight": float("nan")}, "weight=nan must be"),
        ("dip_do", {"k": 5}, r"k=5 is outside 1\.\.4"),
        ("rlp", {"n_ctx": 0}, "n_ctx=0 is outside 1 and more"),
        ("rlp", {"dropout": 1.0}, "dropout=1.0 is outside"),
        ("coop", {"ctx_init": "a photo of a dog"}, "has 5 tokens.*n_ctx=4; set n_ctx=5"),
        ("coop", {"ctx_init": "seed:x"}, "the seed must be a whole number"),
        ("coop", {"ctx_init": "seed:²"}, "the seed must be a whole number"),
        ("coop", {"ctx_init": " "}, "has no tokens"),
        ("zero_shot", {"template": "a photo"}, r"must hold {} exactly once"),
        ("zero_shot", {"template": "{} and {}"}, r"must hold {} exactly once"),
        ("zero_shot", {"template": 3}, r"must hold {} exactly once"),
    ],
)
def test_error_texts(name: str, options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        build_method(name, tiny_backbone, NAMES, **options)


def test_starts_are_told_as_a_prompt_file_stores_them(tiny_backbone: Any) -> None:
    def init(**options: Any) -> str:
        return str(build_method("coop", tiny_backbone, NAMES, **options).init)

    assert init() == "words:a photo of a"
    assert init(n_ctx=2) == "words:a photo"
    assert init(n_ctx=6, seed=9) == "seed:9"
    assert init(ctx_init="random", seed=0) == "seed:0"
    assert init(ctx_init="seed:007") == "seed:7"
    assert init(ctx_init="words:the dog", n_ctx=2) == "words:the dog"


@pytest.mark.parametrize("device", [CUDA])
@learning
def test_on_a_gpu_it_learns_the_same(case: Case, device: str, clip_folder: Path, tiny_backbone: Any) -> None:
    from promptlet.backbones import load_backbone

    there = trained(case, load_backbone(clip_folder, device=device))
    here = trained(case, tiny_backbone)
    assert all(p.is_cuda for p in there.parameters())
    torch.testing.assert_close(features_of(there).cpu(), features_of(here), atol=0.05, rtol=0)
