"""Small random models in real folders, made once per run, and the real test beds when they are there."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clean_environment  # noqa: F401 - before what reads the environment when it is imported
import pytest
import torch
from tiny_kinds import MADE, save_kind
from tiny_models import (
    CLIP_PIXELS,
    EYES,
    NAFLEX_PIXELS,
    OPEN_CLIP,
    SIGLIP_PIXELS,
    TOWER,
    clip_model,
    clip_tokenizer,
    gemma_tokenizer,
    save,
    save_open_clip,
    shaken,
)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is read from the user's cache folder, and nothing put there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMPTLET_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a CUDA device is skipped where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="torch sees no CUDA device"))


def pytest_collection_finish() -> None:
    """What was imported stays: nobody looks for garbage in it any more."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny models gain nothing from more."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def figures_are_drawn() -> Iterator[Callable[[Exception], bytes]]:
    """What cannot be drawn is an error in tests, not a picture that says so; `own_stand_in` has that back."""
    from promptlet.pages import canvas

    def refuse(error: Exception) -> bytes:
        raise error

    own, canvas.stand_in = canvas.stand_in, refuse
    yield own
    canvas.stand_in = own


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, once for all pages: Playwright starts only once in a process."""
    from tools.page.chromium import chromium

    with chromium() as started:
        yield started


@pytest.fixture
def own_stand_in(figures_are_drawn: Callable[[Exception], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture in the place of a figure that cannot be drawn, as users see it."""
    monkeypatch.setattr("promptlet.pages.canvas.stand_in", figures_are_drawn)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP (quick GELU)."""
    return save(tmp_path_factory.mktemp("clip"), clip_model(), clip_tokenizer(), CLIP_PIXELS)


@pytest.fixture(scope="session")
def gelu_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP as LAION's (GELU), with the old way to mark the pooled token (id 2: the largest id)."""
    model = clip_model(seed=1, hidden_act="gelu", eos_token_id=2, bos_token_id=0, pad_token_id=1)
    return save(
        tmp_path_factory.mktemp("gelu"), model, clip_tokenizer(), {**CLIP_PIXELS, "size": 32, "crop_size": 32}
    )


@pytest.fixture(scope="session")
def dual_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VisionTextDualEncoder: CLIP's text tower beside a ViT."""
    from transformers import VisionTextDualEncoderConfig, VisionTextDualEncoderModel, ViTConfig

    text = clip_model().config.text_config
    config = VisionTextDualEncoderConfig.from_vision_text_configs(ViTConfig(**EYES), text, projection_dim=16)
    model = shaken(VisionTextDualEncoderModel(config), 2)
    return save(tmp_path_factory.mktemp("dual"), model, clip_tokenizer(), SIGLIP_PIXELS)


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SigLIP 2 of fixed resolution: SigLIP's model, Gemma's kind of tokenizer."""
    from transformers import SiglipConfig, SiglipModel

    tokenizer = gemma_tokenizer()
    text = {**TOWER, "vocab_size": len(tokenizer), "max_position_embeddings": 64, "projection_size": 32}
    model = shaken(SiglipModel(SiglipConfig(text_config=text, vision_config=EYES)), 3)
    return save(tmp_path_factory.mktemp("siglip"), model, tokenizer, SIGLIP_PIXELS)


@pytest.fixture(scope="session")
def siglip_naflex_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SigLIP 2 NaFlex: an image tower that reads up to 20 patches of 8 pixels, of any aspect."""
    from transformers import Siglip2Config, Siglip2Model

    tokenizer = gemma_tokenizer()
    text = {**TOWER, "vocab_size": len(tokenizer), "projection_size": 32}
    eyes = {**TOWER, "num_hidden_layers": 2, "patch_size": 8, "num_patches": 16}
    model = shaken(Siglip2Model(Siglip2Config(text_config=text, vision_config=eyes)), 6)
    return save(tmp_path_factory.mktemp("siglip_naflex"), model, tokenizer, NAFLEX_PIXELS)


@pytest.fixture(scope="session")
def open_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP in open_clip's format (GELU), with open_clip's own tokenizer."""
    return save_open_clip(tmp_path_factory.mktemp("open_clip"), OPEN_CLIP, {})


@pytest.fixture(scope="session")
def open_siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SigLIP 2 in open_clip's format: no causal mask, pools at the last position."""
    folder = tmp_path_factory.mktemp("open_siglip")
    tokenizer = gemma_tokenizer()
    tokenizer.save_pretrained(folder)
    text = {
        **OPEN_CLIP["text_cfg"],
        "context_length": 64,
        "vocab_size": len(tokenizer),
        "no_causal_mask": True,
    }  # type: ignore[dict-item]
    text |= {"proj_bias": True, "pool_type": "last", "hf_tokenizer_name": "local"}
    text["tokenizer_kwargs"] = {"clean": "canonicalize"}
    config = {**OPEN_CLIP, "custom_text": True, "init_logit_bias": -10, "text_cfg": text}
    squash = {"resize_mode": "squash", "mean": [0.5] * 3, "std": [0.5] * 3}
    return save_open_clip(folder, config, squash, seed=4)


@pytest.fixture(scope="session")
def kind_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind of `tiny_kinds`, made once."""
    return {kind: save_kind(kind, tmp_path_factory.mktemp(kind)) for kind in MADE}


@pytest.fixture(scope="session")
def tiny_backbone(clip_folder: Path) -> Any:
    """A loaded tiny CLIP: d = 32, 3 layers, 77 positions, images of 32 pixels, 16 features."""
    from promptlet.backbones import load_backbone

    return load_backbone(clip_folder, device="cpu")


@pytest.fixture(scope="session")
def realbed() -> Path:
    """The folder with real images, their features and a model: PROMPTLET_REALBED, else ../shared/realbed."""
    return _shared("realbed", "PROMPTLET_REALBED", "features")


@pytest.fixture(scope="session")
def realclip() -> Path:
    """The folder with features of a real CLIP: PROMPTLET_REALCLIP, else ../shared/realclip."""
    return _shared("realclip", "PROMPTLET_REALCLIP", "caltech101_vitb16_with_text.npz")


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of small inputs that once went wrong: PROMPTLET_CASES, else ../shared/cases."""
    return _shared("cases", "PROMPTLET_CASES", "README.md")


def _shared(name: str, variable: str, holds: str) -> Path:
    """A folder beside the project. Skips where it is absent."""
    chosen = os.environ.get(variable)
    folder = Path(chosen) if chosen else Path(__file__).parents[2] / "shared" / name
    if not (folder / holds).exists():
        pytest.skip(f"no real data: {folder / holds} is absent; set {variable}")
    return folder
