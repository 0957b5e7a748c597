"""On a CUDA device: the numbers of the CPU, within bounds, and no step that waits. `pytest -m cuda`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from learning_toys import steps_of
from torch import Tensor

from promptlet import PromptClassifier
from promptlet.backbones import Backbone, load_backbone
from promptlet.features import encode_images, feature_identity
from promptlet.methods import METHODS, Method, build_method
from promptlet.methods.inputs import FeatureInputs, all_logits
from promptlet.methods.method import BY_STEPS, IMAGES, NOTHING
from promptlet.training import Schedule, train
from promptlet.training.captured import precision_of_steps

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("default")]  # torch warns of the waits' own mode

NAMES = ["red square", "blue flower", "green car", "dog", "old house", "yellow flower"]
LEARNING = sorted(name for name, kind in METHODS.items() if kind.info.learns != NOTHING)
STEPPING = [name for name in LEARNING if METHODS[name].info.learns == BY_STEPS]
FREE = [name for name in STEPPING if not METHODS[name].asks_host]


@pytest.fixture(scope="module")
def here() -> Backbone:
    return load_backbone("mini", device="cpu")


@pytest.fixture(scope="module")
def there() -> Backbone:
    return load_backbone("mini", device="cuda")


@pytest.fixture(scope="module")
def mixed_there() -> Backbone:
    """Products in bfloat16, as large models have them there."""
    return load_backbone("mini", device="cuda", dtype="mixed")


@pytest.fixture(params=["float32", "mixed"])
def on_card(request: pytest.FixtureRequest) -> Backbone:
    found: Backbone = request.getfixturevalue("there" if request.param == "float32" else "mixed_there")
    return found


class Pixels:
    """Pixel values (N, 3, H, W), on the host."""

    views, in_turn = 1, False

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels
        self.images = len(pixels)

    def take(self, views: Tensor, rows: Tensor) -> Tensor:
        return self.pixels[rows]

    def digest(self) -> str:
        return "pixels"


def problem(name: str, backbone: Backbone) -> tuple[Any, Tensor]:
    """Four inputs a class that can be told apart, the same on each device; and labels."""
    draw = torch.Generator().manual_seed(1)
    labels = torch.arange(len(NAMES)).repeat(4)
    if METHODS[name].info.reads == IMAGES:
        height, width = backbone.images.spec.output_size
        kinds = torch.randn(len(NAMES), 3, height, width, generator=draw)
        return Pixels(
            kinds[labels] + 0.3 * torch.randn(len(labels), 3, height, width, generator=draw)
        ), labels
    kinds = torch.randn(len(NAMES), backbone.feature_dim, generator=draw)
    noise = 0.3 * torch.randn(len(labels), backbone.feature_dim, generator=draw)
    return (kinds[labels] + noise)[None], labels


def fitted(name: str, backbone: Backbone, epochs: int = 4) -> tuple[Method, Tensor, Any]:
    """A method after a short training, its probabilities (N, C) of the training inputs, and the result."""
    if name == "clip_lora":
        pytest.importorskip("peft", reason="peft is not installed")
    method = build_method(name, backbone, NAMES)
    inputs, labels = problem(name, backbone)
    schedule = Schedule("short", lr=0.005, epochs=epochs, batch_size=12, optimizer="adamw", warmup_lr=None)
    result = train(method, inputs, labels, schedule)
    asked = FeatureInputs(inputs, backbone.device) if isinstance(inputs, Tensor) else inputs
    return method, all_logits(method.scorer(), asked, backbone.device).softmax(-1).cpu(), result


@contextmanager
def no_waits() -> Iterator[None]:
    """A wait of the host is an error."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


# -- engines ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placement", ["input", "batch", "deep", "per_class"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_text_engine_and_plain_path_agree(placement: str, precision: str, there: Backbone) -> None:
    text = there.text
    shape = {"input": (4,), "batch": (3, 4), "deep": (3, 4), "per_class": (len(NAMES), 4)}[placement]
    draw = torch.Generator().manual_seed(0)
    start = 0.05 * torch.randn(*shape, text.dim, generator=draw)
    probe = torch.randn(len(NAMES), there.feature_dim, generator=draw).cuda()
    kind = "input" if placement == "batch" else placement
    found = []
    for encode in (text.encode, text.encode_reference):
        context = start.cuda().requires_grad_()
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision == "bf16"):
            features = encode(context, NAMES, kind)
        assert features.dtype == torch.float32
        (gradient,) = torch.autograd.grad((F.normalize(features, dim=-1) * probe).sum(), context)
        found.append((features.detach(), gradient))
    (features, gradient), (plain, plain_gradient) = found
    cosines = F.cosine_similarity(features, plain, dim=-1)
    slope = F.cosine_similarity(gradient.flatten(), plain_gradient.flatten(), dim=0)
    if precision == "float32":
        torch.testing.assert_close(features, plain, atol=2e-5 * float(plain.abs().max()), rtol=1e-4)
        assert float((gradient - plain_gradient).norm() / plain_gradient.norm()) < 1e-3
    else:
        assert float(cosines.min()) > 0.998 and float(slope) > 0.99


