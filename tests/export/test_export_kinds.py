"""Exported folders of prompts over other kinds of models: they answer as the library does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import toy_arrays
from tiny_open_clip import save_open_kind

import promptlet
from promptlet import PromptClassifier, rng
from promptlet.backbones import load_backbone
from promptlet.export.towers import torch_features, tower_of
from promptlet.methods import build_method
from promptlet.runtime import Classifier

TRANSFORMERS = ("metaclip_2", "chinese_clip", "altclip", "align")
OPEN_CLIP = ("coca", "roberta")


@pytest.fixture(params=[*TRANSFORMERS, *(f"open_clip:{kind}" for kind in OPEN_CLIP)])
def backbone(request: pytest.FixtureRequest, kind_folders: dict[str, Path], tmp_path: Path) -> Any:
    """Each kind, loaded in float32."""
    before, _, kind = request.param.rpartition(":")
    if before:
        pytest.importorskip("open_clip", reason="open_clip is not installed")
    folder = f"open_clip:{save_open_kind(kind, tmp_path)}" if before else kind_folders[kind]
    return load_backbone(folder, device="cpu", dtype="float32")


def test_towers(backbone: Any) -> None:
    shape = (3, 3, *backbone.images.spec.output_size)
    pixels = torch.from_numpy(rng.normal("test/pixels", 1, shape, 1.0))
    found = torch_features(tower_of(build_method("zero_shot", backbone, ("cat", "dog"))), pixels.numpy())
    expected = torch.nn.functional.normalize(backbone.images.encode(pixels), dim=-1)
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-6)


@pytest.mark.slow
def test_a_folder_answers_alike(backbone: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    features, labels = toy_arrays(backbone)
    clf = PromptClassifier(backbone, method="coop", epochs=1).fit(features, labels)
    clf.save(tmp_path / "some.prompt")
    learner = PromptClassifier.load(tmp_path / "some.prompt", backbone)
    promptlet.export_folder(learner, tmp_path / "onnx")
    draw = np.random.default_rng(1)
    shown = list(draw.integers(0, 256, (4, 90, 70, 3), dtype=np.uint8))
    answers = Classifier(tmp_path / "onnx").predict_proba(shown)
    np.testing.assert_allclose(answers, clf.predict_proba(shown), atol=5e-5)
