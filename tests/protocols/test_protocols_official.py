"""Benchmarks by official settings: each protocol's own, what is given wins and is told, old runs stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from protocol_toys import write_toy

from promptlet.backbones import Backbone
from promptlet.data import DATASETS
from promptlet.errors import OptionError
from promptlet.methods import METHODS
from promptlet.methods.official import Where
from promptlet.protocols import RunStore
from promptlet.protocols.bench import open_bench
from promptlet.protocols.planning import Settings, parse_methods, plan_runs
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import BenchDataset, open_dataset
from promptlet.protocols.run.official import notes_of_runs, official_facts
from promptlet.protocols.run.official import official_notes as every_note
from promptlet.report import summarise
from promptlet.training import SCHEDULES, Schedule
from promptlet.training.official import notes_on_official

BEFORE = {
    "coop": "d71646d656e9",
    "cocoop": "15ee5ae6ae9f",
    "kgcoop": "95c943b55207",
    "kgcoop:rank=1": "77aaa7460e12",
    "dekg": "a8c8b4c6e1f1",
    "prograd": "1083aa202fd5",
    "vpt": "650c3e87907c",
    "ivlp": "08daf7428179",
    "maple": "b8027c9d2c07",
    "promptsrc": "ec8240a636ba",
    "tip_adapter": "dd56bf8a04e2",
    "zero_shot": "63f476ae3a63",
}
"""Digests of base-to-new runs, from when the official settings were those of base-to-new alone."""
PLAIN = "trained on 1 plain reading of each image, not on 16 crops as by its official settings"
"""Of each run, since the toy is a feature file, and of methods that read features."""
BEFORE_ON_OTHERS = {"cocoop": "2622752d92db", "kgcoop": "eb1a6c2e2217"}
"""Of cross-dataset, where the settings are the same."""


@pytest.fixture
def toys(tmp_path: Path) -> dict[str, BenchDataset]:
    paths = [write_toy(tmp_path / "toy.npz"), write_toy(tmp_path / "other.npz", seed=1)]
    return {path.stem: open_dataset(str(path)) for path in paths}


def official_notes(run: Run) -> tuple[str, ...]:
    """But that of the one reading, which a feature file has."""
    *others, last = every_note(run) or ("",)
    assert last in ("", PLAIN)
    return tuple(others)


def named(toys: dict[str, BenchDataset], name: str) -> None:
    """The toy under the name of a known data set."""
    toys["toy"] = replace(toys["toy"], name=name, template=DATASETS[name].template)


def plan(
    toys: dict[str, BenchDataset], methods: str, protocol: str, shots: int = 2, **settings: Any
) -> list[Run]:
    settings = {"schedule": "official", **settings}
    source = toys["other"] if protocol in ("cross-dataset", "domain-shift") else None
    chosen, specs = Settings(**settings), parse_methods(methods)
    return plan_runs(protocol, [toys["toy"]], specs, [shots], [1], "f", settings=chosen, source=source)


def test_runs_from_before_keep_their_keys(toys: dict[str, BenchDataset]) -> None:
    for protocol, digests in (("base-to-new", BEFORE), ("cross-dataset", BEFORE_ON_OTHERS)):
        found = {method: plan(toys, method, protocol)[0].key.rpartition("-")[2] for method in digests}
        assert found == digests


def test_each_protocol_has_its_own_settings(toys: dict[str, BenchDataset]) -> None:
    for protocol, epochs, n_ctx in (("base-to-new", 200, 4), ("few-shot", 100, 16), ("cross-dataset", 50, 4)):
        [run] = plan(toys, "coop", protocol)
        assert (run.settings["epochs"], run.options["n_ctx"]) == (epochs, n_ctx)
        assert run.settings["name"] == "official"
    [run] = plan(toys, "maple", "domain-shift")
    assert (run.settings["epochs"], run.settings["lr"], run.options["depth"]) == (2, 0.0026, 3)
    [run] = plan(toys, "promptsrc", "few-shot")
    assert (run.options["average_mean"], run.options["average_std"]) == (0.6, 0.6)
    with pytest.raises(OptionError, match="'maple' has no official settings for few-shot"):
        plan(toys, "maple", "few-shot")
    [run] = plan(toys, "maple", "few-shot", schedule="official:base-to-new")
    assert (run.settings["name"], run.settings["epochs"]) == ("official:base-to-new", 5)
    with pytest.raises(OptionError, match="protocol='few' is not known"):
        plan(toys, "coop", "few-shot", schedule="official:few")


def test_the_source_decides_what_is_by_data_set(toys: dict[str, BenchDataset]) -> None:
    """Which is the data set that is trained on."""
    named(toys, "imagenet")
    assert plan(toys, "coop", "base-to-new")[0].settings["epochs"] == 50
    named(toys, "eurosat")
    [run] = plan(toys, "prograd", "few-shot", shots=8)
    assert run.options["weight"] == 0.8
    assert official_facts(run)["official"]["by_dataset"] == ["weight"]
    assert official_notes(run) == ("of its official settings for few-shot, weight: chosen per data set",)
    [run] = plan(toys, "prograd:weight=1", "few-shot", shots=8)
    assert official_facts(run)["official"]["by_dataset"] == []
    assert official_notes(run) == ("not as its official settings for few-shot: weight=1.0 (official: 0.8)",)
    assert "weight" not in official_facts(plan(toys, "prograd", "few-shot")[0])["official"]["by_dataset"]


def test_what_is_given_wins_and_is_told(toys: dict[str, BenchDataset]) -> None:
    assert official_notes(plan(toys, "coop", "few-shot")[0]) == ()
    [run] = plan(toys, "coop:n_ctx=4,ctx_init=words", "few-shot", epochs=3, lr=0.01)
    assert (run.options["n_ctx"], run.options["ctx_init"]) == (4, "words")
    assert (run.settings["epochs"], run.settings["lr"]) == (3, 0.01)
    assert official_notes(run) == (
        "not as its official settings for few-shot: n_ctx=4 (official: 16), ctx_init=words (official: "
        "random), lr=0.01 (official: 0.002), epochs=3 (official: 100)",
    )
    [run] = plan(toys, "coop", "few-shot", sampled_classes=2)
    assert "sampled_classes=2 (official: None)" in official_notes(run)[0]
    assert official_notes(plan(toys, "coop:n_ctx=8", "few-shot", schedule="coop")[0]) == ()
    [run] = plan(
        toys, "coop:per_class=true", "few-shot"
    )  # whose random starts are one for each class there, too
    assert official_notes(run)[0] == (
        "not as its official settings for few-shot: per_class=True (official: False)"
    )


def test_a_method_s_own_prompts_are_its_official_ones(toys: dict[str, BenchDataset]) -> None:
    named(toys, "dtd")
    for method, protocol in (("kgcoop", "base-to-new"), ("prograd", "few-shot")):
        assert official_notes(plan(toys, method, protocol)[0]) == ()
    [run] = plan(toys, "kgcoop:template={} texture.", "base-to-new")
    assert "template={} texture. (official: a photo of a {}, a type of texture.)" in official_notes(run)[0]


def test_a_template_in_place_of_the_data_sets_is_told(toys: dict[str, BenchDataset]) -> None:
    named(toys, "caltech101")
    assert official_notes(plan(toys, "kgcoop", "base-to-new")[0]) == ()
    [told] = official_notes(plan(toys, "kgcoop:template={} texture.", "base-to-new")[0])
    assert "template={} texture. (official: a photo of a {}.)" in told


def test_whose_settings_they_are_is_told_where_it_is_not_plain(toys: dict[str, BenchDataset]) -> None:
    [note, plain] = notes_of_runs(plan(toys, "coop", "all-names"))
    assert plain == f"coop: {PLAIN}"
    assert note.startswith("coop: official settings of base-to-new: epochs=200; from CoOp's repository")
    [note, _] = notes_of_runs(plan(toys, "coop", "base-to-new", schedule="official:few-shot"))
    assert note.startswith("coop: official settings of few-shot: epochs=100, n_ctx=16, ctx_init=random; from")
    assert notes_of_runs(plan(toys, "coop,kgcoop", "base-to-new")) == [f"coop: {PLAIN}", f"kgcoop: {PLAIN}"]


def test_a_row_that_changes_nothing_is_told_in_words() -> None:
    info, given = METHODS["tip_adapter"].info, {"views": "large-crops:10", "epochs": 1}
    note, *_ = notes_on_official(info, "official:few-shot", Where(), {}, given)
    assert note.startswith("official settings of few-shot: its defaults; from Tip-Adapter's repository")


def test_a_schedule_of_ones_own_of_that_name_breaks_nothing(toys: dict[str, BenchDataset]) -> None:
    own = Schedule("official", lr=0.1, epochs=2, batch_size=None)
    [run] = plan(toys, "rlp", "base-to-new", schedule=own)
    assert (official_facts(run), official_notes(run)) == ({}, ())
    [run] = plan(toys, "rlp", "base-to-new", schedule=SCHEDULES["coop"])
    assert (official_facts(run), official_notes(run)) == ({}, ())


def test_records_keep_what_was_used(tiny_backbone: Backbone, tmp_path: Path) -> None:
    data = write_toy(tmp_path / "toy.npz", dim=tiny_backbone.feature_dim)
    bench = open_bench(
        data,
        "coop,coop:n_ctx=2,zero_shot",
        protocol="few-shot",
        backbone=tiny_backbone,
        shots=1,
        seeds=1,
        settings=Settings("official", epochs=2),
        out=tmp_path / "runs",
        cache=False,
    )
    records = {record["options"].get("n_ctx"): record for record in bench.run().records}
    assert records[16]["official"]["protocol"] == "few-shot"
    assert "COOP.md" in records[16]["official"]["source"] and records[16]["official"]["by_dataset"] == []
    assert records[16]["notes"] == [
        "not as its official settings for few-shot: epochs=2 (official: 50)",
        PLAIN,
    ]
    assert "n_ctx=2 (official: 16)" in records[2]["notes"][0]
    assert not {"official", "notes"} & records[None].keys()
    told = summarise(RunStore(tmp_path / "runs")).problems
    assert [line for line in told if "n_ctx=2 (official: 16)" in line and line.startswith("coop: ")]
