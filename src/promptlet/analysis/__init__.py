"""Analysis: what happens to a context while it is trained, beside base and new accuracy. Loads no torch.

``measuring`` trains and measures, ``rows`` keeps what was measured, ``correlation`` compares, ``tables`` and
``figures`` show. Nothing is chosen by these numbers: they come from the test halves.
"""

from promptlet.analysis.correlation import correlations, spearman
from promptlet.analysis.rows import DENSITY, DensityStore, read_rows
from promptlet.analysis.tables import markdown

__all__ = ["DENSITY", "DensityStore", "correlations", "markdown", "read_rows", "spearman"]
