"""One list of checks, run over every method."""

from __future__ import annotations

import copy
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, toy_pictures, toy_problem
from torch import Tensor

from promptlet.classifier.files import options_of, prompt_file_of
from promptlet.errors import OptionError
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.inputs import FeatureInputs, Inputs, every_view
from promptlet.methods.method import BY_STEPS, IMAGES
from promptlet.promptfile import dumps, loads
from promptlet.training import Schedule, train

SCHEDULE = Schedule("short", lr=0.05, epochs=3, batch_size=6)
DESCENT = Schedule("descent", lr=0.01, epochs=30, batch_size=None, warmup_lr=None, optimizer="adamw")
CUDA = pytest.param("cuda", marks=pytest.mark.cuda)


@dataclass(frozen=True)
class Case:
    """A method with options, and how many numbers it learns on the tiny backbone, by hand.

    There d = d_v = 32, D = 16, 3 layers of text and 2 of images; 4 images of each class.
    """

    name: str
    learned: int
    options: dict[str, Any] = field(default_factory=dict)
    refuses: str = ""  # names that were not trained, with this message
    pure: bool = True  # the loss is cross-entropy alone at the start
    cosines: bool = True  # logits are scaled cosines of image features and class features
    from_data: bool = False  # what is learned is made when training begins, of the images
    stored: int | None = None  # numbers in a prompt file, where they are not those learned
    drop: float = 0.05  # by which share of it 30 epochs lower the loss, at least


