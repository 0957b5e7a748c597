"""What the caption of a table in LaTeX says: what was run, what its numbers are, and what is not there."""

from __future__ import annotations

from collections.abc import Collection

from promptlet.protocols.records.measures import ALL_NAMES, BASE_TO_NEW, MEASURES, TRANSFERS
from promptlet.report.formats.latex.tables import Table
from promptlet.report.formats.latex.text import NONE, escaped, mark
from promptlet.report.formats.marks import IN_LATEX, legend
from promptlet.report.formats.spreads import joined, shares
from promptlet.report.statistics.chosen import SIGNS
from promptlet.report.statistics.comparisons import grouped

MEASURED = {BASE_TO_NEW: "on base and new classes, and H, the harmonic mean of the two means"}
MEASURED[ALL_NAMES] = (
    "of all images among all names (All) and of each half among its own (Base, New), H, the harmonic mean of "
    "the last two means, and OpenworldAUC in percent, by the log-odds of the base names among all"
)
MEASURED |= dict.fromkeys(TRANSFERS, "on the source and on each target")


def caption(table: Table, has_bold: bool) -> str:
    """Sentences, in LaTeX."""
    facts = escaped(", ".join([*filter(None, table.facts), *_schedules(table)]))
    measured = MEASURED.get(table.protocol, "by shots (images per class)")
    told = [f"{facts[0].upper()}{facts[1:]}. Top-1 accuracy in percent {measured}."]
    told += _statistics(table)
    told += [f"Bold: the best of a {'column' if table.protocol in TRANSFERS else 'line'}."] * has_bold
    return " ".join([*told, *_marks(table), *_gaps(table)])


def _marks(table: Table) -> list[str]:
    """What the marks at names and numbers mean."""
    rows = [(method.name, row["chosen"]) for method in table.methods for row in method.rows.values()]
    names = {sign: IN_LATEX[kind] for kind, sign in SIGNS.items()}
    lines = legend(rows)
    return [f"{names[line[0]]} {escaped(line[1:])}" if line[0] in names else escaped(line) for line in lines]


def _schedules(table: Table) -> list[str]:
    """Of the methods whose names do not tell it."""
    schedules = {method.name: row["schedule"] for method in table.methods for row in method.rows.values()}
    told = {name: f"schedule {schedule}" for name, schedule in schedules.items() if schedule}
    silent = [name for name, words in told.items() if words.replace(" ", "=") not in name]
    groups = grouped(silent, told.__getitem__)
    if len(set(told.values())) == 1:
        return [told[group[0]] for group in groups]
    return [f"{told[group[0]]} for {', '.join(group)}" for group in groups]


def _statistics(table: Table) -> list[str]:
    """Of what seeds, what the deviation is, and how averages were taken."""
    if not table.rows:
        return []
    first, *others = table.seeds
    has_h = MEASURES[table.protocol].has_h
    of_h = "; that of H is of the H of each seed" if has_h else ""
    spread = rf", $\pm$ population deviation over seeds{of_h}"
    counts = {len(seeds) for seeds in table.seeds if len(seeds) > 1}
    has_spread = bool(counts)
    told = [f"{'Means over seeds' if len(first) > 1 else 'Seed'} {_listed(first)}{spread * has_spread}."]
    average = ["H is that of the average accuracies"] * has_h
    average += [r"$\pm$ is the mean of the data sets' deviations"] * has_spread
    told += [f"In the average, {' and '.join(average)}."] if table.averages and average else []
    told += [f"{mark(i)} Seed{'s' * (len(own) > 1)} {_listed(own)}." for i, own in enumerate(others, 1)]
    return [*told, *_few(table, counts)]


def _few(table: Table, counts: Collection[int]) -> list[str]:
    """What so few seeds tell, and whose seeds give one result."""
    told = [
        rf"$\pm$ is no interval: a mean $\pm$ it holds what all seeds would give on average {shares(counts)}."
    ]
    alike = [
        method.name
        for method in table.methods
        if method.rows
        and all(row["effective_seeds"] == 1 < len(row["seeds"]) for row in method.rows.values())
    ]
    told += [f"All seeds give the same for {escaped(joined(alike))}."] if alike else []
    return told if counts else []


def _gaps(table: Table) -> list[str]:
    """What is not there, and why."""
    methods = table.methods
    there = [any(line in method.rows for method in methods) for line in table.lines]
    told = [f"{NONE}: no result."] * any(
        line not in method.rows for method in methods for line in (*table.lines, *table.averages)
    )
    if table.missing or table.failed:
        told.append(f"Of the runs asked for, {table.missing} missing, {table.failed} failed.")
    if table.several:
        told.append(f"Not shown, as there are several rows: {escaped(', '.join(table.several))}.")
    if table.averages and not all(there):
        told.append("The average is over the data sets with results.")
    if any(line not in method.rows for method in methods if method.rows for line in table.averages):
        told.append("A method without an average lacks a data set, or has it twice or with other seeds.")
    return told


def _listed(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds))
