"""Studies: what is in them, written out by hand, and that a benchmark can run every setting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from protocol_toys import write_toy

from promptlet.backbones import Backbone, load_backbone
from promptlet.errors import OptionError
from promptlet.methods import METHODS, build_method
from promptlet.methods.text_prompt import resolve_init
from promptlet.protocols.plan.studies import STUDIES, ctx_init_of, find_study, study_methods, trained_alike
from promptlet.protocols.planning import Settings, parse_methods, plan_runs
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import open_dataset
from promptlet.training import SCHEDULES, method_schedule

DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "studies.md"
STARTS = {
    2: "words:a photo",
    3: "words:a photo of",
    4: "words:a photo of a",
    6: "words:a photo of a a photo",
    8: "words:a photo of a a photo of a",
    16: "words:a photo of a a photo of a a photo of a a photo of a",
}


def planned(tmp_path: Path, methods: Any, seeds: tuple[int, ...] = (1,)) -> list[Run]:
    toy = open_dataset(str(write_toy(tmp_path / "toy.npz")))
    return plan_runs("base-to-new", [toy], methods, [2], seeds, "a-b-c")


def told(name: str, *columns: str) -> list[tuple[str, ...]]:
    return [(s.method, *map(s.shown, columns)) for s in STUDIES[name].settings]


@pytest.mark.parametrize("name", STUDIES)
def test_every_setting_is_a_run_of_its_own_with_all_its_options(name: str, tmp_path: Path) -> None:
    study = find_study(name)
    runs = planned(tmp_path, study_methods(name), seeds=(1, 2))
    assert len({run.key for run in runs}) == len(runs) == 2 * len(study.settings)
    for setting, run in zip(study.settings, runs[::2], strict=True):
        given = {**run.options}
        given.pop("template", None)
        assert given == dict(setting.options), "an option was left to its default"
        assert [one for one in study.settings if one.fits(run.describe())] == [setting]


def test_plain_runs_of_the_methods_are_settings_of_the_studies(tmp_path: Path) -> None:
    """So a study shares them with other benchmarks; RLP's factors are the first ones, of version 0.1.0."""
    every = [spec for name in STUDIES for spec in study_methods(name)]
    keys = {run.key for run in planned(tmp_path, every)}
    first = "ctx_init=none,v_rate=1,new_names=learned"
    factors = f"{first},n_ctx=4,dropout=0.3"
    plain = f"zero_shot,coop,dip_do:soft=false,dip_pp:soft=false,rlp:rank=1,{factors}"
    for method in ("kgcoop", "prograd"):
        plain += f",{method}:{factors},{method}:rank=1,{factors}"
    plain += f",coop:n_ctx=2,coop:n_ctx=16,rlp:rank=4,{factors}"
    for n_ctx, rank in ((2, 1), (16, 1), (16, 4)):
        plain += f",rlp:rank={rank},{first},dropout=0.3,n_ctx={n_ctx}"
    assert {run.key for run in planned(tmp_path, parse_methods(plain))} <= keys


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_trains_all_its_methods_alike(name: str) -> None:
    learning = {s.method for s in STUDIES[name].settings if s.options}
    for schedule, same in (("fast", "fast"), ("adamw", "fast"), ("coop", "coop")):
        chosen = trained_alike(Settings(schedule))
        found = {method_schedule(METHODS[m].info, chosen.schedule) for m in learning}
        assert found == {SCHEDULES[same]}
    assert trained_alike(Settings("fast", epochs=7)).epochs == 7


def test_ranks() -> None:
    four, sixteen = ("1", "2", "3", "4"), ("1", "2", "4", "8", "16")
    assert told("rank", "n_ctx", "rank") == [
        ("zero_shot", "-", "-"),
        *(("coop", "4", "full"), *(("rlp", "4", rank) for rank in four)),
        *(("coop", "16", "full"), *(("rlp", "16", rank) for rank in sixteen)),
    ]
    grid = told("rank-grid", "n_ctx", "rank")
    assert len(grid) == 1 + 4 + (2 + 4 + 8 + 16) and set(told("rank", "n_ctx", "rank")) < set(grid)
    assert [rank for method, n_ctx, rank in grid if (method, n_ctx) == ("rlp", "8")] == list("12345678")
    assert {s.start for s in STUDIES["rank-grid"].settings if s.options} == {"words"}


