"""The page of examples/browser in Chromium: what it answers is what the library answers."""

from __future__ import annotations

import re
import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from tools.page.chromium import CHROMIUM

import promptlet as pl

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EXAMPLE = Path(__file__).parents[2] / "examples" / "browser"
RUNTIME = Path(sys.prefix) / "onnxruntime-web"
pytestmark = [
    pytest.mark.page,
    pytest.mark.skipif(
        CHROMIUM is None or not RUNTIME.is_dir(), reason="needs Chromium and onnxruntime-web: make test-page"
    ),
]
ENDED = "[data-answered], [data-failed]"
CATS = ("<b>cat</b>", "dog & co")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def classifier(tiny_backbone: Any) -> Any:
    draw = np.random.default_rng(0)
    images = []
    for i in range(12):
        base = np.array(((200, 30, 30), (30, 200, 30))[i % 2])
        levels = (base + draw.integers(-25, 25, (60, 48, 3))).clip(0, 255).astype(np.uint8)
        images.append(Image.fromarray(levels))
    return pl.PromptClassifier(tiny_backbone, cache=False, epochs=4).fit(images, list(CATS) * 6)


@pytest.fixture(scope="module")
def site(classifier: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The example beside an export, on a free port."""
    pytest.importorskip("onnxscript", reason="the export needs the extra onnx")
    from promptlet.export.folder import export_folder

    root = tmp_path_factory.mktemp("site") / "browser"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("exported", "vendor"))
    shutil.copytree(RUNTIME, root / "vendor")
    export_folder(classifier, root / "exported")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield root, f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join(10)


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def opened(page: Page, address: str) -> str:
    """The page once it has answered, or failed."""
    page.goto(address)
    page.wait_for_selector(ENDED, state="attached", timeout=60_000)
    return page.content()


def state(page: str) -> str:
    found = re.search(r'<p id="state"[^>]*>(.*?)</p>', page)
    assert found is not None
    return unescape(found[1])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_it_answers_as_the_library_does(
    site: tuple[Path, str], page: Page, classifier: Any, suffix: str
) -> None:
    levels = np.random.default_rng(1).integers(0, 256, (90, 130, 3)).astype(np.uint8)
    picture = Image.fromarray(levels)
    exif = picture.getexif()
    exif[0x112] = 1 if suffix == ".webp" else 6  # it lies on its side, which Chromium does not see in WebP
    path = site[0] / f"asked{suffix}"
    picture.save(path, exif=exif)
    html = opened(page, f"{site[1]}?image=asked{suffix}")
    assert 'data-answered="1"' in html, state(html)
    rows = re.findall(r'<tr><td>(.*?)</td><td><meter value="([\d.e-]+)">', html)
    told = {unescape(name): float(value) for name, value in rows}
    want = classifier.predict_proba([path])[0]
    assert told.keys() == {"<b>cat</b>", "dog & co"}
    np.testing.assert_allclose([told[name] for name in CATS], want, atol=1e-4)
    answer = re.search(r'<h2 id="answer"[^>]*>(.*?)</h2>', html)
    assert answer is not None and unescape(answer[1]) == CATS[int(want.argmax())]


def test_a_changed_file_is_refused(site: tuple[Path, str], page: Page) -> None:
    shutil.copytree(site[0] / "exported", site[0] / "changed")
    weights = site[0] / "changed" / "weights.data"
    data = bytearray(weights.read_bytes())
    data[100] ^= 1
    weights.write_bytes(data)
    html = opened(page, f"{site[1]}?folder=changed/")
    assert state(html) == "weights.data was changed since it was exported: copy the folder again"
    assert 'id="file" type="file" accept="image/*" disabled' in html


def test_what_is_missing_is_told(site: tuple[Path, str], page: Page) -> None:
    assert "nothing/export.json is not there (404)" in state(opened(page, f"{site[1]}?folder=nothing/"))
    other = state(opened(page, f"{site[1]}?folder=https://x.example/"))
    assert other == "https://x.example/ is of another site; nothing is loaded from there"