CASES = [
    Case("zero_shot", 0),
    Case("zero_shot", 0, {"template": "the {} of a dog."}),
    Case("coop", 4 * 32),
    Case("coop", 3 * 32, {"n_ctx": 3, "ctx_init": "random"}),
    Case(
        "coop", len(NAMES) * 4 * 32, {"per_class": True}, refuses="know only the classes they were made for"
    ),
    Case("coop", 4 * 32, {"class_token_position": "middle"}),
    Case(
        "coop",
        len(NAMES) * 4 * 32,
        {"per_class": True, "class_token_position": "front"},
        refuses="know only the classes they were made for",
    ),
    Case("cocoop", 4 * 32 + (16 + 1) * 1 + (1 + 1) * 32, cosines=False),
    Case("cocoop", 2 * 32 + (16 + 1) * 3 + (3 + 1) * 32, {"n_ctx": 2, "hidden": 3}, cosines=False),
    Case("kgcoop", 4 * 32),
    Case("kgcoop", 4 + 32, {"rank": 1, "template": "the {} of a dog.", "weight": 0.5}, pure=False),
    Case("dekg", 4 * 32, pure=False),
    Case("dekg", 4 + 32, {"rank": 1, "independence": 0.5}, pure=False),
    Case("prograd", 4 * 32),
    Case("prograd", 2 * (4 + 32), {"rank": 2, "dropout": 0.1, "temperature": 2.0, "weight": 0.3}),
    Case("dip_do", 4 * 32, {"k": 2}, pure=False),
    Case("dip_pp", 3 * 32, {"n_ctx": 3, "weight": 0.1}, pure=False),
    Case("rlp", 2 * (4 + 32)),
    Case("rlp", 4 + 32, {"rank": 1, "new_names": "learned", "dropout": 0.1}),
    Case("coop", 4 * 32, {"new_names": "blend:0.4"}),
    Case("rlp", 2 * (5 + 32), {"rank": 2, "n_ctx": 5, "dropout": 0.5}),
    Case("qcoop", 4 * 32, {"bits": 2}),
    Case("qcoop", 4 + 32, {"rank": 1}),
    Case("zero_shot_ensemble", 0),
    Case("vpt", 2 * 8 * 32),
    Case("vpt", 3 * 32, {"n_ctx": 3, "depth": 1, "template": "the {} of a dog."}),
    Case("ivlp", 2 * 2 * (32 + 32)),
    Case("ivlp", 2 * 2 * (2 + 32 + 2 + 32), {"rank": 2}),
    Case("maple", 2 * (2 * 32 + 32 * 32 + 32)),
    Case("maple", 2 * (3 + 32 + 32 * 32 + 32), {"rank": 1, "n_ctx": 3}),
    Case("promptsrc", 2 * 4 * (32 + 32), pure=False),
    Case("promptsrc", 2 * (4 + 32 + 4 + 32), {"rank": 1}, pure=False),
    Case("mmlop", 2 * (4 + 32 + 32), pure=False),
    Case("mmlop", 2 * 2 * (4 + 32 + 32), {"rank": 2, "drift_correction": False}, pure=False),
    Case("clip_adapter", 2 * 16 * 4, drop=0.02),
    Case("clip_adapter", 2 * 16 * 2, {"reduction": 8, "ratio": 0.5}, drop=0.01),
    Case("tip_adapter", 0, cosines=False, from_data=True, stored=len(NAMES) * 4 * 16),
    Case("tip_adapter_f", len(NAMES) * 4 * 16, cosines=False, from_data=True),
    Case("linear_probe", len(NAMES) * 17, cosines=False, from_data=True, refuses="knows only its 5 classes"),
    Case("gda", 0, cosines=False, from_data=True, stored=len(NAMES) * 17),
    Case("gda", 0, {"alpha": 2.0}, cosines=False, from_data=True, stored=len(NAMES) * 17),
    Case("zs_lp", len(NAMES) * 16),
    Case("zs_lp", len(NAMES) * 16, {"length": 0.0}, drop=0.01),
    Case("clap", len(NAMES) * 16),
    Case("lp_pp", len(NAMES) * 17, cosines=False, from_data=True, stored=(len(NAMES) + 1) * 17),
    Case("prolip", 16 * 16),
    Case("prolip", 2 * 2 * 16, {"r": 2, "weight": 0.0}, drop=0.01),
    Case("clip_lora", 3 * 3 * 2 * (32 + 32) + 2 * 3 * 2 * (32 + 32)),
    Case("clip_lora", 2 * 3 * 2 * (32 + 32), {"towers": "image", "dropout": 0.0}),
    Case("clip_lora", 3 * 3 * 1 * (32 + 32), {"r": 1, "towers": "text", "dropout": 0.0}),
    Case("clip_svd", (3 + 2) * 6 * 32),
    Case("clip_svd", 2 * 6 * 32, {"towers": "image"}),
    Case("two_sfs", (3 + 2) * 2 * 2 * 32 + len(NAMES) * 16),
    Case(
        "two_sfs",
        (3 * 2 + 1) * 2 * 32 + len(NAMES) * 16,
        {"towers": "text", "norms": "all", "share": 0.4},
    ),
]


def cases(wanted: Callable[[Case], Any]) -> Any:
    """The cases for which ``wanted`` holds, by name and options."""
    chosen = [case for case in CASES if wanted(case)]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: f"{case.name}{case.options or ''}")


TRAINED: dict[str, Method] = {}
every_method = cases(lambda case: True)
learning = cases(lambda case: case.learned)
by_steps = cases(lambda case: METHODS[case.name].info.learns == BY_STEPS)
drawing = cases(lambda case: "seed" in METHODS[case.name].info.options)
scaled_cosines = cases(lambda case: case.cosines)


def make(case: Case, backbone: Any, **more: Any) -> Method:
    return build_method(case.name, backbone, NAMES, **{**case.options, **more})


def problem(case: Case, backbone: Any) -> tuple[Inputs, Tensor]:
    """Inputs of the kind that the method reads, and labels (N,)."""
    if METHODS[case.name].info.reads == IMAGES:
        return toy_pictures(backbone)
    features, labels = toy_problem(backbone)
    return FeatureInputs(features), labels


def batch(case: Case, backbone: Any) -> tuple[Tensor, Tensor]:
    """All inputs as one batch, and labels."""
    inputs, labels = problem(case, backbone)
    return every_view(inputs)[0], labels


