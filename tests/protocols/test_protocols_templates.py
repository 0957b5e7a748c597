"""Hand-written prompts: CoOp's by data set, but a method's own where its official code has another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from protocol_toys import write_toy

from promptlet.analysis.measuring import label_of
from promptlet.errors import OptionError
from promptlet.methods import METHODS
from promptlet.protocols.planning import parse_methods, plan_runs
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import open_dataset

COOP = {
    "imagenet": "a photo of a {}.",
    "caltech101": "a photo of a {}.",
    "oxford_pets": "a photo of a {}, a type of pet.",
    "stanford_cars": "a photo of a {}.",
    "oxford_flowers": "a photo of a {}, a type of flower.",
    "food101": "a photo of {}, a type of food.",
    "fgvc_aircraft": "a photo of a {}, a type of aircraft.",
    "sun397": "a photo of a {}.",
    "dtd": "{} texture.",
    "eurosat": "a centered satellite photo of {}.",
    "ucf101": "a photo of a person doing {}.",
    "mini-cats": "a photo of a {}.",
    "toy": "a photo of a {}.",
}
KGCOOP = {**COOP, "dtd": "a photo of a {}, a type of texture."}
PROGRAD = {
    **COOP,
    "oxford_pets": "a type of pet, a photo of a {}.",
    "oxford_flowers": "a type of flower, a photo of a {}.",
    "food101": "a type of food, a photo of {}.",
    "fgvc_aircraft": "a type of aircraft, a photo of a {}.",
    "dtd": "a texture of {}.",
}
OF = {
    "zero_shot": COOP,
    "kgcoop": KGCOOP,
    "dekg": KGCOOP,
    "prograd": PROGRAD,
    "rlp": COOP,
    "clip_adapter": COOP,
}


def planned(folder: Path, name: str, methods: str, source: str | None = None) -> list[Run]:
    """Runs on a feature file of that name."""
    trained_on = None if source is None else open_dataset(str(write_toy(folder / f"{source}.npz")))
    dataset = open_dataset(str(write_toy(folder / f"{name}.npz", seed=1)))
    protocol = "few-shot" if source is None else "cross-dataset"
    return plan_runs(protocol, [dataset], parse_methods(methods), [2], [1], "f", source=trained_on)


@pytest.mark.parametrize("dataset", COOP)
def test_every_method_has_the_prompts_of_its_code(dataset: str, tmp_path: Path) -> None:
    runs = planned(tmp_path, dataset, ",".join(OF))
    assert {run.method: run.options["template"] for run in runs} == {name: OF[name][dataset] for name in OF}


def test_only_these_methods_have_prompts_of_their_own() -> None:
    own = {name: METHODS[name].info.templates for name in METHODS if METHODS[name].info.templates}
    assert set(own) == {"kgcoop", "dekg", "prograd"}
    for name, templates in own.items():
        assert all(OF[name][dataset] == text != COOP[dataset] for dataset, text in templates.items())


def test_what_was_trained_on_decides(tmp_path: Path) -> None:
    methods = "prograd,kgcoop,zero_shot"
    runs = planned(tmp_path, "dtd", methods, source="oxford_pets")
    assert {run.method: run.options["template"] for run in runs} == {
        "prograd": PROGRAD["oxford_pets"],
        "kgcoop": KGCOOP["oxford_pets"],
        "zero_shot": COOP["dtd"],
    }


def test_a_template_that_is_given_wins(tmp_path: Path) -> None:
    runs = planned(tmp_path, "dtd", "kgcoop:template={} texture.,prograd:template=the {}.")
    assert [run.options["template"] for run in runs] == ["{} texture.", "the {}."]


def test_a_template_of_its_own_is_no_change_to_a_method(tmp_path: Path) -> None:
    [run] = planned(tmp_path, "dtd", "kgcoop")
    dataset: Any = open_dataset(str(tmp_path / "dtd.npz"))
    assert label_of(run, dataset.template_for(METHODS["kgcoop"].info)) == "kgcoop"


@pytest.mark.parametrize(
    ("options", "start"),
    [
        ("n_ctx=16", "each"),
        ("n_ctx=4", None),
        ("n_ctx=4,ctx_init=random", "each"),
        ("n_ctx=4,ctx_init=each", "each"),
        ("n_ctx=4,ctx_init=seed:3", "each:3"),
        ("n_ctx=4,ctx_init=each:3", "each:3"),
        ("n_ctx=16,ctx_init=zeros:a photo of a", "zeros:a photo of a"),
    ],
)
def test_a_start_for_each_class_is_another_run_than_one_for_all(
    options: str, start: Any, tmp_path: Path
) -> None:
    """As it was before, under the name of the option that was given then."""
    shared = options.replace("each:", "seed:").replace("each", "random")
    [run] = planned(tmp_path, "toy", f"coop:{options},per_class=true")
    [generic] = planned(tmp_path, "toy", f"coop:{shared}")
    assert run.options["ctx_init"] == start
    before = replace(run, options={**run.options, "ctx_init": generic.options["ctx_init"]})
    assert (run.key != before.key) == (start != generic.options["ctx_init"])


@pytest.mark.parametrize("method", ["coop", "kgcoop", "dekg", "prograd", "rlp", "qcoop", "dip_do", "dip_pp"])
def test_no_words_between_are_no_part_of_a_run(method: str, tmp_path: Path) -> None:
    """A run from before there was that option has the same key."""
    [run], [none] = (planned(tmp_path, "toy", spec) for spec in (method, f"{method}:between=none"))
    assert planned(tmp_path, "toy", f"{method}:between=") == [run]
    [some] = planned(tmp_path, "toy", f"{method}:between=a")
    assert run.key == none.key != some.key
    assert "between" not in run.options
    assert some.options == {**run.options, "between": "a"}


def test_no_words_are_other_than_what_prograds_template_leaves_over(tmp_path: Path) -> None:
    spec = "prograd:n_ctx=16,ctx_init=template"
    [run], [none] = (planned(tmp_path, "oxford_pets", f"{spec}{more}") for more in ("", ",between="))
    assert "between" not in run.options and none.options["between"] == ""
    assert run.key != none.key


def test_a_length_that_is_no_number_is_refused(tmp_path: Path) -> None:
    dataset = open_dataset(str(write_toy(tmp_path / "toy.npz")))
    spec = ("coop", {"per_class": True, "n_ctx": "many"})
    with pytest.raises(OptionError, match="n_ctx='many'"):
        plan_runs("few-shot", [dataset], [spec], [2], [1], "f")


def test_what_stands_in_double_quotes_keeps_its_commas_and_letters() -> None:
    words = "a type of Pet, a photo of a {}."
    assert parse_methods(f'coop, prograd:n_ctx=16,template="{words}",weight=0.8,rlp:rank=2') == [
        ("coop", {}),
        ("prograd", {"n_ctx": 16, "template": words, "weight": 0.8}),
        ("rlp", {"rank": 2}),
    ]
    assert parse_methods('rlp:template="{}",ctx_init=none') == [("rlp", {"template": "{}", "ctx_init": None})]
    assert parse_methods('rlp:template=a 6" {}.,rank=2') == [("rlp", {"template": 'a 6" {}.', "rank": 2})]
