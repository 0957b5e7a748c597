"""GDA against scikit-learn's discriminant analysis and against the closed form by NumPy."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from learning_toys import NAMES, noise, toy_problem
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from promptlet import rng
from promptlet.classifier import prompt_file_of
from promptlet.errors import OptionError, TrainingError
from promptlet.methods.features.gda import GaussianDiscriminant
from promptlet.methods.zero_shot.single import ZeroShot
from promptlet.promptfile import dumps, loads
from promptlet.training import Schedule, train

SCHEDULE = Schedule("unused", lr=0.1, epochs=1, batch_size=None)


def fitted(
    backbone: Any, views: int = 1, per_class: int = 6, **options: Any
) -> tuple[GaussianDiscriminant, Tensor, Tensor]:
    features, labels = toy_problem(backbone, per_class=per_class, views=views, spread=0.4)
    method = GaussianDiscriminant(backbone, NAMES, **options)
    train(method, features, labels, SCHEDULE)
    return method, features, labels


def asked() -> Tensor:
    return torch.nn.functional.normalize(noise("asked", (50, 16)), dim=-1)


def by_hand(x: np.ndarray, y: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Log densities of Gaussians of one covariance, less what all classes share, in loops."""
    classes, dim = len(set(y)), x.shape[1]
    means = np.stack([x[y == c].mean(0) for c in range(classes)])
    centred = np.stack([row - means[c] for row, c in zip(x, y, strict=True)])
    covariance = np.cov(centred.T)
    inverse = dim * np.linalg.pinv((len(x) - 1) * covariance + np.trace(covariance) * np.eye(dim))
    return np.array([[i @ inverse @ m - m @ inverse @ m / 2 for m in means] for i in images])


@pytest.mark.parametrize("views", [1, 3])
def test_its_logits_are_the_papers(views: int, tiny_backbone: Any) -> None:
    method, features, labels = fitted(tiny_backbone, views, alpha=0.3)
    x, y = features.reshape(-1, 16).double().numpy(), np.tile(labels.numpy(), views)
    gaussian = 0.3 * torch.from_numpy(by_hand(x, y, asked().double().numpy())).float()
    expected = ZeroShot(tiny_backbone, NAMES).logits(asked()) + gaussian
    torch.testing.assert_close(method.logits(asked()), expected, atol=1e-3, rtol=1e-5)
    assert torch.equal(method.scorer()(asked()), method.logits(asked()))
    assert method.trainable_count() == 0
    assert method.state()["weight"].shape == (5, 17)


def test_its_gaussian_part_is_scikit_learns_with_that_covariance(tiny_backbone: Any) -> None:
    method, features, labels = fitted(tiny_backbone, alpha=1.0)
    x, y = features[0].double().numpy(), labels.numpy()

    class Given:
        """Scikit-learn asks it for the covariance of each class and takes their mean."""

        covariance_: Any

        def fit(self, rows: Any) -> Given:
            within = x - np.stack([x[y == c].mean(0) for c in range(5)])[y]
            covariance = np.cov(within.T)
            self.covariance_ = ((len(x) - 1) * covariance + np.trace(covariance) * np.eye(16)) / 16
            return self

    model = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Given(), priors=np.full(5, 0.2))
    expected = model.fit(x, y).predict_proba(asked().double().numpy())
    found = method.logits(asked()) - ZeroShot(tiny_backbone, NAMES).logits(asked())
    np.testing.assert_allclose(found.softmax(-1).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("per_class", "alpha"), [(1, 1 / 256), (4, 1 / 16), (16, 1.0), (32, 2.0)])
def test_the_blend_grows_with_the_images_of_a_class(per_class: int, alpha: float, tiny_backbone: Any) -> None:
    method, *_ = fitted(tiny_backbone, views=2, per_class=per_class)
    assert method.alpha == pytest.approx(alpha)
    assert method.stored_options()["alpha"] == method.alpha
    assert GaussianDiscriminant(tiny_backbone, NAMES, alpha=0.7).alpha == 0.7


def test_one_image_a_class_is_measured_by_the_spread_between_classes(tiny_backbone: Any) -> None:
    method, features, _ = fitted(tiny_backbone, per_class=1, alpha=1.0)
    assert torch.equal(method.logits(features[0]).argmax(1), torch.arange(5))
    same = torch.nn.functional.normalize(torch.ones(1, 5, 16), dim=-1)
    train(method, same, torch.arange(5), SCHEDULE)  # no spread at all
    assert torch.equal(method.logits(features[0]), ZeroShot(tiny_backbone, NAMES).logits(features[0]))
    train(method, same.expand(3, 5, 16), torch.arange(5), SCHEDULE)
    assert torch.equal(method.logits(features[0]), ZeroShot(tiny_backbone, NAMES).logits(features[0]))


