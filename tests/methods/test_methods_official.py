"""Every cell of the official settings against a table of its own, typed from what is public."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from promptlet.errors import OptionError
from promptlet.methods import METHODS, Method, register
from promptlet.methods.both_towers.promptsrc import gaussian_weights
from promptlet.methods.catalog import check_official
from promptlet.methods.official import OWN_IMAGES, PROTOCOLS, Case, Official, Where, choose_row
from promptlet.protocols.records.measures import MEASURES
from promptlet.training import Schedule, method_schedule
from promptlet.training.schedules import check_schedule_name, official_of

B2N, FEW, XD, DG = "base-to-new", "few-shot", "cross-dataset", "domain-shift"
OWN_START: dict[str, Any] = {"n_ctx": 16, "ctx_init": "template"}
WORDS: dict[str, Any] = {"n_ctx": 4, "ctx_init": None}
"""Four vectors that start at "a photo of a"."""
SRC = {"n_ctx": 4, "text_weight": 25.0, "image_weight": 10.0}


def shares(mean: int, std: int, epochs: int) -> dict[str, float]:
    """Of PromptSRC's averaging, which is published in epochs."""
    return {"average_mean": mean / epochs, "average_std": std / epochs}


CELLS: list[tuple[str, str, tuple[int, float, int], dict[str, Any]]] = [
    # method, protocol, (epochs, learning rate, batch) of most shots, options
    ("coop", B2N, (200, 0.002, 32), WORDS),
    ("coop", FEW, (200, 0.002, 32), {"n_ctx": 16, "ctx_init": "random"}),
    ("coop", XD, (50, 0.002, 32), WORDS),
    ("coop", DG, (50, 0.002, 32), WORDS),
    ("cocoop", B2N, (10, 0.002, 1), WORDS),
    ("cocoop", XD, (10, 0.002, 1), WORDS),
    ("cocoop", DG, (10, 0.002, 1), WORDS),
    ("kgcoop", B2N, (100, 0.002, 128), {**WORDS, "weight": 8.0}),
    ("kgcoop", XD, (100, 0.002, 128), {**WORDS, "weight": 8.0}),
    ("dekg", B2N, (100, 0.002, 128), {**WORDS, "weight": 8.0, "independence": 6.0}),
    ("prograd", B2N, (100, 0.002, 32), {**WORDS, "weight": 1.0, "temperature": 1.0}),
    ("prograd", FEW, (200, 0.002, 32), {**OWN_START, "weight": 1.0, "temperature": 1.0}),
    ("prograd", DG, (50, 0.002, 32), {**OWN_START, "weight": 1.0, "temperature": 1.0}),
    ("vpt", B2N, (5, 0.0025, 4), {"n_ctx": 8, "depth": None}),
    ("ivlp", B2N, (5, 0.0035, 4), {"n_ctx": 2, "depth": None}),
    ("maple", B2N, (5, 0.0035, 4), {"n_ctx": 2, "depth": None}),
    ("maple", XD, (2, 0.0026, 4), {"n_ctx": 2, "depth": 3}),
    ("maple", DG, (2, 0.0026, 4), {"n_ctx": 2, "depth": 3}),
    ("promptsrc", B2N, (20, 0.0025, 4), {**SRC, "depth": None, **shares(15, 1, 20)}),
    ("promptsrc", FEW, (50, 0.0025, 4), {**SRC, "depth": None, **shares(30, 30, 50)}),
    ("promptsrc", XD, (20, 0.0025, 4), {**SRC, "depth": 3, **shares(6, 10, 20)}),
    ("promptsrc", DG, (20, 0.0025, 4), {**SRC, "depth": 3, **shares(6, 10, 20)}),
    ("zs_lp", FEW, (300, 0.1, 256), {"length": 0.0}),
    ("zs_lp", DG, (300, 0.1, 256), {"length": 0.0}),
    ("clap", FEW, (300, 0.1, 256), {"length": 0.0}),
    ("clap", DG, (300, 0.1, 256), {"length": 0.0}),
    ("tip_adapter", FEW, (50, 0.002, 32), {"alpha": 1.17}),
    ("zero_shot_ensemble", B2N, (50, 0.002, 32), {"templates": "select"}),
    ("zero_shot_ensemble", FEW, (50, 0.002, 32), {"templates": "select"}),
    ("tip_adapter_f", FEW, (20, 0.001, 256), {"alpha_max": 10.0, "beta_max": 12.0}),
]  # fmt: skip
SGD = {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 5e-4, "drop_last": True, "warmup_lr": 1e-5}
OTHERS: dict[str, dict[str, Any]] = {
    "zs_lp": {"weight_decay": 0.0},
    "clap": {"weight_decay": 0.0},
    "tip_adapter_f": {"optimizer": "adamw", "weight_decay": 0.01, "drop_last": False, "warmup_lr": None},
}

