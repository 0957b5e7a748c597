"""The pinned requirements: two environments that agree, and no address in any of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"
PINNED = ("demo.txt", "test.txt", "docs.txt", "runtime.txt")


def lines(name: str) -> list[str]:
    return (FOLDER / name).read_text(encoding="utf-8").splitlines()


def names(name: str) -> set[str]:
    return {re.split(r"[=\[ ;]", line)[0].lower() for line in lines(name)}


def in_pyproject(head: str, tail: str) -> set[str]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split(head, 1)[1].split(tail, 1)[0]
    return {
        found.lower().replace("_", "-") for found in re.findall(r'"([A-Za-z0-9_-]+)(?:\[[\w,]+\])?>=', text)
    }


@pytest.mark.parametrize("name", PINNED)
def test_each_line_is_one_version_and_no_address(name: str) -> None:
    wrong = [line for line in lines(name) if not re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)?", line)]
    assert len(lines(name)) > 10 and wrong == []


def test_what_the_demo_installs_stays_when_the_tests_are_added() -> None:
    demo, test = ({line.partition(" ;")[0] for line in lines(name)} for name in ("demo.txt", "test.txt"))
    assert demo <= test


def test_the_runtime_is_part_of_the_tests_without_torch() -> None:
    runtime, test = (
        {line.partition(" ;")[0] for line in lines(name)} for name in ("runtime.txt", "test.txt")
    )
    assert runtime <= test
    asked = in_pyproject("\nruntime = [ # all", "\n]\n")
    extra = in_pyproject("\nruntime = [", "]")
    assert {"onnxruntime", "typer"} <= asked <= names("runtime.txt")
    assert extra == {"numpy", "pillow", "onnxruntime"} <= asked
    assert not {"torch", "transformers", "scikit-learn", "scipy", "matplotlib"} & names("runtime.txt")


def test_the_demo_installs_what_the_package_needs_and_no_extra() -> None:
    needed = in_pyproject("\ndependencies = [", "\n]\n")
    assert {"torch", "transformers", "jinja2"} <= needed <= names("demo.txt")
    extras = in_pyproject("[project.optional-dependencies]", "[dependency-groups]")
    assert {"ray", "open-clip-torch", "peft"} <= extras <= names("test.txt")
    brought = {"fsspec", "tomli"}  # by torch, and on old Pythons
    assert not (extras - needed - brought) & names("demo.txt")
    assert not {"pytest", "mypy", "ruff"} & names("demo.txt")
