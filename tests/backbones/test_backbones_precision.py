"""``dtype``: float32 is what it was to the bit, mixed is near it in features and gradients, auto measures."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_models import CLIP_PIXELS, clip_model, clip_tokenizer, save
from torch import Tensor

from promptlet.backbones import Backbone, load_backbone
from promptlet.backbones import dtypes as dtypes_module
from promptlet.backbones.arithmetic import fastest
from promptlet.backbones.arithmetic.layers import Linear, Sample
from promptlet.backbones.arithmetic.precision import ARITHMETICS, Arithmetic
from promptlet.backbones.arithmetic.products import linear
from promptlet.data.cache import agreed
from promptlet.data.cache.agreed import in_turn
from promptlet.errors import OptionError
from promptlet.features import feature_identity

NAMES = ["dog", "cat", "the dog", "a photo of the cat", "hot dog"]
LEAST_COSINE = 0.999
BF16, F32 = torch.bfloat16, torch.float32
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def wider_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of transformers of width 128, 4 layers: rounding shows as in larger ones."""
    sizes = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4}
    return save(tmp_path_factory.mktemp("wider"), clip_model(**sizes), clip_tokenizer(), CLIP_PIXELS)


@pytest.fixture(params=["wider_folder", "open_clip_folder", "dual_folder"])
def pair(request: pytest.FixtureRequest) -> tuple[Backbone, Backbone]:
    """The same model in float32 and in mixed."""
    folder = request.getfixturevalue(request.param)
    source = f"open_clip:{folder}" if request.param == "open_clip_folder" else str(folder)
    return load_backbone(source, "cpu", "float32"), load_backbone(source, "cpu", "mixed")


def context_of(*shape: int) -> Tensor:
    draw = torch.Generator().manual_seed(3)
    return (0.3 * torch.randn(*shape, generator=draw)).requires_grad_()


def answered(encode: Callable[[Tensor], Tensor], context: Tensor) -> tuple[Tensor, Tensor]:
    """Features, and the gradient of the context."""
    features = encode(context)
    weights = torch.linspace(-1, 1, features.numel()).view_as(features)
    (gradient,) = torch.autograd.grad((features * weights).sum(), context)
    return features.detach(), gradient


def check_near(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    assert found[0].dtype == found[1].dtype == F32
    assert not torch.equal(found[0], expected[0])  # else nothing ran in bfloat16
    assert float(F.cosine_similarity(found[0], expected[0], dim=-1).min()) >= LEAST_COSINE
    assert float(F.cosine_similarity(found[1].flatten(), expected[1].flatten(), dim=0)) >= LEAST_COSINE


@pytest.mark.parametrize(
    ("shape", "more"),
    [
        ((4,), {}),
        ((2, 4), {}),  # a batch of contexts
        ((3, 4), {"placement": "deep"}),
        ((len(NAMES), 4), {"placement": "per_class"}),
        ((4,), {"class_token": "middle"}),  # context vectors among the tokens
        ((len(NAMES), 4), {"placement": "per_class", "class_token": "front"}),
    ],
    ids=["input", "batch", "deep", "per_class", "among", "per_class_among"],
)
def test_mixed_texts_are_near_float32(
    pair: tuple[Backbone, Backbone], shape: tuple[int, ...], more: dict[str, Any]
) -> None:
    exact, mixed = pair
    context = context_of(*shape, exact.text.dim)
    expected = answered(lambda c: exact.text.encode(c, NAMES, **more), context)
    found = answered(lambda c: mixed.text.encode(c, NAMES, **more), context)
    check_near(found, expected)


def test_mixed_texts_recomputed_are_those_kept(pair: tuple[Backbone, Backbone]) -> None:
    text = pair[1].text
    context = context_of(2, 4, text.dim)
    kept = answered(lambda c: text.encode(c, NAMES), context)
    assert text.engine is not None
    before, text.engine.keep_bytes = text.engine.keep_bytes, 0
    try:
        again = answered(lambda c: text.encode(c, NAMES), context)
    finally:
        text.engine.keep_bytes = before
    assert torch.equal(kept[0], again[0]) and torch.equal(kept[1], again[1])


def test_mixed_images_are_near_float32(pair: tuple[Backbone, Backbone]) -> None:
    exact, mixed = pair
    pixels = torch.randn(5, 3, *exact.images.spec.output_size, generator=torch.Generator().manual_seed(4))
    expected, found = exact.images.encode(pixels), mixed.images.encode(pixels)
    assert found.dtype == F32 and not torch.equal(found, expected)
    assert float(F.cosine_similarity(found, expected).min()) >= LEAST_COSINE
    context = context_of(2, 3, exact.images.dim)
    beside = answered(lambda c: exact.images.encode_prompted(pixels, c), context)
    near = answered(lambda c: mixed.images.encode_prompted(pixels, c), context)
    check_near(near, beside)
    assert mixed.images.engine is not None
    before, mixed.images.engine.keep_bytes = mixed.images.engine.keep_bytes, 0
    try:
        again = answered(lambda c: mixed.images.encode_prompted(pixels, c), context)
    finally:
        mixed.images.engine.keep_bytes = before
    assert torch.equal(again[0], near[0]) and torch.equal(again[1], near[1])


def test_a_hook_put_on_later_acts_in_mixed(clip_folder: Path) -> None:
    mixed = load_backbone(clip_folder, "cpu", "mixed")
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(10))
    before = mixed.text.encode_texts(NAMES), mixed.images.encode(pixels)
    model: Any = mixed.model
    for tower in (model.text_model, model.vision_model):
        tower.encoder.layers[1].mlp.register_forward_hook(lambda _module, _args, output: 3 * output)
    after = mixed.text.encode_texts(NAMES), mixed.images.encode(pixels)
    with torch.no_grad():
        plain = mixed.text.encode_texts_reference(NAMES), mixed.images.encode_reference(pixels)
    for old, new, own in zip(before, after, plain, strict=True):
        assert float(F.cosine_similarity(new, own).min()) >= LEAST_COSINE
        assert not torch.equal(new, own)  # in bfloat16 all the same
        assert float(F.cosine_similarity(old, own).min()) < LEAST_COSINE


