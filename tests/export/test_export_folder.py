"""Exported folders: they answer as the library does, whatever made them, and nothing half-made is left."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import onnx
from learning_toys import NAMES, toy_arrays

import promptlet
from promptlet.backbones import load_backbone
from promptlet.classifier.learner import PromptLearner
from promptlet.errors import DataError, ExportError, MissingExtraError, OptionError, WrongBackboneError
from promptlet.export.check import check_export
from promptlet.export.folder import export_folder
from promptlet.export.program import captured
from promptlet.exported import open_exported
from promptlet.methods import METHODS
from promptlet.methods.method import IMAGES
from promptlet.runtime import Classifier

KINDS = (
    "clip_folder",
    "gelu_folder",
    "dual_folder",
    "siglip_folder",
    "open_clip_folder",
    "open_siglip_folder",
)
OF_IMAGES = [name for name, method in METHODS.items() if method.info.reads == IMAGES]
CLASSES = ("cat", "dog", "box")


def learned(backbone: Any, method: str = "coop", **options: Any) -> PromptLearner:
    """Learned from toy features, or from pictures of noise."""
    learner = PromptLearner(backbone, method=method, epochs=1, cache=False, **options)
    if METHODS[method].info.reads == IMAGES or method == "zero_shot":
        return learner.fit(list(pictures(6)), [*CLASSES, *CLASSES])
    features, labels = toy_arrays(backbone)
    return learner.fit(features, labels)


def pictures(count: int) -> np.ndarray:
    """Noise in colours of its own."""
    draw = np.random.default_rng(count)
    base = draw.integers(0, 200, (count, 1, 1, 3))
    return (base + draw.integers(0, 56, (count, 40, 56, 3))).astype(np.uint8)


@pytest.fixture(scope="module")
def coop(tiny_backbone: Any) -> PromptLearner:
    return learned(tiny_backbone)


@pytest.fixture(scope="module")
def made(coop: PromptLearner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for ONNX of a prompt for a tiny CLIP."""
    folder = tmp_path_factory.mktemp("exported") / "onnx"
    steps: list[str] = []
    result = promptlet.export_folder(coop, folder, on_step=steps.append)
    assert steps == ["loading the model", "writing the graph", "comparing it with torch"]
    assert (result.kind, result.precision, result.left_out, result.verdict) == ("onnx", "fp32", "", None)
    assert result.largest < 1e-5 and result.names == tuple(sorted(NAMES))
    assert result.files.keys() == {path.name for path in folder.iterdir()} - {"export.json"}
    return folder


def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def test_the_runtime_answers_as_the_library(made: Path, coop: PromptLearner) -> None:
    images = list(pictures(5))
    classifier = Classifier(made)
    np.testing.assert_allclose(classifier.predict_proba(images), coop.predict_proba(images), atol=2e-5)
    assert classifier.vectors.method == "coop" and classifier.names == tuple(sorted(NAMES))


def test_three_graphs_share_one_file_of_numbers(made: Path) -> None:
    manifest = open_exported(made).manifest
    assert [graph.file for graph in manifest.graphs] == ["classifier.onnx", "tower.onnx", "picture.onnx"]
    assert {graph.more_files for graph in manifest.graphs} == {("weights.data",)}
    assert [[port.name for port in graph.outputs] for graph in manifest.graphs] == [
        ["features", "probabilities"],
        ["features"],
        ["features", "probabilities"],
    ]
    assert [graph.inside for graph in manifest.graphs] == [
        (),
        (),
        ("resize", "crop", "rescale", "normalise"),
    ]
    for graph in manifest.graphs:
        model = onnx.load(made / graph.file, load_external_data=False)
        told = [(port.name, port.shape) for port in (*graph.inputs, *graph.outputs)]
        held = [
            (one.name, tuple(d.dim_param or d.dim_value for d in one.type.tensor_type.shape.dim))
            for one in (*model.graph.input, *model.graph.output)
        ]
        assert held == told
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]


def test_no_file_tells_where_it_was_made(made: Path) -> None:
    places = {str(Path(promptlet.__file__).parents[2]), str(Path(onnx.__file__).parents[1]), str(Path.home())}
    for path in made.iterdir():
        content = path.read_bytes()
        if path.suffix in (".onnx", ".json"):
            assert not [place for place in places if place.encode() in content], path.name
            assert b".py" not in content and b"stack_trace" not in content