def trained(case: Case, backbone: Any) -> Method:
    """A copy of the method after a short training, which is done once."""
    key = f"{case.name} {case.options}"
    if key not in TRAINED:
        TRAINED[key] = trained_anew(case, backbone)
    return copy.deepcopy(TRAINED[key])


def trained_anew(case: Case, backbone: Any, seed: int = 1, schedule: Schedule = SCHEDULE) -> Method:
    inputs, labels = problem(case, backbone)
    method = make(case, backbone, **({"seed": seed} if "seed" in METHODS[case.name].info.options else {}))
    train(method, inputs, labels, schedule, seed=seed)
    return method


def digest(module: Any) -> str:
    summary = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        summary.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return summary.hexdigest()


def features_of(method: Method) -> Tensor:
    with torch.no_grad():
        return method.class_features()


def answers(case: Case, method: Method) -> Tensor:
    """Logits (N, C) of the toy's images, as predicting computes them."""
    return method.scorer()(batch(case, method.backbone)[0].to(method.backbone.device))


def test_every_method_has_a_case() -> None:
    assert {case.name for case in CASES} == set(METHODS)
    assert all(method.info.name == name for name, method in METHODS.items())


@every_method
def test_training_leaves_frozen_weights_alone(case: Case, tiny_backbone: Any) -> None:
    before = digest(tiny_backbone.model)
    trained_anew(case, tiny_backbone)
    assert digest(tiny_backbone.model) == before
    assert not any(p.requires_grad for p in tiny_backbone.model.parameters())
    assert all(p.grad is None for p in tiny_backbone.model.parameters())


@every_method
def test_training_leaves_the_backbones_answers_alone(case: Case, tiny_backbone: Any) -> None:
    pixels, _ = toy_pictures(tiny_backbone)
    images = every_view(pixels)[0]
    before = tiny_backbone.images.encode(images), tiny_backbone.text.encode_texts(["a dog."])
    trained_anew(case, tiny_backbone)
    after = tiny_backbone.images.encode(images), tiny_backbone.text.encode_texts(["a dog."])
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@every_method
def test_only_declared_trainables_change_and_all_of_them_do(case: Case, tiny_backbone: Any) -> None:
    fresh, after = make(case, tiny_backbone), trained(case, tiny_backbone)
    trainables = set(after.trainables())
    for name, tensor in fresh.state_dict().items():
        if not case.from_data:
            assert torch.equal(tensor, after.state_dict()[name]) == (name not in trainables), name


@every_method
def test_training_leaves_torchs_global_generator_alone(case: Case, tiny_backbone: Any) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    once = trained_anew(case, tiny_backbone)
    assert torch.equal(torch.get_rng_state(), before)
    assert digest(once) == digest(trained(case, tiny_backbone))


@every_method
def test_the_backbone_is_no_part_of_the_method(case: Case, tiny_backbone: Any) -> None:
    method = trained(case, tiny_backbone)
    assert method.backbone is tiny_backbone
    learned = sum(p.numel() for p in method.parameters())
    assert learned == (case.learned if METHODS[case.name].info.learns == BY_STEPS else 0)
    assert (
        sum(t.numel() for t in method.state_dict().values())
        < 10_000
        < sum(p.numel() for p in tiny_backbone.model.parameters())
    )


@every_method
def test_the_count_of_learned_numbers_is_the_one_computed_by_hand(case: Case, tiny_backbone: Any) -> None:
    method = trained(case, tiny_backbone) if case.from_data else make(case, tiny_backbone)
    assert method.trainable_count() == case.learned
    stored = case.learned if case.stored is None else case.stored
    assert sum(array.size for array in method.state().values()) == stored


@learning
def test_the_same_seed_gives_the_same_bits(case: Case, tiny_backbone: Any) -> None:
    assert digest(trained_anew(case, tiny_backbone)) == digest(trained(case, tiny_backbone))


