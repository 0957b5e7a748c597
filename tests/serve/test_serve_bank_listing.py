"""Which prompts a bank lists and serves: sound ones, with the reason where it does not."""

from __future__ import annotations

import asyncio
import gc
import os
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bank_prompts import (
    NAMES,
    REFUSED,
    bank_of,
    drawn,
    fitted,
    place,
    run,
    untrained,
)

from promptlet.data.files import open_regular
from promptlet.errors import BusyError, PromptFileError, ServiceError
from promptlet.promptfile import dumps
from promptlet.serve.bank import open_source
from promptlet.serve.bank.listing import digest_of


def states(bank: Any) -> dict[str, str]:
    return {one.name: one.state for one in bank.listed()}


def test_what_is_listed(tiny_backbone: Any, tmp_path: Path) -> None:
    data = dumps(drawn(tiny_backbone, 1))
    path = place(tmp_path, "pets", data)
    place(tmp_path, "a.b-c_d", data)
    for name in ("notes.txt", ".hidden.prompt", "pets.prompt.tmp", ".promptlet-1.tmp"):
        (tmp_path / name).write_bytes(data)
    bank = bank_of(tmp_path, tiny_backbone)
    assert states(bank) == {"a.b-c_d": "ready", "pets": "ready"}
    pets = bank.get("pets")
    assert (pets.digest, pets.method, pets.classes) == (digest_of(data), "rlp", len(NAMES))
    assert (pets.bytes, pets.reason) == (len(data), "")
    assert pets.modified == path.stat().st_mtime
    assert bank.get("dogs") is None
    with pytest.raises(KeyError):
        run(bank.answerer("dogs"))
    with pytest.raises(KeyError):
        bank.facts("dogs")


@pytest.mark.parametrize("method", REFUSED)
def test_methods_that_change_the_image_tower_are_refused(
    method: str, tiny_backbone: Any, tmp_path: Path
) -> None:
    place(tmp_path, "it", untrained(tiny_backbone, method))
    bank = bank_of(tmp_path, tiny_backbone)
    assert bank.get("it").state == "broken" and bank.get("it").method == method
    for words in (f"the method '{method}' changes the image tower", "use `promptlet predict`"):
        assert words in bank.get("it").reason
    with pytest.raises(PromptFileError, match="changes the image tower"):
        run(bank.answerer("it"))


def test_another_backbone_s_prompt_is_refused_and_no_folder_is_told(
    tiny_backbone: Any, tmp_path: Path
) -> None:
    file = drawn(tiny_backbone, 1, fingerprint="0123456789ab-0123456789ab-0123456789ab")
    place(tmp_path, "it", file)
    place(tmp_path, "other", replace(file, backbone="somebody/clip"))
    bank = bank_of(tmp_path, tiny_backbone)
    assert "Different: text tower, tokenizer, image tower" in bank.get("it").reason
    assert "made with backbone 'somebody/clip'" in bank.get("other").reason
    for one in bank.listed():
        assert one.state == "broken"
        assert str(Path(tiny_backbone.name).parent) not in one.reason
    with pytest.raises(PromptFileError) as refused:
        run(bank.put("third", dumps(replace(file, backbone="somebody/clip"))))
    here = Path(tiny_backbone.name).name
    assert refused.value.key == "prompt-other"
    assert dict(refused.value.values) == {"made_with": "somebody/clip", "here": here}


def test_unknown_method_damage_and_absurd_numbers(tiny_backbone: Any, tmp_path: Path) -> None:
    sound = dumps(drawn(tiny_backbone, 1))
    place(tmp_path, "method", drawn(tiny_backbone, 1, method="of_tomorrow"))
    place(tmp_path, "cut", sound[:-9])
    place(tmp_path, "empty", b"")
    place(tmp_path, "bit", sound[:-1] + bytes([sound[-1] ^ 1]))
    place(tmp_path, "text", b"hello, this is no prompt file")
    file = drawn(tiny_backbone, 1)
    place(tmp_path, "absurd", replace(file, tensors={k: v + 1e9 for k, v in file.tensors.items()}))
    place(tmp_path, "fine", sound)
    bank = bank_of(tmp_path, tiny_backbone)
    reasons = {one.name: one.reason for one in bank.listed()}
    for name, words in {
        "method": "'of_tomorrow', which this version",
        "cut": "cut off",
        "empty": "0 bytes",
        "bit": "does not match its digest",
        "text": "no safetensors file",
        "absurd": "no training makes numbers",
        "fine": "",
    }.items():
        assert words in reasons[name], name
    assert [name for name, state in states(bank).items() if state == "ready"] == ["fine"]


