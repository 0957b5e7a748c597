"""Whatever one data set or one run raises is its own reason; the others are run as without it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from protocol_toys import write_toy
from test_engines_dispatch import RUNS, Workers
from test_protocols_store import done

from promptlet.backbones import Backbone
from promptlet.errors import DataError, MissingExtraError, OptionError
from promptlet.methods import METHODS
from promptlet.methods.zero_shot.single import ZeroShot
from promptlet.protocols import RunStore
from promptlet.protocols.bench import Outcome, open_bench
from promptlet.protocols.engines.dispatch import dispatch
from promptlet.protocols.engines.inline import run_inline
from promptlet.protocols.engines.outcome import attempt
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run import datasets

MISHAPS = {
    "RuntimeError: odd": RuntimeError("odd"),
    "RecursionError: ": RecursionError(),
    "OverflowError: Python int too large": OverflowError("Python int too large"),
    "UnicodeEncodeError: 'utf-8' codec": UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no surrogates"),
    "KeyError: 'labels'": KeyError("labels"),
    "OSError: [Errno 5] I/O error": OSError(5, "I/O error"),
    "memory is full: Unable to allocate 75 GiB": MemoryError("Unable to allocate 75 GiB"),
    "memory is full: it says no more": MemoryError(),
    "the file is damaged": DataError("the file is damaged"),
}


def run_both(backbone: Backbone, folder: Path, methods: str = "zero_shot", **more: Any) -> Outcome:
    paths = [write_toy(folder / name, seed=seed) for seed, name in enumerate(("odd.npz", "sound.npz"))]
    bench = open_bench(paths, methods, backbone=backbone, out=folder / "runs", shots=2, seeds=1, **more)
    return bench.run()


def fail_for(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException) -> None:
    """Reading a data set raises ``error``."""
    read = datasets._digest  # type: ignore[attr-defined]

    def digest(content: Any) -> str:
        if Path(getattr(content, "split", content).name).stem == name:
            raise error
        return str(read(content))

    monkeypatch.setattr(datasets, "_digest", digest)


@pytest.mark.parametrize("reason", MISHAPS)
def test_whatever_reading_a_data_set_raises_costs_that_data_set(
    reason: str, tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(monkeypatch, "odd", MISHAPS[reason])
    outcome = run_both(tiny_backbone, tmp_path)
    assert [record["dataset"] for record in outcome.records] == ["sound"]
    [(key, told)] = outcome.failed.items()
    assert key.startswith("base-to-new-odd-") and told.startswith(reason)
    assert told == reason or "(test_protocols_mishaps.py, line " in told


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_who_ends_the_process_ends_it(
    error: BaseException, tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(monkeypatch, "odd", error)
    with pytest.raises(type(error)):
        run_both(tiny_backbone, tmp_path)


@pytest.mark.parametrize("error", [OptionError("no such option"), MissingExtraError("install it")])
def test_what_was_asked_for_wrongly_is_refused_before_anything_is_run(
    error: Exception, tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(monkeypatch, "odd", error)
    with pytest.raises(type(error)):
        run_both(tiny_backbone, tmp_path)
    assert not (tmp_path / "runs").exists()


class UnsayableError(Exception):
    def __str__(self) -> str:
        raise ValueError("cannot say")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("a\nb"), "RuntimeError: a b (test_protocols_mishaps.py, line "),
        (MemoryError(), "memory is full: it says no more (test_protocols_mishaps.py, line "),
        (UnsayableError(), "UnsayableError: (it does not say what) (test_protocols_mishaps.py, line "),
        (AssertionError("x" * 9000), f"AssertionError: {'x' * 500}... (test_protocols_mishaps.py, line "),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "UnicodeDecodeError: 'utf-8' codec"),
    ],
)
def test_whatever_a_method_raises_costs_its_run(
    error: Exception, reason: str, tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd(ZeroShot):
        def set_classes(self, class_names: Sequence[str]) -> None:
            if "the dog" in class_names:
                raise error
            super().set_classes(class_names)

    monkeypatch.setitem(METHODS, "zero_shot", Odd)
    paths = [
        write_toy(tmp_path / "odd.npz", names=("a dog", "the dog", "a cat", "the cat")),
        write_toy(tmp_path / "sound.npz"),
    ]
    out = tmp_path / "runs"
    outcome = open_bench(paths, "zero_shot", backbone=tiny_backbone, out=out, shots=2, seeds=1).run()
    assert [record["dataset"] for record in outcome.records] == ["sound"]
    assert [told.startswith(reason) for told in outcome.failed.values()] == [True]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"base_ece": float("nan")}, "cannot be recorded: base_ece is nan, which JSON does not have"),
        ({"base": float("inf")}, "cannot be recorded: base is inf, which JSON does not have"),
        ({"notes": ["a", {1}]}, r"cannot be recorded: notes[1] is {1}, which JSON does not have"),
        ({"options": {5: 6}}, "cannot be recorded: options has the name 5, which is no text"),
        ({"base": None}, "cannot be recorded: not a record of a run (base is None, expected a number"),
        ({"trainable": 1.5}, "cannot be recorded: not a record of a run (trainable is 1.5, expected a whole"),
        ({"notes": [5]}, "cannot be recorded: not a record of a run (notes[0] is 5, expected a text)"),
    ],
)
def test_a_record_that_could_not_be_read_again_is_a_failure(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """Else it would be made again and again, or end the bench while it is written."""

    def execute(run: Run) -> dict[str, Any]:
        return {**done(run), **(changes if run.seed == 2 else {})}

    inline, pool = RunStore(tmp_path / "inline"), RunStore(tmp_path / "pool")
    run_inline(RUNS, execute, inline)
    dispatch(RUNS, Workers(outcome=lambda run: attempt(run, execute)), pool)
    for store in (inline, pool):
        records, problems = store.read_all()
        assert problems == [] and len(records) == len(RUNS)
        [failed] = [record for record in records if record["status"] == "failed"]
        assert failed["seed"] == 2 and failed["reason"].startswith(reason)
        assert not failed["reason"].endswith("remove it")


@pytest.mark.parametrize("name", ["a\nb", "\udcff", "a\x1b[31m", "|$\\", "NUL", "x" * 200])
def test_names_of_data_sets_are_what_the_disk_says(
    name: str, tiny_backbone: Backbone, tmp_path: Path
) -> None:
    paths = [write_toy(tmp_path / "sound.npz"), tmp_path / f"{name}.npz"]
    try:
        write_toy(paths[0]).rename(paths[1])
    except (OSError, UnicodeEncodeError):
        pytest.skip("no such name on this disk")
    write_toy(paths[0])
    bench = open_bench(paths, "zero_shot", backbone=tiny_backbone, out=tmp_path / "runs", shots=2, seeds=1)
    outcome = bench.run()
    assert outcome.is_whole and {record["dataset"] for record in outcome.records} == {"sound", name}
    assert bench.run().kept == outcome.done and bench.store.read_all()[1] == []


@pytest.mark.parametrize("case", ["inf64.npz", "bighdr.npz"])
@pytest.mark.slow
def test_small_inputs_that_went_wrong(case: str, cases: Path, tmp_path: Path) -> None:
    paths = [str(cases / case), "mini-flowers"]
    out = tmp_path / "runs"
    outcome = open_bench(paths, "zero_shot", backbone="mini", out=out, shots=2, seeds=1).run()
    assert [record["dataset"] for record in outcome.records] == ["mini-flowers"]
    assert [key.startswith(f"base-to-new-{case[:-4]}-") for key in outcome.failed] == [True]
    json.dumps([*outcome.records, outcome.failed], allow_nan=False)
