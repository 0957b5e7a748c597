"""A study's results as tables: a line per setting, in the study's order, with what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlet.protocols import RunStore
from promptlet.protocols.plan.studies import Setting, Study
from promptlet.protocols.records.measures import MEASURES
from promptlet.protocols.records.runs import cell_of
from promptlet.report.statistics.comparisons import AVERAGE, grouped, spread_of
from promptlet.report.statistics.seeds import seeds_in_words
from promptlet.report.statistics.summary import Summary, summarise
from promptlet.views import in_words as told_views

Row = Mapping[str, Any]
NOT_RUN, FAILED, NO_AVERAGE = "not run", "failed", "no average"
BASELINE, NO_BASELINE, OTHER_SEEDS = "baseline", "no baseline", "other seeds"

_SHARED = ("protocol", "shots", "dataset", "source", "source_data", "data", "sampler", "fingerprint", "dtype")
_OF_ENTRIES = ("protocol", "dataset", "shots", "source", "sampler", "fingerprint", "dtype")
_OF_TRAINING = ("views", "settings")
"""What a method that learns nothing does not have: its row stands beside all that share the rest."""


@dataclass(frozen=True)
class StudyResult:
    """A study under one set of conditions: a protocol, data set, number of shots, schedule, backbone.

    conditions: any row of it. rows: of a `Summary`, in the order of ``study.settings``, None where there is
    none. missing: what the table says there. notes: what a reader has to know.
    """

    study: Study
    conditions: Row
    rows: tuple[Row | None, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def lines(self) -> list[tuple[Setting, Row | None, str]]:
        """Each setting with its row and what is missing."""
        return list(zip(self.study.settings, self.rows, self.missing, strict=True))

    @property
    def baseline(self) -> Row | None:
        """The row of the setting that the others are compared with."""
        return self.rows[self.study.settings.index(self.study.baseline)]

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of what is shown (percent), the one that settings are compared by last."""
        measures = MEASURES[self.conditions["protocol"]]
        return (*(name for name in measures.shown if name != measures.headline), measures.headline)

    @property
    def title(self) -> str:
        """``caltech101, base-to-new, 16 shots``."""
        own = self.conditions
        source = f"{own['source']} to " if own.get("source") else ""
        several = len(own.get("datasets") or ())
        name = f"average of {several} data sets" if several else own["dataset"]
        return f"{source}{name}, {own['protocol']}, {own['shots']} shots"

    @property
    def circumstances(self) -> str:
        """Data sets of an average, schedule and backbone, in words."""
        own, settings = self.conditions, self.conditions["settings"]
        parts = [f"data sets: {', '.join(own['datasets'])}"] if own.get("datasets") else []
        if settings:
            told = [f"{settings['epochs']} epochs"] if "epochs" in settings else []
            told += [f"lr {settings['lr']:g}"] if "lr" in settings else []
            parts.append(f"schedule {settings.get('name', 'of no name')} ({', '.join(told) or 'not told'})")
            parts += [] if own["views"] == 1 else [told_views(own["views"])]
        return "; ".join([*parts, f"backbone {own['fingerprint']}"])

    def difference(self, row: Row) -> float | None:
        """Points of the last of `measures` above the baseline; None without one, or with one of other seeds.

        What learns nothing is the same for every seed, and is compared with any.
        """
        baseline = self.baseline
        if baseline is None or (row["settings"] and row["seeds"] != baseline["seeds"]):
            return None
        return float(row[self.measures[-1]] - baseline[self.measures[-1]])


def summarise_study(store: RunStore | Sequence[RunStore], study: Study) -> Summary:
    """`summarise` for the runs of a study alone, so that averages are over the data sets of the study.

    Raises DataError when there is no such folder.
    """
    stores = [store] if isinstance(store, RunStore) else store
    described = [one for own in stores for one in (*own.read_all()[0], *own.read_plans())]
    cells = {cell_of(one) for one in described if any(setting.fits(one) for setting in study.settings)}
    return summarise(store, cells)


def study_results(summary: Summary, study: Study) -> list[StudyResult]:
    """The study under each set of conditions of which there are rows; an average before its data sets.

    The first one is that for the figure.
    """
    rows = [row for row in summary.rows if any(setting.fits(row) for setting in study.settings)]
    found = []
    for same in _by(rows, _SHARED):
        untrained = [row for row in same if not row["settings"]]
        trained = _by([row for row in same if row["settings"]], _OF_TRAINING)
        found += [_result(study, [*own, *untrained], summary.incomplete) for own in trained or [[]]]
    return sorted(found, key=_order)


