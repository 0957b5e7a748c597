"""A benchmark from Python: opened, looked at, run, gone on with; what cannot be made is known before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from protocol_toys import NAMES, write_toy

import promptlet as pl
from promptlet.backbones import Backbone
from promptlet.data import FeatureCache
from promptlet.errors import BackboneError, DataError, OptionError
from promptlet.protocols import refusals
from promptlet.protocols.bench import Bench, open_bench
from promptlet.protocols.engines import Engine
from promptlet.protocols.planning import Settings

QUICK: dict[str, Any] = {"shots": 2, "seeds": (1, 2), "settings": Settings(epochs=2)}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return write_toy(tmp_path / "toy.npz")


def test_open_run_and_go_on(tiny_backbone: Backbone, toy: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    bench = pl.open_bench(toy, "zero_shot,rlp:rank=2", backbone=tiny_backbone, out=tmp_path / "runs", **QUICK)
    assert [(run.method, run.seed) for run in bench.runs] == [
        *(("zero_shot", 1), ("zero_shot", 2), ("rlp", 1), ("rlp", 2))
    ]
    assert not (tmp_path / "runs").exists()  # nothing is run yet
    outcome = bench.run(on_event=lambda what, run, record: seen.append(what))
    assert seen == ["start", "done"] * 4 and outcome.is_whole and outcome.kept == []
    assert [record["key"] for record in outcome.records] == [run.key for run in bench.runs] == outcome.done
    assert outcome.records[2]["rank"] == 2 and 0 < outcome.records[2]["H"] <= 100
    again = bench.run()
    assert (again.done, again.kept) == ([], outcome.done) and again.records == outcome.records
    more = open_bench(
        toy, ["rlp:rank=2", ("coop", {})], backbone=tiny_backbone, out=tmp_path / "runs", **QUICK
    ).run()
    assert (len(more.done), len(more.kept)) == (2, 2)


def test_methods_options_and_numbers_in_every_form(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path
) -> None:
    def runs(methods: Any, **more: Any) -> list[tuple[str, Any, int, int]]:
        bench = open_bench(str(toy), methods, backbone=tiny_backbone, out=tmp_path, **more)
        return [(run.method, run.options.get("n_ctx"), run.shots, run.seed) for run in bench.runs]

    assert runs(["zero_shot,coop", ("rlp", {"n_ctx": 2})], seeds=7, options={"n_ctx": 3}) == [
        *(("zero_shot", None, 16, 7), ("coop", 3, 16, 7), ("rlp", 2, 16, 7))
    ]
    assert {run[0] for run in runs(None)} == {"zero_shot", "coop", "rlp"}
    assert {run[2:] for run in runs("coop", shots=(1, 4), seeds=range(2))} == {(1, 0), (1, 1), (4, 0), (4, 1)}
    assert len(runs(None, study="dropout", seeds=1)) == 14


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shots": 0}, r"shots=0 must be one or more whole numbers of 1 and more"),
        ({"seeds": ()}, r"seeds=\(\) must be one or more whole numbers of 0 and more"),
        ({"seeds": (1, True)}, r"seeds=\(1, True\) must be"),
        ({"methods": []}, "methods is empty"),
        ({"datasets": []}, "names no data set"),
        ({"protocol": "base"}, "protocol='base' is not known"),
        ({"settings": Settings(views=0)}, "views=0 must be 1 or more"),
        ({"settings": Settings(sampler="mine")}, "sampler='mine' is not known"),
        ({"source": "x"}, "goes with cross-dataset and domain-shift alone"),
        ({"study": "rank", "methods": "coop"}, "cannot be given together"),
        ({"options": {"rank": 2}, "methods": "coop"}, "rank is an option of none"),
    ],
)
def test_what_is_wrong_is_told_before_the_backbone_is_loaded(
    given: dict[str, Any], message: str, toy: Path, tmp_path: Path
) -> None:
    words = {"datasets": toy, "methods": None, "backbone": "./absent", "out": tmp_path / "runs", **given}
    with pytest.raises(OptionError, match=message):
        open_bench(**words)


def test_what_is_not_there(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"'\./absent' does not exist"):
        open_bench(toy, backbone="./absent")
    with pytest.raises(DataError, match="there is no such file or folder"):
        open_bench(tmp_path / "absent.npz", backbone="./absent")


def opened(backbone: Backbone, toy: Path, methods: str, tmp_path: Path, **more: Any) -> Bench:
    return open_bench(toy, methods, backbone=backbone, out=tmp_path / "runs", **{**QUICK, **more})


def test_what_cannot_be_made_is_known_before_and_leaves_nothing(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path, trainings: list[str]
) -> None:
    methods = "rlp:rank=9,rlp,linear_probe,coop:per_class=true,vpt,coop:ctx_init=zebra crossing"
    bench = opened(tiny_backbone, toy, methods, tmp_path)
    reasons = [group.reason for group in bench.refused]
    assert [words in reason for words, reason in zip(
        ("rank=9", "'linear_probe' knows only", "class-specific contexts", "a feature file has no images"),
        reasons, strict=False,
    )] == [True] * 4  # fmt: skip
    assert [len(group.runs) for group in bench.refused][:4] == [2] * 4
    assert bench.refused[0].words.startswith("2 runs cannot be made: ") and trainings == []
    outcome = bench.run()
    assert not outcome.is_whole and outcome.failed == [] and "rlp" in trainings
    records, problems = bench.store.read_all()
    assert problems == [] and {record["status"] for record in records} == {"done"}
    planned = {run["key"] for run in bench.store.read_plans()}
    assert planned == {run.key for run in bench.runs}
    from promptlet.report import summarise

    assert summarise(bench.store).incomplete == []
    few = opened(tiny_backbone, toy, "linear_probe,coop:per_class=true", tmp_path, protocol="few-shot")
    assert few.refused == [] and len(few.runs) == 4


def test_what_a_data_set_lacks_fails_with_its_reason_and_can_be_tried_again(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path
) -> None:
    whole = toy.read_bytes()
    toy.write_bytes(whole[:500])
    bench = opened(tiny_backbone, toy, "zero_shot", tmp_path)
    assert bench.refused == []
    outcome = bench.run()
    assert len(outcome.failed) == 2 and outcome.records == []
    toy.write_bytes(whole)
    assert opened(tiny_backbone, toy, "zero_shot", tmp_path).run().is_whole


def test_features_of_another_backbone_or_with_views_are_refused(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path
) -> None:
    wide = write_toy(tmp_path / "wide.npz", dim=8)
    bench = open_bench([wide, toy], "zero_shot,coop", backbone=tiny_backbone, out=tmp_path / "runs", **QUICK)
    [refused] = bench.refused
    assert "wide: its features have 8 numbers" in refused.reason and len(refused.runs) == 4
    assert {run.dataset for run in bench.runs} == {"toy"}
    [views] = opened(tiny_backbone, toy, "coop", tmp_path, settings=Settings(views=2)).refused
    assert "holds one view of each image, not 2" in views.reason


def test_a_source_that_lacks_classes_refuses_only_who_needs_them(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path
) -> None:
    some = write_toy(tmp_path / "some.npz", names=NAMES[1:3])
    others = write_toy(tmp_path / "others.npz", names=("dog", "a lamp"))
    bench = open_bench(
        [some, others], "linear_probe,coop", protocol="domain-shift", source=toy, backbone=tiny_backbone,
        out=tmp_path / "runs", **QUICK,
    )  # fmt: skip
    [refused] = bench.refused
    assert "(1 of 2 are others, such as 'a lamp')" in refused.reason
    assert {run.dataset for run in refused.runs} == {"others"} and len(bench.runs) == 6


def test_settings_are_looked_at_once_however_many_seeds_there_are(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    real = refusals.new_method

    def counted(run: Any, *rest: Any) -> Any:
        built.append(run.method)
        return real(run, *rest)

    monkeypatch.setattr(refusals, "new_method", counted)
    opened(tiny_backbone, toy, "zero_shot,coop,rlp", tmp_path, seeds=range(20))
    assert built == ["zero_shot", "coop", "rlp"]


def test_encoding_is_told(tiny_backbone: Backbone, tmp_path: Path) -> None:
    from PIL import Image

    for part in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for i in range(3):
                colour = np.full((8, 8, 3), 20 * i + ord(name[0]) - len(part), np.uint8)
                Image.fromarray(colour).save(folder / f"{i}.png")
    seen: list[tuple[int, int]] = []
    cache = tmp_path / "cache"
    bench = opened(tiny_backbone, tmp_path / "photos", "zero_shot", tmp_path, seeds=1, cache=cache)
    outcome = bench.run(on_encode=lambda done, total: seen.append((done, total)))
    assert outcome.is_whole and seen[-1][0] == seen[-1][1] > 0
    stats = FeatureCache(cache).stats()
    assert stats is not None and stats.entries == 6  # of the test images: nothing is trained
    json.dumps(outcome.records, allow_nan=False)


@pytest.mark.slow
def test_in_processes(clip_folder: Path, toy: Path, tmp_path: Path) -> None:
    bench = open_bench(toy, "zero_shot,rlp", backbone=clip_folder, out=tmp_path / "runs", **QUICK)
    outcome = bench.run(Engine("processes", 2))
    assert outcome.is_whole and len(outcome.done) == 4
    again = open_bench(toy, "zero_shot,rlp", backbone=clip_folder, out=tmp_path / "inline", **QUICK).run()
    assert [r["H"] for r in outcome.records] == pytest.approx([r["H"] for r in again.records])