def test_features_are_the_cpus(here: Backbone, there: Backbone) -> None:
    """Convolutions of the image tower may be in TF32, torch's own choice."""
    sentences = [f"a photo of a {name}." for name in NAMES]
    torch.testing.assert_close(
        there.encode_texts(sentences).cpu(), here.encode_texts(sentences), atol=1e-4, rtol=1e-3
    )
    pixels, _ = problem("vpt", here)
    seen, known = there.images.encode(pixels.pixels).cpu(), here.images.encode(pixels.pixels)
    assert float(F.cosine_similarity(seen, known, dim=-1).min()) > 0.9999


def test_prompted_images(there: Backbone) -> None:
    images = there.images
    pixels = problem("vpt", there)[0].pixels[:6]
    start = 0.05 * torch.randn(2, 3, images.dim, generator=torch.Generator().manual_seed(0))
    found = []
    for encode in (images.encode_prompted, images.encode_prompted_reference):
        context = start.cuda().requires_grad_()
        features = encode(pixels, context)
        (gradient,) = torch.autograd.grad(F.normalize(features, dim=-1)[:, 0].sum(), context)
        found.append((features.detach(), gradient))
    (features, gradient), (plain, plain_gradient) = found
    torch.testing.assert_close(features, plain, atol=1e-3 * float(plain.abs().max()), rtol=1e-2)
    assert float(F.cosine_similarity(gradient.flatten(), plain_gradient.flatten(), dim=0)) > 0.999


