"""Files and folders dropped on a page by the browser's own events, as a hand does: folders stay folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator


def drop(target: Locator, paths: Sequence[Path]) -> None:
    """On the middle of what is seen of an element."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box is not None, "it is not on the page"
    page = target.page
    size = page.viewport_size or {"width": 1e9, "height": 1e9}
    x = min(box["x"] + box["width"] / 2, size["width"] - 4)
    y = min(box["y"] + box["height"] / 2, size["height"] - 4)
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})
    session.detach()
