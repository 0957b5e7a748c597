"""The sections of one page, as its template comes to them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Contents:
    """Filled by the macro ``heading``; ``base.html`` makes links of it."""

    sections: list[tuple[str, str]] = field(default_factory=list)
    """Anchor and heading of each."""

    def add(self, heading: str) -> str:
        """The anchor of a new section: ``s1``, ``s2`` and so on."""
        anchor = f"s{len(self.sections) + 1}"
        self.sections.append((anchor, heading))
        return anchor
