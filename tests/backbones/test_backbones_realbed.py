"""The real test bed: a real-size vocabulary, a convolutional image tower, real images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from one_view import preprocess
from PIL import Image

from promptlet.backbones import Backbone, load_backbone

pytestmark = pytest.mark.realbed


@pytest.fixture(scope="module")
def backbone(realbed: Path) -> Backbone:
    """The stand-in model, loaded."""
    return load_backbone(realbed / "model", device="cpu")


@pytest.mark.slow
def test_loads_with_an_identity(backbone: Backbone, realbed: Path) -> None:
    assert len(backbone.fingerprint) == 38
    assert (backbone.text.dim, backbone.text.depth, backbone.feature_dim) == (256, 4, 512)
    assert backbone.logit_scale == pytest.approx(27.3, abs=0.05)
    low = load_backbone(realbed / "model", device="cpu", dtype="bfloat16")
    assert low.fingerprint == backbone.fingerprint


def test_engine_equals_plain_path(backbone: Backbone) -> None:
    names = [
        "face",
        "leopard",
        "motorbike",
        "crocodile head",
        "crocodile",
        "yin yang",
        "water lilly",
        "dollar bill",
    ]
    context = backbone.text.embed_words("a photo of a").requires_grad_()
    fast, plain = (
        encode(context, names) for encode in (backbone.text.encode, backbone.text.encode_reference)
    )
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=0)
    grads = [torch.autograd.grad(F.normalize(out, dim=-1)[:, :50].sum(), context)[0] for out in (fast, plain)]
    assert (grads[0] - grads[1]).norm() < 1e-4 * grads[1].norm()
    torch.testing.assert_close(fast, backbone.text.encode_texts([f"a photo of a {n}." for n in names]))


def test_images_agree_with_the_cached_features(backbone: Backbone, realbed: Path) -> None:
    """The file's features are float16, of the original files rather than the smaller copies kept here."""
    table = np.load(realbed / "features" / "caltech101.npz")
    rows = np.linspace(0, len(table["paths"]) - 1, 8).astype(int)
    folder = realbed / "data" / "caltech-101"
    found = [next(folder.rglob(str(Path(table["paths"][row])))) for row in rows]
    pixels = np.stack([preprocess(Image.open(path).convert("RGB"), backbone.images.spec) for path in found])
    features = backbone.images.encode(torch.from_numpy(pixels))
    cached = torch.from_numpy(table["features"][rows].astype(np.float32))
    cosines = F.cosine_similarity(features, cached)
    assert float(cosines.min()) > 0.999
