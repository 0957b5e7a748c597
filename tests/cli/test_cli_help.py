"""Every command explains itself; help loads nothing heavy; the reference page is fresh."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import promptlet
from promptlet.cli import reference

ALL = [words for words, _ in reference.commands()]
LEAVES = [words for words, command in reference.commands() if not hasattr(command, "commands")]
DOCS = Path(__file__).parents[2] / "docs"


def test_the_commands_are_those_of_the_design() -> None:
    expected = {
        "demo",
        "fit",
        "predict",
        "search",
        "evaluate",
        "compare",
        "check",
        "export",
        "inspect",
        "push",
        "serve",
        "serve-token",
        "teach",
        "methods",
        "backbones",
        "analyze",
    }
    expected |= {
        "bench run",
        "bench report",
        "bench study",
        "bench list",
        "bench pack",
        "bench unpack",
        "datasets list",
        "datasets draw",
        "datasets doctor",
        "cache show",
        "cache clear",
    }
    assert {" ".join(words) for words in LEAVES} == expected


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_has_an_example(words: tuple[str, ...]) -> None:
    text = reference.help_of(words)
    assert re.search(r"Examples?:\s+promptlet ", text)
    assert all(len(line) <= reference.WIDTH or "  promptlet " in line for line in text.splitlines())


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_examples_are_of_the_command_with_options_that_exist(words: tuple[str, ...]) -> None:
    text = reference.help_of(words)
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE))
    lines = re.findall(r"^ +promptlet (.+)$", text.partition("Examples:")[2], re.MULTILINE)
    assert lines and "--json" in options
    for line in lines:
        assert line.startswith(" ".join(words))
        assert set(re.findall(r"--[a-z-]+", line)) <= options


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_option_is_explained(words: tuple[str, ...]) -> None:
    for parameter in dict(reference.commands())[words].params:
        assert parameter.help or parameter.name == "help", parameter.name


@pytest.mark.slow
def test_the_reference_page_is_fresh() -> None:
    assert (DOCS / "reference" / "cli.md").read_text(encoding="utf-8") == reference.page(), (
        "run: python -m promptlet.cli.reference > docs/reference/cli.md"
    )


def test_what_help_names_exists() -> None:
    from promptlet.backbones import DEFAULT_BACKBONE
    from promptlet.cli import evaluate
    from promptlet.cli.fit import checks
    from promptlet.cli.given import options
    from promptlet.data import SAMPLERS
    from promptlet.methods import METHODS
    from promptlet.own_images.estimating import estimate
    from promptlet.own_images.evaluating import run
    from promptlet.promptfile import PRECISIONS
    from promptlet.protocols import PROTOCOLS
    from promptlet.training import SCHEDULE_NAMES

    bench, fit = (" ".join(reference.help_of(w).split()) for w in (("bench", "run"), ("fit",)))
    assert all(name in bench for name in [*METHODS, *SCHEDULE_NAMES, *SAMPLERS, *PROTOCOLS])
    assert all(name in fit for name in [*PRECISIONS, *SCHEDULE_NAMES])
    assert options.DEFAULT_BACKBONE == DEFAULT_BACKBONE
    assert set(checks.ESTIMATES) == {estimate.AUTO, *estimate.WAYS}
    assert {evaluate.PROMPT, evaluate.DATA} == set(run.NAMES)


@pytest.mark.parametrize(
    "words", [["--help"], ["bench", "run", "--help"], ["serve", "--help"], ["--version"]]
)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    heavy = (
        "torch",
        "transformers",
        "sklearn",
        "numpy",
        "PIL",
        "rich.table",
        "fastapi",
        "uvicorn",
    )
    code = (
        "import sys\nfrom promptlet.cli import main\nsys.argv = ['promptlet', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit as e: assert not e.code, e.code\n"
        f"sys.exit(','.join(m for m in {heavy} if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "promptlet" in done.stdout


def test_usage_errors(shell: object) -> None:
    run = shell.fails  # type: ignore[attr-defined]
    assert "No such command 'ft'. Did you mean 'fit'?" in run("ft", exit_code=2)
    assert "No such command 'rn'. Did you mean 'run'?" in run("bench", "rn", exit_code=2)
    assert "No such command 'train'. Commands: demo, fit," in run("train", exit_code=2)
    assert "'FOLDER'. Example: promptlet fit pets --out pets.prompt" in run("fit", exit_code=2)
    assert "No such option" in run("methods", "--colour", exit_code=2)
    assert "--backbone" in run("fit", "a", "--bacbone", "mini", exit_code=2)
    assert "is no list of whole numbers" in run(
        "bench", "run", "--datasets", "a", "--seeds", "x", exit_code=2
    )
    assert "not both" in run("predict", "a", "b", "--csv", "--json", exit_code=2)


def test_the_version(shell: object) -> None:
    assert shell.run("--version").stdout == f"promptlet {promptlet.__version__}\n"  # type: ignore[attr-defined]
