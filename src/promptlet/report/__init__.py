"""Reports: a store of runs in, one row per (data set, method) out. Only what was run; loads no torch."""

from promptlet.report.summary import Summary, summarise
from promptlet.report.tables import FORMATS, render

__all__ = ["FORMATS", "Summary", "render", "summarise"]