def test_the_graph_of_whole_pictures_answers_as_that_of_pixel_values(made: Path) -> None:
    from promptlet.export.running.onnx import outputs_by

    run, classifier = outputs_by(made / "picture.onnx"), Classifier(made)
    for image in (*pictures(2), np.full((90, 33, 3), 80, np.uint8)):
        found = run({"image": image})
        np.testing.assert_allclose(found["features"], classifier.features([image]), atol=1e-6)
        np.testing.assert_allclose(found["probabilities"], classifier.predict_proba([image]), atol=1e-5)


def test_a_check_asks_every_graph(made: Path) -> None:
    checked = promptlet.check_export(made)
    assert checked.is_sound and len(checked.graphs) == 3
    assert all(one.off < 1e-5 and one.probabilities_off < 1e-5 for one in checked.graphs)


def test_a_check_sees_other_weights_and_other_classes(made: Path, tmp_path: Path) -> None:
    folder = copied(made, tmp_path)
    weights = bytearray((folder / "weights.data").read_bytes())
    middle = len(weights) // 2 // 4 * 4
    weights[middle : middle + 4096] = np.full(1024, 0.5, "<f4").tobytes()
    (folder / "weights.data").write_bytes(weights)
    with pytest.raises(ExportError, match=r"weights.data was changed after it was exported"):
        check_export(folder)
    summed_anew(folder)
    assert [one.is_sound for one in check_export(folder).graphs] == [False] * 3

    folder = copied(made, tmp_path / "classes")
    model = onnx.load(folder / "classifier.onnx", load_external_data=False)
    [matrix] = [one for one in model.graph.initializer if one.dims == [16, len(NAMES)]]
    matrix.raw_data = np.frombuffer(matrix.raw_data, "<f4")[::-1].tobytes()
    onnx.save(model, folder / "classifier.onnx")
    summed_anew(folder)
    first, *others = check_export(folder).graphs
    assert (first.off < 1e-5, first.is_sound) == (True, False) and all(one.is_sound for one in others)


def summed_anew(folder: Path) -> None:
    """The manifest as somebody would write it who changes a folder on purpose."""
    from promptlet.exported import write_manifest

    manifest = json.loads((folder / "export.json").read_text())
    from promptlet.exported.manifest import manifest_of

    write_manifest(folder, replace(manifest_of(manifest), files={}))


