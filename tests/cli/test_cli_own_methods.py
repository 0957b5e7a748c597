"""promptlet --import: methods of one's own in every command and in workers, and what changed code does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptlet.methods import METHODS

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_method.py"
QUICK = ("--shots", 2, "--epochs", 2, "--seeds", "1,2")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Neither methods nor modules of one test are there in the next."""
    methods, modules, path = dict(METHODS), set(sys.modules), list(sys.path)
    yield
    METHODS.clear()
    METHODS.update(methods)
    for name in [name for name in set(sys.modules) - modules if is_of_a_test(name)]:
        del sys.modules[name]
    sys.path[:] = path


def is_of_a_test(name: str) -> bool:
    """Whether a module's name is of a file that a test here has written."""
    return name.startswith("own_") or name.endswith(("_method", "_module"))


def records_of(folder: Path, keys: list[str]) -> list[dict[str, Any]]:
    return [json.loads((folder / f"{key}.json").read_text()) for key in keys]


@pytest.fixture
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The example under a name of this test, since Python imports a name once."""
    copy = tmp_path / f"own_{abs(hash(request.node.name))}.py"
    copy.write_text(EXAMPLE.read_text())
    return copy


@pytest.fixture
def words(
    clip_folder: Path, toy: Callable[..., Path], tmp_path: Path, file: Path
) -> Callable[..., list[str]]:
    def bench(*more: object, out: str = "runs") -> list[str]:
        given = ["--datasets", toy(), "--backbone", clip_folder, "--out", tmp_path / out, *QUICK, *more]
        return ["--import", str(file), "bench", "run", *map(str, given)]

    return bench


def test_it_is_benchmarked_beside_the_others(shell: Any, words: Any, tmp_path: Path) -> None:
    ran = shell.json(*words("--methods", "coop,near_coop:weight=2", "--protocol", "few-shot"))
    assert [(row["method"], row["seeds"]) for row in ran["summary"]] == [
        ("coop", [1, 2]),
        ("near_coop", [1, 2]),
    ]
    assert ran["summary"][1]["options"]["weight"] == 2.0
    METHODS.pop("near_coop")
    text = shell.run("bench", "report", tmp_path / "runs").stdout  # a report needs no code
    assert "| toy | near_coop |" in text


@pytest.mark.slow
def test_changed_code_is_run_again(shell: Any, words: Any, file: Path, tmp_path: Path) -> None:
    given = words("--methods", "near_coop", "--epochs", 20, "--lr", 0.1)
    first = shell.json(*given)
    assert len(first["done"]) == 2
    assert len(shell.json(*given)["kept"]) == 2
    file.write_text(file.read_text().replace("self.weight * (", "1e6 * self.weight * ("))
    assert len(shell.json(*given)["kept"]) == 2  # what was imported is still the old code
    del sys.modules[file.stem]  # as in another process
    again = shell.json(*given)
    assert (len(again["done"]), len(again["kept"]), len(again["summary"])) == (2, 0, 1)
    losses = [[record["history"][-1]["loss"] for record in records_of(tmp_path / "runs", keys)]
              for keys in (first["done"], again["done"])]  # fmt: skip
    assert all(new != old for old, new in zip(*losses, strict=True))
    report = shell.json("bench", "report", tmp_path / "runs")["summary"]
    assert len(report) == 2 and len({row["label"] for row in report}) == 2
    assert all(row["label"].startswith("near_coop (code=") for row in report)


@pytest.mark.slow
def test_it_is_listed_and_fitted(
    shell: Any, file: Path, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    assert "context held near the words" in shell.run("--import", file, "methods", "near_coop").stdout
    prompt = tmp_path / "a.prompt"
    shell.run(
        *("--import", file, "fit", pictures, "--out", prompt, "--backbone", clip_folder),
        *("--method", "near_coop", "--epochs", 2, "--no-cache"),
    )
    image = next(pictures.rglob("*.png"))
    given = ("predict", prompt, image, "--backbone", clip_folder, "--no-cache")
    assert shell.json("--import", file, *given)["predictions"]
    METHODS.pop("near_coop")
    assert "a method of your own is registered first: promptlet --import FILE" in shell.fails(*given)


def test_what_cannot_be_imported_is_told(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def error(given: object) -> str:
        return str(shell.refuses("--import", given, "methods"))

    assert "there is no such file" in error("absent.py")
    assert "cannot be imported (ModuleNotFoundError: No module named 'absent_module')" in error(
        "absent_module"
    )
    Path("broken_method.py").write_text("1 / 0\n")
    assert "(ZeroDivisionError: division by zero); give a Python file" in error("broken_method.py")
    Path("empty_method.py").write_text("")
    assert "registers no method; write @promptlet.methods.register" in error("empty_method.py")
    Path("empty_module.py").write_text("")
    assert "registers no method" in error("empty_module")  # as a module of the folder of now
    Path("my.method.py").write_text("")
    assert "Python cannot import a file of that name" in error("my.method.py")
    Path("json.py").write_text("")
    assert "there is another module called 'json'" in error("json.py")
    Path("taken_method.py").write_text(EXAMPLE.read_text().replace('name="near_coop"', 'name="coop"'))
    assert "'coop' is one of Promptlet's own; give yours another name" in error("taken_method.py")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_workers_know_it(shell: Any, words: Any, engine: str) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    plain = shell.json(*words("--methods", "near_coop,coop", out="inline"))
    ran = shell.json(*words("--methods", "near_coop,coop", "--engine", engine, "--workers", 2))
    assert len(ran["done"]) == 4
    for one, other in zip(plain["summary"], ran["summary"], strict=True):
        assert one["H"] == pytest.approx(other["H"])
