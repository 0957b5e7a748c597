"""A benchmark from Python: opened, looked at, run, gone on with; what cannot be made is known before."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from protocol_toys import NAMES, write_toy

import promptlet as pl
from promptlet.backbones import Backbone
from promptlet.data import FeatureCache
from promptlet.errors import BackboneError, DataError, EngineError, OptionError, PromptletError
from promptlet.methods import METHODS, register
from promptlet.methods.zero_shot.single import ZeroShot
from promptlet.protocols.bench import Bench, open_bench
from promptlet.protocols.engines import Engine
from promptlet.protocols.plan import refusals
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


def test_what_is_computed_in_is_part_of_a_run(
    clip_folder: Path, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 unless told otherwise, also where this machine is faster in bfloat16."""
    monkeypatch.setattr("promptlet.backbones.dtypes.LEAST_WEIGHTS", 1)
    monkeypatch.setattr("promptlet.backbones.dtypes.is_faster", lambda *_: True)

    def opened(dtype: str | None) -> Bench:
        return open_bench(toy, "rlp", backbone=clip_folder, dtype=dtype, out=tmp_path / "runs", **QUICK)

    assert {run.dtype for run in opened(None).runs} == {"float32"}
    assert (
        {run.dtype for run in opened("auto").runs} == {run.dtype for run in opened("mixed").runs} == {"mixed"}
    )
    exact, mixed = opened(None).run(), opened("mixed").run()
    assert exact.is_whole and mixed.is_whole and not mixed.kept
    assert not {record["key"] for record in exact.records} & {record["key"] for record in mixed.records}
    assert {record["dtype"] for record in mixed.records} == {"mixed"}
    assert opened("auto").run().kept == mixed.done


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
    assert runs({"rlp": {"n_ctx": np.int64(2)}, "coop": {}}, seeds=np.int64(3)) == [
        *(("rlp", 2, 16, 3), ("coop", 4, 16, 3))
    ]
    some = runs("coop", seeds=np.arange(1, 3), shots=np.array([2]), settings=Settings(epochs=np.int64(2)))
    assert [run[2:] for run in some] == [(2, 1), (2, 2)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shots": 0}, r"shots=0 must be one or more whole numbers of 1 and more"),
        ({"seeds": ()}, r"seeds=\(\) must be one or more whole numbers of 0 and more"),
        ({"seeds": (1, True)}, r"seeds=\(1, True\) must be"),
        ({"methods": []}, "methods is empty"),
        ({"datasets": []}, "names no data set"),
        ({"protocol": "base"}, "protocol='base' is not known"),
        ({"settings": Settings(views=0)}, "views=0 is outside 1 and more"),
        ({"settings": Settings(sampler="mine")}, "sampler='mine' is not known"),
        ({"source": "x"}, "goes with cross-dataset and domain-shift alone"),
        ({"study": "rank", "methods": "coop"}, "cannot be given together"),
        ({"options": {"rank": 2}, "methods": "coop"}, "rank is an option of none"),
        ({"methods": ("rlp", {"rank": 2})}, r"\{'rank': 2\} is no method; give words such as"),
        ({"methods": [PromptletError]}, "PromptletError'> is no method"),
        ({"settings": {"epochs": 2}}, r"settings=\{'epochs': 2\} is not allowed; give a promptlet"),
        ({"seeds": 1.5}, "seeds=1.5 must be"),
        ({"seeds": "1,2"}, "seeds='1,2' must be"),
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


def test_a_loaded_backbone_is_taken_as_it_is(tiny_backbone: Backbone, toy: Path) -> None:
    with pytest.raises(OptionError, match="dtype='bfloat16': the backbone is loaded already"):
        open_bench(toy, backbone=tiny_backbone, dtype="bfloat16")


def opened(backbone: Backbone, toy: Path, methods: str, tmp_path: Path, **more: Any) -> Bench:
    return open_bench(toy, methods, backbone=backbone, out=tmp_path / "runs", **{**QUICK, **more})


def test_what_cannot_be_made_is_known_before_and_leaves_nothing(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path, trainings: list[str]
) -> None:
    methods = "rlp:rank=9,rlp,linear_probe,coop:per_class=true,vpt"
    bench = opened(tiny_backbone, toy, methods, tmp_path)
    reasons = [group.reason for group in bench.refused]
    words = ("rank=9", "'linear_probe' knows only", "class-specific contexts", "a feature file has no images")
    assert [word in reason for word, reason in zip(words, reasons, strict=True)] == [True] * 4
    assert [len(group.runs) for group in bench.refused] == [2] * 4
    assert bench.refused[0].words.startswith("2 runs cannot be made: ") and trainings == []
    outcome = bench.run()
    assert not outcome.is_whole and outcome.failed == {} and "rlp" in trainings
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
    assert bench.refused == [] and "is no .npz file" in bench.unreadable["toy"]
    outcome = bench.run()
    assert list(outcome.failed) == [run.key for run in bench.runs] and outcome.records == []
    assert all("is no .npz file" in reason for reason in outcome.failed.values())
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


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes known, while a test runs, a method of one's own that first does something when it is built."""

    def make(first: Callable[[Sequence[str]], None], **stored: Any) -> None:
        class Mine(ZeroShot):  # type: ignore[misc]
            info = replace(ZeroShot.info, name="mine", options={})

            def __init__(self, backbone: Backbone, class_names: Sequence[str]) -> None:
                first(class_names)
                super().__init__(backbone, class_names)

            def stored_options(self) -> dict[str, str | int | float | bool]:
                return stored

        monkeypatch.setitem(METHODS, "mine", Mine)
        register(Mine)

    return make


def test_a_bug_in_a_method_of_ones_own_costs_its_runs_alone(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path, own: Any
) -> None:
    def bug(_names: Sequence[str]) -> None:
        raise ValueError("a bug of mine")

    own(bug)
    bench = opened(tiny_backbone, toy, "zero_shot,mine", tmp_path)
    outcome = bench.run()
    assert bench.refused == [] and len(outcome.done) == 2
    [reason] = set(outcome.failed.values())
    assert reason.startswith("ValueError: a bug of mine (test_protocols_bench.py, line ")


def test_a_method_of_ones_own_is_tried_with_all_class_names(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path, own: Any
) -> None:
    def needs_five(names: Sequence[str]) -> None:
        if len(names) < 5:
            raise OptionError("needs five classes")

    own(needs_five, template="a photo of a {}.")
    few = opened(tiny_backbone, toy, "mine", tmp_path, protocol="few-shot")
    assert few.refused == [] and few.run().is_whole
    [refused] = opened(tiny_backbone, toy, "mine", tmp_path).refused  # half of five
    assert refused.reason == "needs five classes"


def test_a_method_of_ones_own_that_has_nothing_to_store_is_told(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path, own: Any
) -> None:
    own(lambda names: None)
    outcome = opened(tiny_backbone, toy, "mine", tmp_path, seeds=1).run()
    assert "'mine' has nothing that a prompt file could hold; give it an option" in str(outcome.failed)


def test_workers_get_the_methods_of_their_runs_alone(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path, own: Any
) -> None:
    own(lambda names: None)
    assert opened(tiny_backbone, toy, "coop", tmp_path).workbench.methods == ()
    bench = opened(tiny_backbone, toy, "mine", tmp_path)
    assert [method.info.name for method, _ in bench.workbench.methods] == ["mine"]
    with pytest.raises(EngineError, match="a method of your own must stand in a file that can be imported"):
        bench.run("processes")  # it stands in a function
    assert len(repr(bench)) < 10_000


def test_the_page_on_benchmarks_shows_what_works(
    tiny_backbone: Backbone, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "bench.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    asked: list[Any] = []

    def with_toys(*given: Any, **more: Any) -> Bench:
        asked.append((given, more))
        words = {**more, "root": None, "out": tmp_path / "runs", "backbone": tiny_backbone, "shots": 2}
        return open_bench(toy, given[1], settings=Settings(epochs=2), **words)

    monkeypatch.setattr(pl, "open_bench", with_toys)
    names: dict[str, Any] = {}
    exec(code, names)
    assert asked[0][0][0] == ["mini-land", "mini-flowers"] and len(names["outcome"].records) == 9


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


def test_classes_are_sampled_where_a_method_can(tiny_backbone: Backbone, toy: Path, tmp_path: Path) -> None:
    """Else the plan is refused, before images are encoded."""
    sampled = {"settings": Settings(sampled_classes=2), "seeds": 1}
    planned = opened(tiny_backbone, toy, "coop,zero_shot", tmp_path, **sampled).runs
    assert [run.settings.get("sampled_classes") for run in planned] == [2, None]
    for methods in ("coop:per_class=true", "linear_probe"):
        with pytest.raises(OptionError, match="sampled_classes=2 is not possible"):
            opened(tiny_backbone, toy, methods, tmp_path, **sampled)
