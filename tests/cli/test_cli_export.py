"""`promptlet export`: what it refuses before a model is loaded, and what it makes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_toys import toy_arrays

from promptlet.classifier.learner import PromptLearner
from promptlet.exported import read_vectors


@pytest.fixture(scope="module")
def prompt(tiny_backbone: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prompt file for a tiny CLIP."""
    path = tmp_path_factory.mktemp("prompt") / "toys.prompt"
    learner = PromptLearner(tiny_backbone, method="coop", epochs=1, cache=False)
    learner.fit(*toy_arrays(tiny_backbone)).save(path)
    return path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give a prompt file to export, or --check FOLDER"),
        (("F",), "give --to, what is to be made: vectors, onnx, torch, openvino"),
        (
            ("F", "--to", "onxn"),
            "--to='onxn' is not known; allowed: vectors, onnx, torch, openvino. Did you mean",
        ),
        (("F", "--to", "onnx"), "give --out FOLDER"),
        (("F", "--to", "vectors"), "give --out NAME.npz"),
        (("F", "--to", "vectors", "-o", "a.npz", "--precision", "fp16"), "--precision is for folders"),
        (
            ("F", "--to", "vectors", "-o", "a.npz", "--least-agreement", "9"),
            "--least-agreement is for folders",
        ),
        (("F", "--to", "onnx", "-o", "a", "--least-agreement", "99"), "--least-agreement is about --images"),
        (("F", "--to", "onnx", "-o", "a", "--least-agreement", "101"), "a percentage: 98 for 98 %"),
        (("F", "--check", "a"), "--check looks at a and exports nothing; leave out F"),
        (("--check", "a", "--to", "onnx"), "leave out --to"),
        (("--check", "a", "--classes", "x,y"), "leave out --classes"),
    ],
)
def test_wrong_usage_says_what_to_give(words: tuple[str, ...], message: str, shell: Any) -> None:
    assert message in shell.refuses("export", *words)


def test_vectors_of_own_names_and_of_others(
    prompt: Path, clip_folder: Path, shell: Any, tmp_path: Path
) -> None:
    out = tmp_path / "toys.json"
    given = ("export", prompt, "--to", "vectors", "-o", out, "--backbone", clip_folder)
    told = shell.json(*given)
    assert told["classes"] == list(read_vectors(out).names) and told["bytes"] == out.stat().st_size
    assert "it is there already" in shell.fails(*given)
    shell.run(*given, "--force", "--classes", "a boat,a tree")
    assert read_vectors(out).names == ("a boat", "a tree")


@pytest.mark.slow
def test_inspect_tells_class_vectors(prompt: Path, clip_folder: Path, shell: Any, tmp_path: Path) -> None:
    out = tmp_path / "toys.npz"
    shell.run("export", prompt, "--to", "vectors", "-o", out, "--backbone", clip_folder)
    vectors = read_vectors(out)
    facts = shell.json("inspect", out)
    assert facts["kind"] == "vectors" and facts["bytes"] == out.stat().st_size
    assert facts["class_names"] == list(vectors.names) and facts["dim"] == vectors.dim
    assert facts["fingerprint"] == vectors.fingerprint and facts["method"] == "coop"
    told = shell.run("inspect", out).stdout
    assert f"{vectors.dim} features a class, logit scale {vectors.logit_scale:.4g}" in told
    assert f"classes   {', '.join(vectors.names)} (5)" in told
    out.write_bytes(out.read_bytes()[:-40])
    assert str(out) in shell.fails("inspect", out)


def test_what_is_no_exported_folder_is_refused(shell: Any, tmp_path: Path) -> None:
    assert "is no exported folder: it has no export.json" in shell.fails("export", "--check", tmp_path)


@pytest.mark.slow
def test_a_folder_is_made_asked_and_answers(
    prompt: Path, clip_folder: Path, shell: Any, tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript")
    out = tmp_path / "out"
    done = shell.run("export", prompt, "--to", "onnx", "-o", out, "--backbone", clip_folder)
    assert done.stdout.splitlines()[0].startswith(f"wrote {out}: 5 classes, onnx in fp32")
    assert "picture.onnx     image -> features, probabilities; preprocessing inside" in done.stdout
    assert f"next: promptlet predict {out} IMAGE" in done.stdout
    facts, told = shell.json("inspect", out), shell.run("inspect", out).stdout
    assert facts["kind"] == "onnx" and facts["golden"] and len(facts["class_names"]) == 5
    assert next(one["file"] for one in facts["graphs"]) in facts["files"]
    assert "files, all as they were exported)" in told and "onnx, made with " in told
    checked = shell.json("export", "--check", out)
    assert checked["sound"] and [one["file"] for one in checked["graphs"]] == [
        "classifier.onnx",
        "tower.onnx",
        "picture.onnx",
    ]
    shutil.copytree(out, tmp_path / "changed")
    np.save(tmp_path / "changed" / "golden.npy", np.load(out / "golden.npy")[:, ::-1].copy())
    assert "was changed after it was exported" in shell.fails("export", "--check", tmp_path / "changed")
    resum(tmp_path / "changed")
    told = shell.run("export", "--check", tmp_path / "changed", exit_code=1).stdout
    assert "tower.onnx       answers NOT AS IT SHOULD" in told and "export anew with it, or take fp32" in told


def resum(folder: Path) -> None:
    import json
    from dataclasses import replace

    from promptlet.exported import write_manifest
    from promptlet.exported.manifest import manifest_of

    manifest = manifest_of(json.loads((folder / "export.json").read_text()))
    write_manifest(folder, replace(manifest, files={}))