def test_lengths_dropouts_and_starts() -> None:
    lengths = told("length", "start", "n_ctx")
    assert {(start, n_ctx) for method, start, n_ctx in lengths if method == "coop"} == {
        (start, n_ctx) for start in ("words", "seed") for n_ctx in ("2", "4", "8", "16")
    }
    assert [m for m, *_ in lengths].count("coop") == [m for m, *_ in lengths].count("rlp") == 8
    assert told("dropout", "rank", "dropout") == [
        *(("zero_shot", "-", "-"), ("coop", "full", "-")),
        *(("rlp", rank, rate) for rank in "14" for rate in ("0.0", "0.1", "0.2", "0.3", "0.5", "0.7")),
    ]
    starts = told("start", "rank", "n_ctx", "start")
    assert starts[0] == ("zero_shot", "-", "-", "-") and len(set(starts)) == len(starts) == 1 + 3 * 2 * 2
    assert {rank for _, rank, *_ in starts[1:]} == {"full", "1", "4"}


def test_density() -> None:
    assert told("density", "rank", "dropout", "weight") == [
        *(("zero_shot", "-", "-", "-"), ("coop", "full", "-", "-")),
        *(("rlp", "1", "0.0", "-"), ("rlp", "1", "0.3", "-")),
        *(("dip_do", "full", "-", weight) for weight in ("0.1", "1.0", "10.0")),
        *(("dip_pp", "full", "-", weight) for weight in ("0.1", "1.0", "10.0")),
        *(("kgcoop", "full", "-", "8.0"), ("kgcoop", "1", "0.3", "8.0")),
        *(("prograd", "full", "-", "1.0"), ("prograd", "1", "0.3", "1.0")),
    ]


def test_baselines() -> None:
    found = {name: (s.baseline.method, dict(s.baseline.options)) for name, s in STUDIES.items()}
    rlp = {"rank": 1, "n_ctx": 4, "ctx_init": None, "dropout": 0.3, "init_std": 0.02}
    rlp |= {"v_rate": 1.0, "budget": None, "new_names": "learned"}
    for name in ("rank", "rank-grid", "length", "start"):
        assert found[name] == ("rlp", rlp)
    assert found["dropout"] == ("rlp", {**rlp, "dropout": 0.0})
    assert found["density"][0] == "coop"


@pytest.mark.parametrize("n_ctx", STARTS)
def test_starts_are_what_they_are_called(n_ctx: int, tiny_backbone: Backbone) -> None:
    for backbone in (tiny_backbone, load_backbone("mini", device="cpu")):
        start, init = resolve_init(backbone, ctx_init_of("words", n_ctx), n_ctx, seed=7)
        assert init == STARTS[n_ctx] and start.shape == (n_ctx, backbone.text.dim)
        assert resolve_init(backbone, ctx_init_of("seed", n_ctx), n_ctx, seed=7)[1] == "seed:7"


def test_every_setting_learns_as_many_numbers_as_it_should(tiny_backbone: Backbone) -> None:
    dim = tiny_backbone.text.dim
    for setting in (setting for study in STUDIES.values() for setting in study.settings):
        method = build_method(setting.method, tiny_backbone, ["cat", "dog"], **setting.options)
        rank, n_ctx = setting.options.get("rank"), setting.options.get("n_ctx", 0)
        assert method.trainable_count() == (n_ctx * dim if rank is None else rank * (n_ctx + dim))
        if setting.options:
            assert method.init.startswith(setting.start + ":")


def test_options_given_beside_a_study() -> None:
    shared = study_methods("density", {"rank": None, "template": "a drawing of a {}."})
    assert all("template" in options for _, options in shared)
    assert study_methods("density", {"rank": None}) == study_methods("density")
    with pytest.raises(
        OptionError, match=r"rank=2 cannot go with the study 'rank'.*name the methods instead"
    ):
        study_methods("rank", {"rank": 2})
    with pytest.raises(OptionError, match="depth is an option of none of the methods"):
        study_methods("rank", {"depth": 3})


def test_a_study_that_is_not_known() -> None:
    with pytest.raises(
        OptionError, match=r"study='ranks' is not known; allowed: rank, .*Did you mean 'rank'\?"
    ):
        study_methods("ranks")


def test_the_settings_cannot_be_changed_in_passing() -> None:
    methods = study_methods("rank")
    methods[1][1]["n_ctx"] = 99  # type: ignore[index]
    assert study_methods("rank")[1][1]["n_ctx"] == 4


def test_the_page_counts_them() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for name, study in STUDIES.items():
        assert f"| `{name}` | {len(study.settings)} |" in page


@pytest.mark.slow
def test_studies_need_no_torch() -> None:
    code = "import sys, promptlet.protocols.plan.studies; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
