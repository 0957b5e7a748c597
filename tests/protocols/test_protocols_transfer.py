"""Cross-dataset and domain-shift on feature files made by hand: trained once, asked about other classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from protocol_toys import COUNTS, NAMES, write_toy
from test_protocols_few_shot import SCORES

from promptlet.backbones import Backbone
from promptlet.errors import DataError, OptionError
from promptlet.methods import METHODS
from promptlet.methods.method import FEATURES
from promptlet.protocols import PROTOCOLS, RunStore, load_protocol
from promptlet.protocols.engines.inline import run_inline
from promptlet.protocols.planning import Settings, default_source, parse_methods, plan_runs
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import BenchDataset, FeatureSource, open_datasets
from promptlet.protocols.run.execution import execute

OTHERS = ("box", "the dog", "a cat")
SHUFFLED = ("photo", "cat", "dog")


@pytest.fixture
def toys(tmp_path: Path) -> dict[str, BenchDataset]:
    """A source, a data set of other classes, and a shifted version of the source with three of its own."""
    paths = [
        write_toy(tmp_path / "origin.npz"),
        write_toy(tmp_path / "others.npz", seed=1, names=OTHERS),
        write_toy(tmp_path / "shifted.npz", seed=2, names=NAMES[:3]),
    ]
    return {dataset.name: dataset for dataset in open_datasets([str(path) for path in paths])}


def planned(
    toys: dict[str, BenchDataset], backbone: Backbone, methods: str, protocol: str = "cross-dataset"
) -> list[Run]:
    source = toys["origin"] if protocol in ("cross-dataset", "domain-shift") else None
    chosen = list(toys.values()) if source else [toys["origin"]]
    settings = Settings(epochs=2)
    specs = parse_methods(methods)
    return plan_runs(
        protocol, chosen, specs, [2], [1], backbone.fingerprint, settings=settings, source=source
    )


def run_all(
    toys: dict[str, BenchDataset],
    backbone: Backbone,
    methods: str,
    protocol: str = "cross-dataset",
    store: RunStore | None = None,
) -> list[dict[str, Any]]:
    features = FeatureSource(backbone)
    return [execute(run, toys, features, store=store) for run in planned(toys, backbone, methods, protocol)]


def by_hand(backbone: Backbone, path: str, names: tuple[str, ...], template: str) -> float:
    arrays = np.load(path)
    images, labels = (arrays[name][arrays["split"] == 2] for name in ("features", "labels"))
    words = backbone.text.encode_texts([template.format(name) for name in names]).detach().numpy()
    images, words = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images, words))
    return float(100.0 * np.mean((images @ words.T).argmax(1) == labels))


def test_zero_shot_equals_a_computation_by_hand(
    tiny_backbone: Backbone, toys: dict[str, BenchDataset]
) -> None:
    others, shifted = run_all(toys, tiny_backbone, "zero_shot")
    template = "a photo of a {}."
    for result, names in ((others, OTHERS), (shifted, NAMES[:3])):
        assert result["accuracy"] == by_hand(tiny_backbone, result["given"], names, template)
        assert result["source_accuracy"] == by_hand(tiny_backbone, result["source_given"], NAMES, template)
    assert [others[name] for name in ("dataset", "source", "source_data", "data")] == [
        *("others", "origin", toys["origin"].digest, toys["others"].digest)
    ]
    assert (others["images"], others["classes"], others["seen_classes"]) == (21, 3, 1)
    assert (shifted["images"], shifted["classes"], shifted["seen_classes"]) == (21, 3, 3)
    assert (others["source_images"], others["source_classes"]) == (35, 5)
    json.dumps(others, allow_nan=False)


@pytest.mark.parametrize(
    "method", [m for m, k in METHODS.items() if k.info.reads == FEATURES and k.info.unseen_classes]
)
def test_stored_or_not_the_numbers_are_the_same(
    method: str, tiny_backbone: Backbone, toys: dict[str, BenchDataset], tmp_path: Path
) -> None:
    store = RunStore(tmp_path / "runs")
    plain, first, again = (run_all(toys, tiny_backbone, method, store=s) for s in (None, store, store))
    names = (*SCORES, *(f"source_{name}" for name in SCORES), "trainable", "file_bytes", "samples")
    for results in zip(plain, first, again, strict=True):
        assert len({json.dumps([result[name] for name in names]) for result in results}) == 1


def test_one_training_serves_all_targets_and_protocols(
    tiny_backbone: Backbone, toys: dict[str, BenchDataset], tmp_path: Path, trainings: list[str]
) -> None:
    store = RunStore(tmp_path / "runs")
    crossed = run_all(toys, tiny_backbone, "rlp,coop", store=store)
    shifted = run_all(toys, tiny_backbone, "rlp,coop", "domain-shift", store)
    few = run_all(toys, tiny_backbone, "rlp,coop", "few-shot", store)
    assert sorted(trainings) == ["coop", "rlp"]
    assert [result["trained"]["reused"] for result in [*crossed, *shifted, *few]] == [False] * 2 + [True] * 8
    for method in range(2):
        own = few[method]
        for result in [*crossed, *shifted][method::2]:
            assert result["source_accuracy"] == own["accuracy"]
            assert [result[n] for n in ("seconds", "history", "samples", "trained")] == [
                *(own[n] for n in ("seconds", "history", "samples")),
                {**own["trained"], "reused": result["trained"]["reused"]},
            ]
    assert [a["accuracy"] for a in crossed] == [b["accuracy"] for b in shifted]
    assert len({run["key"] for run in [*crossed, *shifted, *few]}) == 10
    run_all(toys, tiny_backbone, "rlp:rank=2", store=store)  # other settings are another training
    assert len(trainings) == 3


def test_a_transfer_asks_what_was_trained_on_the_source(
    tiny_backbone: Backbone, toys: dict[str, BenchDataset], tmp_path: Path
) -> None:
    """Against the prompt file that few-shot leaves, loaded and asked about the other classes by hand."""
    from promptlet.classifier import PromptClassifier

    store = RunStore(tmp_path / "runs")
    run_all(toys, tiny_backbone, "coop", "few-shot", store)
    others, _ = run_all(toys, tiny_backbone, "coop", store=store)
    [prompt] = (store.folder / "trained").glob("*.prompt")
    loaded = PromptClassifier.load(prompt, backbone=tiny_backbone)
    arrays = np.load(others["given"])
    images, labels = (arrays[name][arrays["split"] == 2] for name in ("features", "labels"))
    chances = loaded.predict_proba(images.astype(np.float32), class_names=OTHERS)
    assert others["accuracy"] == pytest.approx(100.0 * np.mean(chances.argmax(1) == labels))


def test_who_learns_nothing_has_the_prompt_of_each_data_set(tiny_backbone: Backbone, tmp_path: Path) -> None:
    flags, origin = open_datasets(
        [str(write_toy(tmp_path / "mini-flags.npz", seed=1)), str(write_toy(tmp_path / "caltech101.npz"))]
    )
    assert flags.template != origin.template
    specs = parse_methods("zero_shot,kgcoop,zero_shot:template=art of a {}.")
    runs = plan_runs(
        *("cross-dataset", [flags], specs, [2], [1], tiny_backbone.fingerprint),
        settings=Settings(epochs=1), source=origin,
    )  # fmt: skip
    own, learned, given = (run.options["template"] for run in runs)
    assert (own, learned, given) == (flags.template, origin.template, "art of a {}.")
    datasets = {dataset.name: dataset for dataset in (flags, origin)}
    for run, here, there in (
        (runs[0], flags.template, origin.template), (runs[2], "art of a {}.", "art of a {}.")
    ):  # fmt: skip
        result = execute(run, datasets, FeatureSource(tiny_backbone))
        assert result["accuracy"] == by_hand(tiny_backbone, flags.source, NAMES, here)
        assert result["source_accuracy"] == by_hand(tiny_backbone, origin.source, NAMES, there)


def test_a_linear_probe_is_asked_about_the_shifted_classes_among_themselves(
    tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As CoOp's paper has it in its table of domain shift: here against scikit-learn by hand."""
    from sklearn.linear_model import LogisticRegression

    from promptlet.data import sample_shots

    monkeypatch.setitem(COUNTS, "val", 0)  # so that C stays as it is given
    paths = [write_toy(tmp_path / "origin.npz"), write_toy(tmp_path / "shifted.npz", seed=2, names=SHUFFLED)]
    toys = {dataset.name: dataset for dataset in open_datasets([str(path) for path in paths])}
    [run] = planned(toys, tiny_backbone, "linear_probe:C=3", "domain-shift")
    result = execute(run, toys, FeatureSource(tiny_backbone))

    def unit(name: str, rows: list[int]) -> np.ndarray:
        features = toys[name].features
        assert features is not None
        return features[rows] / np.linalg.norm(features[rows], axis=1, keepdims=True)

    drawn = sample_shots(toys["origin"].split, 2, 1, "coop").train
    x, y = unit("origin", [i.row for i in drawn if i.row is not None]), [i.label for i in drawn]
    model = LogisticRegression(C=3, max_iter=1000).fit(x, y)
    test = toys["shifted"].split.test
    scores = model.decision_function(unit("shifted", [i.row for i in test if i.row is not None]))
    columns = [NAMES.index(name) for name in SHUFFLED]
    right = scores[:, columns].argmax(1) == [i.label for i in test]
    assert result["accuracy"] == pytest.approx(100.0 * right.mean()) and result["seen_classes"] == 3
    assert not set(scores.argmax(1)) <= set(columns)  # among all five it would have answered otherwise


