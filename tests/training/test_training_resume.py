"""Stop at any moment, go on later, end with the same bits."""

from __future__ import annotations

import errno
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from learning_toys import NAMES, toy_problem
from safetensors import safe_open
from safetensors.torch import save_file
from told import rest_of

from promptlet.backbones import load_backbone
from promptlet.errors import TrainingError
from promptlet.methods import Method, build_method
from promptlet.training import EpochReport, Schedule, loop, train

SGD = Schedule("coop", lr=0.02, epochs=6, batch_size=6)
ADAMW = Schedule("fast", lr=0.01, epochs=6, batch_size=None, warmup_lr=None, optimizer="adamw")
LBFGS = replace(ADAMW, optimizer="lbfgs")
both = pytest.mark.parametrize("schedule", [SGD, ADAMW, LBFGS], ids=["sgd", "adamw", "lbfgs"])
Train = Callable[..., Any]


def stop_after(epoch: int) -> Callable[[EpochReport], None]:
    """An on_epoch that presses Ctrl-C."""

    def press(report: EpochReport) -> None:
        if report.epoch == epoch:
            raise KeyboardInterrupt

    return press


def same(a: Method, b: Method) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


@pytest.fixture
def make(tiny_backbone: Any) -> Callable[..., Method]:
    """A fresh method: RLP with dropout unless told otherwise."""

    def build(name: str = "rlp", names: tuple[str, ...] = NAMES, **options: Any) -> Method:
        usual = {"dropout": 0.3} if name == "rlp" else {}
        return build_method(name, tiny_backbone, names, **{**usual, **options})

    return build


@pytest.fixture
def run(tiny_backbone: Any, tmp_path: Path) -> Train:
    """Train a method on the toy problem with two views."""
    features, labels = toy_problem(tiny_backbone, views=2)

    def go(method: Method, schedule: Schedule = SGD, **more: Any) -> Any:
        given = {"inputs": features, "labels": labels, **more}
        return train(method, schedule=schedule, **given)

    return go


@pytest.fixture
def interrupted(make: Callable[..., Method], run: Train, tmp_path: Path) -> Path:
    """A checkpoint of SGD training stopped after its third epoch."""
    path = tmp_path / "stopped.ckpt"
    with pytest.raises(KeyboardInterrupt):
        run(make(), on_epoch=stop_after(3), checkpoint=path)
    assert path.exists()
    return path