def test_what_does_not_fit_together_is_broken_once_it_was_asked(tiny_backbone: Any, tmp_path: Path) -> None:
    file = fitted(tiny_backbone, "tip_adapter")
    place(tmp_path, "it", replace(file, tensors={"keys": file.tensors["keys"][1:]}))
    bank = bank_of(tmp_path, tiny_backbone)
    assert states(bank) == {"it": "ready"}
    with pytest.raises(PromptFileError, match="cannot use it: the learned keys have the shape"):
        run(bank.answerer("it"))
    assert states(bank) == {"it": "broken"} and "the learned keys" in bank.get("it").reason
    bank.refresh()
    assert states(bank) == {"it": "broken"}
    place(tmp_path, "it", file)
    bank.refresh()
    assert states(bank) == {"it": "ready"}


def test_names_that_cannot_be_served(tiny_backbone: Any, tmp_path: Path) -> None:
    data = dumps(drawn(tiny_backbone, 1))
    for name in ("kätze", "two words", "-x", "x" * 101, "a+b"):
        place(tmp_path, name, data)
    with open(os.fsencode(tmp_path) + b"/half-\xff.prompt", "wb") as file:  # noqa: PTH123 - bytes
        file.write(data)
    bank = bank_of(tmp_path, tiny_backbone)
    assert len(bank.listed()) == 6
    for one in bank.listed():
        assert one.state == "broken" and "its name cannot be served; rename it" in one.reason
        one.name.encode()


def test_links_folders_and_pipes(tiny_backbone: Any, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "prompts", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    data = dumps(drawn(tiny_backbone, 1))
    place(elsewhere, "real", data)
    (folder / "linked.prompt").symlink_to(elsewhere / "real.prompt")
    (folder / "nowhere.prompt").symlink_to(elsewhere / "gone.prompt")
    (folder / "loop.prompt").symlink_to(folder / "loop.prompt")
    (folder / "folder.prompt").mkdir()
    os.mkfifo(folder / "pipe.prompt")
    (folder / "device.prompt").symlink_to("/dev/zero")
    bank = bank_of(folder, tiny_backbone)
    assert [name for name, state in states(bank).items() if state == "ready"] == ["linked"]
    assert all(one.reason for one in bank.listed() if one.name != "linked")
    (folder / "linked.prompt").unlink()
    os.mkfifo(folder / "linked.prompt")
    with pytest.raises(PromptFileError, match="no regular file"):
        run(bank.answerer("linked"))


def test_a_file_that_may_not_be_read(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path, "it", drawn(tiny_backbone, 1))
    place(tmp_path, "other", drawn(tiny_backbone, 1))

    def refuse(path: Path) -> Any:
        if path.name == "it.prompt":
            raise PermissionError(13, "Permission denied")
        return open_regular(path)

    monkeypatch.setattr("promptlet.serve.bank.places.open_regular", refuse)
    bank = bank_of(tmp_path, tiny_backbone)
    assert states(bank) == {"it": "broken", "other": "ready"}
    assert bank.get("it").reason.startswith("no permission")


def test_an_unchanged_file_is_not_read_again(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptlet.serve.bank.listing.SETTLED", 0.2)
    for seed in range(3):
        place(tmp_path, f"p{seed}", drawn(tiny_backbone, seed))
    source = open_source(tmp_path)
    read: list[str] = []
    own = source.read
    source.read = lambda name: (read.append(name), own(name))[1]  # type: ignore[method-assign]
    from promptlet.serve.bank import Bank

    bank = Bank(source, tiny_backbone)
    assert sorted(read) == ["p0", "p1", "p2"]
    read.clear()
    time.sleep(0.25)  # until a change would be seen by the clock of files
    bank.refresh()
    assert sorted(read) == ["p0", "p1", "p2"]
    read.clear()
    bank.refresh()
    assert read == []
    place(tmp_path, "p1", drawn(tiny_backbone, 9))
    bank.refresh()
    assert read == ["p1"]


def test_a_change_within_a_tick_of_the_clock_is_seen(tiny_backbone: Any, tmp_path: Path) -> None:
    first, second = dumps(drawn(tiny_backbone, 1)), dumps(drawn(tiny_backbone, 2))
    assert len(first) == len(second)
    path = tmp_path / "it.prompt"
    path.write_bytes(first)
    bank = bank_of(tmp_path, tiny_backbone)
    when = path.stat()
    with path.open("r+b") as file:
        file.write(second)
    os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))
    bank.refresh()
    assert bank.get("it").digest == digest_of(second)


