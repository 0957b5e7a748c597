"""The page on serving: its Python runs against a server that answers as ours do; its tables are whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_service import items
from loopback import Asked, Reply, as_json, listening

DOCS = Path(__file__).parents[2] / "docs"


def test_the_python_on_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/v1/prompts":
            return as_json({"count": 1, "prompts": [{"name": "pets"}], "next": None})
        if asked.path == "/v1/prompts/pets/vectors":
            return as_json({"class_names": ["cat"], "vectors": [[0.6, 0.8]]})
        if asked.path == "/v1/features":
            return as_json({"results": [{"index": 0, "name": "new1.jpg", "features": [0.6, 0.8]}]})
        return as_json({"results": items(asked)})

    page = (DOCS / "how-to" / "serve.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("new1.jpg").write_bytes(b"cat")
    Path("new2.jpg").write_bytes(b"")
    with listening(answer) as server:
        exec(block.replace("http://127.0.0.1:8080", server.url), {})
    assert capsys.readouterr().out.splitlines() == [
        "new1.jpg cat (('cat', 0.75),)",
        "new2.jpg it cannot be read (it is empty, 0 bytes)",
        "[{'name': 'pets'}] 2",
    ]
    assert server.asked[0].fields == {"prompts": ["pets"], "top": ["3"]}


def test_the_page_for_operators_knows_every_problem() -> None:
    problems = pytest.importorskip("promptlet.serve.http.problems")
    page = (
        (DOCS / "how-to" / "operate.md").read_text(encoding="utf-8").partition("## What a refusal means")[2]
    )
    rows = re.findall(r"^\| (`[^|]*`) \| ([\d, ]+) \|", page, re.MULTILINE)
    told = {slug: statuses for slugs, statuses in rows for slug in re.findall(r"`([\w-]+)`", slugs)}
    assert told.keys() == problems.KINDS.keys()
    assert all(str(kind.status) in told[slug].split(", ") for slug, kind in problems.KINDS.items())


def test_the_page_for_operators_knows_every_metric() -> None:
    meters = pytest.importorskip("promptlet.serve.meters")
    page = (DOCS / "how-to" / "operate.md").read_text(encoding="utf-8")
    there = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in meters.Meters().registry.collect()
        if metric.name.startswith("promptlet_")
    }
    named = set(re.findall(r"promptlet_[a-z_]+", page))
    assert there <= named and {re.sub(r"_bucket$", "", name) for name in named} == there


def test_settings_that_pages_name_exist() -> None:
    settings = pytest.importorskip("promptlet.serve.settings")
    for name in ("serve", "many-tenants", "operate"):
        page = (DOCS / "how-to" / f"{name}.md").read_text(encoding="utf-8")
        words = set(re.findall(r"`([a-z]+_[a-z_]+)`", page)) - {
            "class_names",
            "class_name",
            "new_names",
            "request_id",
        }
        words = {word for word in words if not word.startswith(("promptlet_", "process_", "stop_grace"))}
        assert words <= set(settings.NAMES) and (words or name == "serve")