@pytest.mark.slow
def test_who_cannot_do_it_is_refused_before_training_and_the_others_go_on(
    tiny_backbone: Backbone, toys: dict[str, BenchDataset], tmp_path: Path, trainings: list[str]
) -> None:
    for protocol in ("cross-dataset", "domain-shift"):
        store, features = RunStore(tmp_path / protocol), FeatureSource(tiny_backbone)
        runs = planned(toys, tiny_backbone, "linear_probe,coop:per_class=true,coop", protocol)
        run_inline(runs, lambda run: execute(run, toys, features, store=store), store)  # noqa: B023
        records, problems = store.read_all()
        assert problems == []
        reasons = {(r["method"], r["status"]): r.get("reason", "") for r in records}
        reason = reasons["linear_probe", "failed"]
        assert f"'linear_probe' knows only the classes it was trained on, so {protocol}" in reason
        assert "(2 of 3 are others, such as 'the dog')" in reason
        assert "class-specific contexts" in reasons["coop", "failed"] and ("coop", "done") in reasons
        done = [record for record in records if record["status"] == "done"]
        assert len(records) == 6
        assert {(record["method"], record["dataset"]) for record in done} == {
            ("linear_probe", "shifted"), ("coop", "others"), ("coop", "shifted")
        }  # fmt: skip
    assert sorted(trainings) == ["coop", "coop", "linear_probe", "linear_probe"]
    assert all(record["source"] == "origin" for record in done)