def test_low_rank_updates_are_learned_in_mixed(clip_folder: Path) -> None:
    pytest.importorskip("peft", reason="peft is not installed")
    from promptlet.methods.weights.clip_lora import ClipLora

    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(11))
    found = []
    for word in ("float32", "mixed"):
        method = ClipLora(load_backbone(clip_folder, "cpu", word), NAMES[:3], dropout=0.0)
        with torch.no_grad():
            for matrix in method.trainables().values():
                matrix.add_(0.1)
        loss, logits = method.loss(pixels, torch.tensor([0, 1, 2, 0]))
        gradients = torch.autograd.grad(loss, [*method.trainables().values()])
        found.append((logits.detach(), torch.cat([one.flatten() for one in gradients])))
    check_near(found[1], found[0])


def test_the_image_engine_alone_gives_the_librarys_features(pair: tuple[Backbone, Backbone]) -> None:
    images = pair[0].images
    assert images.engine is not None
    pixels = torch.randn(7, 3, *images.spec.output_size, generator=torch.Generator().manual_seed(5))
    expected = images.encode_reference(pixels)
    images.engine.max_rows, before = 2 * images.engine.tower.tokens, images.engine.max_rows
    try:
        found = images.engine.encode_alone(pixels, F32)
    finally:
        images.engine.max_rows = before
    near = 1e-5 * float(expected.abs().max())
    assert torch.allclose(found, expected, atol=near)
    assert torch.equal(images.encode(pixels), expected)
    images.compute_in(F32, by_engine=True)
    assert torch.allclose(images.encode(pixels), expected, atol=near)
    assert torch.equal(images.encode_reference(pixels), expected)


def test_attention_written_out_is_torchs_own() -> None:
    from promptlet.backbones.image import blocks

    draw = torch.Generator().manual_seed(6)
    q, k, v = (torch.randn(3, 4, n, 8, generator=draw) for n in (2, 9, 9))
    expected = F.scaled_dot_product_attention(q, k, v)
    for most in (1, 40, 1 << 19):  # one head at a time, a few, all
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "MOST_SCORES", most)
            assert torch.allclose(blocks._attend_by_products(q, k, v), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["siglip_folder", "siglip_naflex_folder"])
