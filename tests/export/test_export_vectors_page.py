"""What the page on class vectors shows is all that is needed: NumPy, and the file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from learning_toys import toy_arrays

from promptlet import rng
from promptlet.classifier.learner import PromptLearner
from promptlet.export.vectors import export_vectors
from promptlet.exported.facts import facts_of
from promptlet.exported.vectors import MOST_DIM

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "vectors.md").read_text(encoding="utf-8")


def test_the_block_of_the_page_answers_as_the_library_with_numpy_alone(
    tiny_backbone: Any, tmp_path: Path
) -> None:
    features, labels = toy_arrays(tiny_backbone)
    classifier = PromptLearner(tiny_backbone, epochs=1, cache=False).fit(features, labels)
    export_vectors(classifier, tmp_path / "pets.npz")
    far = rng.normal("test/export/far", 1, (20, features.shape[1]), 1.0)
    asked = 3.0 * np.concatenate([features, far])
    np.save(tmp_path / "features.npy", asked)
    _, block = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "page.py").write_text(
        "import sys\n"
        "for name in ('torch', 'promptlet', 'PIL', 'scipy', 'sklearn'):\n"
        "    sys.modules[name] = None\n"
        f"{block}\n"
        "np.save('found.npy', probabilities)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = np.load(tmp_path / "found.npy")
    np.testing.assert_allclose(found, classifier.predict_proba(asked), atol=2e-6, rtol=0)
    wanted = classifier.predict(asked, reject=max(classifier.rejection_.thresholds))  # type: ignore[union-attr]
    assert done.stdout.strip() == str([None if one is None else str(one) for one in wanted])
    assert None in wanted and any(wanted)


def test_the_page_names_every_key_and_no_other(tiny_backbone: Any, tmp_path: Path) -> None:
    features, labels = toy_arrays(tiny_backbone)
    classifier = PromptLearner(tiny_backbone, epochs=1, cache=False).fit(features, labels)
    facts = facts_of(export_vectors(classifier, tmp_path / "pets.json"))
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    assert facts.keys() | facts["preprocessing"].keys() == told - {"shortest"}
    assert facts["rejection"].keys() == {"centre", "signs", "thresholds"}
    assert f"1 to {MOST_DIM:,}" in PAGE
    written = json.loads((tmp_path / "pets.json").read_text(encoding="utf-8"))
    assert list(written) == [*facts, "classes"]
