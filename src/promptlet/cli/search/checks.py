"""In which form `promptlet search` gives what it found, checked before a model is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from promptlet.cli.outputs import check_file, check_page
from promptlet.errors import OptionError

if TYPE_CHECKING:
    from promptlet.search.query import Query


@dataclass(frozen=True)
class Form:
    """In which form results are asked for. Raises OptionError for two at once."""

    json: bool = False
    csv: bool = False
    page: Path | None = None

    def __post_init__(self) -> None:
        if self.json and self.csv:
            raise OptionError("give --json or --csv, not both")

    def check(self, query: Query | None, index: Path | None, top: int | None) -> None:
        """Before anything is read. Raises OptionError."""
        if query is None and (self.csv or self.page or top is not None):
            raise OptionError(
                "--csv, --page and --top are about what is found; give also what to look for: --query, "
                "--prompt or --like"
            )
        if self.page is not None:
            check_page(self.page, "--page")
        if index is not None:
            check_file(index, "--index")
