"""The small inputs of ../shared/cases, each of which stands for a kind that went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from one_view import augmented_view, preprocess

from promptlet.data import FeatureFile, content_hash, load_dataset, open_image
from promptlet.data.doctor import examine
from promptlet.errors import DataError
from promptlet.features import encode_images
from promptlet.methods.inputs import FeatureInputs
from promptlet.preprocessing.spec import ImageSpec


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("inf64.npz", r"features\[0\] holds a number that is NaN or infinite, or too large for float32"),
        ("bighdr.npz", r"features cannot be read: damaged \(its header asks for the shape \(99999999999999"),
        ("split_zhou_nul.json", r"train\[0\]: the path '0\\x00.png' holds a NUL character"),
        ("split_zhou_surp.json", r"train\[0\]: the path '\\ud800.png' is no text in UTF-8"),
    ],
)
def test_what_is_refused(cases: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(cases / name)
    assert str(cases / name) in str(caught.value)
    checkup = examine(str(cases / name))
    assert checkup.state == "wrong"
    assert str(cases / name) in checkup.findings[0].text


def test_features_of_any_length_are_worth_the_same(cases: Path) -> None:
    content = load_dataset(cases / "scale_1e+25.npz")
    assert isinstance(content, FeatureFile)
    given = torch.from_numpy(content.features.copy())
    assert given.abs().max() > 1e25
    exact = given.double() / given.double().norm(dim=-1, keepdim=True)
    assert torch.allclose(FeatureInputs(given[None]).features[0].double(), exact, rtol=0, atol=1e-7)
    labels = np.array(
        [item.label for item in sorted(content.split.every_item, key=lambda item: item.row or 0)]
    )
    means = torch.stack([exact[torch.from_numpy(labels == label)].mean(0) for label in range(4)])
    nearest = (FeatureInputs(given[None]).features[0] @ means.float().T).argmax(1).numpy()
    assert (nearest == labels).mean() > 0.9


def test_a_thin_picture(cases: Path, tiny_backbone: Any) -> None:
    path = cases / "thin_1x100000.png"
    image = open_image(path)
    assert image.size == (1, 100_000)
    spec = ImageSpec("shortest", (224, 224), (224, 224), 3, (0.0,) * 3, (1.0,) * 3, 1.0)
    seen = preprocess(image, spec)
    middle = np.asarray(image.crop((0, 49_990, 1, 50_010)), np.float32)
    assert seen.shape == (3, 224, 224)
    assert middle.min() - 30 <= seen.min() and seen.max() <= middle.max() + 30
    assert augmented_view(image, spec, content_hash(path), 1).shape == (3, 224, 224)
    assert np.isfinite(encode_images(tiny_backbone, [path], views=2)).all()
