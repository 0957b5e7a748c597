"""Tables and figures of studies, from records written by hand, against numbers computed by hand."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from promptlet.protocols import RunStore
from promptlet.protocols.plan.studies import STUDIES, Setting, Study
from promptlet.protocols.records.runs import Run
from promptlet.report.figures.drawing import COLOURS, GREY
from promptlet.report.figures.study import study_figure
from promptlet.report.formats.html.study import study_html
from promptlet.report.formats.markdown.study import study_markdown
from promptlet.report.statistics.studies import (
    StudyResult,
    study_json,
    study_results,
    study_table,
    summarise_study,
)

ZERO = Setting("zero_shot", {}, "", "zero-shot", "zero-shot")
COOP = Setting("coop", {"n_ctx": 4}, "words", "CoOp", "four")
RLP = [Setting("rlp", {"n_ctx": 4, "rank": r}, "words", "RLP", "four") for r in (1, 2, 4)]
STUDY = Study("toy", "How many?", "rank", ("n_ctx", "start", "rank"), (ZERO, COOP, *RLP), RLP[0])
KINDS = Study("kinds", "Which?", "", ("rank",), (ZERO, COOP, RLP[0]), COOP)
FAST = {"name": "fast", "epochs": 120, "lr": 0.01}


def run(setting: Setting, dataset: str = "pets", seed: int = 1, **changes: Any) -> Run:
    hand_written = {} if setting.options else {"template": f"a {dataset} {{}}."}
    values: dict[str, Any] = {
        "protocol": "base-to-new",
        "data": f"{dataset}-1",
        "views": 1,
        "sampler": "coop",
    }
    values |= {"settings": FAST if setting.options else {}, "shots": 16, "fingerprint": "a-b-c", "dtype": "f"}
    values |= {"options": {**setting.options, **hand_written}, "method": setting.method}
    return Run(**{**values, "dataset": dataset, "seed": seed, **changes})


def put(store: RunStore, one: Run, *scores: float) -> None:
    names = {"base-to-new": ("base", "new"), "few-shot": ("accuracy",)}
    names |= {"cross-dataset": ("accuracy", "source_accuracy")}
    names |= {"all-names": ("all", "openworld_auc", "base", "new", "all_base", "all_new", "detection_auc")}
    extras = ("base_ece", "new_ece", "base_macro_f1", "new_macro_f1", "ece", "macro_f1")
    extras += ("all_ece", "all_macro_f1")
    numbers = {"trainable": 516, "file_bytes": 2600, "seconds": 3.0, **dict.fromkeys(extras, 5.0)}
    found = dict(zip(names[one.protocol], scores, strict=True))
    store.write(one.key, {"status": "done", **one.describe(), **numbers, **found})


def results(store: RunStore, study: Study = STUDY) -> list[StudyResult]:
    return study_results(summarise_study(store, study), study)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """Two seeds of everything but RLP of rank 2; zero-shot is 60/60, RLP rank 1 is 80/60."""
    store = RunStore(tmp_path)
    for seed in (1, 2):
        put(store, run(ZERO, seed=seed), 60.0, 60.0)
        put(store, run(COOP, seed=seed), 88.0 + 2 * seed, 45.0)
        put(store, run(RLP[0], seed=seed), 77.0 + 2 * seed, 60.0)
        put(store, run(RLP[2], seed=seed), 90.0, 30.0)
    return store


def test_a_line_per_setting_in_the_order_of_the_study(store: RunStore) -> None:
    [result] = results(store)
    head, lines = study_table(result)
    assert head == (
        *("method", "n_ctx", "start", "rank", "seeds", "numbers"),
        *("base", "new", "H", "H over baseline", "seconds"),
    )
    # H of 80 and 60 is 9600 / 140 = 68.57, of 91 and 45 is 60.22, of 90 and 30 is 45. Of the seeds of
    # RLP, 79 and 60 is 68.20, 81 and 60 is 68.94; of those of CoOp, 90 and 45 is 60, 92 and 45 is 60.44
    own, same = ("1,2", "516"), ("1,2 (1 result)", "516")
    assert lines == [
        ("zero_shot", "-", "-", "-", *same, "60.00", "60.00", "60.00", "-8.57", "3.0"),
        ("coop", "4", "words", "full", *own, "91.00 ± 1.00", "45.00 ± 0.00", "60.22 ± 0.22", "-8.35", "3.0"),
        ("rlp", "4", "words", "1", *own, "80.00 ± 1.00", "60.00 ± 0.00", "68.57 ± 0.37", "baseline", "3.0"),
        ("rlp", "4", "words", "2", "not run", *[""] * 6),
        ("rlp", "4", "words", "4", *same, "90.00 ± 0.00", "30.00 ± 0.00", "45.00 ± 0.00", "-23.57", "3.0"),
    ]
    text = study_markdown(summarise_study(store, STUDY), STUDY)
    assert text.startswith(
        "## Study: toy\n\nHow many?\n\n### pets, base-to-new, 16 shots\n\nschedule fast (120 "
    )
    assert "| rlp | 4 | words | 2 | not run |" in text and "backbone a-b-c" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_what_else_is_in_the_folder_does_not_count(store: RunStore) -> None:
    before = study_markdown(summarise_study(store, STUDY), STUDY)
    for options in ({"n_ctx": 8, "rank": 1}, {"n_ctx": 4, "rank": 1, "dropout": 0.5}, {"rank": 1}):
        put(store, run(RLP[0], options=options), 99.0, 99.0)
    put(store, run(RLP[0], "cars", method="kgcoop"), 99.0, 99.0)
    assert study_markdown(summarise_study(store, STUDY), STUDY) == before


def test_averages_are_over_the_data_sets_of_the_study(store: RunStore) -> None:
    for seed in (1, 2):
        put(store, run(RLP[0], "aircraft", seed), 40.0, 80.0)
        put(store, run(ZERO, "aircraft", seed), 20.0, 40.0)
    put(store, run(RLP[0], "birds", method="kgcoop"), 1.0, 1.0)  # of no setting
    average, *own = results(store)
    assert [one.conditions["dataset"] for one in own] == ["aircraft", "pets"]
    assert average.title == "average of 2 data sets, base-to-new, 16 shots"
    assert average.circumstances.startswith("data sets: aircraft, pets; schedule fast (120 epochs, lr 0.01)")
    _, lines = study_table(average)
    own = ["1,2 (1 result)", "no average", "1,2", "no average", "no average"]
    assert [line[4] for line in lines] == own
    # zero-shot 40 and 50: H 44.44; RLP 60 and 70: H 64.62, its deviation 0.37 on pets and 0 on aircraft
    assert lines[0][6:10] == ("40.00", "50.00", "44.44", "-20.17")
    assert lines[2][6:10] == ("60.00 ± 0.50", "70.00 ± 0.00", "64.62 ± 0.18", "baseline")
    text = study_markdown(summarise_study(store, STUDY), STUDY)
    assert "- note: coop: no average, there are no results on aircraft" in text


def test_failed_and_missing_seeds_are_told(store: RunStore) -> None:
    broken = run(RLP[1], seed=3)
    store.write(broken.key, {"status": "failed", **broken.describe(), "reason": "the loss became nan"})
    store.write_plan([run(COOP, seed=seed).describe() for seed in (1, 2, 3)])
    [result] = results(store)
    assert study_table(result)[1][3][4] == "failed"
    assert result.notes == (
        "coop (n_ctx=4, start=words, rank=full): missing seed 3",
        "rlp (n_ctx=4, start=words, rank=2): failed seed 3 (the loss became nan)",
    )
    assert "failed seed 3 (the loss became nan)" in study_markdown(summarise_study(store, STUDY), STUDY)


def fail(store: RunStore, one: Run, reason: str) -> None:
    store.write(one.key, {"status": "failed", **one.describe(), "reason": reason})


def test_failures_are_told_where_zero_shot_alone_is_done(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run(ZERO), 60.0, 50.0)
    for setting in (COOP, *RLP):
        fail(store, run(setting), "the loss is not finite")
    [result] = results(store)
    assert list(result.missing) == ["", *["failed"] * 4]
    assert study_markdown(summarise_study(store, STUDY), STUDY).count("the loss is not finite") == 4


def test_failures_of_which_there_is_no_result_are_told(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    fail(store, run(COOP), "no images")
    summary = summarise_study(store, STUDY)
    line = "pets, coop (n_ctx=4, start=words, rank=full): failed seed 1 (no images)"
    assert f"no results yet\n\n- {line}" in study_markdown(summary, STUDY)
    assert study_json(summary, STUDY)["incomplete"] == [line] and line in study_html(summary, STUDY)


def test_a_failure_belongs_to_its_backbone(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for fingerprint in ("a-b-c", "d-e-f"):
        put(store, run(ZERO, fingerprint=fingerprint), 60.0, 50.0)
        put(store, run(RLP[0], fingerprint=fingerprint), 61.0, 51.0)
    fail(store, run(COOP, fingerprint="d-e-f"), "no images")
    missing = {result.conditions["fingerprint"]: result.missing[1] for result in results(store)}
    assert missing == {"a-b-c": "not run", "d-e-f": "failed"}


def test_differences_are_between_the_same_seeds(store: RunStore) -> None:
    put(store, run(RLP[1], seed=1), 80.0, 60.0)
    [result] = results(store)
    line = study_table(result)[1][3]
    assert line[4:10] == ("1", "516", "80.00", "60.00", "68.57", "other seeds")
    assert study_table(result)[1][0][9] == "-8.57"
    put(store, run(ZERO, seed=3), 60.0, 60.0)  # learns nothing: the same for every seed
    assert study_table(results(store)[0])[1][0][9] == "-8.57"


def test_no_difference_without_a_baseline(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, run(COOP), 90.0, 45.0)
    [result] = results(store)
    assert study_table(result)[1][1][9] == "no baseline" and result.difference(result.rows[1] or {}) is None


def test_other_conditions_are_other_tables(store: RunStore) -> None:
    short = {"settings": {**FAST, "epochs": 2}}
    put(store, run(COOP, **short), 70.0, 70.0)
    put(store, run(COOP, shots=4), 71.0, 71.0)
    put(store, run(COOP, fingerprint="d-e-f"), 72.0, 72.0)
    put(store, run(COOP, views=4), 73.0, 73.0)
    broken = run(RLP[0], **short)
    store.write(broken.key, {"status": "failed", **broken.describe(), "reason": "no"})
    found = {
        (study_table(result)[1][1][6], *study_table(result)[1][0][4:7:2]): result for result in results(store)
    }
    # base of CoOp; zero-shot's seeds and base, where it was run under the same conditions
    assert set(found) == {
        *((base, "1,2 (1 result)", "60.00") for base in ("91.00 ± 1.00", "70.00", "73.00")),
        *(("71.00", "not run", ""), ("72.00", "not run", "")),
    }
    two = found["70.00", "1,2 (1 result)", "60.00"]
    assert two.circumstances.startswith("schedule fast (2 epochs") and study_table(two)[1][2][4] == "failed"
    assert (
        found["91.00 ± 1.00", "1,2 (1 result)", "60.00"].notes == ()
    )  # what failed with 2 epochs is not of this
    assert found["71.00", "not run", ""].title == "pets, base-to-new, 4 shots"
    assert "4 views" in found["73.00", "1,2 (1 result)", "60.00"].circumstances
    assert "backbone d-e-f" in found["72.00", "not run", ""].circumstances


def test_several_results_of_one_setting_are_told(store: RunStore) -> None:
    put(store, run(ZERO, options={"template": "{}."}), 10.0, 10.0)
    [result] = results(store)
    assert study_table(result)[1][0][6] == "60.00"  # two seeds against one
    [note] = result.notes
    assert note.startswith("zero_shot: several results fit, zero_shot (template=") and "most seeds" in note


@pytest.mark.parametrize("protocol", ["few-shot", "cross-dataset"])
def test_other_protocols_compare_accuracies(protocol: str, tmp_path: Path) -> None:
    store, sourced = RunStore(tmp_path), {"source": "places", "source_data": "p-1"}
    more = sourced if protocol == "cross-dataset" else {}
    for setting, accuracy in ((COOP, 50.0), (RLP[0], 52.5)):
        own = (accuracy, 30.0) if more else (accuracy,)
        put(store, run(setting, protocol=protocol, **more), *own)
    [result] = results(store)
    head, lines = study_table(result)
    names = ("on source", "accuracy") if more else ("accuracy",)
    assert head[6:-2] == names and head[-2] == "accuracy over baseline"
    assert lines[1][6:-1] == (*(("30.00",) if more else ()), "50.00", "-2.50")
    assert result.title == ("places to pets, cross-dataset, 16 shots" if more else "pets, few-shot, 16 shots")
    assert Image.open(io.BytesIO(study_figure(result))).format == "PNG"


@pytest.mark.slow
def test_all_names_compares_the_accuracy_among_all(tmp_path: Path, drawn: list[Any]) -> None:
    store = RunStore(tmp_path)
    for setting, among_all in ((COOP, 50.0), (RLP[0], 52.5)):
        put(store, run(setting, protocol="all-names"), among_all, 31.0, 80.0, 60.0, 55.0, 45.0, 90.0)
    [result] = results(store)
    head, lines = study_table(result)
    assert head[6:-1] == ("OpenworldAUC", "base", "new", "H", "all", "all over baseline")
    assert lines[1][6:-1] == ("31.00", "80.00", "60.00", "68.57", "50.00", "-2.50")
    study_figure(result)
    assert [panel.get_title() for panel in drawn[0].axes] == [
        *("OpenworldAUC, %", "base classes, %", "new classes, %", "H of base and new, %"),
        "accuracy among all names, %",
    ]


def test_json_tells_the_same(store: RunStore) -> None:
    document = json.loads(json.dumps(study_json(summarise_study(store, STUDY), STUDY), allow_nan=False))
    assert (document["schema"], document["study"], document["problems"]) == (1, "toy", [])
    [result] = document["results"]
    zero, coop, one, two, _ = result["settings"]
    assert zero["difference"] == pytest.approx(60 - 2 * 80 * 60 / 140) and one["difference"] == 0.0
    assert (one["baseline"], coop["baseline"], one["row"]["base"]) == (True, False, 80.0)
    assert (two["missing"], two["row"], two["difference"]) == ("not run", None, None)
    assert two["options"] == {"n_ctx": 4, "rank": 2} and two["start"] == "words"


def test_nothing_was_run(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text("{")
    text = study_markdown(summarise_study(RunStore(tmp_path), STUDY), STUDY)
    assert "no results yet" in text and "odd.json: damaged" in text


def test_lines_are_where_the_numbers_are(store: RunStore, drawn: list[Any]) -> None:
    png = study_figure(results(store)[0])
    [figure] = drawn
    base, new, both = figure.axes
    assert [panel.get_title() for panel in figure.axes] == [
        *("base classes, %", "new classes, %", "H of base and new, %")
    ]
    [line] = [line for line in base.lines if len(line.get_xdata()) == 3 and line.get_linestyle() == "-"]
    assert list(line.get_xdata()) == [1, 2, 4] and base.get_xscale() == "log"
    assert line.get_ydata()[0] == 80.0 and line.get_ydata()[1] != line.get_ydata()[1]  # a gap for rank 2
    level = {line.get_label(): line for line in new.lines if line.get_linestyle() == ":"}
    assert {name: set(line.get_ydata()) for name, line in level.items()} == {
        "zero-shot": {60.0},
        "CoOp": {45.0},
    }
    assert (
        level["zero-shot"].get_color() == GREY and level["CoOp"].get_color() == line.get_color() == COLOURS[0]
    )
    [bars] = base.collections
    assert next(list(segment[:, 1]) for segment in bars.get_segments()) == [79.0, 81.0]
    [bars] = both.collections  # of RLP; rank 1: the H of 79 and 60, and of 81 and 60, 0.37 from their middle
    low, high = (value for _, value in bars.get_segments()[0])
    assert (high - low) / 2 == pytest.approx((2 * 81 * 60 / 141 - 2 * 79 * 60 / 139) / 2)
    assert (high + low) / 2 == pytest.approx(9600 / 140)
    assert {round(high - low, 6) for low, high in (panel.get_ylim() for panel in figure.axes)} == {
        round(new.get_ylim()[1] - new.get_ylim()[0], 6)
    }
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["zero-shot", "CoOp", "RLP"]
    box = legend.get_window_extent()
    assert not any(box.overlaps(panel.get_tightbbox()) for panel in figure.axes)
    assert Image.open(io.BytesIO(png)).size[0] > 1000


def test_kinds_have_a_place_each(store: RunStore, drawn: list[Any]) -> None:
    study_figure(results(store, KINDS)[0])
    [figure] = drawn
    base = figure.axes[0]
    assert [label.get_text() for label in base.get_yticklabels()] == ["zero-shot", "CoOp", "RLP"]
    assert base.get_ylim()[0] > base.get_ylim()[1]  # the first on top
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in base.lines if line.get_marker() in "xos"]
    assert points == [(60.0, 0), (91.0, 1), (80.0, 2)]
    assert {tuple(segment[:, 0]) for c in base.collections for segment in c.get_segments()} == {
        (90.0, 92.0), (79.0, 81.0)
    }  # fmt: skip


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_a_figure_in_which_lines_differ(name: str, tmp_path: Path, drawn: list[Any]) -> None:
    study, store = STUDIES[name], RunStore(tmp_path)
    for i, setting in enumerate(study.settings):
        put(store, run(setting, settings=FAST if setting.options else {}), 60.0 + i, 60.0 - i)
    [result] = results(store, study)
    assert all(row is not None for row in result.rows) and result.notes == ()
    assert [row["base"] for row in result.rows if row] == [60.0 + i for i in range(len(study.settings))]
    study_figure(result)
    [figure] = drawn
    if study.axis:
        handles, labels = figure.axes[0].get_legend_handles_labels()
        lines = [getattr(handle, "lines", [handle])[0] for handle in handles]
        looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}
        assert len(looks) == len(labels) == len({setting.label for setting in study.settings})
    else:
        boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
        assert len(boxes) == len(study.settings)
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))
        assert min(box.x0 for box in boxes) >= 0  # none is cut off


@pytest.mark.slow
def test_tables_and_figures_need_neither_torch_nor_a_window() -> None:
    code = "import sys, promptlet.report.figures.study as s; import matplotlib.figure"
    code += "; sys.exit('torch' in sys.modules or 'matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
