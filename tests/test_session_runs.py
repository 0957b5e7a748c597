"""Benchmarks, analyses and their pages in sessions that a user has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_toys import toy_arrays
from protocols.protocol_toys import write_toy
from sessions import MIXED, SESSIONS

from promptlet.analysis.measuring import execute as measure
from promptlet.analysis.measuring import plan as plan_analysis
from promptlet.backbones import Backbone
from promptlet.protocols import RunStore, base_to_new, few_shot
from promptlet.protocols.engines.inline import run_inline
from promptlet.protocols.planning import Settings, parse_methods
from promptlet.protocols.run.datasets import FeatureSource, open_dataset
from promptlet.protocols.run.execution import Workbench
from promptlet.report.formats.html.report import html_report
from promptlet.report.formats.latex.document import latex_report
from promptlet.report.statistics.summary import summarise

NUMBERS = ("base", "new", "H", "base_ece", "accuracy", "macro_f1", "trainable")
SETTINGS = Settings(epochs=2)


def measured(backbone: Backbone, path: Path, folder: Path) -> list[dict[str, Any]]:
    """The numbers of some runs of two protocols; a page and tables are made of them."""
    store, dataset = RunStore(folder), open_dataset(str(path))
    for protocol, methods in (
        (base_to_new, "zero_shot,rlp,cocoop"),
        (few_shot, "coop,linear_probe,tip_adapter"),
    ):
        runs = protocol.plan(
            [dataset], parse_methods(methods), [2], [1, 2], backbone.fingerprint, settings=SETTINGS
        )
        bench = Workbench({dataset.name: dataset}, FeatureSource(backbone), store)
        run_inline(runs, bench.execute, store)
    summary = summarise(store)
    assert not summary.incomplete
    assert "data:image/png" in html_report(summary)
    assert latex_report(summary)
    return [{name: row[name] for name in NUMBERS if name in row} for row in summary.rows]


@pytest.mark.slow
@pytest.mark.parametrize("session", [*MIXED, "numpy_raises"])
def test_benchmarks_and_reports(session: str, tiny_backbone: Backbone, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    wanted = measured(tiny_backbone, path, tmp_path / "ordinary")
    with {**SESSIONS, **MIXED}[session]():
        found = measured(tiny_backbone, path, tmp_path / "odd")
    assert [list(row) for row in found] == [list(row) for row in wanted]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(list(one.values()), list(other.values()), rtol=1e-4)


@pytest.mark.parametrize("session", MIXED)
def test_analyses(session: str, tiny_backbone: Backbone, tmp_path: Path) -> None:
    dataset = open_dataset(str(write_toy(tmp_path / "toy.npz")))
    runs = plan_analysis(
        [dataset], parse_methods("rlp"), 2, [1], tiny_backbone.fingerprint, settings=SETTINGS, every=1
    )

    def points() -> list[dict[str, Any]]:
        [record] = [measure(run, dataset, FeatureSource(tiny_backbone)) for run in runs]
        return record["points"]  # type: ignore[no-any-return]

    wanted = points()
    with MIXED[session]():
        found = points()
    assert [point["new"] for point in found] == [point["new"] for point in wanted]
    for one, other in zip(found, wanted, strict=True):
        for name, value in other["layers"][0].items():
            np.testing.assert_allclose(one["layers"][0][name], value, rtol=1e-4, atol=1e-6)


FIT = """
import sys
from pathlib import Path
import numpy as np
from promptlet import PromptClassifier
folder, out = map(Path, sys.argv[1:])
given = np.load(folder / "given.npz")
for method in ("rlp", "linear_probe"):
    clf = PromptClassifier(folder / "clip", method=method, epochs=3, cache=False, device="cpu")
    clf.fit(given["images"], given["labels"].tolist()).save(out / f"{method}.prompt")
    loaded = PromptClassifier.load(out / f"{method}.prompt", clf.backbone_)
    np.save(out / f"{method}.npy", loaded.predict_proba(given["images"]))
"""
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "hashes": {"PYTHONHASHSEED": "7"},
    "locale": {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "TZ": "Pacific/Chatham"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "hub": {"HF_HUB_OFFLINE": "1", "HF_HOME": "/proc/nowhere", "TRANSFORMERS_OFFLINE": "1"},
    "homeless": {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "/proc/nowhere", "MPLCONFIGDIR": "/proc/nowhere"},
    "notebook": {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "FORCE_COLOR": "1",
        "COLUMNS": "20",
    },
}


@pytest.mark.slow
def test_the_same_files_in_every_environment(
    tiny_backbone: Backbone, clip_folder: Path, tmp_path: Path
) -> None:
    """Bytes of prompt files, and answers from them, by processes in which every warning is an error."""
    images, labels = toy_arrays(tiny_backbone, per_class=2)
    np.savez(tmp_path / "given.npz", images=images, labels=labels)
    (tmp_path / "clip").symlink_to(clip_folder)
    made = {}
    for name, variables in {"ordinary": {"PYTHONHASHSEED": "0"}, **ENVIRONMENTS}.items():
        out = tmp_path / name
        out.mkdir()
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", **variables}
        command = [sys.executable, "-W", "error", "-c", FIT, str(tmp_path), str(out)]
        subprocess.run(command, env=env, check=True)
        made[name] = {file.name: file.read_bytes() for file in sorted(out.iterdir())}
    assert len(made["ordinary"]) == 4
    assert all(files == made["ordinary"] for files in made.values())