def test_mixed_towers_without_an_engine_take_the_librarys_autocast(
    name: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(name)
    exact, mixed = load_backbone(folder, "cpu", "float32"), load_backbone(folder, "cpu", "mixed")
    assert mixed.text.engine is None and mixed.images.engine is None
    context = context_of(2, exact.text.dim)
    expected = answered(lambda c: exact.text.encode(c, NAMES), context)
    check_near(answered(lambda c: mixed.text.encode(c, NAMES), context), expected)
    pixels = torch.randn(2, 3, *exact.images.spec.output_size, generator=torch.Generator().manual_seed(7))
    features = exact.images.encode(pixels), mixed.images.encode(pixels)
    assert not torch.equal(*features)
    assert float(F.cosine_similarity(*features).min()) >= LEAST_COSINE
    assert torch.equal(mixed.text.encode_texts_reference(NAMES), exact.text.encode_texts(NAMES))


def test_float32_and_auto_of_a_small_model_are_the_librarys_bits(clip_folder: Path) -> None:
    exact, auto = load_backbone(clip_folder, "cpu", "float32"), load_backbone(clip_folder, "cpu")
    assert exact.arithmetic == auto.arithmetic == "float32"
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(8))
    model: Any = exact.model
    with torch.inference_mode():
        channels_last = pixels.to(memory_format=torch.channels_last)
        own = model.visual_projection(model.vision_model(pixel_values=channels_last).pooler_output)
    assert torch.equal(exact.images.encode(pixels), own) and torch.equal(auto.images.encode(pixels), own)
    assert torch.equal(exact.text.encode_texts(NAMES), auto.text.encode_texts(NAMES))
    layer = auto.text.engine.tower.blocks[0].up  # type: ignore[union-attr]
    assert layer.read(F32) is layer.weight and not layer._copies


def test_what_is_computed_in_has_a_word_for_each() -> None:
    assert [Arithmetic(F32, text, images).word for text in (F32, BF16) for images in (F32, BF16)] == [
        *("float32", "mixed_images", "mixed_text", "mixed")
    ]
    assert {word: one.word for word, one in ARITHMETICS.items()} == {word: word for word in ARITHMETICS}
    assert Arithmetic(BF16, BF16, BF16).word == "bfloat16"
    assert list(ARITHMETICS) == [
        *("float32", "bfloat16", "float16", "mixed", "mixed_text", "mixed_images", "float32_engine")
    ]


def test_an_unknown_dtype_is_refused(clip_folder: Path) -> None:
    with pytest.raises(OptionError, match="dtype='bf16' is not known; allowed: auto, float32, mixed, "):
        load_backbone(clip_folder, "cpu", "bf16")


def test_features_of_another_arithmetic_are_another_caches(clip_folder: Path) -> None:
    words = tuple(ARITHMETICS)
    own = {word: load_backbone(clip_folder, "cpu", word) for word in words}
    assert {backbone.fingerprint for backbone in own.values()} == {own["float32"].fingerprint}
    keys = {word: feature_identity(backbone) for word, backbone in own.items()}
    assert keys["mixed_text"] == keys["float32"]  # the images are encoded in float32
    assert keys["mixed_images"] == keys["mixed"] == f"{keys['float32']}-mixed-reduced"
    assert keys["float32_engine"] == f"{keys['float32']}-engine"
    assert len(set(keys.values())) == 5


def test_a_pickle_keeps_what_it_computes_in(clip_folder: Path) -> None:
    from promptlet.backbones import pickling

    for word in ("mixed_text", "float32_engine"):
        backbone = load_backbone(clip_folder, "cpu", word)
        pickled = pickle.dumps(backbone)
        assert pickle.loads(pickled) is backbone
        pickling._loaded.clear()  # as in another process
        assert pickle.loads(pickled).arithmetic == word


class TestEditedWeights:
    """Copies in bfloat16 follow the weights."""

    def test_each_kind_of_edit_is_followed(self) -> None:
        weight, bias = torch.nn.Parameter(torch.randn(32, 16)), torch.nn.Parameter(torch.randn(32))
        layer = Linear(weight, bias)
        sample = Sample([layer])
        sample.look()
        first = layer.read(BF16)
        assert layer.read(BF16) is first  # one copy, made once
        with torch.no_grad():
            weight.mul_(2)
        assert torch.equal(layer.read(BF16), weight.detach().to(BF16))
        bias.data[3] = 7  # neither counted nor looked at: biases are not copied
        rows = torch.ones(2, 16, dtype=BF16)
        assert torch.equal(linear(layer, rows), F.linear(rows, weight.to(BF16), bias.to(BF16)))
        sample.look()
        weight.data.mul_(2)  # torch does not count this one
        sample.look()
        assert torch.equal(layer.read(BF16), weight.detach().to(BF16))

    def test_a_copy_made_while_predicting_serves_in_training(self) -> None:
        layer = Linear(torch.nn.Parameter(torch.randn(4, 4)), None)
        with torch.inference_mode():
            layer.read(BF16)
        assert not layer.read(BF16).is_inference()

    @pytest.mark.parametrize("edit", ["counted", "uncounted", "bias"])
    def test_of_a_backbone(self, clip_folder: Path, edit: str) -> None:
        mixed = load_backbone(clip_folder, "cpu", "mixed")
        model: Any = mixed.model  # before copies are made: it puts its own layers in the place of others
        pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(9))
        before = mixed.text.encode_texts(NAMES), mixed.images.encode(pixels)
        with torch.no_grad():
            for tower in (model.text_model, model.vision_model):
                layer = tower.encoder.layers[0].mlp.fc1
                if edit == "bias":
                    layer.bias.data.add_(torch.linspace(-3, 3, len(layer.bias)))
                else:
                    (layer.weight if edit == "counted" else layer.weight.data).mul_(3)
        after = mixed.text.encode_texts(NAMES), mixed.images.encode(pixels)
        with torch.no_grad():
            exact = mixed.text.encode_texts_reference(NAMES), mixed.images.encode_reference(pixels)
        for old, new, plain in zip(before, after, exact, strict=True):
            assert float(F.cosine_similarity(new, plain).min()) >= LEAST_COSINE
            assert float(F.cosine_similarity(old, plain).min()) < LEAST_COSINE