@pytest.mark.parametrize("spread", [1e-5, 1e-4, 1e-3])
def test_images_that_hardly_differ_are_refused_in_words(spread: float, tiny_backbone: Any) -> None:
    drawn = torch.from_numpy(rng.normal("gda", 1, (40, 16), spread)).float()
    images = torch.nn.functional.normalize(torch.ones(40, 16) + drawn, dim=-1)
    method = GaussianDiscriminant(tiny_backbone, NAMES)
    labels = torch.arange(40) % 5
    if spread == 1e-5:  # rounding: no spread at all
        train(method, images[None], labels, SCHEDULE)
        assert not method.weight.any()
        return
    with pytest.raises(TrainingError, match=r"the 40 training images are so much alike .* zs_lp"):
        train(method, images[None], labels, SCHEDULE)
    assert not method.fitted_names, "what was there stays"


def test_new_names_get_the_mixture_of_the_trained_ones(tiny_backbone: Any) -> None:
    method, features, _ = fitted(tiny_backbone, alpha=0.3)
    whole, score = method.logits(features[0]), method.scorer()
    new = ("a boat", NAMES[3], "a tree", NAMES[0])
    method.set_classes(new)
    logits = method.logits(features[0])
    torch.testing.assert_close(logits[:, [1, 3]], whole[:, [3, 0]])
    own = whole - ZeroShot(tiny_backbone, NAMES).logits(features[0])
    zero_shot = ZeroShot(tiny_backbone, ("a boat", "a tree")).logits(features[0])
    mixture = own.exp().mean(1, keepdim=True).log()
    torch.testing.assert_close(logits[:, [0, 2]], zero_shot + mixture, atol=1e-4, rtol=1e-5)
    assert torch.equal(pickle.loads(pickle.dumps(score))(features[0]), whole)
    method.set_classes(("a boat", "a tree"))
    torch.testing.assert_close(method.logits(features[0]).softmax(-1), zero_shot.softmax(-1))


def test_alpha_zero_is_zero_shot_and_so_is_what_is_not_fitted(tiny_backbone: Any) -> None:
    method, features, _ = fitted(tiny_backbone, alpha=0.0)
    expected = ZeroShot(tiny_backbone, NAMES).logits(features[0])
    assert torch.equal(method.logits(features[0]), expected)
    untrained = GaussianDiscriminant(tiny_backbone, NAMES, alpha=3.0)
    assert torch.equal(untrained.logits(features[0]), expected)
    assert untrained.state() == {}


def test_a_class_without_images_stands_in_the_middle(tiny_backbone: Any) -> None:
    features, labels = toy_problem(tiny_backbone)
    method = GaussianDiscriminant(tiny_backbone, NAMES)
    train(method, features[:, labels != 2], labels[labels != 2], SCHEDULE)
    weight = method.state()["weight"]
    np.testing.assert_allclose(weight[2, :-1], weight[[0, 1, 3, 4], :-1].mean(0), rtol=1e-4, atol=1e-5)
    assert method.alpha == 1 / 16


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "kmeans4"])
def test_state_goes_through_a_prompt_file(precision: str, tiny_backbone: Any) -> None:
    method, features, _ = fitted(tiny_backbone)
    file = loads(dumps(prompt_file_of(method, NAMES, {}), precision))
    other = GaussianDiscriminant(tiny_backbone, NAMES, **file.options)
    other.load_state(file.tensors)
    if precision == "fp32":
        assert torch.equal(other.logits(features[0]), method.logits(features[0]))
    for names, tensors in (((), file.tensors), (NAMES[:4], file.tensors), (NAMES, {}), (NAMES, {"X": 0})):
        with pytest.raises(OptionError, match=r"class names need.*give the class names of the training"):
            GaussianDiscriminant(tiny_backbone, names).load_state(tensors)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha=-1.0 must be a number, 0 or more"),
        ({"alpha": float("inf")}, "alpha=inf must be"),
        ({"alpha": "much"}, "alpha='much' is no number, 0 or more; leave it out"),
        ({"alpha": True}, "alpha=True is no number"),
        ({"template": "x"}, "must hold {} exactly once"),
    ],
)
def test_its_errors(options: dict[str, Any], message: str, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match=message):
        GaussianDiscriminant(tiny_backbone, NAMES, **options)