COOPS_SHOTS = [(1, 50), (2, 100), (3, 100), (4, 100), (5, 200), (8, 200), (16, 200), (64, 200), (None, 200)]
FORMER, LATTER = (30 / 50, 30 / 50), (45 / 50, 5 / 50)
AVERAGES = {
    "imagenet": FORMER, "caltech101": FORMER, "oxford_pets": FORMER, "food101": FORMER, "ucf101": FORMER,
    "sun397": FORMER, "stanford_cars": LATTER, "oxford_flowers": LATTER, "fgvc_aircraft": LATTER,
    "dtd": LATTER, "eurosat": LATTER,
}  # fmt: skip


def at(method: str, protocol: str, dataset: str | None = None, shots: int | None = None) -> Schedule:
    return method_schedule(METHODS[method].info, "official", where=Where(protocol, dataset, shots))


def options(
    method: str, protocol: str, dataset: str | None = None, shots: int | None = None
) -> dict[str, Any]:
    chosen = choose_row(METHODS[method].info.official, Where(protocol, dataset, shots))
    assert chosen is not None
    return {**METHODS[method].info.options, **chosen.changes.options}


def test_the_table_has_every_cell_and_no_other() -> None:
    there = {(name, protocol) for name, method in METHODS.items() for protocol in method.info.official}
    assert there == {(method, protocol) for method, protocol, *_ in CELLS}
    assert set(PROTOCOLS) <= set(MEASURES)


@pytest.mark.parametrize(("method", "protocol", "schedule", "own"), CELLS)
def test_a_cell_is_what_is_public(
    method: str, protocol: str, schedule: tuple[int, float, int], own: dict[str, Any]
) -> None:
    found = at(method, protocol)
    assert (found.name, found.epochs, found.lr, found.batch_size) == ("official", *schedule)
    wanted = {**SGD, **OTHERS.get(method, {})}
    assert {name: getattr(found, name) for name in wanted} == wanted
    assert {name: options(method, protocol)[name] for name in own} == pytest.approx(own)
    changed = METHODS[method].info.official[protocol].options
    assert set(changed) <= set(own)  # nothing is changed that the table does not tell


@pytest.mark.parametrize(("method", "protocol", "schedule", "own"), CELLS)
def test_the_rate_of_every_epoch_is_the_formulas(
    method: str, protocol: str, schedule: tuple[int, float, int], own: dict[str, Any]
) -> None:
    """A first epoch at 1e-5, after which the cosine begins; Tip-Adapter-F has none."""
    epochs, lr, _ = schedule
    found = at(method, protocol)
    late = 1 if method == "tip_adapter_f" else 2
    for e in range(1, epochs + 1):
        cosine = lr / 2 * (1 + math.cos(math.pi * (e - late) / epochs))
        assert found.learning_rate(e - 1) == pytest.approx(1e-5 if e < late else cosine, rel=1e-12)


@pytest.mark.parametrize("method", ["coop", "prograd"])
@pytest.mark.parametrize(("shots", "epochs"), COOPS_SHOTS)
def test_epochs_of_few_shots(method: str, shots: int | None, epochs: int) -> None:
    assert at(method, FEW, "dtd", shots).epochs == epochs
    assert at(method, FEW, "imagenet", shots).epochs == 50
    assert options(method, FEW, "dtd", shots)["n_ctx"] == 16


