"""Base-to-new on feature files made by hand; zero-shot against numbers computed here, in NumPy alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from protocol_toys import NAMES, write_toy

from promptlet.backbones import Backbone
from promptlet.data import read_feature_file, sample_shots
from promptlet.errors import DataError, OptionError
from promptlet.protocols import RunStore, base_to_new
from promptlet.protocols.engines.inline import run_inline
from promptlet.protocols.planning import Settings, parse_methods
from promptlet.protocols.run.datasets import FeatureSource, open_dataset, open_datasets
from promptlet.training import SCHEDULES

FAST = Settings(epochs=3)


def run_toy(
    backbone: Backbone, path: Path, methods: str, seed: int = 1, settings: Settings = FAST
) -> list[dict[str, Any]]:
    dataset = open_dataset(str(path))
    runs = base_to_new.plan(
        [dataset], parse_methods(methods), [2], [seed], backbone.fingerprint, settings=settings
    )
    return [base_to_new.execute(run, dataset, FeatureSource(backbone)) for run in runs]


def test_zero_shot_equals_a_computation_by_hand(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    [result] = run_toy(tiny_backbone, path, "zero_shot")
    arrays = np.load(path)
    is_test = arrays["split"] == 2
    images, labels = arrays["features"][is_test], arrays["labels"][is_test]
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    expected = {}
    for half, members in (("base", [0, 1, 2]), ("new", [3, 4])):  # ceil(5 / 2) = 3
        texts = tiny_backbone.text.encode_texts([f"a photo of a {NAMES[c]}." for c in members])
        words = texts.detach().numpy()
        words = words / np.linalg.norm(words, axis=1, keepdims=True)
        chosen = np.isin(labels, members)
        best = np.array(members)[(images[chosen] @ words.T).argmax(1)]
        expected[half] = 100.0 * np.mean(best == labels[chosen])
    assert result["base"] == pytest.approx(expected["base"])
    assert result["new"] == pytest.approx(expected["new"])
    assert result["H"] == pytest.approx(2 / (1 / expected["base"] + 1 / expected["new"]))
    assert (result["base_images"], result["new_images"]) == (21, 14)
    assert (result["trainable"], result["text_passes"], result["seconds"]) == (0, 0, 0)


def test_a_known_data_set_brings_its_own_template(tiny_backbone: Backbone, tmp_path: Path) -> None:
    [result] = run_toy(tiny_backbone, write_toy(tmp_path / "caltech101.npz"), "zero_shot")
    assert result["options"] == {"template": "a photo of a {}."}
    [own] = run_toy(tiny_backbone, tmp_path / "caltech101.npz", "zero_shot:template=art of a {}.")
    assert own["options"] == {"template": "art of a {}."}


def test_shots_are_drawn_before_the_classes_are_cut(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    [result] = run_toy(tiny_backbone, path, "rlp", seed=3)
    drawn = sample_shots(read_feature_file(path).split, 2, 3, "coop")
    assert result["samples"] == [item.row for item in drawn.train if item.label < 3]
    assert result["sampler"] == "coop"


def test_the_same_run_gives_the_same_numbers_and_another_seed_others(
    tiny_backbone: Backbone, tmp_path: Path
) -> None:
    path = write_toy(tmp_path / "toy.npz")
    first, again, other = ({**run_toy(tiny_backbone, path, "rlp", seed)[0], "date": ""} for seed in (1, 1, 2))
    losses = [[report["loss"] for report in result["history"]] for result in (first, again, other)]
    assert losses[0] == losses[1] != losses[2]
    assert [first[n] for n in ("base", "new", "H", "base_ece")] == [
        again[n] for n in ("base", "new", "H", "base_ece")
    ]


def test_a_result_says_what_was_measured(tiny_backbone: Backbone, tmp_path: Path) -> None:
    rlp, coop = run_toy(tiny_backbone, write_toy(tmp_path / "toy.npz"), "rlp:rank=2,coop")
    assert rlp["rank"] == 2 and rlp["trainable"] == 2 * (4 + 32) and coop["trainable"] == 4 * 32
    assert rlp["settings"]["lr"] == SCHEDULES["fast"].lr
    assert coop["settings"]["lr"] == SCHEDULES["fast"].lr
    assert rlp["file_bytes"] > 4 * rlp["trainable"] and rlp["text_passes"] == 3 == len(rlp["history"])
    assert 0 < rlp["seconds"] <= rlp["seconds_total"] and rlp["peak_memory"] > 2**20
    assert set(rlp["versions"]) == {"promptlet", "python", "torch", "transformers", "numpy"}
    assert rlp["backbone"]["fingerprint"] == tiny_backbone.fingerprint
    json.dumps(rlp, allow_nan=False)


def test_images_and_their_features_give_the_same_numbers(tiny_backbone: Backbone, tmp_path: Path) -> None:
    from PIL import Image

    from promptlet.data import FeatureFile, read_folder, write_feature_file
    from promptlet.features import encode_images

    for part, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(NAMES[:4]):
            for i in range(count):
                (tmp_path / "shapes" / part / name).mkdir(parents=True, exist_ok=True)
                shade = (60 * label, 40 * i, 200 - 60 * label)
                Image.new("RGB", (40, 40), shade).save(tmp_path / "shapes" / part / name / f"{i}.png")
    split = read_folder(tmp_path / "shapes")
    features = encode_images(tiny_backbone, [item.path for item in split.every_item])[0]
    write_feature_file(tmp_path / "shapes.npz", FeatureFile.of(split, features))
    for methods in ("zero_shot", "coop"):
        [one], [other] = (
            run_toy(tiny_backbone, tmp_path / name, methods) for name in ("shapes", "shapes.npz")
        )
        assert [one[n] for n in ("base", "new", "base_ece")] == pytest.approx(
            [other[n] for n in ("base", "new", "base_ece")]
        )
        assert one["samples"][0].startswith("train/")


def test_what_cannot_be_run_says_why(tiny_backbone: Backbone, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "toy.npz")
    with pytest.raises(OptionError, match="know only the classes they were made for"):
        run_toy(tiny_backbone, path, "coop:per_class=true")
    with pytest.raises(OptionError, match=r"holds one view of each image, not 2; give the images"):
        run_toy(tiny_backbone, path, "rlp", settings=Settings(epochs=1, views=2))
    with pytest.raises(DataError, match=r"toy8: its features have 8 numbers, those of .* 16"):
        run_toy(tiny_backbone, write_toy(tmp_path / "toy8.npz", dim=8), "zero_shot")
    with pytest.raises(DataError, match=r"no test images of the base classes .* needs train and test parts"):
        run_toy(tiny_backbone, write_toy(tmp_path / "untested.npz", test=False), "zero_shot")
    with pytest.raises(DataError, match="there is no such file or folder"):
        open_dataset(str(tmp_path / "absent.npz"))
    with pytest.raises(OptionError, match="are both called 'toy' in results"):
        open_datasets([str(path), str(path)])


def test_a_run_that_fails_is_recorded_and_the_others_go_on(tiny_backbone: Backbone, tmp_path: Path) -> None:
    good = write_toy(tmp_path / "good.npz")
    (tmp_path / "bad.npz").write_bytes(good.read_bytes()[:500])
    datasets = open_datasets([str(tmp_path / "bad.npz"), str(good)])
    by_name = {dataset.name: dataset for dataset in datasets}
    runs = base_to_new.plan(
        datasets, parse_methods("zero_shot,coop:per_class=true"), [2], [1], tiny_backbone.fingerprint
    )
    store, events = RunStore(tmp_path / "runs"), []
    source = FeatureSource(tiny_backbone)

    def execute(run: Any) -> dict[str, Any]:
        return base_to_new.execute(run, by_name[run.dataset], source)

    for _ in range(2):
        run_inline(runs, execute, store, lambda what, run, record: events.append((what, run.dataset)))
    assert [event for event in events if event[0] != "start"] == [
        *(("failed", "bad"), ("failed", "bad"), ("done", "good"), ("failed", "good")),
        *(("failed", "bad"), ("failed", "bad"), ("kept", "good"), ("failed", "good")),
    ]
    records, problems = store.read_all()
    assert problems == [] and sorted(record["status"] for record in records) == ["done", *["failed"] * 3]
    [reason] = {record["reason"] for record in records if record["dataset"] == "bad"}
    assert "bad.npz: is no .npz file, or is cut off" in reason


@pytest.mark.realbed
@pytest.mark.slow
def test_the_real_images_features_give_the_known_zero_shot_numbers(realbed: Path) -> None:
    from promptlet.backbones import load_backbone

    backbone = load_backbone(realbed / "model", device="cpu")
    [result] = run_toy(backbone, realbed / "features" / "caltech101.npz", "zero_shot")
    assert round(result["base"], 1) == 65.4 and round(result["new"], 1) == 50.1


def test_decoupled_prompts_have_zero_shots_new_accuracy_and_their_own_base(
    tiny_backbone: Backbone, tmp_path: Path
) -> None:
    """With the data set's own hand-written prompt; the learned prompt by itself has other numbers."""
    path = write_toy(tmp_path / "dtd.npz")  # "{} texture."
    methods = "zero_shot,rlp,coop:new_names=zero-shot,rlp:new_names=learned"
    zero_shot, rlp, coop, learned = run_toy(
        tiny_backbone, path, methods, settings=Settings(epochs=20, lr=0.05)
    )
    assert zero_shot["options"] == {"template": "{} texture."} and rlp["options"]["template"] == "{} texture."
    scores = [name for name in zero_shot if name.startswith("new")]
    assert {"new", "new_ece", "new_macro_f1"} <= set(scores)
    for one in (rlp, coop):
        assert [one[name] for name in scores] == pytest.approx([zero_shot[name] for name in scores], abs=1e-3)
    assert learned["base"] == rlp["base"] and learned["base_ece"] == rlp["base_ece"]
    assert learned["new_ece"] != pytest.approx(rlp["new_ece"], abs=1e-3)
    assert learned["key"] != rlp["key"] and "template" not in learned["options"]
