"""Loading, encoding, caching and training in sessions that a user has changed; nothing of it is disturbed."""

from __future__ import annotations

import ast
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, noise, toy_arrays, toy_problem
from sessions import MIXED, SESSIONS, autocast, default_dtype, products

import promptlet
from promptlet import PromptClassifier
from promptlet.backbones import Backbone, load_backbone
from promptlet.data import FeatureCache
from promptlet.features import encode_images, feature_identity
from promptlet.methods import METHODS, build_method
from promptlet.methods.inputs import FeatureInputs, all_logits
from promptlet.session import own_arithmetic, own_numbers, precision
from promptlet.training import Schedule, train

SCHEDULE = Schedule("short", lr=0.05, epochs=2, batch_size=6)
FOLDERS = ("clip", "gelu", "dual", "siglip", "siglip_naflex", "open_clip", "open_siglip")
MAKERS = {
    *("tensor", "as_tensor", "zeros", "ones", "empty", "full", "eye", "arange", "linspace", "rand", "randn"),
    *("randint", "randperm", "scalar_tensor", "logspace", "normal"),
}
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.slow
def test_every_tensor_names_its_dtype_and_its_device() -> None:
    unnamed = []
    for path in Path(promptlet.__file__).parent.rglob("*.py"):
        if path.name == "session.py":  # asks what the default is
            continue
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if ast.unparse(call.func.value) == "torch" and call.func.attr in MAKERS:
                named = {word.arg for word in call.keywords}
                if not {"dtype", "device"} <= named:
                    unnamed.append(f"{path.name}:{call.lineno}: {ast.unparse(call)}")
    assert unnamed == []


# -- the context itself --------------------------------------------------------------------------------------


