"""Studies: fixed lists of settings that differ in one thing, such as the rank; presets of a benchmark.

Plain data, and no torch: a report finds the results of a study without it. Every option of a setting is
written out, so that a study stays what it was when a default changes. RLP's did after version 0.1.0: studies
hold its first settings, and train all methods alike. The seed is the run's own and the hand-written template
the data set's. RLP's learning rate, dropout and scale of the factors, DO's and PP's weights are not public:
the values here are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import cycle, islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from promptlet.errors import OptionError, check_option
from promptlet.protocols.records.runs import told_apart_by

if TYPE_CHECKING:
    from promptlet.protocols.planning import Settings

WORDS, SEED = "words", "seed"
"""How a context starts: from words, or at random from the run's seed."""
LEARNED = "learned"
"""Studies are of the learned prompt: names that were not taught are answered as learned."""
OF_THE_RUN = ("seed", "template")
"""Options that are no part of a setting."""

_WORDS = ("a", "photo", "of", "a")
_LENGTHS = (2, 4, 8, 16)
_DROPOUT = 0.3
_FIRST = MappingProxyType({"init_std": 0.02, "v_rate": 1.0})  # of a low-rank context in version 0.1.0


@dataclass(frozen=True)
class Setting:
    """One line of a study's table: a method with all its options but those `OF_THE_RUN`.

    start: WORDS or SEED, empty where nothing is learned. label: of its line, or its place on the axis, in the
    figure; settings of one line share it. group: labels of one group share a colour.
    """

    method: str
    options: Mapping[str, Any]
    start: str
    label: str
    group: str

    @property
    def spec(self) -> tuple[str, Mapping[str, Any]]:
        """What `plan_runs` takes."""
        return self.method, dict(self.options)

    def fits(self, described: Mapping[str, Any]) -> bool:
        """Whether what is described (a record, a row, a planned run) is of this setting."""
        found = told_apart_by(described["options"])
        own = {name: value for name, value in found.items() if name not in OF_THE_RUN}
        return described["method"] == self.method and own == told_apart_by(self.options)

    def shown(self, column: str) -> str:
        """A cell of the table; ``full`` stands for a context that is not low-rank."""
        value = self.start if column == "start" else self.options.get(column)
        is_full = bool(self.options) and self.options.get("rank") is None
        if is_full and column in ("rank", "dropout"):
            return "full" if column == "rank" else "-"
        return "-" if value in (None, "") else str(value)


