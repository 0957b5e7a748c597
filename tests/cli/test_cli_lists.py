"""The commands that tell: methods, backbones, datasets, cache, inspect."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlet.promptfile import PromptFile, save_prompt_file

DRAW = np.random.default_rng(0)


def write_prompt(path: Path, **changes: Any) -> PromptFile:
    values: dict[str, Any] = {
        "method": "rlp",
        "n_ctx": 4,
        "dim": 512,
        "rank": 1,
        "init": "words:a photo of a",
        "backbone": "/gone/clip",
        "fingerprint": "aaaaaaaaaaaa-bbbbbbbbbbbb-cccccccccccc",
        "class_names": ("cat", "dog"),
        "training": {"shots": 16, "seed": 1},
        "tensors": {
            "U": DRAW.normal(size=(4, 1)).astype(np.float32),
            "V": DRAW.normal(size=(1, 512)).astype(np.float32),
        },
    } | changes
    prompt = PromptFile(**values)
    save_prompt_file(path, prompt)
    return prompt


def test_inspect_tells_everything_in_the_file(shell: Any, tmp_path: Path) -> None:
    path = tmp_path / "pets.prompt"
    prompt = write_prompt(path)
    facts = shell.json("inspect", path)
    assert facts["schema"] == 1 and facts["learned"] == 516 and facts["payload_bytes"] == 2064
    assert facts["header_bytes"] + 2064 == facts["bytes"] == path.stat().st_size
    norms = [float(np.linalg.norm(prompt.tensors[name])) for name in ("U", "V")]
    assert facts["singular_values"] == pytest.approx([norms[0] * norms[1]], rel=1e-5)
    assert facts["class_names"] == ["cat", "dog"] and facts["training"] == {"shots": 16, "seed": 1}
    text = shell.run("inspect", path).stdout
    for words in ("516 numbers: U 4x1, V 1x512", "the words 'a photo of a'", "cat, dog (2)", "/gone/clip"):
        assert words in text


def test_inspect_other_kinds(shell: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.prompt"
    full = DRAW.normal(size=(4, 512)).astype(np.float32)
    write_prompt(path, method="coop", rank=None, tensors={"P": full}, init="seed:7")
    facts = shell.json("inspect", path)
    assert facts["singular_values"] == pytest.approx(np.linalg.svd(full, compute_uv=False).tolist(), rel=1e-4)
    assert "seed 7" in shell.run("inspect", path).stdout
    options = {"between": "a", "new_names": "zero-shot", "template": "a type of pet, a photo of a {}."}
    write_prompt(path, init="zeros:a type of pet, a photo", options=options)
    text = shell.run("inspect", path).stdout
    assert "zeros, and behind them the token embeddings of the words 'a type of pet, a photo'" in text
    assert "between=a" in text and shell.json("inspect", path)["new_names"] == "zero-shot"
    names = tuple(f"class {i}" for i in range(20))
    write_prompt(path, method="zero_shot", rank=None, tensors={}, class_names=names, training={})
    text = shell.run("inspect", path).stdout
    assert "class 7, ... (20 in all)" in text and "0 numbers" in text and "singular" not in text


def test_inspect_needs_no_torch(tmp_path: Path) -> None:
    write_prompt(tmp_path / "pets.prompt")
    code = (
        "import sys\nfrom promptlet.cli import main\n"
        f"sys.argv = ['promptlet', 'inspect', {str(tmp_path / 'pets.prompt')!r}]\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_inspect_refuses_what_is_no_prompt_file(shell: Any, tmp_path: Path) -> None:
    assert "there is no such file" in shell.fails("inspect", tmp_path / "absent.prompt")
    (tmp_path / "odd.prompt").write_bytes(b"PK\x03\x04 and more")
    error = shell.fails("inspect", tmp_path / "odd.prompt")
    assert error.startswith("error: cannot load") and "never loads pickles" in error
    assert len(error.splitlines()) == 1


def test_methods(shell: Any) -> None:
    from promptlet.methods import METHODS

    assert [entry["name"] for entry in shell.json("methods")["methods"]] == list(METHODS)
    text = shell.run("methods").stdout
    assert all(name in text and info.info.paper.split(",")[0] in text for name, info in METHODS.items())
    one = shell.run("methods", "rlp").stdout
    assert "rank=1" in one and "@article" in one
    assert "with several views, batches, dropout or sampled classes: epochs=200\n" in one
    coop = shell.run("methods", "coop").stdout
    assert "lbfgs\n          with several views, batches, per_class or sampled classes: as it is\n" in coop
    own = shell.run("methods", "prograd").stdout
    assert "templates oxford_pets: a type of pet, a photo of a {}.\n" in own
    assert "          dtd: a texture of {}.\n          elsewhere the data set's own\n" in own
    assert shell.json("methods", "kgcoop")["methods"][0]["templates"] == {
        "dtd": "a photo of a {}, a type of texture."
    }
    assert "Did you mean 'rlp'?" in shell.refuses("methods", "rpl")


def test_backbones(shell: Any, clip_folder: Path, tiny_backbone: Any) -> None:
    told = shell.run("backbones").stdout
    assert "open_clip:" in told and "features:" in told
    assert len(shell.json("backbones")["kinds"]) == 6
    facts = shell.json("backbones", clip_folder)
    assert (facts["dim"], facts["feature_dim"]) == (32, 16)
    assert facts["fingerprint"] == tiny_backbone.fingerprint
    assert tiny_backbone.fingerprint in shell.run("backbones", clip_folder).stdout
    assert "does not exist" in shell.fails("backbones", "./absent")


def test_datasets(shell: Any, tmp_path: Path) -> None:
    from promptlet.data import DATASETS
    from promptlet.mini.names import EVERY_NAME

    listed = shell.json("datasets", "list", "--root", tmp_path)["datasets"]
    assert [row["name"] for row in listed] == [*DATASETS, *EVERY_NAME] and not listed[0]["is_there"]
    assert all(row["is_there"] for row in listed[len(DATASETS) :])
    assert "caltech101" in shell.run("datasets", "list").stdout


@pytest.mark.slow
def test_datasets_draw(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlet.data import read_folder
    from promptlet.mini import datasets

    monkeypatch.setattr(datasets, "PARTS", {"train": 1, "val": 1, "test": 1})
    out = tmp_path / "land"
    said = shell.run("datasets", "draw", "mini-land", "--out", out).stdout
    assert f"promptlet fit {out} --backbone mini" in said
    assert read_folder(out).class_names == datasets.EVERY_DATASET["mini-land"].class_names
    assert "exists already" in shell.refuses("datasets", "draw", "mini-land", "--out", out)
    assert "mini-land" in shell.refuses("datasets", "draw", "mini-lamd", "--out", tmp_path / "x")
    drawn = shell.json("datasets", "draw", "mini-general-v2", "--out", tmp_path / "v2")
    assert len(drawn["class_names"]) == len(list((tmp_path / "v2" / "test").iterdir()))


def test_cache(shell: Any, own_cache: Path) -> None:
    from promptlet.data import FeatureCache
    from promptlet.data.cache.agreed import remember, remembered

    assert shell.json("cache", "show")["entries"] == 0
    for fingerprint in ("aaaa", "bbbb"):
        FeatureCache().put_many(fingerprint, {("image", "0"): np.ones(4, np.float32)})
    shown = shell.json("cache", "show")
    assert shown["by_fingerprint"] == {"aaaa": 1, "bbbb": 1} and shown["path"].startswith(str(own_cache))
    assert "aaaa: 1" in shell.run("cache", "show").stdout
    assert "fingerprint='cccc' is not known; allowed: aaaa, bbbb" in shell.refuses(
        "cache", "clear", "--fingerprint", "cccc"
    )
    assert shell.json("cache", "clear", "--fingerprint", "text-words-aaaa")["removed"] == 1
    remember("an-answer")
    assert shell.json("cache", "clear", "--fingerprint", "bbbb")["forgotten"] == 0 and remembered()
    FeatureCache().put_many("bbbb", {("image", "0"): np.ones(4, np.float32)})
    told = shell.run("cache", "clear").stdout
    assert "removed 1 features" in told and "removed 1 answers about models and this machine" in told
    assert not remembered()
