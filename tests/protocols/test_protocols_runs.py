"""Keys of runs: the same thing has one, different things never share one."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from protocol_toys import write_toy

from promptlet.errors import OptionError
from promptlet.protocols import RunStore
from promptlet.protocols.planning import Settings, parse_methods, plan_runs, share_options
from promptlet.protocols.records.runs import Run, cell_of, row_of
from promptlet.protocols.run.datasets import open_dataset

RUN = Run(
    protocol="base-to-new",
    dataset="caltech101",
    data="0123456789abcdef",
    method="rlp",
    options={"rank": 1, "n_ctx": 4},
    shots=16,
    seed=1,
    settings={"name": "fast", "lr": 0.03},
    views=1,
    sampler="coop",
    fingerprint="a-b-c",
    dtype="float32",
)
SOURCED = replace(RUN, protocol="cross-dataset", source="imagenet", source_data="fedcba9876543210")
CODED = replace(RUN, method="mine", code="0123456789ab")
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
OTHER: dict[str, Any] = {"options": {"rank": 2, "n_ctx": 4}, "settings": {"name": "fast", "lr": 0.01}}


EVERY_FIELD = [
    pytest.param(run, field.name, id=f"{field.name}-{kind}")
    for run, kind in ((RUN, "alone"), (SOURCED, "sourced"), (CODED, "coded"))
    for field in fields(Run)
    if getattr(run, field.name) is not None
]


@pytest.mark.parametrize(("run", "name"), EVERY_FIELD)
def test_every_field_changes_the_key(run: Run, name: str) -> None:
    value = OTHER[name] if name in OTHER else getattr(run, name) * 2
    other = replace(run, **{name: value})
    assert other.key != run.key
    digests = ("data", "source_data")
    assert (cell_of(other.describe()) == cell_of(run.describe())) is (name in digests)
    assert (row_of(other.describe()) == row_of(run.describe())) is (name in (*digests, "seed"))
    shared = ("protocol", "dataset", "source", *(["data"] if run is SOURCED else []))
    same = other.training_key.rpartition("-")[2] == run.training_key.rpartition("-")[2]
    assert same is (name in shared)


def test_a_run_without_a_source_or_code_is_known_as_before_there_were_any() -> None:
    described = RUN.describe()
    assert not described.keys() & {"source", "source_data", "code"}
    record = {**described, "source": "../data/caltech.npz"}  # where it came from, as records say
    assert (cell_of(record), row_of(record)) == (cell_of(described), row_of(described))
    names = [field.name for field in fields(Run) if field.name not in ("source", "source_data", "code")]
    committed = RunStore(RESULTS / "mini.jsonl.gz").read_all()[0]
    assert len(committed) == 99
    for record in committed:
        run = Run(**{name: record[name] for name in names})
        assert run.key == record["key"]
        assert cell_of(run.describe()) == cell_of(record) and row_of(run.describe()) == row_of(record)


def test_runs_that_train_the_same_share_a_training_key() -> None:
    few_shot = replace(RUN, protocol="few-shot")
    assert few_shot.training_key == "caltech101-rlp-rank1-n-ctx4-16shot-fast-seed1-" + RUN.training_key[-12:]
    targets = [
        replace(RUN, protocol=protocol, dataset=name, data=name, source="caltech101", source_data=RUN.data)
        for protocol, name in (("cross-dataset", "pets"), ("domain-shift", "sketches"))
    ]
    assert {run.training_key for run in targets} == {few_shot.training_key}
    assert targets[0].key.startswith("cross-dataset-pets-from-caltech101-rlp-")
    assert targets[0].label.startswith("caltech101 to pets rlp")


def test_a_key_is_readable_and_stable() -> None:
    assert RUN.key == "base-to-new-caltech101-rlp-rank1-n-ctx4-16shot-fast-seed1-" + RUN.key[-12:]
    assert replace(RUN, options={"n_ctx": 4, "rank": 1}).key == RUN.key
    assert len(replace(RUN, dataset="x" * 300).key) <= 113 and "/" not in replace(RUN, dataset="../é/a").key


def plan(path: Path, methods: str, **settings: Any) -> list[Run]:
    return plan_runs(
        "base-to-new",
        [open_dataset(str(path))],
        parse_methods(methods),
        [2],
        [1],
        "f",
        settings=Settings(**settings),
    )


def test_defaults_written_out_are_the_same_run(tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    assert len(plan(path, "rlp,rlp:v_rate=10,rlp:n_ctx=4,dropout=0,budget=none,new_names=blend:1")) == 1
    [run] = plan(path, "rlp")
    assert plan(path, "rlp", lr=run.settings["lr"], epochs=run.settings["epochs"]) == [run]
    assert plan(path, "rlp", lr=0.0123) != [run] != plan(path, "rlp", schedule="coop")
    assert plan(path, "zero_shot", schedule="coop", lr=9.0, views=4) == plan(path, "zero_shot")


def test_a_run_from_before_new_options_is_the_same_run(tmp_path: Path) -> None:
    """Committed records of version 0.1.0 keep their keys when the options that came later say "as before"."""
    methods = "rlp:rank=1,dropout=0.3,v_rate=1,new_names=learned,coop"
    planned = {
        run.method: run
        for run in plan(write_toy(tmp_path / "toy.npz"), methods, schedule="adamw", epochs=120)
    }
    found = set()
    for record in RunStore(RESULTS / "base-to-new-mini.jsonl.gz").read_all()[0]:
        if record["method"] not in planned:
            continue
        run = planned[record["method"]]
        own = {name: record[name] for name in ("dataset", "data", "shots", "seed", "fingerprint", "dtype")}
        assert replace(run, **own).key == record["key"]
        assert row_of(replace(run, **own).describe()) == row_of(record)
        found.add(record["method"])
    assert found == {"rlp", "coop"}


def test_the_data_is_known_by_its_content_not_its_place(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first, moved = write_toy(tmp_path / "toy.npz"), write_toy(tmp_path / "b" / "toy.npz")
    changed = write_toy(tmp_path / "other.npz", seed=1)
    digests = [open_dataset(str(path)).digest for path in (first, moved, changed)]
    assert digests[0] == digests[1] != digests[2]


def test_a_folder_is_known_by_names_and_sizes(tmp_path: Path) -> None:
    for place in ("one", "two"):
        for name in ("cat", "dog"):
            (tmp_path / place / name).mkdir(parents=True)
            (tmp_path / place / name / "1.jpg").write_bytes(b"12")
    one, two = (open_dataset(str(tmp_path / place)).digest for place in ("one", "two"))
    assert one == two
    (tmp_path / "two" / "dog" / "1.jpg").write_bytes(b"123")
    assert open_dataset(str(tmp_path / "two")).digest != one


def test_methods_with_options() -> None:
    assert parse_methods("zero_shot, rlp:rank=2,dropout=0.2,coop:per_class=true,ctx_init=none") == [
        ("zero_shot", {}),
        ("rlp", {"rank": 2, "dropout": 0.2}),
        ("coop", {"per_class": True, "ctx_init": None}),
    ]
    assert parse_methods("rlp:ctx_init=a photo of a") == [("rlp", {"ctx_init": "a photo of a"})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rpl", r"method='rpl' is not known; allowed: .* Did you mean 'rlp'\?"),
        ("", "names no method"),
        ("rank=2", "begins with an option"),
        ("rlp:rank", "write name=value"),
        ("rlp:", "write name=value"),
    ],
)
def test_methods_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_methods(text)


def test_options_for_all_methods_go_where_they_exist() -> None:
    specs = parse_methods("zero_shot,coop,rlp:rank=2")
    assert share_options(specs, {"rank": 1, "n_ctx": 8}) == [
        ("zero_shot", {}),
        ("coop", {"n_ctx": 8}),
        ("rlp", {"rank": 2, "n_ctx": 8}),
    ]
    with pytest.raises(OptionError, match="rank is an option of none of the methods zero_shot, coop"):
        share_options(parse_methods("zero_shot,coop"), {"rank": 1})


def test_unknown_options_and_the_seed_are_refused(tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    for methods in ("rlp:colour=1", "rlp:seed=3"):
        with pytest.raises(OptionError, match="in a benchmark; it takes: rank, n_ctx"):
            plan(path, methods)