def test_epochs_of_single_data_sets() -> None:
    for method in ("coop", "prograd"):
        assert at(method, B2N, "imagenet", 16).epochs == 50
    assert at("coop", B2N, "caltech101", 1).epochs == 200  # from base to new they do not hang on the shots
    assert (at("tip_adapter_f", FEW, "eurosat").epochs, at("tip_adapter_f", FEW, "dtd").epochs) == (100, 20)
    assert at("kgcoop", B2N, "imagenet", 16).epochs == 100


def test_what_is_read_of_each_image() -> None:
    """A new crop in every epoch, but for Tip-Adapter's ten and CLAP's twenty."""
    others = {
        "tip_adapter": "large-crops:10",
        "tip_adapter_f": "large-crops:10",
        "zs_lp": "crops:20",
        "clap": "crops:20",
        "zero_shot_ensemble": 1,
    }
    for method, protocol, *_ in CELLS:
        assert METHODS[method].info.official[protocol].views == others.get(method, "crops")


def test_templates_on_imagenet() -> None:
    """CoOp's mean there is over the seven alone; Tip-Adapter takes the seven."""
    for protocol in (B2N, FEW):
        assert options("zero_shot_ensemble", protocol, "imagenet")["template"] == ""
        assert options("zero_shot_ensemble", protocol, "imagenetv2")["template"] == "a photo of a {}."
    for method in ("tip_adapter", "tip_adapter_f"):
        assert options(method, FEW, "imagenet", 16)["template"] == "select"
        assert options(method, FEW, "caltech101", 16)["template"] == "a photo of a {}."


@pytest.mark.parametrize(("epochs", "mean", "std"), [(20, 15, 1), (50, 30, 30), (50, 45, 5), (20, 6, 10)])
def test_averaging_is_a_gaussian_over_the_published_epochs(epochs: int, mean: int, std: int) -> None:
    heights = [math.exp(-((e - mean) ** 2) / (2 * std**2)) for e in range(1, epochs + 1)]
    found = gaussian_weights(epochs, *shares(mean, std, epochs).values())
    assert found == pytest.approx([height / sum(heights) for height in heights])


def test_averaging_and_weight_by_data_set() -> None:
    for dataset, average in AVERAGES.items():
        found = options("promptsrc", FEW, dataset, 4)
        assert (found["average_mean"], found["average_std"]) == pytest.approx(average), dataset
        same = options("promptsrc", B2N, dataset, 16)
        assert (same["average_mean"], same["average_std"]) == (0.75, 0.05)
    weights = {
        (dataset, shots): options("prograd", FEW, dataset, shots)["weight"]
        for dataset in (*AVERAGES, None)
        for shots in (1, 2, 4, 5, 8, 16, 32, None)
    }
    lower = {(d, k) for d in ("oxford_flowers", "dtd", "eurosat") for k in (5, 8, 16, 32, None)}
    assert weights == {cell: 0.8 if cell in lower else 1.0 for cell in weights}


def test_what_hangs_on_the_data_set_is_told() -> None:
    row = METHODS["promptsrc"].info.official[FEW]
    assert row.by_dataset("dtd") == {"average_mean": 0.9, "average_std": 0.1}
    assert row.by_dataset("mini-flowers") == row.by_dataset(None) == {}
    assert METHODS["prograd"].info.official[FEW].by_dataset("dtd", 4) == {}
    assert METHODS["coop"].info.official[B2N].by_dataset("imagenet", 16) == {"epochs": 50}


def test_where_nothing_is_public_it_is_refused_with_what_is_there() -> None:
    there = {(method, protocol) for method, protocol, *_ in CELLS}
    for name, method in METHODS.items():
        if method.info.learns != "by steps":
            continue
        own = [protocol for protocol in PROTOCOLS if (name, protocol) in there]
        for protocol in set(PROTOCOLS) - set(own):
            with pytest.raises(OptionError) as refused:
                at(name, protocol)
            told = str(refused.value)
            assert "use one of coop, fast, adamw" in told
            if own:
                assert f"'{name}' has no official settings for {protocol}: none are public" in told
                assert f"It has them for {', '.join(own)} (" in told
            else:
                assert f"'{name}' has no official schedule here: its settings are not public" in told


