"""Measurements beside what the protocol says, statistics by hand, rows that are kept, the page's numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from protocols.protocol_toys import write_toy
from scipy import stats

from promptlet.analysis import DensityStore, correlations, markdown, read_rows, spearman
from promptlet.analysis.bench import open_analysis
from promptlet.analysis.correlation import interval, pooled, ranks, series
from promptlet.analysis.figures import density_figure
from promptlet.analysis.measuring import check_k, execute, plan, text_contexts
from promptlet.analysis.tables import ends_table, rho_table
from promptlet.backbones import Backbone
from promptlet.density import information_density, profile
from promptlet.errors import DataError, OptionError
from promptlet.methods import METHODS, build_method
from promptlet.protocols import base_to_new
from promptlet.protocols.engines.inline import run_inline
from promptlet.protocols.planning import Settings, parse_methods
from promptlet.protocols.run.datasets import FeatureSource, open_dataset

ROOT = Path(__file__).parents[1]
AT_INPUT = ("coop", "kgcoop", "dekg", "prograd", "rlp", "dip_do", "dip_pp", "qcoop")
DEEP = ("ivlp", "maple", "promptsrc", "mmlop")


def measured(
    backbone: Backbone, path: Path, methods: str, seeds: Sequence[int] = (1,), epochs: int = 6, every: int = 2
) -> list[dict[str, Any]]:
    dataset = open_dataset(str(path))
    runs = plan(
        [dataset],
        parse_methods(methods),
        4,
        seeds,
        backbone.fingerprint,
        settings=Settings(epochs=epochs),
        every=every,
    )
    return [{"key": run.key, **execute(run, dataset, FeatureSource(backbone))} for run in runs]


def row(
    label: str,
    seed: int,
    density: Sequence[float],
    new: Sequence[float],
    dataset: str = "a",
    base: Sequence[float] = (),
) -> dict[str, Any]:
    """A record made by hand: of one layer, ID_1 as given, ID_2 = 1."""
    points = [
        {
            "epoch": 10 * i,
            "base": (base or new)[i],
            "new": new[i],
            "layers": [
                {
                    "singular_values": [d, 1 - d],
                    "density": [d, 1.0],
                    "effective_rank": 2 - d,
                    "stable_rank": 1.5,
                }
            ],
        }
        for i, d in enumerate(density)
    ]
    return {"dataset": dataset, "method": label, "label": label, "seed": seed, "points": points}


# -- statistics ------------------------------------------------------------------------------------------


def test_equal_values_share_the_mean_of_their_places() -> None:
    assert ranks(np.array([30.0, 10.0, 20.0, 20.0])).tolist() == [4.0, 1.0, 2.5, 2.5]
    assert ranks(np.array([7.0] * 3)).tolist() == [2.0] * 3


def test_rho_by_hand() -> None:
    # no ties: 1 - 6 sum d^2 / (n (n^2 - 1)) with d = (0, -1, 1, 0)
    assert spearman([1, 2, 3, 4], [10, 30, 20, 40]) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert spearman([1, 2, 3], [0.1, 0.2, 9.0]) == 1.0
    assert spearman([1, 2, 3], [5, 4, -7]) == -1.0
    # ties: ranks (1, 2.5, 2.5, 4) and (1, 2, 3, 4): 4.5 / sqrt(4.5 x 5)
    assert spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


@pytest.mark.parametrize("seed", range(5))
def test_rho_equals_scipy(seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, y = draw.integers(0, 6, 20), draw.normal(size=20).round(1)
    assert spearman(x, y) == pytest.approx(float(stats.spearmanr(x, y).statistic))


def test_no_rho_where_there_is_none() -> None:
    assert spearman([1, 2], [1, 2]) is None  # would be 1 whatever was measured
    assert spearman([1, 2, 3], [5, 5, 5]) is None
    assert spearman([2, 2, 2], [1, 2, 3]) is None


def test_the_interval_is_over_seeds_and_always_the_same() -> None:
    x = np.arange(5.0)
    up, down = (x, x), (x, -x)
    assert interval([[up]]) is None  # one seed says nothing of others
    assert interval([[up], [up], [up]]) == (1.0, 1.0)
    found = interval([[up], [up], [down]])
    assert found == interval([[up], [up], [down]])
    assert found == (-1.0, 1.0)  # with three seeds, about what single seeds give
    assert interval([[up, down], [up, down]]) == (0.0, 0.0)  # methods of one seed go together
    assert interval([[(x, 0 * x)], [(x, 0 * x)]]) is None


def test_pooled_takes_all_points_together() -> None:
    curves = [(np.array([1.0, 2.0]), np.array([1.0, 2.0])), (np.array([3.0, 4.0]), np.array([4.0, 3.0]))]
    assert pooled(curves) == pytest.approx(0.8)


def test_correlations_of_a_made_up_study() -> None:
    rows = [row("coop", seed, [0.4, 0.5, 0.6], [50, 49, 48 - seed]) for seed in (1, 2)]
    rows += [row("rlp", seed, [0.4, 0.5, 0.6], [50, 51, 52], base=[60, 60, 60]) for seed in (1, 2)]
    found = correlations(rows)
    assert [(f["label"], f["x"], f["y"]) for f in found[:5]] == [
        ("coop", "density", "new"),
        ("coop", "density", "base"),
        ("coop", "effective_rank", "new"),
        ("coop", "epoch", "new"),
        ("rlp", "density", "new"),
    ]
    coop, rlp, both = found[0], found[4], found[8]
    assert coop["runs"] == [-1.0, -1.0] and coop["seeds"] == [1, 2] and coop["points"] == 6
    assert (rlp["rho"], rlp["interval"]) == (1.0, (1.0, 1.0))
    assert found[2]["rho"] == pytest.approx(-coop["rho"])  # this effective rank is 2 - ID_1
    assert both["label"] == "all methods" and len(both["runs"]) == 4
    assert (found[5]["rho"], found[5]["runs"]) == (None, [None, None])  # base never moves
    assert correlations(rows, k=2)[0]["rho"] is None  # ID_2 of two values is 1
    json.dumps(found, allow_nan=False)


def test_tables() -> None:
    rows = [row("coop", seed, [0.4, 0.5, 0.6], [50, 49, 48 - seed]) for seed in (1, 2)]
    head, lines = rho_table(rows)
    assert head[2:5] == ("each run: ID_1, new", "ID_1, new", "ID_1, base")
    falls = "-0.98 [-1.00, -0.98]"  # together: -16 / sqrt(16 x 16.5), the last two being 47 and 46
    rises = "+0.98 [+0.98, +1.00]"
    assert lines == [("a", "coop", "-1.00 -1.00", falls, falls, rises, falls)]
    assert ends_table(rows)[1] == [
        ("a", "coop", "2", "0.400 to 0.600", "1.600 to 1.400", "1.500 to 1.500", "50.0 to 46.5",
         "50.0 to 46.5")
    ]  # fmt: skip
    many = [row("coop", 1, [0.4, 0.5, 0.6], [50, 49, 48], dataset=name) for name in "abcd"]
    assert len(rho_table(many)[1]) == 4
    text = markdown([*rows, row("rlp", 1, [0.1] * 3, [1, 2, 3]), row("rlp", 2, [0.1] * 3, [1, 2, 3])])
    assert "| a | all methods | -1.00 to -1.00 |" in text and "| a | rlp | none | none |" in text


def test_the_figure_is_a_picture() -> None:
    rows = [
        row(label, seed, [0.4, 0.5, 0.6], [50, 49, 48], dataset=name)
        for name in "ab"
        for label in ("coop", "rlp")
        for seed in (1, 2)
    ]
    assert density_figure(rows).startswith(b"\x89PNG")
    assert density_figure(rows[:1], k=2).startswith(b"\x89PNG")


# -- measuring -------------------------------------------------------------------------------------------


def test_profile_is_what_the_functions_say() -> None:
    context = torch.diag(torch.tensor([4.0, 2.0, 1.0, 1.0]))
    found = profile(context.requires_grad_())
    assert found["singular_values"] == pytest.approx([4, 2, 1, 1])
    assert found["density"] == pytest.approx([0.5, 0.75, 0.875, 1.0])
    assert found["stable_rank"] == pytest.approx(22 / 16)
    assert found["effective_rank"] == pytest.approx(2**1.75)


@pytest.mark.slow
def test_points_from_the_start_to_the_protocols_own_result(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    dataset, source = open_dataset(str(path)), FeatureSource(tiny_backbone)
    specs = parse_methods("coop,rlp:new_names=learned,kgcoop,prograd,dip_do,qcoop")
    own = base_to_new.plan([dataset], specs, [4], [2], tiny_backbone.fingerprint, settings=Settings(epochs=7))
    expected = [base_to_new.execute(run, dataset, source) for run in own]
    found = measured(tiny_backbone, path, "coop,rlp,kgcoop,prograd,dip_do,qcoop", [2], epochs=7)
    for one, protocol in zip(found, expected, strict=True):
        assert [point["epoch"] for point in one["points"]] == [0, 2, 4, 6, 7]
        last = one["points"][-1]
        assert (last["base"], last["new"]) == (protocol["base"], protocol["new"]), one["label"]
        assert one["samples"] == protocol["samples"]
        assert set(one["versions"]) == set(protocol["versions"]) and one["date"]


def test_the_start_is_the_words_themselves(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    words = tiny_backbone.text.embed_words("a photo of a")
    dataset = open_dataset(str(path))
    [zero] = base_to_new.plan([dataset], [("zero_shot", {})], [4], [1], tiny_backbone.fingerprint)
    frozen = base_to_new.execute(zero, dataset, FeatureSource(tiny_backbone))
    for one in measured(tiny_backbone, path, "coop,rlp:n_ctx=4,dip_pp"):
        first = one["points"][0]
        assert first["layers"] == [profile(words)]
        assert (first["base"], first["new"]) == (frozen["base"], frozen["new"])
        assert first["layers"] != one["points"][-1]["layers"]


def test_the_update_of_rlp_has_rank_one(tiny_backbone: Backbone) -> None:
    method = build_method("rlp", tiny_backbone, ["cat", "dog"], rank=1, n_ctx=4)
    draw = np.random.default_rng(0)
    method.load_state({"U": draw.normal(size=(4, 1)), "V": draw.normal(size=(1, 32))})
    merged = text_contexts(method.eval())
    assert merged.shape == (1, 4, 32)
    update = merged[0] - tiny_backbone.text.embed_words("a photo of a")
    assert float(information_density(update)) == pytest.approx(1.0, abs=1e-5)
    assert float(information_density(merged[0])) < 0.99


def test_deep_contexts_are_measured_layer_by_layer(tiny_backbone: Backbone) -> None:
    method = build_method("ivlp", tiny_backbone, ["cat", "dog"], depth=2).eval()
    assert text_contexts(method).shape == (2, 2, 32)
    torch.testing.assert_close(text_contexts(method), method.text.merged())


@pytest.mark.slow
def test_direct_optimisation_raises_density(tiny_backbone: Backbone, tmp_path: Path) -> None:
    plain, dense = measured(
        tiny_backbone, write_toy(tmp_path / "toy.npz"), "dip_do:weight=0.0,dip_do:weight=10.0", epochs=40
    )
    assert plain["label"] == "dip_do (weight=0.0)"
    gained = [series(one, "density")[-1] - series(one, "density")[0] for one in (plain, dense)]
    assert gained[1] > gained[0] + 0.05


# -- what is refused, and what is kept -------------------------------------------------------------------


def test_methods_without_one_context_are_refused() -> None:
    assert {name for name in METHODS if _is_planned(name)} == {*AT_INPUT, *DEEP}
    with pytest.raises(OptionError, match=r"'clip_adapter' has no context at the text side.*: coop, kg"):
        plan([], [("clip_adapter", {})], 4, [1], "")
    with pytest.raises(OptionError, match="every=0 is outside"):
        plan([], [("coop", {})], 4, [1], "", every=0)


def _is_planned(name: str) -> bool:
    try:
        plan([], [(name, {})], 4, [1], "")
    except OptionError:
        return False
    return True


def test_k_must_fit_the_context() -> None:
    check_k(16, [("coop", {"n_ctx": 16})])
    with pytest.raises(OptionError, match=r"k=5 is outside 1\.\.4, the number of singular values of rlp"):
        check_k(5, [("coop", {"n_ctx": 16}), ("rlp", {})])


def test_what_is_there_is_not_trained_again(tiny_backbone: Backbone, tmp_path: Path) -> None:
    dataset = open_dataset(str(write_toy(tmp_path / "toy.npz")))
    store, calls = DensityStore(tmp_path / "rows"), []

    def bring(every: int = 2) -> list[str]:
        runs = plan(
            [dataset], [("coop", {})], 4, [1, 2], tiny_backbone.fingerprint,
            settings=Settings(epochs=4), every=every,
        )  # fmt: skip

        def counted(run: Any) -> dict[str, Any]:
            calls.append(run.key)
            return execute(run, dataset, FeatureSource(tiny_backbone))

        run_inline(runs, counted, store)
        return [run.key for run in runs]

    keys = bring()
    assert calls == keys and all(store.is_done(key) for key in keys)
    before = store.read(keys[0])
    bring()
    assert calls == keys and store.read(keys[0]) == before
    assert len(bring(every=1)) == 2 and len(calls) == 4  # other points: other rows
    (tmp_path / "rows" / f"{keys[1]}.json").write_text('{"schema": 1, "status": "done"')
    assert store.read(keys[1]) is None and len(read_rows(tmp_path / "rows")[0]) == 3
    bring()
    assert len(calls) == 5 and read_rows(tmp_path / "rows")[1] == []


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"protocol": "base-to-new"},
        {"points": []},
        {"points": [{"epoch": 0, "base": 1.0, "new": 2.0, "layers": []}]},
        {"points": [{"epoch": 0, "base": None, "new": 2.0, "layers": [{}]}]},
        {"points": ["x"]},
        {"label": None},
        {"dataset": ["x"]},
        {"seed": "1"},
        {"points": [{"epoch": 0, "base": 10**400, "new": 2.0, "layers": [{}]}]},
        {"points": [{**row("coop", 1, [0.4], [50])["points"][0], "new": float("nan")}]},
        {"settings": {"every": 2, "epochs": 4}},
        {"settings": {"every": "2"}},
        {"status": "failed", "reason": [[["x"]]]},
        {"key": "another"},
        {"status": "failed", "reason": "no images"},
    ],
)
def test_rows_that_are_no_rows_are_told_and_left_out(tmp_path: Path, change: dict[str, Any]) -> None:
    good = {
        "schema": 1, "status": "done", "protocol": "density", "key": "one", **row("coop", 1, [0.4], [50]),
    }  # fmt: skip
    (tmp_path / "one.json").write_text(json.dumps(good))
    assert len(read_rows(tmp_path)[0]) == 1 and DensityStore(tmp_path).read("one") == good
    (tmp_path / "one.json").write_text(json.dumps({**good, **change}))
    rows, problems = read_rows(tmp_path)
    assert rows == [] and len(problems) == 1 and DensityStore(tmp_path).read("one") is None


def test_no_folder_of_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder of measurements"):
        read_rows(tmp_path / "absent")


# -- the page --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "count"),
    [("density", 18), ("density-coop-schedule", 3), ("density-tiny", 6), ("density-second-bed", 54)],
)
def test_the_density_page_shows_the_committed_rows(folder: str, count: int) -> None:
    rows, problems = read_rows(ROOT / "benchmarks" / "results" / f"{folder}.jsonl.gz")
    assert problems == [] and len(rows) == count
    page = (ROOT / "docs" / "explanation" / "density.md").read_text(encoding="utf-8").splitlines()
    lines = [line for line in markdown(rows).splitlines() if line]
    assert [line for line in lines if line not in page] == []


def test_the_density_page_shows_the_course_of_coop_and_kgcoop() -> None:
    rows, _ = read_rows(ROOT / "benchmarks" / "results" / "density.jsonl.gz")
    columns = [series(rows[0], "epoch")]
    for label in ("coop", "kgcoop"):
        own = [one for one in rows if one["label"] == label]
        columns += [np.mean([series(one, name) for one in own], axis=0) for name in ("density", "new")]
    page = (ROOT / "docs" / "explanation" / "density.md").read_text(encoding="utf-8").splitlines()
    for epoch, *numbers in zip(*columns, strict=True):
        assert "| {:.0f} | {:.3f} | {:.1f} | {:.3f} | {:.1f} |".format(epoch, *numbers) in page
    assert (ROOT / "docs" / "images" / "density.png").stat().st_size < 200_000


def test_an_analysis_is_of_one_number_of_shots() -> None:
    with pytest.raises(OptionError, match=r"shots=\(1, 4\): an analysis is of one number of shots"):
        open_analysis("absent", shots=(1, 4), backbone="absent")  # type: ignore[arg-type]
