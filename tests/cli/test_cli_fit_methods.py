"""`promptlet fit` and `predict` with methods of other kinds, their options, and small files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptlet.promptfile import load_prompt_file


def fit(shell: Any, pictures: Path, clip_folder: Path, out: Path, *words: object) -> Any:
    return shell.json("fit", pictures, "--out", out, "--backbone", clip_folder, "--epochs", 2, *words)


@pytest.mark.parametrize(
    "method",
    ["maple:depth=1,n_ctx=3", "cocoop", "tip_adapter_f", "linear_probe", "clip_lora", "clip_svd", "two_sfs"],
)
@pytest.mark.slow
def test_fit_and_predict(method: str, shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.prompt"
    document = fit(shell, pictures, clip_folder, out, "--method", method)
    assert document["trainable"] > 0
    assert document["test_images"] == 6
    answers = shell.json("predict", out, pictures / "test", "--backbone", clip_folder)
    assert len(answers["predictions"]) == 6
    told = shell.run("inspect", out).stdout
    assert "format 4" in told
    assert method.split(":")[0] in told


@pytest.mark.slow
def test_a_low_rank_prompt_in_another_method(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    document = fit(shell, pictures, clip_folder, tmp_path / "a.prompt", "--method", "kgcoop", "--rank", 1)
    assert (document["rank"], document["trainable"]) == (1, 4 + 32)
    document = fit(shell, pictures, clip_folder, tmp_path / "b.prompt", "--method", "maple:rank=2")
    assert load_prompt_file(tmp_path / "b.prompt").rank == document["rank"] == 2


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("zero_shot", "nothing to learn"),
        ("zero_shot", "from 12 images, of which it learned nothing"),
        ("tip_adapter", "made from the images at once"),
        ("rlp", "in 2 epochs"),
    ],
)
@pytest.mark.slow
def test_what_was_learned_is_told(
    method: str, words: str, shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.prompt"
    given = ("--backbone", clip_folder, "--epochs", 2, "--method", method)
    assert words in shell.run("fit", pictures, "--out", out, *given).output


@pytest.mark.slow
def test_a_file_of_under_300_bytes(shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.prompt"
    small = ("--precision", "kmeans1", "--compact")
    document = fit(shell, pictures, clip_folder, out, *small)
    assert document["bytes"] == out.stat().st_size < 300
    image = pictures / "test"
    told = shell.fails("predict", out, image)
    assert "saved without the name of its backbone; give it with --backbone" in told
    told = shell.fails("predict", out, image, "--backbone", clip_folder)
    assert 'saved without class names; give --classes "a,b,c"' in told
    answers = shell.json("predict", out, image, "--backbone", clip_folder, "--classes", "cat,dog,box")
    assert len(answers["predictions"]) == 6
    assert "not named" in shell.run("inspect", out).stdout


@pytest.mark.slow
def test_the_precision_is_the_methods_own_unless_asked_for(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    document = fit(shell, pictures, clip_folder, tmp_path / "a.prompt", "--method", "qcoop:bits=2")
    assert document["precision"] == load_prompt_file(tmp_path / "a.prompt").precision == "kmeans2"
    document = fit(shell, pictures, clip_folder, tmp_path / "b.prompt")
    assert document["precision"] == load_prompt_file(tmp_path / "b.prompt").precision == "fp32"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "coop,rlp"), "names several methods; fit takes one"),
        (("--method", "kgcoop:rank=1", "--rank", 2), "rank is given twice"),
        (("--method", "coop", "--rank", 1), "'coop' has no option 'rank'.*It is an option of kgcoop"),
        (("--method", "maple:depth=9"), r"depth=9 is outside 1\.\.2"),
        (("--precision", "kmeans3"), "precision='kmeans3' is not known.*Did you mean 'kmeans1'|kmeans"),
        (("--method", "linear_probe", "--compact"), "belongs to its class names"),
        (("--method", "rlp", "--schedule", "official"), "has no official schedule here"),
    ],
)
def test_what_is_refused(
    words: Any, message: str, shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    import re

    out = tmp_path / "a.prompt"
    told = shell.refuses("fit", pictures, "--out", out, "--backbone", clip_folder, "--epochs", 1, *words)
    assert re.search(message, told, re.DOTALL), told
    assert not out.exists()


def test_the_next_command_has_what_a_compact_file_leaves_out(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path
) -> None:
    words = ("--method", "coop", "--epochs", 1, "--compact", "--out", tmp_path / "a.prompt")
    told = shell.run("fit", pictures, "--backbone", clip_folder, *words).output
    assert f"IMAGE... --backbone {clip_folder} --classes NAME,NAME..." in told