def test_a_graph_that_onnxruntime_cannot_run_is_named(made: Path, tmp_path: Path) -> None:
    folder = copied(made, tmp_path)
    model = onnx.load(folder / "tower.onnx", load_external_data=False)
    model.graph.node[0].op_type = "FromTheFuture"
    onnx.save(model, folder / "tower.onnx")
    summed_anew(folder)
    with pytest.raises(ExportError, match=r"tower.onnx: onnxruntime [\d.]+ cannot run it .*upgrade"):
        check_export(folder)
    model.graph.node[0].op_type = "Identity"
    model.opset_import[0].version = 999
    onnx.save(model, folder / "tower.onnx")
    summed_anew(folder)
    with pytest.raises(ExportError, match=r"copy/tower.onnx: onnxruntime [\d.]+ cannot run it .*[Oo]pset"):
        check_export(folder)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"to": "tensorflow"}, OptionError, "to='tensorflow' is not known; allowed: onnx, torch, openvino"),
        ({"precision": "int4"}, OptionError, "precision='int4' is not known"),
        ({"to": "torch", "precision": "fp16"}, OptionError, "not possible with 'torch'; it has: fp32"),
        ({"to": "openvino", "precision": "int8"}, OptionError, "it has: fp32, fp16"),
        ({"precision": "int8"}, OptionError, "give 50 or more of your own"),
        ({"images": "photos"}, OptionError, "images are for fp16 and int8"),
        ({"precision": "fp16", "images": "x", "least_agreement": 101}, OptionError, "a percentage"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_made(
    options: dict[str, Any], error: type[Exception], message: str, coop: PromptLearner, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        export_folder(coop, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_targets_that_are_there_stay_as_they_are(made: Path, coop: PromptLearner, tmp_path: Path) -> None:
    folder = copied(made, tmp_path)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir())
    with pytest.raises(ExportError, match="it is there already; give another name, or --force"):
        export_folder("no such prompt", folder)
    other = tmp_path / "own"
    other.mkdir()
    with pytest.raises(ExportError, match="no exported folder, so it is not replaced"):
        export_folder("no such prompt", other, force=True)
    with pytest.raises(ExportError, match="does not exist: create it"):
        export_folder(coop, tmp_path / "none" / "out")
    with pytest.raises(ExportError, match="cannot write /proc/out"):
        export_folder(coop, "/proc/out")
    assert before == sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "own"}


def test_another_backbone_and_methods_without_a_matrix_are_refused(
    coop: PromptLearner, tiny_backbone: Any, gelu_folder: Path, tmp_path: Path
) -> None:
    coop.save(tmp_path / "a.prompt")
    with pytest.raises(WrongBackboneError, match="was made with backbone"):
        export_folder(tmp_path / "a.prompt", tmp_path / "out", backbone=gelu_folder)
    for method in ("cocoop", "tip_adapter"):
        with pytest.raises(ExportError, match=f"'{method}' cannot be given"):
            export_folder(learned(tiny_backbone, method), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"a.prompt"}


@pytest.mark.slow
def test_a_graph_that_does_not_answer_as_torch_is_not_exported(
    coop: PromptLearner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlet.export.onnx import folder as onnx_folder

    own = onnx_folder.features_by
    monkeypatch.setattr(onnx_folder, "features_by", lambda path: lambda x: own(path)(x) * 1.01)
    with pytest.raises(ExportError, match=r"does not answer as torch does: with 1 images .* is allowed"):
        export_folder(coop, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_preprocessing_that_would_differ_is_left_out_and_said(
    coop: PromptLearner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptlet.export.onnx.pictures.BITS", 12)
    made = export_folder(coop, tmp_path / "out")
    assert re.search(r"a pixel value would be 0.\d+ off, and 0.001 is allowed", made.left_out)
    assert "picture.onnx" not in made.files and len(made.graphs) == 2
    assert open_exported(tmp_path / "out").manifest.made_with["no graph of whole pictures"] == made.left_out


def test_a_tower_that_is_captured_for_one_number_of_images_is_refused(tiny_backbone: Any) -> None:
    import torch

    class Frozen(torch.nn.Module):
        def forward(self, pixels: Any) -> Any:
            return pixels.reshape(2, -1)

    with pytest.raises(ExportError, match=r"cannot capture this image tower .*batch"):
        captured(Frozen(), (32, 32))


def test_a_missing_package_is_named(
    coop: PromptLearner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'promptlet\[onnx\]'"):
        export_folder(coop, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


# -- each of these exports once or more: seconds ------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_kind_of_tower_is_exported(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    prefix = "open_clip:" if kind.startswith("open") else ""
    backbone = load_backbone(f"{prefix}{request.getfixturevalue(kind)}", device="cpu", dtype="float32")
    classifier = learned(backbone, "zero_shot")
    made = export_folder(classifier, tmp_path / "out")
    images = list(pictures(4))
    found = Classifier(tmp_path / "out").predict_proba(images)
    np.testing.assert_allclose(found, classifier.predict_proba(images), atol=1e-4)
    assert (made.left_out, check_export(tmp_path / "out").is_sound) == ("", True)


@pytest.mark.slow
@pytest.mark.parametrize("method", [*OF_IMAGES, "clip_adapter"])
def test_methods_that_change_the_tower_are_exported(method: str, tiny_backbone: Any, tmp_path: Path) -> None:
    if method == "clip_lora":
        pytest.importorskip("peft")
    classifier = learned(tiny_backbone, method)
    export_folder(classifier, tmp_path / "out")
    images = list(pictures(4))
    found = Classifier(tmp_path / "out").predict_proba(images)
    np.testing.assert_allclose(found, classifier.predict_proba(images), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "precision", "bound"),
    [("onnx", "fp16", 1e-3), ("torch", "fp32", 1e-5), ("openvino", "fp32", 1e-5), ("openvino", "fp16", 1e-3)],
)
def test_other_kinds_and_precisions_answer_alike(
    to: str, precision: str, bound: float, made: Path, coop: PromptLearner, tmp_path: Path
) -> None:
    if to == "openvino":
        pytest.importorskip("openvino")
    result = export_folder(coop, tmp_path / "out", to=to, precision=precision)
    checked = check_export(tmp_path / "out")
    assert checked.is_sound and result.largest < bound
    assert {one.precision for one in checked.graphs} == {precision}
    if precision == "fp16":
        numbers = "classifier.bin" if to == "openvino" else "weights.data"
        assert result.files[numbers] < 0.6 * (made / "weights.data").stat().st_size


@pytest.mark.slow
def test_a_program_of_torch_holds_no_pickle_and_no_place(coop: PromptLearner, tmp_path: Path) -> None:
    import zipfile

    export_folder(coop, tmp_path / "out", to="torch")
    with zipfile.ZipFile(tmp_path / "out" / "classifier.pt2") as archive:
        for entry in archive.infolist():
            content = archive.read(entry)
            assert content[:2] not in (b"\x80\x02", b"\x80\x04", b"PK"), entry.filename  # pickles of torch
            assert b".py" not in content, entry.filename
    program = json.loads(
        zipfile.ZipFile(tmp_path / "out" / "classifier.pt2").read("classifier/models/model.json")
    )
    assert program["graph_module"]


@pytest.mark.slow
def test_a_torch_that_writes_pickles_is_refused(
    coop: PromptLearner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zipfile

    import torch

    def older(_program: Any, path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("classifier/serialized_state_dict.pt", b"\x80\x02}.")

    monkeypatch.setattr(torch.export, "save", older)
    with pytest.raises(
        ExportError, match="weights of a program as pickles, which may hold code; upgrade torch"
    ):
        export_folder(coop, tmp_path / "out", to="torch")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """60 images of noise, in folders of three classes and of one that is none."""
    folder = tmp_path / "photos"
    for row, picture in enumerate(pictures(60)):
        path = folder / (NAMES[row % 3] if row % 4 else "else") / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return folder


@pytest.mark.slow
def test_eight_bits_pass_or_are_refused_by_a_persons_own_images(
    coop: PromptLearner, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = export_folder(coop, tmp_path / "out", precision="int8", images=photos, least_agreement=50)
    assert made.verdict is not None and made.verdict.agreement >= 50
    assert (
        made.verdict.kind == "static: ranges found on images"
    )  # most weights of so small a tower are Conv's
    assert (made.verdict.images, made.verdict.labelled) == (45, 33)
    assert check_export(tmp_path / "out").is_sound
    assert {graph.precision for graph in made.graphs} == {"int8"}
    from promptlet.export.onnx import folder as onnx_folder

    own = onnx_folder.gate.measured
    monkeypatch.setattr(onnx_folder.gate, "measured", lambda *given: replace(own(*given), same=44))
    with pytest.raises(ExportError, match=r"44 of 45 images, 97.8 %; accuracy .* and 98 % are asked for"):
        export_folder(coop, tmp_path / "none", precision="int8", images=photos)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "photos"}


@pytest.mark.slow
def test_transformers_get_their_ranges_as_they_run(photos: Path, tmp_path: Path) -> None:
    classifier = learned("mini", "zero_shot")
    made = export_folder(classifier, tmp_path / "out", precision="int8", images=photos, least_agreement=50)
    assert made.verdict is not None and made.verdict.kind == "dynamic: ranges found as it runs"
    assert made.verdict.images == 60
    assert made.files["weights.data"] < 1.5e6 and check_export(tmp_path / "out").is_sound
    model = onnx.load(tmp_path / "out" / "classifier.onnx", load_external_data=False)
    [matrix] = [node for node in model.graph.node if node.name == "classes.0"]
    assert matrix.op_type == "MatMul"  # logits are 100 times a cosine: never of 8 bits


@pytest.mark.slow
def test_halves_are_measured_too_where_images_are_given(
    coop: PromptLearner, photos: Path, tmp_path: Path
) -> None:
    made = export_folder(coop, tmp_path / "out", precision="fp16", images=photos)
    assert made.verdict is not None
    assert (made.verdict.kind, made.verdict.images) == ("weights of 16 bits", 60)
    assert made.verdict.agreement >= 98 and 0 < made.verdict.largest < 1e-3
    told = open_exported(tmp_path / "out").manifest.made_with["compared on own images"]
    assert told == f"{made.verdict} (weights of 16 bits)"


@pytest.mark.slow
def test_too_few_images_are_refused(coop: PromptLearner, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="15 images are too few"):
        export_folder(coop, tmp_path / "out", precision="int8", images=photos / "else")
