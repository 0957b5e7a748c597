"""A folder of runs written by hand, so that every number of a report can be computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlet.protocols import RunStore
from promptlet.protocols.records.runs import Run

ZERO_SHOT = "zero_shot"
LAST_OF_COOP = {"name": "fast", "lr": 0.01}
CIRCUMSTANCES = {
    "backbone": {"name": "mini", "fingerprint": "a-b-c"},
    "device": "cpu",
    "peak_memory": 3 * 2**20,
    "versions": {"promptlet": "0.1.0", "torch": "2.9.0"},
    "date": "2026-01-02T03:04:05+00:00",
}


class Book:
    """``write(method, seed, 70.0)`` or ``write(method, seed, 80.0, 60.0)``: accuracy, or base and new; of
    all-names ``write(method, seed, 65.0, 40.0, 80.0, 60.0)``: all, OpenworldAUC, base and new."""

    def __init__(self, folder: Path) -> None:
        self.store = RunStore(folder)

    def run(self, method: str, seed: int, protocol: str, dataset: str, **changes: Any) -> Run:
        untrained = method == ZERO_SHOT
        values: dict[str, Any] = {
            "options": {"template": f"a {dataset} {{}}."} if untrained else {"n_ctx": 4},
            "settings": {} if untrained else LAST_OF_COOP,
        }
        values |= {"data": f"{dataset}-1", "views": 1, "sampler": "coop", "shots": 16}
        values |= {"fingerprint": "a-b-c", "dtype": "float32"}
        if protocol in ("cross-dataset", "domain-shift"):
            values |= {"source": "imagenet", "source_data": "i-1"}
        values |= changes
        return Run(protocol=protocol, dataset=dataset, method=method, seed=seed, **values)

    def write(
        self,
        method: str,
        seed: int,
        *scores: float,
        dataset: str = "pets",
        protocol: str = "",
        more: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Run:
        protocol = protocol or {2: "base-to-new", 4: "all-names"}.get(len(scores), "few-shot")
        one = self.run(method, seed, protocol, dataset, **changes)
        names = {2: ("base", "new"), 4: ("all", "openworld_auc", "base", "new")}.get(
            len(scores), ("accuracy", "source_accuracy")
        )
        numbers: dict[str, Any] = dict(zip(names, (*scores, *scores), strict=False))
        numbers |= dict.fromkeys(("base_ece", "new_ece", "base_macro_f1", "new_macro_f1"), 5.0)
        numbers |= {"all_base": 71.0, "all_new": 52.0, "detection_auc": 90.0}
        numbers |= {"all_ece": 6.0, "all_macro_f1": 7.0, "ece": 4.0, "macro_f1": 3.0}
        numbers |= {"file_bytes": 2600, "seconds": 2.0}
        numbers["trainable"] = {ZERO_SHOT: 0, "rlp": 516}.get(method, 2048)
        record = {**one.describe(), **numbers, **CIRCUMSTANCES, **(more or {})}
        self.store.write(one.key, {"status": "done", **record})
        return one

    def fail(self, method: str, seed: int, reason: str, dataset: str = "pets", **changes: Any) -> Run:
        one = self.run(method, seed, changes.pop("protocol", "base-to-new"), dataset, **changes)
        record = {"status": "failed", **one.describe(), "reason": reason, "traceback": "line 1\nline 2"}
        self.store.write(one.key, record)
        return one


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "runs")


@pytest.fixture
def another_book(tmp_path: Path) -> Book:
    return Book(tmp_path / "more")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are saved from now on."""
    from matplotlib.figure import Figure

    seen: list[Any] = []
    real = Figure.savefig

    def kept(figure: Any, *rest: Any, **more: Any) -> Any:
        saved = real(figure, *rest, **more)
        figure.draw_without_rendering()  # places of things, at the figure's own resolution
        seen.append(figure)
        return saved

    monkeypatch.setattr(Figure, "savefig", kept)
    return seen


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without figures, which take a second."""
    monkeypatch.setattr("promptlet.report.formats.html.report.gallery", lambda summary: {})
