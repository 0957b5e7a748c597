"""Files are replaced, damaged and deleted while many ask: no answer is another's, and none is made up."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bank_prompts import answer, bank_of, drawn, fitted, learner_of, place, queries, run

from promptlet.classifier.answers.deciding import Rule
from promptlet.errors import BusyError, OptionError, PromptFileError
from promptlet.promptfile import dumps
from promptlet.serve.bank import Answerer, Bank, class_cache, watching
from promptlet.serve.bank.listing import digest_of

NAMES = [f"p{number}" for number in range(5)]
ASKED = [None, ("a boat", "a tree"), ("cat", "a boat", "dog")]


def versions(backbone: Any) -> list[bytes]:
    """Prompts with different answers, of several methods."""
    found = [dumps(drawn(backbone, seed)) for seed in range(6)]
    found += [dumps(fitted(backbone, "tip_adapter")), dumps(fitted(backbone, "coop", new_names="blend:0.5"))]
    return found


class Vandal:
    """Changes files in a thread, in every way there is, and knows what it wrote."""

    def __init__(self, folder: Path, known: list[bytes], seed: int) -> None:
        self.folder, self.known, self.draw = folder, known, random.Random(seed)
        self.stop, self.done, self.error = threading.Event(), 0, None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            while not self.stop.is_set():
                self.once()
                self.done += 1
                time.sleep(self.draw.choice([0.0, 0.0, 0.001, 0.005]))
        except BaseException as error:
            self.error = error
            raise

    def once(self) -> None:
        name, data = self.draw.choice(NAMES), self.draw.choice(self.known)
        path = self.folder / f"{name}.prompt"
        what = self.draw.randrange(8)
        if what < 4:
            place(self.folder, name, data, age=self.draw.choice([0, 3600]))
        elif what == 4:  # carelessly, bit by bit, in the same file
            with path.open("wb") as file:
                for begin in range(0, len(data), 400):
                    file.write(data[begin : begin + 400])
                    file.flush()
        elif what == 5:  # damaged
            place(self.folder, name, data[: self.draw.randrange(len(data))])
        elif what == 6:
            spoiled = bytearray(data)
            spoiled[self.draw.randrange(len(data))] ^= 1 << self.draw.randrange(8)
            place(self.folder, name, bytes(spoiled))
        else:
            path.unlink(missing_ok=True)


async def ask(
    bank: Bank, draw: random.Random, found: list[tuple[str, Any, Answerer]], refused: list[str]
) -> None:
    name, names = draw.choice(NAMES), draw.choice(ASKED)
    try:
        one = await asyncio.wait_for(bank.answerer(name, names), draw.choice([0.001, 30, 30, 30]))
    except (KeyError, PromptFileError, BusyError) as error:
        refused.append(str(error))
    except (TimeoutError, asyncio.TimeoutError):
        pass
    else:
        assert one.prompt == name
        found.append((one.digest, names, one))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_every_answer_is_that_of_the_version_it_names(
    seed: int, tiny_backbone: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    known = versions(tiny_backbone)
    for number, name in enumerate(NAMES):
        place(folder, name, known[number])
    bank = bank_of(folder, tiny_backbone, memory_bytes=40_000, cache=class_cache(tmp_path / "cache"))
    found: list[tuple[str, Any, Answerer]] = []
    refused: list[str] = []
    vandal = Vandal(folder, known, seed)

    async def story() -> None:
        draw = random.Random(seed + 100)
        async with watching(bank, every=0.05):
            vandal.thread.start()
            try:
                end = time.monotonic() + 1.2
                while time.monotonic() < end:
                    await asyncio.gather(*(ask(bank, draw, found, refused) for _ in range(12)))
                    if draw.random() < 0.2:
                        with suppress(PromptFileError):  # taken away by the vandal at once
                            await bank.put(draw.choice(NAMES), draw.choice(known))
                    await asyncio.sleep(0.002)
            finally:
                vandal.stop.set()
                await asyncio.to_thread(vandal.thread.join, 20)
            for name, data in zip(NAMES, known, strict=False):  # peace
                place(folder, name, data)
            bank.refresh()
            for name, data in zip(NAMES, known, strict=False):
                one = await bank.answerer(name)
                assert one.digest == digest_of(data)
                found.append((one.digest, None, one))

    run(story())
    assert "never retrieved" not in caplog.text and "Traceback" not in caplog.text
    assert vandal.error is None and vandal.done > 100
    assert len(found) > 50 and len({digest for digest, _, _ in found}) >= 6 and refused
    contents = {digest_of(data): data for data in known}
    features = queries(tiny_backbone, 3)
    wanted: dict[tuple[str, Any], np.ndarray] = {}
    learners: dict[str, Any] = {}
    for digest, names, one in found:
        assert digest in contents  # and so no damaged file
        if digest not in learners:
            learners[digest] = learner_of(contents[digest], tiny_backbone, tmp_path)
        if (digest, names) not in wanted:
            wanted[digest, names] = learners[digest].predict_proba(features, names)
        told = np.stack([own.probabilities for own in answer([one], features, Rule())[0]])
        np.testing.assert_allclose(told, wanted[digest, names], atol=1e-6, rtol=0)
    assert {path.name for path in folder.iterdir()} == {f"{name}.prompt" for name in NAMES}
    assert not [one for one in bank.listed() if one.state != "ready"]


def test_many_put_and_delete_at_once(tiny_backbone: Any, tmp_path: Path) -> None:
    known = [dumps(drawn(tiny_backbone, seed)) for seed in range(8)]
    bank = bank_of(tmp_path, tiny_backbone)

    async def change(number: int) -> None:
        draw = random.Random(number)
        for _ in range(12):
            name = draw.choice(NAMES)
            try:
                if draw.random() < 0.3:
                    await bank.delete(name)
                else:
                    assert (await bank.put(name, draw.choice(known))).state == "ready"
            except (KeyError, OptionError):
                pass

    async def story() -> None:
        await asyncio.gather(*(change(number) for number in range(6)))

    run(story())
    on_disk = {path.name: digest_of(path.read_bytes()) for path in tmp_path.iterdir()}
    assert on_disk == {f"{one.name}.prompt": one.digest for one in bank.listed()}