def test_what_is_being_written_is_served_in_its_former_version(tiny_backbone: Any, tmp_path: Path) -> None:
    first, second = dumps(drawn(tiny_backbone, 1)), dumps(drawn(tiny_backbone, 2))
    place(tmp_path, "known", first)
    place(tmp_path, "unknown", first[:-1] + b"x")
    bank = bank_of(tmp_path, tiny_backbone)

    async def story() -> None:
        held = await bank.answerer("known")
        place(tmp_path, "known", second[:-5], age=0)
        place(tmp_path, "new", second[:-5], age=0)
        bank.refresh()
        known, new = bank.get("known"), bank.get("new")
        assert (known.state, known.digest) == ("being written", digest_of(first))
        assert "cut off" in known.reason or "ends at byte" in known.reason
        assert (new.state, new.digest) == ("being written", "")
        assert bank.is_unsettled
        assert (await bank.answerer("known")) is held
        with pytest.raises(BusyError, match="'new' is being written; ask again"):
            await bank.answerer("new")
        with pytest.raises(BusyError, match="being written"):  # its former version is nowhere any more
            await bank.answerer("known", ["a boat", "a tree"])
        with pytest.raises(BusyError, match="being written"):
            bank.facts("known")
        place(tmp_path, "known", second, age=0)
        assert (await bank.answerer("known")).digest == digest_of(second)  # without anybody looking again
        place(tmp_path, "known", second[:-5], age=0)
        bank.refresh()
        assert bank.get("known").state == "being written"

    run(story())
    place(tmp_path, "known", second[:-5])  # old by its time of writing, but the system saw it change
    bank.refresh()
    assert bank.get("known").state == "being written"


def test_what_stays_damaged_is_broken(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptlet.serve.bank.listing.SETTLED", 0.3)
    first = dumps(drawn(tiny_backbone, 1))
    place(tmp_path, "it", first)
    bank = bank_of(tmp_path, tiny_backbone)
    run(bank.answerer("it"))
    place(tmp_path, "it", first[:-5], age=0)
    bank.refresh()
    assert bank.get("it").state == "being written"
    time.sleep(0.35)
    with pytest.raises(PromptFileError, match="'it' is broken and not served"):
        run(bank.answerer("it"))
    assert bank.get("it").state == "broken" and not bank.is_unsettled


def test_a_source_that_cannot_be_listed_keeps_what_was_there(tiny_backbone: Any, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    place(folder, "it", drawn(tiny_backbone, 1))
    bank = bank_of(folder, tiny_backbone)
    held = run(bank.answerer("it"))
    folder.rename(tmp_path / "away")
    bank.refresh()
    assert "cannot be listed" in bank.problem and states(bank) == {"it": "ready"}
    assert run(bank.answerer("it")) is held
    (tmp_path / "away").rename(folder)
    bank.refresh()
    assert bank.problem == ""
    with pytest.raises(ServiceError, match="is not there; make it"):
        open_source(tmp_path / "none")
    with pytest.raises(ServiceError, match="is no folder"):
        open_source(folder / "it.prompt")


def test_what_is_taken_away_is_gone(tiny_backbone: Any, tmp_path: Path) -> None:
    path = place(tmp_path, "it", drawn(tiny_backbone, 1))
    bank = bank_of(tmp_path, tiny_backbone)
    path.unlink()
    with pytest.raises(KeyError):
        run(bank.answerer("it"))
    assert bank.listed() == []


@pytest.mark.slow
def test_little_is_kept_of_what_is_only_listed(tiny_backbone: Any, tmp_path: Path) -> None:
    names = tuple(f"{word} {number}" for word in ("red", "blue") for number in range(50))
    file = drawn(tiny_backbone, 1, names)
    for number in range(200):
        place(tmp_path, f"p{number}", replace(file, training={"seed": number}))
    bank_of(tmp_path, tiny_backbone)  # what the library keeps anyhow
    tracemalloc.start()
    try:
        bank = bank_of(tmp_path, tiny_backbone)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(bank.listed()) == 200
    assert held / 200 < 1200 < bank.get("p0").bytes


def test_facts(tiny_backbone: Any, tmp_path: Path) -> None:
    file = replace(fitted(tiny_backbone, "rlp"), backbone="/srv/models/clip")
    place(tmp_path, "it", replace(file, training={**file.training, "estimate": 0.9}))
    bank = bank_of(tmp_path, tiny_backbone)
    facts = bank.facts("it")
    assert facts["class_names"] == sorted(NAMES) and facts["classes"] == len(NAMES)
    assert facts["method"] == "rlp" and facts["rank"] == file.rank and facts["n_ctx"] == file.n_ctx
    assert facts["training"]["seed"] == 1 and facts["estimate"] == 0.9
    assert facts["rejection"] and 50 in facts["rejection_shares"]
    assert facts["backbone"] == "clip" and facts["fingerprint"] == tiny_backbone.fingerprint
    assert facts["digest"] == bank.get("it").digest and facts["bytes"] == bank.get("it").bytes
    place(tmp_path, "it", drawn(tiny_backbone, 7))
    assert bank.facts("it")["training"] == {"seed": 7}  # of now, and listed so
    assert bank.get("it").digest == bank.facts("it")["digest"] != facts["digest"]
    assert asyncio.run(bank.answerer("it")).digest == bank.get("it").digest