@both
@pytest.mark.parametrize("name", ["rlp", "coop"])
@pytest.mark.parametrize("at", [1, 4])
@pytest.mark.parametrize("fresh", [True, False], ids=["new method", "same method"])
def test_going_on_ends_with_the_same_bits(
    schedule: Schedule, name: str, at: int, fresh: bool, make: Any, run: Train, tmp_path: Path
) -> None:
    whole, stopped = make(name), make(name)
    path = tmp_path / "run.ckpt"
    expected = run(whole, schedule)
    with pytest.raises(KeyboardInterrupt):
        run(stopped, schedule, on_epoch=stop_after(at), checkpoint=path)
    assert path.exists()
    assert not stopped.training
    second = make(name) if fresh else stopped
    seen: list[int] = []
    result = run(second, schedule, checkpoint=path, on_epoch=lambda report: seen.append(report.epoch))
    assert same(second, whole)
    assert seen == list(range(at + 1, 7))
    assert [(r.epoch, r.loss, r.accuracy, r.lr) for r in result.history] == [
        (r.epoch, r.loss, r.accuracy, r.lr) for r in expected.history
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("mixed", "float32"), ("float32", "mixed"), ("mixed", "bfloat16")])
def test_another_arithmetic_does_not_go_on(words: tuple[str, str], clip_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    first, second = (load_backbone(clip_folder, "cpu", word) for word in words)
    features, labels = toy_problem(first)

    def go(backbone: Any, **more: Any) -> None:
        train(build_method("coop", backbone, NAMES), features, labels, SGD, checkpoint=path, **more)

    with pytest.raises(KeyboardInterrupt):
        go(first, on_epoch=stop_after(3))
    with safe_open(path, "pt") as file:
        settings = file.metadata()["settings"]
    end = "" if words[0] == "float32" else f" in {words[0]}"
    assert f"| backbone {first.fingerprint}{end} |" in settings
    with pytest.raises(TrainingError, match=f"other settings, data or seed: .*{words[0]}|{words[1]} here"):
        go(second)
    go(first)


def test_stopping_twice_and_within_an_epoch(
    make: Any, run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The half epoch is done again from its beginning."""
    whole, path = make(), tmp_path / "run.ckpt"
    run(whole)
    stopped = make()
    monkeypatch.setattr(stopped, "after_backward", _press_at_call(8))  # epoch 3, second of three steps
    for press in (None, stop_after(4)):
        with pytest.raises(KeyboardInterrupt):
            run(stopped, checkpoint=path, on_epoch=press)
    run(stopped, checkpoint=path)
    assert same(stopped, whole)


def _press_at_call(count: int) -> Callable[[], None]:
    calls = iter(range(1, 1000))

    def press() -> None:
        if next(calls) == count:
            raise KeyboardInterrupt

    return press


def test_stopping_before_the_first_epoch_leaves_no_file(
    make: Any, run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = make()
    monkeypatch.setattr(method, "after_backward", _press_at_call(1))
    with pytest.raises(KeyboardInterrupt):
        run(method, checkpoint=tmp_path / "run.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_adamws_step_is_in_the_file(make: Any, run: Train, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(make(), ADAMW, on_epoch=stop_after(3), checkpoint=tmp_path / "a.ckpt")
    with safe_open(tmp_path / "a.ckpt", framework="pt") as file:
        assert float(file.get_tensor("optimizer/0/step")) == 3
        assert {"optimizer/1/exp_avg", "optimizer/1/exp_avg_sq"} <= set(file.keys())


def test_a_finished_training_leaves_no_file_and_writes_rarely(
    make: Any, run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr(loop, "write_checkpoint", lambda path, packed: written.append(path))
    run(make(), checkpoint=tmp_path / "run.ckpt")
    assert written == []
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    run(make(), checkpoint=tmp_path / "run.ckpt")
    assert len(written) == 6
    assert list(tmp_path.iterdir()) == []


CHANGES: dict[str, dict[str, Any]] = {
    "seed": {"run": {"seed": 2}},
    "schedule": {"run": {"schedule": replace(SGD, lr=0.03)}},
    "rank": {"make": {"rank": 3}},
    "dropout": {"make": {"dropout": 0.2}},
    "method seed": {"make": {"seed": 2}},
    "start": {"make": {"ctx_init": "the dog a photo"}},
    "method": {"make": {"name": "coop"}},
    "class names": {"make": {"names": ("cat", "dog", "photo of the cat", "the dog", "boat")}},
}


def _refused(
    path: Path, make: Any, run: Train, message: str, changes: dict[str, dict[str, Any]] | None = None
) -> None:
    changes = changes or {}
    method = make(**changes.get("make", {}))
    untouched = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    before = path.read_bytes()
    with pytest.raises(TrainingError, match=message):
        run(method, checkpoint=path, **changes.get("run", {}))
    assert all(torch.equal(untouched[name], t) for name, t in method.state_dict().items())
    assert path.read_bytes() == before


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_of_another_training_is_refused(
    change: str, interrupted: Path, make: Any, run: Train
) -> None:
    message = r"written by a training with other settings, data or seed: .* Remove it, or use the settings"
    _refused(interrupted, make, run, message, CHANGES[change])


@pytest.mark.parametrize("what", ["features", "labels"])
def test_a_checkpoint_of_other_data_of_the_same_shape_is_refused(
    what: str, interrupted: Path, make: Any, run: Train, tiny_backbone: Any
) -> None:
    features, labels = toy_problem(tiny_backbone, views=2)
    other = {"inputs": features.flip(0)} if what == "features" else {"labels": labels.flip(0)}
    _refused(interrupted, make, run, "other settings, data or seed", {"run": other})


def test_a_truncated_checkpoint_is_refused_at_any_length(interrupted: Path, make: Any, run: Train) -> None:
    whole = interrupted.read_bytes()
    for length in (0, 1, 7, 8, 100, len(whole) // 2, len(whole) - 1):
        interrupted.write_bytes(whole[:length])
        _refused(interrupted, make, run, r"is damaged \(.*\); remove it to start anew")


def test_foreign_files_are_refused(interrupted: Path, make: Any, run: Train) -> None:
    damaged = "is damaged .* remove it to start anew"
    with safe_open(interrupted, framework="pt") as file:
        metadata = dict(file.metadata())
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(tensors, interrupted)  # no metadata
    _refused(interrupted, make, run, damaged)
    save_file(tensors, interrupted, {**metadata, "history": '[{"epok": 1}]'})
    _refused(interrupted, make, run, damaged)
    save_file(tensors, interrupted, {**metadata, "history": "["})
    _refused(interrupted, make, run, damaged)
    save_file({**tensors, "learned/context.V": torch.zeros(1, 1)}, interrupted, metadata)  # would broadcast
    _refused(interrupted, make, run, damaged)
    save_file({k: v for k, v in tensors.items() if k != "learned/context.V"}, interrupted, metadata)
    _refused(interrupted, make, run, damaged)
    interrupted.write_text("not a checkpoint, but as long as one might be")
    _refused(interrupted, make, run, damaged)


def test_a_place_that_cannot_be_written_is_refused_at_the_start(
    make: Any, run: Train, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"lies in a folder that does not exist .*existing folder"):
        run(make(), checkpoint=tmp_path / "nowhere" / "run.ckpt")
    with pytest.raises(TrainingError, match="is a folder; give the name of a file"):
        run(make(), checkpoint=tmp_path)


def test_a_full_disk_is_told_and_the_older_checkpoint_stays(
    interrupted: Path, make: Any, run: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = interrupted.read_bytes()

    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TrainingError, match=r"cannot write the checkpoint .*No space left.* another place"):
        run(make(), checkpoint=interrupted, on_epoch=stop_after(4))
    monkeypatch.undo()
    assert interrupted.read_bytes() == before
    assert [path.name for path in interrupted.parent.iterdir()] == [interrupted.name]


def test_a_loss_that_is_not_finite_leaves_no_checkpoint_behind(
    make: Any, run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would only lead to the same end."""
    method = make()
    own, calls = method.loss, iter(range(100))

    def loss(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value, logits = own(x, y)
        return (value * float("nan") if next(calls) > 7 else value), logits

    monkeypatch.setattr(method, "loss", loss)
    with pytest.raises(TrainingError, match="the loss became nan in epoch 3"):
        run(method, checkpoint=tmp_path / "run.ckpt")
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
import torch
from torch import nn
from promptlet.methods import Method, MethodInfo
from promptlet.training import Schedule, train

class Linear(Method):
    info = MethodInfo("linear", "", "", "", "", True, {})
    reads_names = False
    def __init__(self, backbone, names):
        super().__init__(backbone, names)
        self.w = nn.Parameter(torch.zeros(2, 3))
    def class_features(self):
        return self.w
    def logits(self, x):
        return x @ self.w.t()

def report(r):
    print(r.epoch, flush=True)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits it as ignored
torch.set_num_threads(1)
backbone = SimpleNamespace(fingerprint="f", arithmetic="float32", device=torch.device("cpu"))
method = Linear(backbone, ["a", "b"])
features = torch.tensor([[[1.0, 0, 0], [0, 1.0, 0]]])
schedule = Schedule("long", lr=0.1, epochs=int(sys.argv[2]), batch_size=None)
labels = torch.tensor([0, 1])
result = train(method, features, labels, schedule, checkpoint=Path(sys.argv[1]), on_epoch=report)
print("done", len(result.history), method.w.sum().item(), method.w[0].tolist())
"""


@pytest.mark.slow
def test_a_real_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGINT to a process in training: the file is whole, and a second run goes on from it."""
    path, script = tmp_path / "run.ckpt", tmp_path / "train.py"
    script.write_text(SCRIPT)
    arguments = [str(script), str(path), "600"]
    with (tmp_path / "log").open("wb") as log:
        first = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    assert first.stdout is not None
    for line in first.stdout:
        if int(line) >= 20:
            break
    first.send_signal(signal.SIGINT)
    out = rest_of(first, 60)
    assert first.returncode != 0
    assert "KeyboardInterrupt" in (tmp_path / "log").read_text()
    assert "done" not in out
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("run")] == ["run.ckpt"]
    last = max((int(n) for n in out.split()), default=20)
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(script))  # another process would only take longer
    lines = capsys.readouterr().out.splitlines()
    assert 20 < int(lines[0]) <= last + 2
    assert lines[-1].startswith("done 600 ")
    assert not path.exists()