@dataclass(frozen=True)
class Study:
    """Settings in the order of the table, and what they are compared with.

    axis: the option on the figure's axis; empty for a study of kinds, which has their labels there. columns:
    what the table says of each setting, beside the method. baseline: the setting that the others are compared
    with.
    """

    name: str
    question: str
    axis: str
    columns: tuple[str, ...]
    settings: tuple[Setting, ...]
    baseline: Setting

    @property
    def methods(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Each setting as `plan_runs` takes it."""
        return [setting.spec for setting in self.settings]


def find_study(name: str) -> Study:
    """The study of that name. Raises OptionError for one that is not known."""
    return STUDIES[check_option("study", name, STUDIES)]


def study_methods(
    name: str, shared_options: Mapping[str, Any] | None = None
) -> list[tuple[str, Mapping[str, Any]]]:
    """The methods of a study with their options, for `plan_runs`; None is an option not given.

    Raises OptionError for a study that is not known, for an option that the study sets itself, and for one
    that none of its methods has.
    """
    study = find_study(name)
    given = {option: value for option, value in (shared_options or {}).items() if value is not None}
    for option in given:
        if any(option in setting.options for setting in study.settings):
            raise OptionError(
                f"{option}={given[option]!r} cannot go with the study {name!r}, whose settings say {option} "
                "themselves; leave it out, or name the methods instead of a study"
            )
    if not given:
        return study.methods
    from promptlet.protocols.planning import share_options

    return share_options(study.methods, given)


def trained_alike(settings: Settings) -> Settings:
    """The settings with the schedule ``fast`` itself, by AdamW, without what methods change in it: a study
    trains all of its methods alike. ``adamw`` is that too."""
    from promptlet.training.schedules import ADAMW, FAST, SCHEDULES

    return replace(settings, schedule=SCHEDULES[FAST]) if settings.schedule in (FAST, ADAMW) else settings


def ctx_init_of(start: str, n_ctx: int) -> str | None:
    """The option ``ctx_init`` for a start; None where that is what the library does by itself.

    Words: the first n_ctx of "a photo of a", which beyond four begins again. Then all lengths start from the
    same words, and no tokenizer that has four tokens for these has others for more.
    """
    is_own = start == (WORDS if n_ctx <= len(_WORDS) else SEED)
    if is_own:
        return None
    return " ".join(islice(cycle(_WORDS), n_ctx)) if start == WORDS else "random"


def _zero_shot() -> Setting:
    return Setting("zero_shot", MappingProxyType({}), "", "zero-shot", "zero-shot")


def _coop(label: str, group: str, n_ctx: int = 4, start: str = WORDS) -> Setting:
    return _learned("coop", label, group, start, n_ctx, per_class=False, class_token_position="end")


def _rlp(
    label: str, group: str, rank: int = 1, n_ctx: int = 4, start: str = WORDS, dropout: float = _DROPOUT
) -> Setting:
    factors = {"rank": rank, "dropout": dropout, **_FIRST, "budget": None}
    return _learned("rlp", label, group, start, n_ctx, **factors)


def _density_term(method: str, label: str, group: str, **options: Any) -> Setting:
    """DIP's DO or PP with the term of version 0.1.0."""
    return _learned(method, label, group, WORDS, 4, **options, soft=False)


def _restrained(method: str, label: str, rank: int | None, **options: Any) -> Setting:
    """KgCoOp or ProGrad with a full context, or with RLP's."""
    factors = {"rank": rank, "dropout": _DROPOUT, **_FIRST}
    return _learned(method, label, method, WORDS, 4, **options, **factors)


def _learned(method: str, label: str, group: str, start: str, n_ctx: int, **options: Any) -> Setting:
    complete = {"n_ctx": n_ctx, "ctx_init": ctx_init_of(start, n_ctx), **options, "new_names": LEARNED}
    return Setting(method, MappingProxyType(complete), start, label, group)


def _study(
    name: str,
    question: str,
    axis: str,
    columns: tuple[str, ...],
    settings: Iterable[Setting],
    baseline: Setting | None = None,
) -> Study:
    """A study with zero-shot as its first line, compared with RLP as it is unless a baseline is given."""
    every, against = (_zero_shot(), *settings), baseline or _rlp("RLP", "RLP")
    [chosen] = [setting for setting in every if setting.spec == against.spec]
    return Study(name, question, axis, columns, every, chosen)


def _by_rank(ranks: Mapping[int, Iterable[int]]) -> list[Setting]:
    """By n_ctx: CoOp, then RLP at each of the ranks, all from words, so that lines differ in n_ctx alone."""
    settings: list[Setting] = []
    for n_ctx, own in ranks.items():
        group = f"n_ctx {n_ctx}"
        settings.append(_coop(f"CoOp, {group}", group, n_ctx))
        settings += [_rlp(f"RLP, {group}", group, rank, n_ctx) for rank in own]
    return settings


def _rank() -> Study:
    settings = _by_rank({4: (1, 2, 3, 4), 16: (1, 2, 4, 8, 16)})
    question = "Of how many directions should a low-rank update be, with 4 vectors and with 16?"
    return _study("rank", question, "rank", ("n_ctx", "rank"), settings)


def _rank_grid() -> Study:
    settings = _by_rank({n_ctx: range(1, n_ctx + 1) for n_ctx in _LENGTHS})
    question = "The same with every rank from 1 to n_ctx, at four lengths."
    return _study("rank-grid", question, "rank", ("n_ctx", "rank"), settings)


def _length() -> Study:
    settings: list[Setting] = []
    for start in (WORDS, SEED):
        settings += [_coop(f"CoOp, from {start}", "CoOp", n_ctx, start) for n_ctx in _LENGTHS]
        settings += [_rlp(f"RLP rank 1, from {start}", "RLP", 1, n_ctx, start) for n_ctx in _LENGTHS]
    question = "How long should a context be? CoOp and RLP of rank 1, from words and from a seed."
    return _study("length", question, "n_ctx", ("start", "n_ctx"), settings)


def _dropout() -> Study:
    rates = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)
    settings = [_coop("CoOp", "CoOp")]
    settings += [_rlp(f"RLP rank {r}", f"rank {r}", r, dropout=rate) for r in (1, 4) for rate in rates]
    question = "What does dropout on the low-rank branch do, at the smallest rank and at the largest?"
    return _study("dropout", question, "dropout", ("rank", "dropout"), settings, settings[1])


def _start() -> Study:
    settings: list[Setting] = []
    for group, rank in (("CoOp", None), ("RLP rank 1", 1), ("RLP rank 4", 4)):
        for n_ctx in (4, 16):
            for start in (WORDS, SEED):
                own = (f"{group}, {n_ctx} from {start}", group)
                settings.append(_coop(*own, n_ctx, start) if rank is None else _rlp(*own, rank, n_ctx, start))
    question = (
        "What is a start from words worth over one from a seed, with a full context and with low ranks?"
    )
    return _study("start", question, "", ("rank", "n_ctx", "start"), settings)


def _density() -> Study:
    weights = (0.1, 1.0, 10.0)
    settings = [
        _coop("CoOp (full)", "coop"),
        _rlp("low rank, no dropout", "rlp", dropout=0.0),
        _rlp("low rank, dropout 0.3", "rlp"),
        *(_density_term("dip_do", f"DO, weight {w:g}", "do", weight=w, k=1) for w in weights),
        *(_density_term("dip_pp", f"PP, weight {w:g}", "pp", weight=w) for w in weights),
        _restrained("kgcoop", "KgCoOp (full)", None, weight=8.0),
        _restrained("kgcoop", "KgCoOp, low rank", 1, weight=8.0),
        _restrained("prograd", "ProGrad (full)", None, weight=1.0, temperature=1.0),
        _restrained("prograd", "ProGrad, low rank", 1, weight=1.0, temperature=1.0),
    ]
    question = "Three ways to a denser prompt, and the low rank in other methods."
    return _study("density", question, "", ("rank", "dropout", "weight"), settings, settings[0])


STUDIES: dict[str, Study] = {
    study.name: study for study in (_rank(), _rank_grid(), _length(), _dropout(), _start(), _density())
}
"""By name."""
