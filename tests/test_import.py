"""`import promptlet` is light, and its public names are there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import promptlet

HEAVY = ("torch", "transformers", "sklearn", "open_clip", "PIL", "scipy", "pandas", "jinja2", "msgspec")
CHECK = "import sys\n{}\nprint(','.join(m for m in {} if m in sys.modules))"


def loaded_by(statement: str) -> list[str]:
    """Which heavy modules a fresh interpreter has after ``statement``."""
    done = subprocess.run(
        [sys.executable, "-c", CHECK.format(statement, HEAVY)], capture_output=True, text=True, check=True
    )
    return [name for name in done.stdout.strip().split(",") if name]


@pytest.mark.parametrize(
    "statement", ["import promptlet", "import promptlet; dir(promptlet)", "import promptlet.cli.app"]
)
def test_import_loads_nothing_heavy(statement: str) -> None:
    assert loaded_by(statement) == []


def test_reading_data_and_prompt_files_needs_no_torch() -> None:
    assert "torch" not in loaded_by(
        "import promptlet; promptlet.data.read_folder; promptlet.load_prompt_file"
    )


@pytest.mark.parametrize(
    "module", ["decoding.pixels", "decoding.reading", "preprocessing.libraries", "preprocessing.views"]
)
def test_making_pixels_of_pictures_needs_no_torch(module: str) -> None:
    assert "torch" not in loaded_by(f"import promptlet.{module}")


def test_the_check_would_see_a_heavy_import() -> None:
    assert loaded_by("import sys, types; sys.modules['torch'] = types.ModuleType('torch')") == ["torch"]
    assert "PIL" in loaded_by("import PIL")


@pytest.mark.parametrize("name", promptlet.__all__)
def test_public_names_resolve(name: str) -> None:
    assert getattr(promptlet, name) is not None
    assert name in dir(promptlet)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = promptlet.nonsense