def test_other_trainings_take_the_row_of_their_kind() -> None:
    def row(method: str, protocol: str) -> str | None:
        chosen = choose_row(METHODS[method].info.official, Where(protocol))
        return None if chosen is None else chosen.protocol

    assert [row(name, OWN_IMAGES) for name in ("coop", "maple", "clap", "rlp")] == [FEW, B2N, FEW, None]
    assert row("promptsrc", "all-names") == row("promptsrc", "density") == B2N
    assert row("tip_adapter_f", "all-names") is None


def test_names_of_the_schedule() -> None:
    coop = METHODS["coop"].info
    assert method_schedule(coop, "official").name == "official:few-shot"  # own images do not tell
    assert method_schedule(coop, "official:base-to-new", where=Where(B2N)).name == "official"
    assert method_schedule(coop, "official", where=Where("all-names")).name == "official"
    other = method_schedule(coop, "official:cross-dataset", where=Where(B2N))
    assert (other.name, other.epochs) == ("official:cross-dataset", 50)
    assert method_schedule(METHODS["gda"].info, "official").name == "official"
    assert official_of(METHODS["gda"].info, "official", Where(FEW)) is None
    assert official_of(coop, "fast", Where(FEW)) is None
    for name, message in (
        ("official:few-sho", "protocol='few-sho' is not known; allowed: base-to-new.* mean 'few-shot'"),
        ("fast:few-shot", "schedule='fast:few-shot' is not known"),
        ("official:", "schedule='official:' is not known; allowed: coop.* mean 'official'"),
        ("offical", "schedule='offical' is not known.*Did you mean 'official'"),
    ):
        with pytest.raises(OptionError, match=message):
            check_schedule_name(name)
        with pytest.raises(OptionError, match=message):
            method_schedule(coop, name)
    with pytest.raises(OptionError, match="no official settings for few-shot"):
        method_schedule(METHODS["maple"].info, "official:few-shot")


def test_every_row_says_where_it_stands_and_fits_its_method() -> None:
    fields = set(Schedule.__dataclass_fields__)
    for method in METHODS.values():
        check_official(method.info)
        assert not fields & set(method.info.options)  # so that both can be told in one line
        for row in method.info.official.values():
            assert row.source and not row.source.endswith(".")
            for part in (row, *row.cases):
                assert set(part.schedule) <= fields - {"name"}
            assert all(case.datasets or case.shots for case in row.cases)


def test_rows_are_pickled_with_their_method() -> None:
    info = METHODS["prograd"].info
    again = pickle.loads(pickle.dumps(info))
    assert again == info and again.official[FEW].of("dtd", 16).options == {**OWN_START, "weight": 0.8}


@pytest.fixture
def methods_as_before() -> Iterator[None]:
    before = dict(METHODS)
    yield
    METHODS.clear()
    METHODS.update(before)


@pytest.mark.parametrize(
    ("official", "message"),
    [
        ({"epochs": 5}, "official settings 'epochs': 5 are not known; give, for one of base-to-new"),
        ({"nowhere": Official("x")}, "official settings 'nowhere'"),
        (None, "info.official=None is no table of rows"),
        ({B2N: Official("x", options={"width": 3})}, "have the option 'width', which it does not have"),
        ({B2N: Official("x", cases=(Case(options={"width": 3}),))}, "have the option 'width'"),
    ],
)
def test_rows_of_ones_own_methods_are_checked(official: Any, message: str, methods_as_before: None) -> None:
    base: type[Method] = METHODS["zero_shot"]
    own = type("Own", (base,), {"info": replace(base.info, name="own", official=official)})
    with pytest.raises(OptionError, match=message):
        register(own)
    assert "own" not in METHODS