@by_steps
def test_another_seed_gives_another_result(case: Case, tiny_backbone: Any) -> None:
    if case.learned:
        digests = {digest(trained_anew(case, tiny_backbone, seed)) for seed in (0, 2)}
        assert len(digests | {digest(trained(case, tiny_backbone))}) == 3


@by_steps
def test_training_lowers_the_loss(case: Case, tiny_backbone: Any) -> None:
    images, labels = batch(case, tiny_backbone)

    def loss(method: Method) -> float:
        with torch.no_grad():
            return float(method.eval().loss(images, labels)[0])

    if case.learned:
        short = trained_anew(case, tiny_backbone, schedule=replace(DESCENT, epochs=1, lr=1e-9))
        after = loss(trained_anew(case, tiny_backbone, schedule=DESCENT))
        assert after < (1 - case.drop) * loss(short)


@every_method
def test_state_goes_out_and_comes_back(case: Case, tiny_backbone: Any) -> None:
    method, other = trained(case, tiny_backbone), make(case, tiny_backbone).eval()
    state = method.state()
    assert all(isinstance(a, np.ndarray) and a.dtype == np.float32 for a in state.values())
    other.load_state(state)
    assert torch.equal(answers(case, other), answers(case, method))


@every_method
def test_a_prompt_file_answers_as_the_method_does(case: Case, tiny_backbone: Any) -> None:
    method = trained(case, tiny_backbone)
    packed = dumps(prompt_file_of(method, NAMES, {}), method.stored_precision())
    file = loads(packed)
    again = build_method(file.method, tiny_backbone, file.class_names, **options_of(file))
    again.load_state(file.tensors)
    assert torch.equal(answers(case, again.eval()), answers(case, method))
    assert dumps(prompt_file_of(again, NAMES, {}), method.stored_precision()) == packed


@learning
def test_state_is_a_copy(case: Case, tiny_backbone: Any) -> None:
    method = trained(case, tiny_backbone)
    before = digest(method)
    for array in method.state().values():
        array += 1
    assert digest(method) == before


@every_method
def test_state_of_another_method_is_refused(case: Case, tiny_backbone: Any) -> None:
    method = trained(case, tiny_backbone)
    before = digest(method)
    with pytest.raises(OptionError, match=r"the learned tensors have shapes|learns nothing"):
        method.load_state({"X": np.zeros((4, 32), np.float32)})
    assert digest(method) == before


@every_method
def test_class_features_are_normalised_float32_or_refused(case: Case, tiny_backbone: Any) -> None:
    method = make(case, tiny_backbone)
    if case.name in ("cocoop", "linear_probe"):
        with pytest.raises(OptionError, match="has no class features"):
            method.class_features()
        return
    features = features_of(method)
    assert features.shape == (len(NAMES), tiny_backbone.feature_dim)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(len(NAMES)))


@every_method
def test_image_features_are_normalised(case: Case, tiny_backbone: Any) -> None:
    images, _ = batch(case, tiny_backbone)
    method = trained(case, tiny_backbone)
    with torch.no_grad():
        features = method.image_features(images)
    assert features.shape == (len(images), tiny_backbone.feature_dim)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(len(images)))


@scaled_cosines
def test_logits_are_scaled_cosines_and_the_loss_is_their_cross_entropy(
    case: Case, tiny_backbone: Any
) -> None:
    method = make(case, tiny_backbone).eval()
    images, labels = batch(case, tiny_backbone)
    with torch.no_grad():
        expected = tiny_backbone.logit_scale * method.image_features(images) @ features_of(method).T
        loss, logits = method.loss(images, labels)
    torch.testing.assert_close(logits, expected)
    by_hand = -(expected.log_softmax(-1)[torch.arange(len(labels)), labels]).mean()
    assert torch.allclose(loss, by_hand, rtol=1e-4) == case.pure


@every_method
def test_the_loss_is_the_cross_entropy_of_its_logits_or_more(case: Case, tiny_backbone: Any) -> None:
    method = trained(case, tiny_backbone)
    images, labels = batch(case, tiny_backbone)
    with torch.no_grad():
        loss, logits = method.loss(images, labels)
    by_hand = -(logits.log_softmax(-1)[torch.arange(len(labels)), labels]).mean()
    assert loss >= by_hand * 0.999 or case.name == "dip_do"


