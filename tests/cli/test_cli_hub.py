"""The hub from the shell: `push`, `fit --push`, and prompt files that are named by their place there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_stand_in import Hub, refusal, standing_in

import promptlet
from promptlet.promptfile import load_prompt_file

PROMPT = "prompt.safetensors"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with standing_in(monkeypatch, tmp_path_factory.mktemp("hub")) as there:
        yield there


def files(hub: Hub) -> dict[str, bytes]:
    return hub.repositories["jane/pets"].files()


@pytest.mark.slow
def test_a_prompt_is_pushed_and_asked_where_it_is(
    shell: Any, hub: Hub, prompt: Path, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    said = shell.run("push", prompt, "jane/pets", "--license", "mit", "--private").stdout
    commit = next(reversed(hub.repositories["jane/pets"].commits))
    assert said.splitlines() == [
        f"pushed to {hub.url}/jane/pets, version {commit[:12]}",
        "next: promptlet predict hf://jane/pets IMAGE...",
    ]
    assert hub.repositories["jane/pets"].private and b"license: mit" in files(hub)["README.md"]
    image = pictures / "test" / "cat" / "test0.png"
    there = shell.json("predict", f"hf://jane/pets@{commit}", image, "--backbone", clip_folder)
    here = shell.json("predict", prompt, image, "--backbone", clip_folder)
    assert there["predictions"][0]["class_name"] == here["predictions"][0]["class_name"]
    told = shell.json("inspect", "hf://jane/pets")
    assert told["class_names"] == ["box", "cat", "dog"] and commit in told["file"]
    judged = shell.json("evaluate", "hf://jane/pets", pictures, "--backbone", clip_folder)
    assert judged["images"] == 6
    asked = ("search", pictures, "--prompt", "hf://jane/pets:cat", "--backbone", clip_folder)
    assert shell.json(*asked)["query"] == "pets:cat"
    out = tmp_path / "pets.npz"
    made = shell.json("export", "hf://jane/pets", "--to", "vectors", "-o", out, "--backbone", clip_folder)
    assert made["classes"] == ["box", "cat", "dog"]


def test_what_was_exported_is_no_prompt_file(shell: Any, prompt: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "export.json").write_text("{}")
    for words in (("evaluate", tmp_path / "out", tmp_path), ("push", tmp_path / "out", "jane/pets")):
        assert "out is an exported folder, which promptlet predict answers from" in shell.fails(
            *words, exit_code=2
        )
    for words in (("export", "v.npz", "--to", "vectors", "-o", "w.npz"), ("push", "v.npz", "jane/pets")):
        assert "v.npz is no prompt file by its name, but class vectors" in shell.fails(*words, exit_code=2)


@pytest.mark.slow
def test_a_prompt_of_the_hub_is_gone_on_from(
    shell: Any, hub: Hub, prompt: Path, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    shell.run("push", prompt, "jane/pets")
    words = ("--start-from", "hf://jane/pets", "--backbone", clip_folder, "--epochs", 1, "--estimate", "none")
    facts = shell.json("fit", pictures, "--out", tmp_path / "a.prompt", *words)
    assert facts["started"]["numbers"] == load_prompt_file(prompt).tensors["U"].size + 2 * 32


@pytest.mark.slow
def test_push_tells_the_same_as_json(shell: Any, hub: Hub, prompt: Path) -> None:
    told = shell.json("push", prompt, "jane/pets", "--message", "the first")
    assert told["id"] == "jane/pets" and told["url"] == f"{hub.url}/jane/pets" and not told["kept_card"]
    assert told["files"] == {name: len(data) for name, data in files(hub).items() if name[0] != "."}
    assert b"the first" in next(one.body for one in hub.asked if "/commit/" in one.path)
    hub.put("jane/pets", {"README.md": b"# mine"})
    assert "its card was edited by somebody and stays" in shell.run("push", prompt, "jane/pets").stderr
    assert files(hub)["README.md"] == b"# mine"
    shell.run("push", prompt, "jane/pets", "--new-card")
    assert files(hub)["README.md"] != b"# mine"


def test_a_dry_run_asks_nobody(shell: Any, hub: Hub, prompt: Path) -> None:
    card = shell.run("push", prompt, "jane/pets", "--license", "mit", "--dry-run").stdout
    assert card.startswith("---\n") and "license: mit" in card and "hf://jane/pets" in card
    told = shell.json("push", prompt, "jane/pets", "--dry-run")
    assert told["id"] == "jane/pets" and told["files"][PROMPT] > 500 and "# pets" in told["card"]
    assert hub.asked == [] and "license: mit" not in told["card"]


@pytest.mark.slow
def test_what_push_refuses(shell: Any, hub: Hub, prompt: Path, tmp_path: Path) -> None:
    assert "is no id of the hub" in shell.refuses("push", prompt, "pets")
    assert "none of the hub's" in shell.refuses("push", prompt, "jane/pets", "--license", "apache2")
    assert "there is no such file" in shell.fails("push", tmp_path / "no.prompt", "jane/pets")
    assert "you are 'jane' there" in shell.fails("push", prompt, "john/pets")
    (tmp_path / "bad.prompt").write_bytes(b"no prompt at all")
    assert "cannot load" in shell.fails("push", tmp_path / "bad.prompt", "jane/pets")
    assert hub.repositories == {}
    hub.failing["/commit/"] = refusal(500)
    said = shell.fails("push", prompt, "jane/pets", "--license", "mit", "--private")
    assert (
        f"{prompt} is as it was; try again: promptlet push {prompt} jane/pets --license mit --private" in said
    )


def test_places_of_the_hub_that_are_none(shell: Any, hub: Hub, pictures: Path) -> None:
    image = pictures / "test" / "cat" / "test0.png"
    assert "it has no jane/pets that you may read" in shell.fails("predict", "hf://jane/pets", image)
    assert "no id of the hub" in shell.refuses("inspect", "hf://pets")
    assert "written hf://OWNER/NAME" in shell.refuses("inspect", "hf:jane/pets")
    assert "revision=" in shell.refuses("evaluate", "hf://jane/pets@../x", pictures)


def test_a_folder_is_taken_for_the_prompt_in_it(
    shell: Any, prompt: Path, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    backbone = promptlet.load_backbone(clip_folder, device="cpu")
    promptlet.PromptClassifier.load(prompt, backbone).save_pretrained(tmp_path / "pets")
    assert shell.json("inspect", tmp_path / "pets")["class_names"] == ["box", "cat", "dog"]


def fit(pictures: Path, clip_folder: Path, out: Path) -> tuple[Any, ...]:
    return ("fit", pictures, "--out", out, "--backbone", clip_folder, "--epochs", 1, "--push", "jane/pets")


@pytest.mark.slow
def test_fit_pushes_what_it_learned_with_its_accuracy(
    shell: Any, hub: Hub, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    facts = shell.json(*fit(pictures, clip_folder, tmp_path / "a.prompt"), "--license", "mit")
    assert facts["pushed"]["id"] == "jane/pets" and facts["pushed"]["url"] == f"{hub.url}/jane/pets"
    training = load_prompt_file(tmp_path / "a.prompt").training
    assert training["test"] == f"{facts['test_accuracy']:.1f} % ({facts['test_low']:.1f} to " + (
        f"{facts['test_high']:.1f}) of 6 images"
    )
    estimate = facts["estimate"]
    assert str(training["estimate"]).startswith(f"{estimate['way']}: {estimate['accuracy']:.1f} % (")
    card = files(hub)["README.md"].decode()
    assert f"**{facts['test_accuracy']:.1f} %**" in card and f"**{estimate['accuracy']:.1f} %**" in card
    said = shell.run(*fit(pictures, clip_folder, tmp_path / "b.prompt")).stdout
    assert f"wrote {tmp_path / 'b.prompt'}" in said and "pushed to" in said
    assert b"license: mit" in files(hub)["README.md"]  # of the card that was there


def test_what_would_be_refused_is_told_before_anything_is_learned(
    shell: Any, hub: Hub, pictures: Path, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.prompt"
    command = fit(pictures, clip_folder, out)
    assert "none of the hub's" in shell.refuses(*command, "--license", "apache2")
    assert "no id of the hub" in shell.refuses(*command[:-1], "pets")
    assert "you are 'jane' there" in shell.fails(*command[:-1], "john/pets")
    assert "give --push OWNER/NAME too" in shell.refuses(*command[:-2], "--private")
    hub.put("jane/pets", {"model.bin": b""})
    assert "is no prompt: it holds model.bin" in shell.refuses(*command)
    monkeypatch.delenv("HF_TOKEN")
    assert "no token was found" in shell.fails(*command)
    assert not out.exists()


@pytest.mark.slow
def test_a_push_that_fails_leaves_the_prompt_and_says_how_to_go_on(
    shell: Any, hub: Hub, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    hub.failing["/commit/"] = refusal(503)
    out = tmp_path / "my pets.prompt"
    later = f"promptlet push '{out}' jane/pets --license mit"
    done = shell.run(*fit(pictures, clip_folder, out), "--license", "mit", exit_code=1)
    assert f"wrote {out}" in done.stdout and f"The prompt is in {out}; push it later: {later}" in done.stderr
    facts = shell.json(*fit(pictures, clip_folder, out), "--license", "mit", "--force", exit_code=1)
    assert facts["pushed"] is None and later in facts["push_error"] and facts["bytes"] == out.stat().st_size
    hub.failing.clear()
    assert "pushed to" in shell.run("push", out, "jane/pets", "--license", "mit").stdout


@pytest.mark.slow
def test_the_command_itself_finds_the_hub_by_its_environment(
    hub: Hub, prompt: Path, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    """In a process of its own, as HF_ENDPOINT says; then offline, from what is cached."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(promptlet.__file__).parents[1]),
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }

    def run(*words: object, **more: str) -> Any:
        command = [sys.executable, "-m", "promptlet", *map(str, words)]
        return subprocess.run(command, env={**environment, **more}, capture_output=True, text=True)

    pushed = run("push", prompt, "jane/pets")
    assert pushed.returncode == 0, pushed.stderr
    image = pictures / "test" / "cat" / "test0.png"
    asked = run("predict", "hf://jane/pets", image, "--backbone", clip_folder)
    assert asked.returncode == 0 and "test0.png" in asked.stdout and asked.stderr == ""
    count = len(hub.asked)
    again = run("predict", "hf://jane/pets", image, "--backbone", clip_folder, HF_HUB_OFFLINE="1")
    assert again.stdout == asked.stdout and len(hub.asked) == count
    assert "HF_HUB_OFFLINE is set: hf://jane/pets is taken as it was last fetched" in again.stderr
    shutil.rmtree(tmp_path / "home")
    gone = run("predict", "hf://jane/pets", image, HF_HUB_OFFLINE="1")
    assert gone.returncode == 1 and "the cache on this machine does not have it" in gone.stderr
