"""What the hub refuses, and where it cannot be asked: an error that says what to do, and nothing lost."""

from __future__ import annotations

from typing import Any

import pytest
from hub_stand_in import READ, Hub, refusal
from loopback import as_json

from promptlet.errors import HubError, MissingExtraError, OptionError, PromptFileError
from promptlet.hub import PROMPT, HubPlace, check_push, fetch, is_place, place_of, push

NONE: dict[str, bytes] = {}
FILES = {PROMPT: b"a prompt", "README.md": b"---\nlicense: mit\n---\n# pets\n"}


def down(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing listens where the hub was."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


# -- a push is looked into before there is a prompt ---------------------------------------------------------


@pytest.mark.parametrize(
    "hub_id",
    [
        "pets",
        "jane/pets/more",
        "jane/",
        "/pets",
        "jane/.pets",
        "jane/a--b",
        "jane/a..b",
        "jane/a.git",
        "",
        "a b/c",
    ],
)
def test_an_id_that_the_hub_cannot_have(hub: Hub, hub_id: str) -> None:
    with pytest.raises(OptionError, match="is no id of the hub; give OWNER/NAME"):
        check_push(hub_id)
    assert hub.asked == []


def test_an_address_in_place_of_an_id_is_understood(hub: Hub) -> None:
    with pytest.raises(OptionError, match="Did you mean jane/pets"):
        check_push("hf://jane/pets")


@pytest.mark.parametrize(
    ("hub_id", "token", "words"),
    [
        ("jane/pets", "hf_wrong", "your token is not valid; make another one on the hub, and log in"),
        ("jane/pets", READ, "your token may only read"),
        ("jane/pets", False, "without a token: log in"),
        ("john/pets", None, r"you are 'jane' there, and may write to jane, vets; give jane/pets"),
        ("press/pets", None, "you are 'jane' there"),
    ],
)
def test_a_token_that_may_not(hub: Hub, hub_id: str, token: Any, words: str) -> None:
    with pytest.raises(HubError, match=words) as raised:
        check_push(hub_id, token)
    assert hub.repositories == {} and "hf_" not in str(raised.value)


def test_no_token_at_all(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match=r"no token was found; log in \(hf auth login\), or set HF_TOKEN"):
        check_push("jane/pets")


def test_a_team_that_takes_it(hub: Hub) -> None:
    assert check_push("vets/pets", license="mit") == "mit"
    assert push("vets/pets", FILES).id == "vets/pets"


@pytest.mark.parametrize("license", ["apache2", "my licence", "MIT", "mit\nx: y"])
def test_a_licence_that_is_none(hub: Hub, license: str) -> None:
    with pytest.raises(OptionError, match=r"none of the hub's.*apache-2.0, mit"):
        check_push("jane/pets", license=license)
    assert hub.repositories == {}


@pytest.mark.slow
def test_the_licence_of_a_card_that_is_there_is_kept(hub: Hub) -> None:
    assert check_push("jane/pets") is None
    push("jane/pets", FILES)
    assert check_push("jane/pets") == "mit" and check_push("jane/pets", license="other") == "other"
    hub.put("jane/pets", {"README.md": b"---\nlicense: [a\n---\n"})
    assert check_push("jane/pets") is None


def test_another_model_is_not_written_over(hub: Hub) -> None:
    hub.put("jane/model", {"config.json": b"{}", "model.safetensors": b""})
    for act in (lambda: check_push("jane/model"), lambda: push("jane/model", FILES)):
        with pytest.raises(OptionError, match=r"is no prompt: it holds config.json, model.safetensors; give"):
            act()
    hub.put("jane/empty", {".gitattributes": b"", "README.md": b"soon"})
    assert check_push("jane/empty") is None


def test_whether_the_hub_is_asked_too_often_the_push_itself_tells(hub: Hub) -> None:
    hub.failing["whoami"] = as_json({"error": "slow down"}, 429)
    assert check_push("jane/pets") is None


@pytest.mark.parametrize(
    ("part", "status", "words"),
    [
        ("/commit/", 403, "your token may not write there"),
        ("/commit/", 409, "somebody else changes it at the same time; try again"),
        ("/commit/", 412, "somebody else changed it at the same time; try again"),
        ("/commit/", 429, "it was asked too often; try again in some minutes"),
        ("/commit/", 500, r"it cannot be reached \(it answers 500\); try again later"),
        ("/commit/", 413, "it answers 413"),
        ("/repos/create", 403, "your token may not write there"),
    ],
)
def test_a_push_that_fails(hub: Hub, part: str, status: int, words: str) -> None:
    hub.failing[part] = refusal(status)
    with pytest.raises(HubError, match=f"cannot write jane/pets on the hub: {words}") as raised:
        push("jane/pets", FILES)
    assert raised.value.status == status
    assert PROMPT not in (hub.repositories["jane/pets"].files() if hub.repositories else {})


def test_a_push_without_a_network(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    down(hub, monkeypatch)
    with pytest.raises(HubError, match=r"cannot be reached \(ConnectError"):
        check_push("jane/pets")
    offline(monkeypatch)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set; unset it, or push later"):
        check_push("jane/pets")


# -- what is fetched ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refusal(404, "RepoNotFound"), "it has no jane/pets that you may read; check the id"),
        (refusal(401, "RepoNotFound"), "it has no jane/pets that you may read; check the id"),
        (refusal(403, "GatedRepo"), "access is given on request: ask for it on the page of jane/pets"),
        (refusal(404, "RevisionNotFound"), "it has no revision 'v9' of it"),
        (refusal(404, "EntryNotFound"), r"it holds no prompt.safetensors, and so no prompt"),
        (refusal(403), "your token may not read there"),
    ],
)
def test_a_refusal_to_read(hub: Hub, reply: Any, words: str) -> None:
    hub.put("jane/pets", FILES)
    hub.failing["/resolve/"] = reply
    with pytest.raises(HubError, match=f"cannot read jane/pets on the hub: {words}"):
        fetch(HubPlace("jane/pets", "v9"))


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_where_the_hub_fails_the_version_of_last_time_is_taken_and_told(hub: Hub, status: int) -> None:
    hub.put("jane/pets", FILES)
    first = fetch(HubPlace("jane/pets"))
    hub.put("jane/pets", {PROMPT: b"newer"})
    hub.failing["/resolve/"] = refusal(status)
    again = fetch(HubPlace("jane/pets"))
    assert (again.path, again.commit, first.note) == (first.path, first.commit, "")
    assert (
        f"it answers {status}" in again.note
        and f"as it was last fetched, at {first.commit[:12]}" in again.note
    )
    with pytest.raises(HubError, match=f"it answers {status}.*hf download jane/cats {PROMPT} --local-dir"):
        fetch(HubPlace("jane/cats"))