def study_table(result: StudyResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and lines, in words."""
    words = MEASURES[result.conditions["protocol"]].shown
    names = [words[name] for name in result.measures]
    last = (*names, f"{names[-1]} over baseline", "seconds")
    head = ("method", *result.study.columns, "seeds", "numbers", *last)
    lines = []
    for setting, row, missing in result.lines:
        first = (setting.method, *(setting.shown(column) for column in result.study.columns))
        measured = (missing,) if row is None else _measured(result, setting, row)
        lines.append((*first, *measured, *[""] * (len(head) - len(first) - len(measured))))
    return head, lines


def unplaced(summary: Summary, study: Study) -> list[str]:
    """What is missing or failed where the study has no result at all, in words."""
    results = study_results(summary, study)
    return [
        f"{entry['dataset']}, {_name(study, setting)}: {_absence(entry)}"
        for entry in summary.incomplete
        for setting in study.settings
        if setting.fits(entry) and not any(_is_of(entry, result.conditions) for result in results)
    ]


def study_json(summary: Summary, study: Study) -> dict[str, Any]:
    """The same as plain JSON values: each setting with its row, or with what is missing."""
    return {
        "schema": 1,
        "study": study.name,
        "question": study.question,
        "results": [_plain(result) for result in study_results(summary, study)],
        "incomplete": unplaced(summary, study),
        "problems": list(summary.problems),
    }


def _plain(result: StudyResult) -> dict[str, Any]:
    settings = [
        {
            "method": setting.method,
            "options": dict(setting.options),
            "start": setting.start,
            "baseline": setting == result.study.baseline,
            "missing": missing or None,
            "difference": None if row is None else result.difference(row),
            "row": None if row is None else dict(row),
        }
        for setting, row, missing in result.lines
    ]
    return {"title": result.title, "settings": settings, "notes": list(result.notes)}


def _result(study: Study, rows: Sequence[Row], incomplete: Sequence[Row]) -> StudyResult:
    conditions, shown, missing, notes = rows[0], [], [], []
    for setting in study.settings:
        own = [row for row in rows if setting.fits(row)]
        absent = [entry for entry in incomplete if setting.fits(entry) and _is_of(entry, conditions)]
        shown.append(max(own, key=lambda row: len(row["seeds"]), default=None))
        missing.append("" if own else _why(absent, conditions))
        notes += [f"{_name(study, setting)}: {_absence(entry)}" for entry in absent]
        if len(own) > 1:
            labels = " and ".join(str(row["label"]) for row in own)
            notes.append(
                f"{_name(study, setting)}: several results fit, {labels}; the one of most seeds is shown"
            )
    return StudyResult(study, conditions, tuple(shown), tuple(missing), tuple(notes))


def _is_of(entry: Row, conditions: Row) -> bool:
    """Whether what is missing or failed belongs to these conditions, as far as both say."""
    same = all(entry.get(name) == conditions.get(name) for name in _OF_ENTRIES)
    of_training = [name for name in _OF_TRAINING if entry.get("settings") and conditions["settings"]]
    return same and all(entry[name] == conditions[name] for name in of_training)


def _why(absent: Sequence[Row], conditions: Row) -> str:
    if conditions["dataset"] == AVERAGE:
        return NO_AVERAGE
    return FAILED if any(entry["failed"] for entry in absent) else NOT_RUN


def _absence(entry: Row) -> str:
    words = [
        f"{what} seed {', '.join(map(str, entry[what]))}" for what in ("missing", "failed") if entry[what]
    ]
    reasons = f" ({'; '.join(entry['reasons'])})" if entry["reasons"] else ""
    return "; ".join(words) + reasons


def _name(study: Study, setting: Setting) -> str:
    """``rlp (n_ctx=4, rank=2)``."""
    told = [f"{column}={setting.shown(column)}" for column in study.columns if setting.shown(column) != "-"]
    return f"{setting.method} ({', '.join(told)})" if told else setting.method


def _measured(result: StudyResult, setting: Setting, row: Row) -> tuple[str, ...]:
    scores = (score(row, name) for name in result.measures)
    words = _difference(result, setting, row)
    seeds = seeds_in_words(row["seeds"], row["effective_seeds"])
    return (seeds, f"{row['trainable']:,}", *scores, words, f"{row['seconds']:.1f}")


def _difference(result: StudyResult, setting: Setting, row: Row) -> str:
    if setting == result.study.baseline:
        return BASELINE
    difference = result.difference(row)
    if difference is None:
        return NO_BASELINE if result.baseline is None else OTHER_SEEDS
    return f"{difference:+.2f}"


def spread(row: Row, name: str) -> float | None:
    """The deviation over seeds of an accuracy or of H; None for one seed, and where nothing is learned."""
    return spread_of(row, name) if row["settings"] else None


def score(row: Row, name: str) -> str:
    """An accuracy or H in words, with its `spread` where it has one."""
    deviation = spread(row, name)
    return f"{row[name]:.2f}" + ("" if deviation is None else f" ± {deviation:.2f}")


def _by(rows: Sequence[Row], names: Sequence[str]) -> list[list[Row]]:
    return grouped(rows, lambda row: json.dumps([row.get(name) for name in names], sort_keys=True))


def _order(result: StudyResult) -> tuple[Any, ...]:
    own = result.conditions
    return (own["protocol"], own["shots"], own["dataset"] != AVERAGE, own["dataset"], str(own["schedule"]))
