"""Which backbones a prompt file may name by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptlet.promptfile import is_known_name


@pytest.mark.parametrize(
    "name",
    [
        "mini",
        "openai/clip-vit-base-patch16",
        "google/siglip2-base-patch16-224",
        "open_clip:ViT-B-16/laion2b_s34b_b88k",
        "open_clip:ViT-B-16-SigLIP2/webli",
    ],
)
def test_hub_ids_and_tags_are_followed(name: str) -> None:
    assert is_known_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "clip",
        "/models/clip",
        "./clip",
        "../clip/model",
        "~/clip",
        "a/b/c",
        "C:/clip",
        "C:\\clip",
        "//host/share",
        "file:///clip",
        "features:texts.npz",
        "open_clip:/models/clip",
        "open_clip:./clip",
        "open_clip:local-dir:clip",
        "open_clip:local-dir:/models/clip",
        "open_clip:hf-hub:owner/name",
        "open_clip:ViT-B-16//models/clip.pt",
        "open_clip:ViT-B-16/../clip.pt",
        "owner/name\n",
        "owner/na me",
        "-owner/name",
        "owner/-name",
        "öwner/name",
        "owner/" + "n" * 97,
    ],
)
def test_places_are_not(name: str) -> None:
    assert not is_known_name(name)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("owner/name", "owner/name"),
        ("open_clip:ViT-B-16/openai", "openai"),
        ("open_clip:ViT-B-16/openai", "ViT-B-16/openai"),
    ],
)
def test_a_path_of_that_name_is_a_place(
    name: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_known_name(name)
    (tmp_path / path).mkdir(parents=True)
    assert not is_known_name(name)