def test_without_a_network_the_cache_answers(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = hub.put("jane/pets", FILES)
    fetch(HubPlace("jane/pets"))
    down(hub, monkeypatch)
    found = fetch(HubPlace("jane/pets"))
    assert found.commit == commit and "cannot be reached (ConnectError" in found.note
    with pytest.raises(HubError, match="cannot be reached"):
        fetch(HubPlace("jane/pets", "v2"))
    offline(monkeypatch)
    assert fetch(HubPlace("jane/pets")).note.startswith(
        "HF_HUB_OFFLINE is set: hf://jane/pets is taken as it"
    )
    with pytest.raises(
        HubError, match="HF_HUB_OFFLINE is set, and the cache on this machine does not have it"
    ):
        fetch(HubPlace("jane/pets", "v2"))


def test_a_commit_that_is_cached_asks_nobody(hub: Hub) -> None:
    place = HubPlace("jane/pets", hub.put("jane/pets", FILES))
    first = fetch(place)
    count = len(hub.asked)
    assert fetch(place) == first and len(hub.asked) == count


def test_a_file_that_is_too_large_to_be_one_is_not_loaded(hub: Hub) -> None:
    hub.put("jane/pets", FILES)
    head = {"X-Repo-Commit": "0" * 40, "ETag": '"x"', "Content-Length": str(2**40)}
    hub.failing["/resolve/"] = (200, head, b"")
    with pytest.raises(
        HubError, match=r"1,099,511,627,776 bytes, which no prompt file has; it is not loaded"
    ):
        fetch(HubPlace("jane/pets"))
    assert [one.method for one in hub.asked] == ["HEAD"]


def test_what_is_no_prompt_file_is_refused_as_any(hub: Hub) -> None:
    from promptlet.classifier import PromptLearner

    hub.put("jane/pets", {PROMPT: b"\x80\x04cos\nsystem\n"})
    with pytest.raises(PromptFileError, match="cannot load"):
        PromptLearner.from_pretrained("jane/pets")


def test_without_the_hubs_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for act in (lambda: fetch(HubPlace("jane/pets")), lambda: check_push("jane/pets")):
        with pytest.raises(MissingExtraError, match="pip install huggingface_hub"):
            act()


# -- how a place is written ---------------------------------------------------------------------------------


@pytest.mark.parametrize("revision", ["../../x", "/etc", "a//b", "a..b", "", "a b", ".x", "x\n", "-x", "a/"])
def test_a_revision_that_leads_elsewhere_is_none(revision: str) -> None:
    with pytest.raises(OptionError, match=r"revision=.* cannot be one of jane/pets"):
        HubPlace("jane/pets", revision)


def test_a_place_is_no_path() -> None:
    from pathlib import Path

    for text in ("hf://jane/pets", "hf://jane/pets@v1.0", "hf://jane/pets@refs/pr/1"):
        assert is_place(text) and is_place(Path(text)) and str(place_of(Path(text))) == text
    for text in ("jane/pets", "hf:jane/pets", "hf.prompt", "/hf://jane/pets", "HF://a/b"):
        assert not is_place(text) and not is_place(Path(text))
    for text in ("hf://jane", "hf://jane/pets@", "hf://", "hf://jane/pets/a.prompt"):
        with pytest.raises(OptionError):
            place_of(text)