def state() -> tuple[object, ...]:
    return (
        *(torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")),
        *(torch.empty(0).device, torch.get_default_dtype(), np.geterr()),
    )


@pytest.mark.parametrize("session", [*SESSIONS, *MIXED])
def test_the_own_arithmetic_is_the_ordinary_one_and_goes_again(session: str) -> None:
    ordinary = state()
    with {**SESSIONS, **MIXED}[session]():
        theirs = state()
        with own_arithmetic():
            now = state()
            assert now[:4] == ordinary[:4]
            assert now[4] == theirs[4]  # the default dtype is everybody's
            assert now[5] == ordinary[5]
        assert state() == theirs


def test_inside_itself_it_changes_nothing() -> None:
    with own_arithmetic(), torch.no_grad(), own_arithmetic():
        assert not torch.is_grad_enabled()
    with torch.no_grad(), own_arithmetic():
        assert torch.is_grad_enabled()
    with pytest.raises(ZeroDivisionError), own_arithmetic():
        raise ZeroDivisionError
    with torch.no_grad(), own_arithmetic():  # after an error, too
        assert torch.is_grad_enabled()


def test_other_threads_see_nothing_of_it() -> None:
    found = []
    inside, seen = threading.Event(), threading.Event()

    def other() -> None:
        with torch.device("meta"), torch.inference_mode():
            inside.wait(10)
            found.append((torch.is_inference_mode_enabled(), torch.empty(0).device.type))
            seen.set()

    thread = threading.Thread(target=other)
    thread.start()
    with own_arithmetic():
        inside.set()
        assert seen.wait(10)
    thread.join()
    assert found == [(True, "meta")]


def test_numpys_own_error_state() -> None:
    with np.errstate(all="raise"), own_numbers():
        assert float(np.float64(1e-300) * np.float64(1e-300)) == 0.0


# -- loading and encoding ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=FOLDERS)
def loaded(request: pytest.FixtureRequest) -> tuple[Path | str, Backbone]:
    """Each kind of backbone: its source, and what it is in an ordinary session."""
    folder = request.getfixturevalue(f"{request.param}_folder")
    source = f"open_clip:{folder}" if request.param.startswith("open_") else folder
    return source, load_backbone(source, device="cpu")


@pytest.fixture
def untouched() -> Iterator[None]:
    """The generators of everybody stand where they stood."""
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()
    yield
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()
    assert after == before


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("session", [*MIXED, pytest.param("float64", marks=pytest.mark.slow)])
def test_the_same_backbone_in_every_session(session: str, loaded: tuple[Path | str, Backbone]) -> None:
    source, wanted = loaded
    texts, pixels = ["a photo of a cat.", "a dog"], noise("pixels", (2, 3, 32, 32))
    with {**SESSIONS, **MIXED}[session]():
        found = load_backbone(source, device="cpu")
        assert found.fingerprint == wanted.fingerprint
        features = found.encode_texts(texts), found.images.encode(pixels)
    expected = wanted.encode_texts(texts), wanted.images.encode(pixels)
    for one, other in zip(features, expected, strict=True):
        assert not one.is_inference()
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("session", MIXED)
def test_a_differentiable_context_in_every_session(session: str, tiny_backbone: Backbone) -> None:
    """Calls of the towers themselves obey autocast and grad mode; default dtype and device change nothing."""
    names = ["cat", "a dog"]
    context = noise("context", (3, tiny_backbone.text.dim))
    wanted = tiny_backbone.text.encode(context, names)
    plain = tiny_backbone.text.encode_reference(context, names)
    with SESSIONS["float64" if session == "all_float64" else "bfloat16"](), SESSIONS["meta"]():
        for token in ("end", "middle"):
            own = context.clone().requires_grad_()
            tiny_backbone.text.encode(own, ["a bird", *names], class_token=token).sum().backward()
            assert own.grad is not None
            assert own.grad.dtype == torch.float32
        torch.testing.assert_close(tiny_backbone.text.encode(context, names), wanted)
        torch.testing.assert_close(tiny_backbone.text.encode_reference(context, names), plain)


# -- methods and training ------------------------------------------------------------------------------------


def test_what_is_made_in_inference_mode_can_be_trained(tiny_backbone: Backbone) -> None:
    with torch.inference_mode():
        features, labels = toy_problem(tiny_backbone)
        methods = [build_method("rlp", tiny_backbone, NAMES), METHODS["clip_adapter"](tiny_backbone, NAMES)]
        methods[1].class_features()
        inputs = FeatureInputs(features)
    assert labels.is_inference()
    for method in methods:
        start = {name: p.detach().clone() for name, p in method.trainables().items()}
        train(method, inputs, labels, SCHEDULE)
        assert any((p - start[name]).abs().max() > 0 for name, p in method.trainables().items())


@pytest.mark.parametrize("method", ["coop", "clip_adapter", "tip_adapter_f", "cocoop"])
def test_what_was_loaded_and_fitted_in_inference_mode_goes_on_outside(
    method: str, clip_folder: Path, tiny_backbone: Backbone, tmp_path: Path
) -> None:
    images, labels = toy_arrays(tiny_backbone, per_class=2)
    options = {"method": method, "epochs": 2, "cache": False}
    wanted = PromptClassifier(tiny_backbone, **options).fit(images, labels).predict_proba(images)
    with torch.inference_mode():
        backbone = load_backbone(clip_folder, device="cpu")
        clf = PromptClassifier(backbone, **options).fit(images, labels)
        clf.predict_proba(images)
        clf.save(tmp_path / "it.prompt")
        loaded = PromptClassifier.load(tmp_path / "it.prompt", backbone=backbone)
        loaded.predict_proba(images)
    for one in (clf, loaded.set_params(**options)):
        np.testing.assert_allclose(one.predict_proba(images), wanted, rtol=1e-5, atol=1e-6)
        again = one.fit(images, labels).predict_proba(images)
        np.testing.assert_allclose(again, wanted, rtol=1e-5, atol=1e-6)
    features, targets = toy_problem(backbone, per_class=2)
    train(loaded.method_, features, targets, SCHEDULE)  # what the file gave, trained further


def test_scores_of_a_method_in_every_session(tiny_backbone: Backbone) -> None:
    features, _ = toy_problem(tiny_backbone)
    method = build_method("rlp", tiny_backbone, NAMES).eval()
    inputs = FeatureInputs(features)
    wanted = all_logits(method.scorer(), inputs, CPU)
    for session in (*SESSIONS.values(), *MIXED.values()):
        fresh = build_method("rlp", tiny_backbone, NAMES).eval()
        with session():
            found = all_logits(fresh.scorer(), inputs, CPU)
        torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.05)  # class features as the caller asks


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].info.reads == "features"])
def test_global_generators_have_no_part(method: str, tiny_backbone: Backbone) -> None:
    images, labels = toy_arrays(tiny_backbone, per_class=2)

    def answers() -> np.ndarray:
        clf = PromptClassifier(tiny_backbone, method=method, epochs=2, cache=False).fit(images, labels)
        return clf.predict_proba(images)

    first = answers()
    kept = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    try:
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)
        assert np.array_equal(answers(), first)
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.random.set_rng_state(kept[2])


