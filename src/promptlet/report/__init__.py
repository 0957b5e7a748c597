"""Reports: folders of runs in; tables, differences, figures, pages out. Only what was run; loads no torch."""

from promptlet.report.formats.documents import FORMATS, format_of, render, write_report
from promptlet.report.statistics.differences import Difference, Differences, Interval, paired_differences
from promptlet.report.statistics.stores import check_holds_runs
from promptlet.report.statistics.summary import Summary, summarise

__all__ = [
    "FORMATS",
    "Difference",
    "Differences",
    "Interval",
    "Summary",
    "check_holds_runs",
    "format_of",
    "paired_differences",
    "render",
    "summarise",
    "write_report",
]
