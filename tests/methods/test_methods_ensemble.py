"""Averaged templates against their definition, and the known lists of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from learning_toys import NAMES, toy_problem
from torch import Tensor

from promptlet.errors import OptionError
from promptlet.methods.template_lists import IMAGENET, PROMPTSRC, SELECT
from promptlet.methods.templates import ensemble, several_templates
from promptlet.methods.zero_shot.ensemble import ZeroShotEnsemble
from promptlet.methods.zero_shot.single import ZeroShot

THREE = ("a photo of a {}.", "the {}, a dog.", "{}")


def unit(features: Tensor) -> Tensor:
    return features / features.norm(dim=-1, keepdim=True)


def one_by_one(backbone: Any, templates: tuple[str, ...], name: str, normalised: bool = True) -> Tensor:
    rows = [backbone.text.encode_texts([template.replace("{}", name)])[0] for template in templates]
    return unit(torch.stack([unit(row) if normalised else row for row in rows]).mean(0))


@pytest.mark.parametrize("normalised", [True, False])
def test_an_ensemble_is_the_normalised_mean(normalised: bool, tiny_backbone: Any) -> None:
    expected = torch.stack([one_by_one(tiny_backbone, THREE, name, normalised) for name in NAMES])
    given = ensemble(tiny_backbone, THREE, NAMES, normalised)
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(given.norm(dim=-1), torch.ones(5))


def test_the_known_lists() -> None:
    assert (len(IMAGENET), len(set(IMAGENET))) == (80, 80)
    assert (IMAGENET[0], IMAGENET[-1]) == ("a bad photo of a {}.", "a tattoo of the {}.")
    assert len(SELECT) == 7
    assert set(SELECT) < set(IMAGENET)
    assert (len(PROMPTSRC), len(set(PROMPTSRC))) == (60, 60)
    assert PROMPTSRC[:2] == ("a photo of a {}.", "a bad photo of a {}.")
    assert PROMPTSRC[-1] == IMAGENET[59] == "itap of the {}."
    assert all(template.count("{}") == 1 for template in IMAGENET)


@pytest.mark.parametrize("name", ["select", "imagenet", "promptsrc"])
def test_a_list_by_name_and_the_data_sets_own_template(name: str, tiny_backbone: Any) -> None:
    method = ZeroShotEnsemble(tiny_backbone, NAMES, templates=name, template="{} texture.")
    expected = one_by_one(tiny_backbone, (*several_templates(name), "{} texture."), NAMES[2])
    torch.testing.assert_close(method.class_features()[2], expected, atol=1e-5, rtol=1e-4)


def test_coops_ensemble_has_eight_templates_outside_imagenet(tiny_backbone: Any) -> None:
    """ZeroshotCLIP2: the selected ones, and the data set's own unless that is ImageNet."""
    assert ZeroShotEnsemble(tiny_backbone, NAMES).every_template == (*SELECT, "a photo of a {}.")
    assert ZeroShotEnsemble(tiny_backbone, NAMES, template="").every_template == SELECT
    assert ZeroShotEnsemble(tiny_backbone, NAMES, templates="imagenet").every_template == IMAGENET


@pytest.mark.parametrize("options", [{"templates": THREE[1], "template": ""}, {"templates": THREE[1]}])
def test_an_ensemble_of_one_is_zero_shot(options: dict[str, Any], tiny_backbone: Any) -> None:
    features, _ = toy_problem(tiny_backbone)
    method = ZeroShotEnsemble(tiny_backbone, NAMES, **{"template": THREE[1], **options})
    plain = ZeroShot(tiny_backbone, NAMES, template=THREE[1])
    assert method.every_template == (THREE[1],)
    torch.testing.assert_close(method.scorer()(features[0]), plain.scorer()(features[0]))


def test_templates_in_one_text(tiny_backbone: Any) -> None:
    assert several_templates("a photo of a {}. | {}") == ("a photo of a {}.", "{}")
    method = ZeroShotEnsemble(tiny_backbone, ["a, b|c", "{}"], templates="|".join(THREE), template="")
    assert method.class_features().shape == (2, 16)
    again = ZeroShotEnsemble(tiny_backbone, ["a, b|c", "{}"], **method.stored_options())  # type: ignore[arg-type]
    assert torch.equal(again.class_features(), method.class_features())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"templates": "selcet"},
            r"templates='selcet' is not known; allowed: select, imagenet, promptsrc, or .*mean 'select'",
        ),
        ({"templates": "a photo"}, 'with "|" between them'),
        ({"templates": 3}, "templates=3 is not known"),
        ({"templates": "a {}.|"}, "template='' must hold {} exactly once"),
        ({"templates": "a {}.|{} {}"}, "must hold {} exactly once"),
        ({"template": "a photo"}, "must hold {} exactly once"),
    ],
)
def test_errors(options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        ZeroShotEnsemble(tiny_backbone, NAMES, **options)