def test_many_chunks_and_recomputing(there: Backbone) -> None:
    """Activations thrown away and made again give the same gradient."""
    engine = there.text.engine
    assert engine is not None
    before = engine.max_rows, engine.keep_bytes
    names = [f"{first} {second}" for first in ("red", "blue", "old") for second in NAMES]
    found = []
    try:
        for engine.max_rows, engine.keep_bytes in (before, (32, 0)):
            context = torch.full((4, there.text.dim), 0.01, device="cuda", requires_grad=True)
            features = there.text.encode(context, names)
            (gradient,) = torch.autograd.grad(features.square().mean(), context)
            found.append((features.detach(), gradient))
    finally:
        engine.max_rows, engine.keep_bytes = before
    torch.testing.assert_close(found[1][0], found[0][0], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(found[1][1], found[0][1], atol=1e-6, rtol=1e-2)


# -- whole fits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LEARNING)
def test_a_fit_is_the_cpus(name: str, here: Backbone, on_card: Backbone) -> None:
    """Losses and probabilities within a few percent, nearer in float32, and nearly the same answers."""
    (_, expected, told_here), (other, found, told_there) = (fitted(name, b) for b in (here, on_card))
    rough = 0.02 if on_card.arithmetic == "float32" else 0.05
    assert all(parameter.is_cuda for parameter in other.parameters())
    assert [np.isfinite(report.loss) for report in told_there.history] == [True] * len(told_there.history)
    for mine, theirs in zip(told_there.history, told_here.history, strict=True):
        assert mine.loss == pytest.approx(theirs.loss, rel=rough, abs=rough)
    assert float((found - expected).abs().mean()) < rough
    alike = 0.8 if name == "clip_lora" else 0.9  # its dropout draws from the device's own generator
    assert float((found.argmax(-1) == expected.argmax(-1)).float().mean()) >= alike
    stored = other.state()
    assert all(isinstance(array, np.ndarray) for array in stored.values())
    again = build_method(name, here, NAMES)
    again.load_state(stored)


@pytest.mark.parametrize("name", FREE)
def test_no_step_waits(name: str, on_card: Backbone) -> None:
    """After a first one, which encodes what is frozen and makes plans."""
    if name == "clip_lora":
        pytest.importorskip("peft", reason="peft is not installed")
    method, _, _ = fitted(name, on_card, epochs=1)
    method.train()
    inputs, labels = problem(name, on_card)
    rows, y = torch.arange(12), labels[:12].cuda()
    x = inputs[0, :12].cuda() if isinstance(inputs, Tensor) else inputs.take(rows, rows).cuda()
    schedule = Schedule("short", lr=0.005, epochs=1, batch_size=12, optimizer="adamw")
    optimizer = schedule.make_optimizer(method.trainables(), method.rates())

    def step(number: int) -> Tensor:
        method.begin_step(number)
        with precision_of_steps(method):
            loss, _ = method.loss(x, y)
        optimizer.zero_grad()
        loss.backward()
        method.after_backward()
        optimizer.step()
        return loss.detach()

    step(1)
    with no_waits():
        losses = [step(2), step(3)]
    assert all(np.isfinite(float(loss)) for loss in losses)


def test_a_loss_that_is_not_finite_is_told_at_the_end_of_its_epoch(there: Backbone) -> None:
    from promptlet.errors import TrainingError

    features, labels = problem("coop", there)
    method = build_method("coop", there, NAMES)
    features[0, 3] = float("nan")
    with pytest.raises(TrainingError, match="the loss became nan in epoch 1 at learning rate"):
        train(method, features, labels, Schedule("s", lr=0.01, epochs=2, batch_size=12))


def test_what_a_loss_that_is_read_at_each_step_would_be(there: Backbone) -> None:
    """The report of an epoch: the mean of its losses, and percent of hits."""
    features, labels = problem("coop", there)
    method = build_method("coop", there, NAMES)
    given = steps_of(method)
    (report,) = train(method, features, labels, Schedule("s", lr=0.01, epochs=1, batch_size=12)).history
    assert report.loss == float(np.mean([value for value, _, _ in given]))
    assert report.accuracy == 100.0 * sum(hits for _, hits, _ in given) / sum(count for _, _, count in given)


# -- the library's faces ---------------------------------------------------------------------------------


def test_without_a_device_the_card_is_taken() -> None:
    assert load_backbone("mini").device.type == "cuda"


def test_the_classifier_fits_saves_and_answers(here: Backbone, there: Backbone, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    kinds = {"red square": (200, 40, 40), "green car": (40, 200, 40), "blue flower": (40, 40, 200)}
    labels = [name for name in kinds for _ in range(4)]
    images = [
        np.clip(np.array(kinds[name]) + draw.normal(0, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
        for name in labels
    ]
    classifier = PromptClassifier(backbone=there, method="rlp", epochs=10).fit(images, labels)
    classifier.save(tmp_path / "three.prompt")
    opened = PromptClassifier.load(tmp_path / "three.prompt", backbone=here)
    found, expected = classifier.predict_proba(images), opened.predict_proba(images)
    assert np.abs(found - expected).max() < 0.05
    assert (classifier.predict(images) == opened.predict(images)).mean() >= 0.9
    copied = copy.deepcopy(classifier)
    assert (copied.predict(images) == classifier.predict(images)).all()


def test_cached_features_are_told_apart_by_precision(there: Backbone) -> None:
    plain = feature_identity(there)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        assert feature_identity(there) != plain
    finally:
        torch.set_float32_matmul_precision(before)
    assert feature_identity(there) == plain


def test_images_are_encoded_as_on_the_cpu(here: Backbone, there: Backbone) -> None:
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 255, (40, 50, 3), dtype=np.uint8) for _ in range(5)]
    found, expected = (torch.from_numpy(encode_images(b, images, views=2)) for b in (there, here))
    assert float(F.cosine_similarity(found, expected, dim=-1).min()) > 0.9999


@pytest.mark.parametrize("name", ["rlp", "maple"])
def test_a_checkpoint_goes_on_where_it_was(name: str, there: Backbone, tmp_path: Path) -> None:
    """Stopped after an epoch and taken up again: the same losses as in one go, to rounding."""
    inputs, labels = problem(name, there)
    schedule = Schedule("s", lr=0.005, epochs=4, batch_size=12, optimizer="adamw", warmup_lr=None)
    whole = train(build_method(name, there, NAMES), inputs, labels, schedule).history

    def stop(report: Any) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    file = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        train(build_method(name, there, NAMES), inputs, labels, schedule, on_epoch=stop, checkpoint=file)
    again = train(build_method(name, there, NAMES), inputs, labels, schedule, checkpoint=file).history
    assert [report.loss for report in again] == pytest.approx([report.loss for report in whole], rel=2e-2)


# -- captured steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FREE)
def test_captured_steps_learn_the_same(name: str, on_card: Backbone) -> None:
    """The same kernels on the same shapes: equal but for sums in another order."""
    inputs, labels = problem(name, on_card)
    schedule = Schedule("s", lr=0.005, epochs=6, batch_size=12, optimizer="adamw", warmup_lr=None)
    plain, other = (build_method(name, on_card, NAMES) for _ in range(2))
    expected = train(plain, inputs, labels, schedule).history
    found = train(other, inputs, labels, schedule, capture=True).history
    assert [one.loss for one in found] == pytest.approx([one.loss for one in expected], rel=5e-3, abs=5e-3)
    for mine, theirs in zip(other.state().values(), plain.state().values(), strict=True):
        assert np.abs(mine - theirs).max() < 0.05 * max(1e-3, np.abs(theirs).max())


def test_captured_steps_with_dropout_read_its_mask_anew(there: Backbone) -> None:
    features, labels = problem("rlp", there)
    schedule = Schedule("s", lr=0.005, epochs=6, batch_size=12, optimizer="adamw", warmup_lr=None)
    found = []
    for capture in (False, True):
        method = build_method("rlp", there, NAMES, dropout=0.5)
        found.append([one.loss for one in train(method, features, labels, schedule, capture=capture).history])
    assert found[1] == pytest.approx(found[0], rel=5e-3)


@pytest.mark.parametrize("name", sorted(set(STEPPING) - set(FREE)))
def test_what_cannot_be_captured_is_told(name: str, there: Backbone) -> None:
    from promptlet.errors import OptionError

    if name == "clip_lora":
        pytest.importorskip("peft", reason="peft is not installed")
    inputs, labels = problem(name, there)
    with pytest.raises(OptionError, match="capture is not possible"):
        train(build_method(name, there, NAMES), inputs, labels, Schedule("s", 0.01, 1, 12), capture=True)
