"""What a classifier and data sets say of themselves, and how far they are."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from learning_toys import toy_arrays
from sklearn import config_context

from promptlet import PromptClassifier, open_bench, progress
from promptlet.data import FeatureCache, FeatureFile, Item, Split, write_feature_file
from promptlet.features import encode_images


@pytest.fixture(scope="module")
def problem(tiny_backbone: Any) -> Any:
    return toy_arrays(tiny_backbone)


@pytest.fixture
def fitted(tiny_backbone: Any, problem: Any) -> PromptClassifier:
    return PromptClassifier(tiny_backbone, epochs=2, cache=False).fit(*problem)


def test_a_fitted_classifier_says_what_it_learned(
    fitted: PromptClassifier, problem: Any, tmp_path: Any
) -> None:
    size = fitted.save(tmp_path / "x.prompt")
    text = repr(fitted)
    assert text.startswith("PromptClassifier(backbone=")
    assert "classes 5 (box, cat, dog, photo of the cat, the dog)" in text
    assert f"training accuracy {fitted.history_[-1].accuracy:.1f} %" in text
    assert f"prompt file {size:,} bytes" in text
    fitted.estimate_ = SimpleNamespace(accuracy=81.25, low=70.0, high=89.4)
    assert "estimated accuracy 81.2 % (70.0 to 89.4)" in repr(fitted)
    assert "estimated" not in repr(fitted.fit(*problem))  # that was of what it had learned before
    assert "fitted" not in repr(PromptClassifier())


def in_any_order(page: str) -> str:
    """Without the numbers that scikit-learn gives its diagrams."""
    return re.sub(r"-id-\d+", "", page)


def test_in_a_notebook_it_is_a_table_above_scikit_learns_diagram(tiny_backbone: Any, problem: Any) -> None:
    names = [name.replace("box", "<b>&") for name in problem[1]]
    clf = PromptClassifier(tiny_backbone, epochs=2, cache=False).fit(problem[0], names)
    page = clf._repr_mimebundle_()["text/html"]
    assert in_any_order(page) == in_any_order(clf._repr_html_())
    assert "&lt;b&gt;&amp;" in page and "<b>&" not in page.split("<style>")[0]
    assert "sk-container" in page
    with config_context(display="text"):
        assert set(clf._repr_mimebundle_()) == {"text/plain"}
        assert not hasattr(clf, "_repr_html_")


def test_data_sets_say_how_large_they_are() -> None:
    items = tuple(Item(Path(f"{row}.jpg"), row % 2, "ab"[row % 2]) for row in range(1100))
    split = Split("pets", ("a", "b"), items[:1050], (), items[1050:])
    assert repr(split) == "Split('pets', 2 classes, train=1,050, val=0, test=50 images)"
    file = FeatureFile.of(split, np.ones((1100, 3), np.float32))
    assert repr(file) == f"FeatureFile({file.split!r}, 1,100 features of 3 numbers)"


def test_benchmarks_say_how_much_there_is_to_do(tiny_backbone: Any, tmp_path: Path) -> None:
    items = tuple(Item(Path(f"{row}.jpg"), row % 4, "abcd"[row % 4]) for row in range(40))
    split = Split("letters", tuple("abcd"), items[:20], (), items[20:])
    vectors = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    write_feature_file(tmp_path / "letters.npz", FeatureFile.of(split, vectors))
    bench = open_bench(tmp_path / "letters.npz", "zero_shot", backbone=tiny_backbone, out=tmp_path / "runs")
    assert repr(bench) == f"Bench({len(bench.runs)} runs, in {str(tmp_path / 'runs')!r})"
    done = len(bench.runs)
    assert repr(bench.run()) == f"Outcome(done={done}, kept=0, failed=0, refused=0)"


# -- how far it is --------------------------------------------------------------------------------------


class Terminal:
    """Standard error as a person has it before them."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return True


