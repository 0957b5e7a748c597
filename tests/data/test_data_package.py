from __future__ import annotations

import subprocess
import sys

import promptlet.data

CODE = """
import sys, promptlet.data
heavy = {"torch", "PIL", "transformers", "sklearn", "datasets", "pyarrow", "huggingface_hub", "filelock"}
print(sorted(heavy & set(sys.modules)))
"""


def test_importing_the_package_loads_nothing_heavy() -> None:
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_public_name_exists_and_is_documented() -> None:
    for name in promptlet.data.__all__:
        value = getattr(promptlet.data, name)
        assert not callable(value) or value.__doc__, name