class TestAuto:
    """Asked of the processor, measured once, remembered."""

    @pytest.fixture(autouse=True)
    def nothing_known(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(fastest, "_found", {})
        monkeypatch.setattr(fastest, "_in_processor", lambda: True)

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """How many times as fast each measurement is to say; the last stays."""
        answers = [2.0]

        def compared(*_: object) -> float:
            return answers.pop(0) if len(answers) > 1 else answers[0]

        monkeypatch.setattr(fastest, "_times_as_fast", compared)
        return answers

    def test_it_is_measured_once_per_machine(self, asked: list[float]) -> None:
        assert fastest.is_faster((64, 32), CPU)
        asked[:] = [1.0]
        assert fastest.is_faster((64, 32), CPU)  # in this process
        fastest._found.clear()
        assert fastest.is_faster((64, 32), CPU)  # in another
        assert not fastest.is_faster((32, 32), CPU)  # another shape
        fastest._found.clear()
        asked[:] = [2.0]
        assert not fastest.is_faster((32, 32), CPU)

    def test_another_torch_or_precision_is_another_machine(
        self, asked: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert fastest.is_faster((64, 32), CPU)
        asked[:] = [1.0]
        with monkeypatch.context() as patch:
            patch.setattr(torch, "__version__", "9.9")
            assert not fastest.is_faster((64, 32), CPU)
        with monkeypatch.context() as patch:
            patch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")  # float32 products are in bfloat16 already
            assert not fastest.is_faster((64, 32), CPU)

    def test_a_damaged_file_is_measured_again(self, asked: list[float]) -> None:
        path = agreed.default_folder() / agreed.FILE_NAME
        path.parent.mkdir(parents=True)
        path.write_bytes(b"\xff\x00 bfloat16-")
        assert fastest.is_faster((64, 32), CPU)

    def test_nothing_can_be_remembered(self, asked: list[float], tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("a file in the place of the folder")
        assert fastest.is_faster((64, 32), CPU)

    def test_less_than_the_least_gain_is_none(self, asked: list[float]) -> None:
        asked[:] = [fastest.GAIN - 0.01]
        assert not fastest.is_faster((64, 32), CPU)

    def test_a_way_that_cannot_be_gone_is_not_faster(self) -> None:
        def fails() -> None:
            raise RuntimeError("not implemented for 'BFloat16'")

        assert not fastest.is_faster_way("a tower", lambda: None, fails, CPU)

    def test_on_a_gpu_it_is_tried_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
        cuda, tried = torch.device("cuda"), []

        def way(fails: bool) -> None:
            tried.append(fails)
            if fails:
                raise RuntimeError("not implemented for 'BFloat16'")

        for fails in (True, False):
            for _ in range(2):
                found = fastest.is_faster_way(f"{fails}", lambda: None, lambda f=fails: way(f), cuda)
                assert found is not fails
        assert tried == [True, False] and not agreed.remembered()

    def test_threads_and_processes_measure_one_after_the_other(self) -> None:
        inside: list[int] = []
        measured: list[bool] = []

        def compared() -> float:
            inside.append(1)
            time.sleep(0.02)
            measured.append(len(inside) == 1)
            inside.pop()
            return 2.0 if len(measured) == 1 else 1.0

        def ask(_: int) -> bool:
            return fastest._is_faster("a shape", compared, CPU)

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(ask, range(4))) == [True] * 4
        assert measured == [True]

        key = fastest._key("another shape", CPU)
        with ThreadPoolExecutor(1) as pool:
            with in_turn():  # another process measures
                answer = pool.submit(fastest._remembered, key, compared)
                time.sleep(0.05)
                assert not answer.done()
                agreed.remember(f"{key}-True")
            assert answer.result()
        assert measured == [True]

    def test_it_is_not_measured_without_instructions(
        self, asked: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fastest, "_in_processor", lambda: False)
        assert not fastest.is_faster((64, 32), CPU)
        assert not agreed.remembered()

    def test_ways_of_real_towers_are_gone(self, siglip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dtypes_module, "LEAST_WEIGHTS", 1)
        monkeypatch.setattr(fastest, "SECONDS", 0.0)
        monkeypatch.setattr(fastest, "GAIN", 0.0)  # whatever it is, it is enough; a way that fails is 0
        compared = fastest._times_as_fast
        found: list[float] = []
        monkeypatch.setattr(
            fastest, "_times_as_fast", lambda *ways: found.append(compared(*ways)) or found[-1]
        )
        assert load_backbone(siglip_folder, "cpu").arithmetic == "mixed"
        assert len(found) == 2 and all(number > 0 for number in found)

    def test_the_real_measurement_says_a_number(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fastest, "SECONDS", 0.0)
            assert 0 < fastest.gain((48, 32)) < 1000

    @pytest.mark.parametrize(
        ("times", "word"), [([2.0], "mixed"), ([1.0], "float32"), ([1.0, 1.0, 2.0], "float32_engine")]
    )
    def test_a_large_model_takes_what_is_faster(
        self,
        times: list[float],
        word: str,
        asked: list[float],
        clip_folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked[:] = times
        monkeypatch.setattr(fastest, "ONEDNN", object())
        monkeypatch.setattr(dtypes_module, "LEAST_WEIGHTS", 1)
        auto = load_backbone(clip_folder, "cpu")
        assert auto.arithmetic == word and auto.dtype == F32
        assert repr(auto).endswith(f"{word}, cpu)")

    def test_towers_without_an_engine_are_measured_whole(
        self, asked: list[float], siglip_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dtypes_module, "LEAST_WEIGHTS", 1)
        asked[:] = [2.0, 1.0]  # the text tower, then the image tower
        assert load_backbone(siglip_folder, "cpu").arithmetic == "mixed_text"
        fastest._found.clear()
        asked[:] = [3.0]
        assert load_backbone(siglip_folder, "cpu").arithmetic == "mixed_text"  # remembered

    def test_a_processor_that_is_slow_in_it_is_told(
        self, clip_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for word in ("mixed", "bfloat16"):
            backbone = load_backbone(clip_folder, "cpu", word)
            assert not any("no instructions" in note for note in backbone.notes((), ()))
        monkeypatch.setattr(fastest, "_in_processor", lambda: False)
        for word in ("mixed", "mixed_images", "bfloat16"):
            notes = load_backbone(clip_folder, "cpu", word).notes((), ())
            assert any(f"dtype {word}: this processor has no instructions" in note for note in notes)
        assert not load_backbone(clip_folder, "cpu", "float32").notes((), ())
        notes = load_backbone(clip_folder, "cpu", "float16").notes((), ())
        assert any("dtype float16: hardly any processor computes in float16" in note for note in notes)

    @pytest.mark.parametrize(("capability", "told"), [((7, 5), True), ((8, 0), False)])
    def test_a_gpu_that_is_slow_in_it_is_told(
        self, capability: tuple[int, int], told: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
        for word, one in ARITHMETICS.items():
            note = dtypes_module.slow(one, torch.device("cuda"))
            is_in_it = "mixed" in word or word == "bfloat16"
            assert (
                (f"dtype {word}: this GPU has no instructions" in note) == (told and is_in_it) == bool(note)
            )


def test_the_processor_is_asked_where_torch_does_not_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ask = fastest._in_processor.__wrapped__
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert not ask()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert ask()
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    monkeypatch.setattr(fastest, "PROCESSOR", tmp_path / "cpuinfo")
    assert not ask()
    (tmp_path / "cpuinfo").write_text("model name : one\nflags : fpu avx512_bf16 gfni\n")
    assert ask()
    (tmp_path / "cpuinfo").write_text("Features : fp asimd bf16 i8mm\n")  # Arm
    assert ask()