@pytest.fixture
def sit_down(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Called in a test, since pytest sets standard error between a test's fixtures and the test."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")

    def sit() -> Terminal:
        found = Terminal()
        monkeypatch.setattr("sys.stderr", found)
        return found

    return sit


@pytest.mark.parametrize(
    ("options", "is_shown"),
    [
        ({}, True),
        ({"verbose": True}, True),
        ({"verbose": False}, False),
        ({"verbose": 0}, False),
        ({"verbose": 1}, True),
        ({"on_epoch": lambda _: None}, False),
        ({"on_epoch": lambda _: None, "verbose": True}, True),
    ],
)
def test_a_bar_is_shown_on_a_terminal_once(
    options: dict[str, Any], is_shown: bool, sit_down: Any, tiny_backbone: Any, problem: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(progress, "FIRST_BAR", 0.0)
    terminal = sit_down()
    PromptClassifier(tiny_backbone, epochs=2, cache=False, **options).fit(*problem)
    assert ("training" in terminal.text) == is_shown


def test_who_shows_bars_of_their_own_sees_no_others(
    sit_down: Any, tiny_backbone: Any, problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "FIRST_BAR", 0.0)
    terminal = sit_down()
    clf = PromptClassifier(tiny_backbone, epochs=2, cache=False, verbose=True)
    with progress.taken():
        clf.fit(*problem)
    assert terminal.text == ""
    clf.fit(*problem)
    assert "training" in terminal.text


def test_quick_work_shows_no_bar_that_nobody_asked_for(sit_down: Any, fitted: Any, problem: Any) -> None:
    terminal = sit_down()
    fitted.predict(problem[0])
    assert terminal.text == ""


def test_elsewhere_the_log_is_told(
    tiny_backbone: Any, problem: Any, caplog: pytest.LogCaptureFixture, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    with caplog.at_level(logging.INFO, "promptlet"):
        PromptClassifier(tiny_backbone, epochs=4, cache=False).fit(*problem)
    told = [record.getMessage() for record in caplog.records]
    assert any(re.match(r"fitted: method rlp, classes 5 ", line) for line in told)
    assert capsys.readouterr().err == ""


def test_lines_of_a_log_come_at_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now, lines = [0.0], []
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    bars = progress.WrittenBars(lines.append)
    for done in range(101):
        bars.show("encoding", done, 100)
        now[0] += 1.0
    assert lines[0] == "encoding: 10 of 100 (10 %, 1.0 images/s, about 2 min left)"
    assert [int(line.split()[1]) for line in lines] == [10, 40, 70]


def test_a_notebook_has_one_line_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, content: dict[str, str], raw: bool) -> None:
            shown.append(content["text/plain"])

    def display(content: dict[str, str], raw: bool, display_id: bool) -> Handle:
        shown.append(content["text/plain"])
        return Handle()

    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    with progress.shown(None) as bars:
        for done in range(5):
            bars.show("training", done, 4, "loss 1")
            now[0] += 1.0
    assert shown[0].startswith("training: 1 of 4 (25 %")
    assert shown[-1] == "" and len(shown) == 4


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


def test_the_pace_is_of_what_is_encoded(clock: list[float]) -> None:
    """What comes from the cache, in portions, comes at once: it says nothing of the rest."""
    lines: list[str] = []
    bars = progress.WrittenBars(lines.append)
    done = 0
    bars.show("encoding", done, 10000)
    for _ in range(45):
        done += 200
        clock[0] += 0.25
        progress.not_encoded(200)
        bars.show("encoding", done, 10000)
    while done < 9900:
        done += 30
        clock[0] += 6.0
        bars.show("encoding", done, 10000)
    assert lines[0] == "encoding: 8,000 of 10,000 (80 %)"
    assert lines[1] == "encoding: 9,150 of 10,000 (91 %, 5.0 images/s, about 3 min left)"
    assert all("5.0 images/s" in line for line in lines[1:])


def test_views_are_not_called_images(
    tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = FeatureCache(tmp_path / "cache")
    pictures = [np.full((40, 40, 3), number, np.uint8) for number in range(100)]
    encode_images(tiny_backbone, pictures[:40], views=3, cache=cache)
    lines: list[str] = []
    ticks = iter(range(10**6))
    monkeypatch.setattr(progress, "monotonic", lambda: 10.0 * next(ticks))
    for views in (3, 1):
        bars = progress.WrittenBars(lines.append, 0.0, 0.0)
        tell = lambda done, total, to=bars: to.show("encoding", done, total)  # noqa: E731
        encode_images(
            tiny_backbone, pictures, views=views, cache=cache if views > 1 else None, on_progress=tell
        )
    of_views = [line for line in lines if "of 300" in line]
    assert of_views[0].endswith("(50 %, 3.2 views/s, about 46 s left)")
    assert lines[-1].startswith("encoding: 96 of 100 (96 %, ") and "images/s" in lines[-1]