def test_the_source_is_no_target(tiny_backbone: Backbone, toys: dict[str, BenchDataset]) -> None:
    runs = planned(toys, tiny_backbone, "rlp")
    assert [(run.dataset, run.source) for run in runs] == [("others", "origin"), ("shifted", "origin")]
    with pytest.raises(OptionError, match=r"trains on 'origin' and has no other data set .* use few-shot"):
        planned({"origin": toys["origin"]}, tiny_backbone, "rlp")
    with pytest.raises(OptionError, match="'cross-dataset' needs a source"):
        plan_runs("cross-dataset", list(toys.values()), parse_methods("rlp"), [1], [1], "f")
    for name in PROTOCOLS:
        assert name == load_protocol(name).NAME
        more = {"source": toys["origin"]} if name in ("cross-dataset", "domain-shift") else {}
        found = load_protocol(name).plan(list(toys.values()), parse_methods("rlp"), [1], [1], "f", **more)
        assert {run.protocol for run in found} == {name} and len(found) == 3 - len(more)


def test_the_source_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlet.protocols import planning

    assert default_source(["mini"]) == default_source(["mini-flags", "mini-general-v2"]) == "mini-general"
    assert default_source(["mini-harder"]) == "mini-general"
    monkeypatch.setattr(planning, "DATASETS", {"caltech101": None})
    with pytest.raises(OptionError, match="source is not given and must be for these data sets"):
        default_source(["mini-flags", "caltech101"])
    monkeypatch.setattr(planning, "DATASETS", {"caltech101": None, "imagenet": None})
    assert default_source(["mini-flags", "caltech101"]) == "imagenet"


def test_data_that_cannot_be_used(tiny_backbone: Backbone, tmp_path: Path, trainings: list[str]) -> None:
    origin, untested = (
        write_toy(tmp_path / f"{name}.npz", seed=i, test=not i)
        for i, name in enumerate(("origin", "untested"))
    )
    both = {d.name: d for d in open_datasets([str(origin), str(untested)])}
    with pytest.raises(DataError, match="untested: no test images; cross-dataset needs"):
        run_all(both, tiny_backbone, "coop")
    [run] = plan_runs(
        *("cross-dataset", [both["origin"]], parse_methods("coop"), [2], [1], "f"), source=both["untested"]
    )
    with pytest.raises(DataError, match="untested: no test images"):
        execute(run, both, FeatureSource(tiny_backbone))
    assert trainings == []


def test_a_kept_training_knows_which_names_were_taught(
    toys: dict[str, BenchDataset], tiny_backbone: Backbone, tmp_path: Path
) -> None:
    """Trained here, or taken from the store: other names are answered alike, and not as learned."""
    store = RunStore(tmp_path / "runs")
    fresh = run_all(toys, tiny_backbone, "rlp,rlp:new_names=learned")
    run_all(toys, tiny_backbone, "rlp", store=store)
    again = run_all(toys, tiny_backbone, "rlp", store=store)
    assert all(record["trained"]["reused"] for record in again)
    found = {(record["options"]["new_names"], record["dataset"]): record for record in fresh}
    for record in again:
        for name in ("accuracy", "ece"):
            assert record[name] == pytest.approx(found["zero-shot", record["dataset"]][name], abs=1e-4)
    as_learned = found["learned", "others"]["ece"]
    assert found["zero-shot", "others"]["ece"] != pytest.approx(as_learned, abs=1e-3)