@every_method
def test_a_scorer_gives_the_logits_of_its_classes_whatever_is_set_later(
    case: Case, tiny_backbone: Any
) -> None:
    method = trained(case, tiny_backbone)
    images, _ = batch(case, tiny_backbone)
    score = method.scorer()
    with torch.no_grad():
        expected = method.logits(images)
    if not case.refuses:
        method.set_classes(["a boat", "a tree"])
    found = score(images)
    assert not found.requires_grad
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@every_method
def test_set_classes_reorders_the_logits(case: Case, tiny_backbone: Any) -> None:
    method = trained(case, tiny_backbone)
    before = answers(case, method)
    order = [3, 0, 4, 2, 1]
    names = [NAMES[i] for i in order]
    if case.options.get("per_class"):
        with pytest.raises(OptionError, match=r"per_class=True.* use per_class=False"):
            method.set_classes(names)
        assert method.class_names == NAMES
        method.set_classes(list(NAMES))
    else:
        method.set_classes(names)
        torch.testing.assert_close(answers(case, method), before[:, order], atol=1e-3, rtol=1e-4)


@every_method
def test_unseen_names_work_or_are_refused(case: Case, tiny_backbone: Any) -> None:
    method = trained(case, tiny_backbone)
    if case.refuses:
        with pytest.raises(OptionError, match=case.refuses):
            method.set_classes(["a boat", "a tree"])
        assert method.class_names == NAMES
    else:
        method.set_classes(["a boat", "a tree", "cat"])
        assert answers(case, method).shape[1] == 3


@every_method
def test_names_are_text_never_format(case: Case, tiny_backbone: Any) -> None:
    """Braces, commas, quotes and percent signs stand in class names."""
    names = ["{}", "a, b", "{x} 100%", "it's"]
    method = build_method(case.name, tiny_backbone, names, **case.options)
    inputs, labels = problem(case, tiny_backbone)
    train(method, inputs, labels % 4, SCHEDULE)
    assert answers(case, method).shape[1] == 4


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
    assert info.paper.startswith(("arXiv ", "ICLR "))
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
    others = {Path(inspect.getfile(other)).stem for other in METHODS.values()}
    others.discard(Path(inspect.getfile(METHODS[name])).stem)
    assert not [other for other in others if f"promptlet.methods.{other} " in source]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("coopp", {}, "method='coopp' is not known; allowed: zero_shot, .*coop, .*Did you mean 'coop'"),
        ("rlp", {"rnak": 2}, "method 'rlp' has no option 'rnak'; it has: rank, .*Did you mean 'rank'"),
        (
            "coop",
            {"rank": 2},
            "method 'coop' has no option 'rank'.* It is an option of kgcoop, dekg, prograd, rlp",
        ),
        ("rlp", {"rank": 9}, r"rank=9 is outside 1\.\.4"),
        ("kgcoop", {"rank": 5}, r"rank=5 is outside 1\.\.4"),
        ("kgcoop", {"rank": 1.5}, r"rank=1.5 is not allowed; give a whole number"),
        ("kgcoop", {"weight": -1.0}, "weight=-1.0 must be a number, 0 or more"),
        ("kgcoop", {"template": "x"}, r"must hold {} exactly once"),
        ("prograd", {"temperature": 0.0}, "temperature=0.0 must be a number above 0"),
        ("prograd", {"weight": float("nan")}, "weight=nan is not a number from"),
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

    there = trained_anew(case, load_backbone(clip_folder, device=device))
    here = trained_anew(case, tiny_backbone)
    assert all(p.is_cuda for p in there.parameters())
    torch.testing.assert_close(
        answers(case, there).cpu().softmax(-1), answers(case, here).softmax(-1), atol=0.1, rtol=0
    )
