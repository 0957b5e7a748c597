"""Every block of Python on every page runs as it is typed, page by page, offline.

A page finds what it speaks of: photos, features, results of a benchmark, a backbone's folder. Tutorials run
with their shell blocks in `test_docs_tutorials`.
"""

from __future__ import annotations

import pkgutil
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_docs_tutorials import BLOCK, DOCS, TUTORIALS, place, run

from promptlet.mini import datasets
from promptlet.mini.names import MODEL_FOLDER

CLIP = "openai/clip-vit-base-patch16"
"""What pages name for photographs; without a network the mini backbone stands in its place."""
NOT_RUN = {
    "reference/datasets.md": "reads Oxford Pets, which cannot be had offline",
    "how-to/predict-without-torch.md": "asks an export: it runs in tests/runtime/test_runtime_page.py",
    "how-to/serve.md": "asks a server: it runs in tests/client/test_client_page.py",
}
PAGES = [
    page
    for page in [*sorted(DOCS.glob("**/*.md")), *sorted(DOCS.parent.glob("*.md"))]
    if page not in TUTORIALS and "```python\n" in page.read_text(encoding="utf-8")
]


def named(page: Path) -> str:
    return page.relative_to(DOCS if page.is_relative_to(DOCS) else DOCS.parent).as_posix()


def blocks(page: Path) -> list[str]:
    return [match[2] for match in BLOCK.finditer(page.read_text(encoding="utf-8")) if match[1] == "python"]


def test_pages_that_are_not_run_are_there() -> None:
    assert NOT_RUN.keys() <= {named(page) for page in PAGES} and len(PAGES) - len(NOT_RUN) >= 9


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_blocks_are_python(page: Path) -> None:
    for block in blocks(page):
        compile(block, str(page), "exec")
    assert len(blocks(page)) == len(re.findall(r"^```python", page.read_text(encoding="utf-8"), re.MULTILINE))


def test_what_pages_name_of_the_library_is_there() -> None:
    """Objects that the reference shows, and what blocks import: a name that moved is found at once."""
    pages = [page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("**/*.md"))]
    shown = [name for text in pages for name in re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)]
    lines = [line for page in PAGES for block in blocks(page) for line in block.splitlines()]
    imports = [line for line in lines if re.match(r"(from|import) promptlet", line)]
    assert len(shown) > 50 and len(imports) > 20
    for name in shown:
        pkgutil.resolve_name(name)
    for line in imports:
        exec(line, {})


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and test/ with two classes of four drawn pictures each."""
    root = tmp_path_factory.mktemp("photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "PARTS", {"train": 4, "val": 1, "test": 4})
        datasets.draw_dataset("mini-land", root / "all")
    for part in ("train", "test"):
        for folder in sorted((root / "all" / part).iterdir())[:2]:
            shutil.copytree(folder, root / "few" / part / folder.name)
    return root / "few"


@pytest.fixture
def folder(tmp_path: Path, photos: Path) -> Path:
    """A folder with what the pages speak of."""
    work = place(tmp_path)
    shutil.copytree(photos, work / "my_photos")
    first = next((work / "my_photos" / "test").rglob("*.*"))
    for name in ("new1.jpg", "new2.jpg"):
        Image.open(first).convert("RGB").save(work / name)
    draw = np.random.default_rng(0)
    np.save(work / "class_texts.npy", draw.normal(size=(3, 16)).astype(np.float32))
    np.save(work / "images.npy", draw.normal(size=(6, 16)).astype(np.float32))
    np.save(work / "labels.npy", np.array(["cat", "dog", "golden retriever"] * 2))
    shutil.copytree(MODEL_FOLDER, work / "my-clip")
    return work


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if named(page) not in NOT_RUN], ids=named)
def test_a_page_runs_as_it_is_typed(page: Path, folder: Path) -> None:
    if named(page) == "how-to/reports.md":
        words = "--datasets my_photos --backbone mini --methods coop,rlp --seeds 1 --epochs 1"
        run("sh", f"promptlet bench run {words}", folder)
    typed = "\n\n".join(blocks(page)).replace(CLIP, "mini")
    (folder / "page.py").write_text(typed, encoding="utf-8")
    run("sh", f"{shlex.quote(sys.executable)} page.py", folder)
