"""A prompt goes to the hub and comes back the same: the library's client against a stand-in of its server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_stand_in import Hub

import promptlet as pl
from promptlet.errors import PromptFileError
from promptlet.hub import CARD, CONFIG, PROMPT, HubPlace, fetch


@pytest.mark.slow
def test_what_is_pushed_answers_the_same_when_it_is_read(hub: Hub, fitted: Any) -> None:
    classifier, images = fitted
    pushed = classifier.push_to_hub("jane/pets", license="mit")
    assert (pushed.id, pushed.url, pushed.kept_card) == ("jane/pets", f"{hub.url}/jane/pets", False)
    again = pl.PromptClassifier.from_pretrained("jane/pets")
    np.testing.assert_allclose(again.predict_proba(images), classifier.predict_proba(images), atol=1e-5)
    assert np.array_equal(again.class_features(), classifier.class_features())
    assert list(again.classes_) == list(classifier.classes_)


def test_three_files_travel_and_none_is_a_pickle(hub: Hub, fitted: Any) -> None:
    pushed = fitted[0].push_to_hub("jane/pets", private=True)
    there = hub.repositories["jane/pets"]
    files = there.commits[pushed.commit]
    assert there.private and files.keys() == {PROMPT, CARD, CONFIG, ".gitattributes"}
    config = json.loads(files[CONFIG])
    assert config["prompt_file"] == PROMPT and config["class_names"] == list(fitted[0].classes_)
    assert files[CARD].decode().startswith("---\n")
    from safetensors.numpy import load

    assert load(files[PROMPT]).keys() >= {"U", "V"}


@pytest.mark.parametrize("way", ["lfs_names", "lfs_above"])
def test_large_files_go_their_own_way(hub: Hub, fitted: Any, way: str) -> None:
    setattr(hub, way, {"lfs_names": (PROMPT,), "lfs_above": 500}[way])
    fitted[0].push_to_hub("jane/pets")
    assert any("PUT" in one.method and "/large/" in one.path for one in hub.asked)
    again = pl.PromptClassifier.from_pretrained("jane/pets")
    assert np.array_equal(again.class_features(), fitted[0].class_features())


@pytest.mark.slow
def test_a_second_push_is_a_second_version_and_the_same_again_is_none(hub: Hub, fitted: Any) -> None:
    first = fitted[0].push_to_hub("jane/pets")
    second = fitted[0].push_to_hub("jane/pets", license="mit")
    third = fitted[0].push_to_hub("jane/pets", license="mit")
    assert first.commit != second.commit == third.commit
    before = fetch(HubPlace("jane/pets", first.commit))
    assert before.commit == first.commit and fetch(HubPlace("jane/pets")).commit == second.commit


@pytest.mark.slow
def test_a_tag_and_a_commit_can_be_asked_for(hub: Hub, fitted: Any) -> None:
    first = fitted[0].push_to_hub("jane/pets").commit
    hub.repositories["jane/pets"].tags["v1.0"] = first
    fitted[0].push_to_hub("jane/pets", precision="fp16")
    old = pl.PromptClassifier.from_pretrained("jane/pets", revision="v1.0")
    new = pl.PromptClassifier.from_pretrained("jane/pets")
    assert np.array_equal(old.class_features(), fitted[0].class_features())
    assert not np.array_equal(new.class_features(), old.class_features())


def test_a_private_prompt_needs_a_token(hub: Hub, fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted[0].push_to_hub("jane/pets", private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(pl.PromptletError, match=r"no jane/pets that you may read.*hf auth login"):
        pl.PromptClassifier.from_pretrained("jane/pets")
    assert pl.PromptClassifier.from_pretrained("jane/pets", token="hf_read") is not None


@pytest.mark.slow
def test_a_card_that_somebody_edited_stays(hub: Hub, fitted: Any) -> None:
    fitted[0].push_to_hub("jane/pets")
    card = hub.repositories["jane/pets"].files()[CARD]
    hub.put("jane/pets", {CARD: card.replace(b"# pets", b"# The pets of our clinic")})
    pushed = fitted[0].push_to_hub("jane/pets", precision="fp16")
    assert pushed.kept_card and b"our clinic" in hub.repositories["jane/pets"].files()[CARD]
    assert not fitted[0].push_to_hub("jane/pets", new_card=True).kept_card
    assert b"our clinic" not in hub.repositories["jane/pets"].files()[CARD]


@pytest.mark.slow
def test_no_place_on_a_disk_is_told(hub: Hub, fitted: Any, tmp_path: Path) -> None:
    import shutil

    from promptlet.mini.names import MODEL_FOLDER

    shutil.copytree(MODEL_FOLDER, tmp_path / "my-clip")
    images = fitted[1]
    own = pl.PromptClassifier(backbone=tmp_path / "my-clip", cache=False, epochs=1)
    own.fit(images, [path.parent.name for path in images]).push_to_hub("jane/pets")
    files = hub.repositories["jane/pets"].files()
    assert not any(str(tmp_path).encode() in data for data in files.values())
    assert b"my-clip" in files[PROMPT] and b'backbone="BACKBONE"' in files[CARD]
    with pytest.raises(pl.PromptletError, match="names the backbone 'my-clip'"):
        pl.PromptClassifier.from_pretrained("jane/pets")
    again = pl.PromptClassifier.from_pretrained("jane/pets", backbone=tmp_path / "my-clip")
    assert np.array_equal(again.class_features(), own.class_features())


def test_a_folder_is_read_as_it_was_written(fitted: Any, tmp_path: Path) -> None:
    fitted[0].save_pretrained(tmp_path / "pets", license="mit", precision="fp16")
    assert sorted(path.name for path in (tmp_path / "pets").iterdir()) == [CARD, CONFIG, PROMPT]
    again = pl.PromptClassifier.from_pretrained(tmp_path / "pets")
    np.testing.assert_allclose(again.class_features(), fitted[0].class_features(), atol=1e-3)
    with pytest.raises(pl.PromptletError, match="is a folder here"):
        pl.PromptClassifier.from_pretrained(tmp_path / "pets", revision="main")
    (tmp_path / "pets" / PROMPT).rename(tmp_path / "pets" / "a.prompt")
    with pytest.raises(pl.PromptletError, match=r"no prompt\.safetensors.*load\(path\).*a\.prompt"):
        pl.PromptClassifier.from_pretrained(tmp_path / "pets")


def test_a_folder_of_a_backbone_stays_as_it_is(fitted: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(PromptFileError, match=r"its config\.json is of something else"):
        fitted[0].save_pretrained(tmp_path)
    assert (tmp_path / "config.json").read_text() == "{}" and len(list(tmp_path.iterdir())) == 1


def test_a_folders_edited_card_stays(fitted: Any, tmp_path: Path) -> None:
    fitted[0].save_pretrained(tmp_path)
    (tmp_path / CARD).write_text("mine")
    fitted[0].save_pretrained(tmp_path)
    assert (tmp_path / CARD).read_text() == "mine"
    fitted[0].save_pretrained(tmp_path, new_card=True)
    assert (tmp_path / CARD).read_text() != "mine"
