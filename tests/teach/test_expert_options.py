"""The drawer for experts offers what the server takes, no more and no less."""

from __future__ import annotations

import re
from importlib.resources import files

from promptlet.methods import METHODS
from promptlet.teach.learning.settings import methods_there
from promptlet.training import SCHEDULE_NAMES

SCRIPT = (files("promptlet.teach") / "static" / "train" / "expert.js").read_text(encoding="utf-8")


def block(name: str) -> str:
    """What stands between the brackets of a constant."""
    found = re.search(rf"const {name} = (?:new Set\()?\[(.*?)\]\)?;\n", SCRIPT, re.DOTALL)
    assert found is not None, name
    return found[1]


def test_methods_are_those_of_the_server_with_their_titles() -> None:
    offered = dict(re.findall(r'\["(\w+)", "([^"]+)"\]', block("METHODS")))
    assert offered.keys() == set(methods_there())
    assert all(METHODS[name].info.title.startswith(title.split(",")[0]) for name, title in offered.items())


def test_schedules_are_those_of_the_library() -> None:
    assert set(re.findall(r'"(\w+)"', block("SCHEDULES"))) == set(SCHEDULE_NAMES)


def test_a_rank_is_asked_for_where_a_method_has_one() -> None:
    ranked = {name for name in methods_there() if "rank" in METHODS[name].info.options}
    assert set(re.findall(r'"(\w+)"', block("RANKED"))) == ranked
