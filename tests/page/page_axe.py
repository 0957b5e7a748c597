"""axe-core on a page: the rules of accessibility that a machine can judge."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

RUN = """() => axe.run(document, {
  resultTypes: ['violations'], rules: { 'target-size': { enabled: true } },
})"""
AXE = Path(sys.prefix) / "axe-core" / "axe.min.js"


def violations(page: Page) -> list[str]:
    """What is against WCAG 2.2 AA or good practice, with the elements that it is about."""
    page.wait_for_function("() => document.getAnimations().every((one) => one.playState !== 'running')")
    if not page.evaluate("() => 'axe' in globalThis"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(RUN)
    return [
        f"{one['id']} ({one['help']}): {'; '.join(node['html'][:160] for node in one['nodes'][:3])}"
        for one in found["violations"]
    ]