class StopError(Exception):
    pass


def test_a_training_goes_on_in_another_session(tiny_backbone: Backbone, tmp_path: Path) -> None:
    images, labels = toy_arrays(tiny_backbone)

    def fit(**changes: Any) -> np.ndarray:
        clf = PromptClassifier(tiny_backbone, method="rlp", epochs=6, cache=False, **changes)
        return clf.fit(images, labels).predict_proba(images)

    def stop(report: Any) -> None:
        if report.epoch == 3:
            raise StopError

    wanted = fit()
    with MIXED["all_float64"](), pytest.raises(StopError):
        fit(checkpoint=tmp_path / "half", on_epoch=stop)
    with MIXED["all_bfloat16"]():
        found = fit(checkpoint=tmp_path / "half")
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


# -- cached features -----------------------------------------------------------------------------------------


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.Generator(np.random.PCG64(3)).integers(0, 256, (40, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize("session", ["autocast", *MIXED])
def test_features_are_cached_in_full_precision(
    session: str, tiny_backbone: Backbone, picture: np.ndarray, tmp_path: Path
) -> None:
    cache = FeatureCache(tmp_path)
    with {**SESSIONS, **MIXED}[session]():
        made = encode_images(tiny_backbone, [picture], cache=cache, views=2)
    np.testing.assert_allclose(made, encode_images(tiny_backbone, [picture], views=2), rtol=1e-5, atol=1e-6)
    assert np.array_equal(encode_images(tiny_backbone, [picture], cache=cache, views=2), made)
    assert cache.stats().entries == 2  # of one identity


def test_less_exact_products_have_features_of_their_own(
    tiny_backbone: Backbone, picture: np.ndarray, tmp_path: Path
) -> None:
    cache = FeatureCache(tmp_path)
    with products("medium"):
        assert feature_identity(tiny_backbone) != tiny_backbone.image_fingerprint
        encode_images(tiny_backbone, [picture], cache=cache)
    exact = encode_images(tiny_backbone, [picture], cache=cache)
    assert cache.stats().entries == 2
    np.testing.assert_allclose(exact, encode_images(tiny_backbone, [picture]), rtol=1e-6)


def test_an_ordinary_session_keeps_its_cache(tiny_backbone: Backbone) -> None:
    assert feature_identity(tiny_backbone) == tiny_backbone.image_fingerprint
    with default_dtype(torch.float64), autocast(), SESSIONS["deterministic"]():
        assert feature_identity(tiny_backbone) == tiny_backbone.image_fingerprint


@contextmanager
def setting(place: Any, name: str, value: object) -> Iterator[None]:
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


def test_what_is_named_of_a_sessions_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [precision(device) for device in (CPU, CUDA)] == ["", ""]
    with products("medium"):
        assert "" not in [precision(device) for device in (CPU, CUDA)]
    with setting(torch.backends.cudnn, "allow_tf32", False):
        assert [precision(device) for device in (CPU, CUDA)] == ["", "exact_convolutions"]
    with setting(torch.backends.cuda.matmul, "allow_tf32", True):
        assert [bool(precision(device)) for device in (CPU, CUDA)] == [False, True]
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    assert [precision(device) for device in (CPU, CUDA)] == ["bf16", "tf32_override_1"]
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "strict")
    assert precision(CPU) == ""


def test_weights_of_another_dtype_are_named_before_it(tiny_backbone: Backbone) -> None:
    half = SimpleNamespace(
        image_fingerprint="0" * 12, dtype=torch.bfloat16, device=CPU, arithmetic="bfloat16"
    )
    with products("medium"):
        assert feature_identity(half) == f"{'0' * 12}-bfloat16-reduced"  # type: ignore[arg-type]
