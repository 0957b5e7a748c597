"""Methods of one's own: what is taken, what is refused, and that they are known everywhere."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.errors import EngineError, OptionError, PromptFileError
from promptlet.methods import METHODS, Method, MethodInfo, adopt, build_method, code_of, register, registered
from promptlet.methods.catalog import check_options
from promptlet.methods.text.coop import CoOp
from promptlet.methods.zero_shot.single import ZeroShot

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_method.py"


def info(name: str = "mine", **options: Any) -> MethodInfo:
    return MethodInfo(name, "Mine", "an example", "none", "nothing", True, options)


@pytest.fixture(autouse=True)
def methods_as_before() -> Iterator[None]:
    before = dict(METHODS)
    yield
    METHODS.clear()
    METHODS.update(before)


@pytest.fixture
def near_coop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Method]:
    """The example, from a copy of its file that a test may change."""
    path = tmp_path / "near_coop_copy.py"
    path.write_text(EXAMPLE.read_text())
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return METHODS["near_coop"]


def test_a_registered_method_is_a_method_as_any_other(
    near_coop: type[Method], tiny_backbone: Backbone, tmp_path: Path
) -> None:
    from promptlet.classifier import PromptClassifier

    assert registered() == (near_coop,)
    features = np.random.default_rng(0).normal(size=(8, tiny_backbone.feature_dim)).astype(np.float32)
    labels = ["cat", "dog"] * 4
    fitted = PromptClassifier(tiny_backbone, "near_coop", epochs=3, method_options={"weight": 2.0})
    fitted.fit(features, labels)
    fitted.save(tmp_path / "a.prompt")
    loaded = PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)
    assert loaded.method == "near_coop"
    assert (loaded.predict_proba(features) == fitted.predict_proba(features)).all()
    del METHODS["near_coop"]
    with pytest.raises(PromptFileError, match=r"made by the method 'near_coop'.* promptlet --import FILE"):
        PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)


def typed(**members: Any) -> type[Method]:
    """A method of one's own that adds a vector of ``size`` numbers, all of ``fill``, to image features."""

    class Shift(ZeroShot):  # type: ignore[misc]
        info = replace(info("shift", fill=1.0, template="a photo of a {}."), learns="at once")

        def __init__(
            self, backbone: Backbone, class_names: Any, fill: float = 1.0, template: str = "a photo of a {}."
        ) -> None:
            super().__init__(backbone, class_names, template)
            self.fill = fill
            self.by = nn.Parameter(torch.full((backbone.feature_dim,), fill / 10))

        def image_features(self, inputs: Tensor) -> Tensor:
            return F.normalize(inputs + self.fill * self.by, dim=-1)

    for name, member in members.items():
        setattr(Shift, name, member)
    return register(Shift)


def fitted(backbone: Backbone, features: np.ndarray, **options: Any) -> Any:
    from promptlet.classifier import PromptClassifier

    return PromptClassifier(backbone, "shift", method_options=options).fit(features, ["cat", "dog"] * 4)


@pytest.mark.slow
def test_a_prompt_file_holds_all_that_was_learned_and_all_options(
    tiny_backbone: Backbone, tmp_path: Path
) -> None:
    from promptlet.classifier import PromptClassifier

    features = np.random.default_rng(0).normal(size=(8, tiny_backbone.feature_dim)).astype(np.float32)
    typed()
    with pytest.raises(OptionError, match=r"learns 16 numbers, but its state\(\) gives 0: a prompt file"):
        fitted(tiny_backbone, features).save(tmp_path / "a.prompt")
    assert not (tmp_path / "a.prompt").exists()

    def load_state(self: Any, tensors: Any) -> None:
        self.by.data = torch.from_numpy(np.array(tensors["by"]))

    typed(state=lambda self: {"by": self.by.detach().numpy().copy()}, load_state=load_state)
    made = fitted(tiny_backbone, features, fill=5.0, template="a drawing of a {}.")
    made.save(tmp_path / "a.prompt")
    loaded = PromptClassifier.load(tmp_path / "a.prompt", backbone=tiny_backbone)
    assert loaded.method_options == {"fill": 5.0, "template": "a drawing of a {}."}
    assert (loaded.predict_proba(features) == made.predict_proba(features)).all()
    other = fitted(tiny_backbone, features)
    assert not np.allclose(other.predict_proba(features), made.predict_proba(features))


def test_its_weight_does_what_it_says(near_coop: type[Method], tiny_backbone: Backbone) -> None:
    """Weight 0 is CoOp; a great weight leaves the context where it started."""
    from promptlet.classifier import PromptClassifier

    features = np.random.default_rng(0).normal(size=(8, tiny_backbone.feature_dim)).astype(np.float32)

    def context(method: str, **options: Any) -> np.ndarray:
        fitted = PromptClassifier(
            tiny_backbone, method, schedule="adamw", epochs=5, method_options=options or None
        )
        return fitted.fit(features, ["cat", "dog"] * 4).method_.state()["P"]

    start = build_method("coop", tiny_backbone, ["cat", "dog"]).state()["P"]
    coop, free = context("coop"), context("near_coop", weight=0.0)
    assert np.array_equal(coop, free)
    held = context("near_coop", weight=1e6)
    assert np.linalg.norm(held - start) < 0.5 * np.linalg.norm(coop - start)


def test_its_code_is_known_by_its_file(near_coop: type[Method], tmp_path: Path) -> None:
    before = code_of("near_coop")
    assert before is not None and len(before) == 12 and code_of("coop") is None
    path = tmp_path / "near_coop_copy.py"
    path.write_text(path.read_text() + "\n# another thought\n")
    assert code_of("near_coop") == before  # the class is still that of the old file
    adopt(near_coop, before)
    register(near_coop)  # as whoever copies or unpickles a classifier does
    assert code_of("near_coop") == before
    del METHODS["near_coop"]  # as in a process that imports the file only now
    with pytest.raises(EngineError, match="'near_coop' was changed after this command began; run it again"):
        adopt(near_coop, before)
    after = code_of("near_coop")
    assert after not in (None, before)
    adopt(near_coop, after)


def test_what_is_typed_in_is_known_by_what_it_does() -> None:
    def codes(*lines: str) -> list[str | None]:
        """Of a class without a file, for each of its lines."""
        found = []
        for line in lines:
            names: dict[str, Any] = {"Base": ZeroShot, "info": info()}
            exec(
                "class Mine(Base):\n    info = info\n"
                f"    def loss(self, x, y):\n        {line}\n        return [z for z in (x, 2)]\n",
                names,
            )
            names["Mine"].__module__ = "typed"  # no module that has a file, as where somebody types
            register(names["Mine"])
            found.append(code_of("mine"))
        return found

    same, again, other, called = codes("y = 1", "y = 1", "y = -1", "y = x")
    assert same == again is not None and len({same, other, called}) == 3


def test_the_same_name_again_is_the_new_class() -> None:
    class One(ZeroShot):  # type: ignore[misc]
        info = info()

    class Two(ZeroShot):  # type: ignore[misc]
        info = info()

    register(One)
    assert register(Two) is Two and METHODS["mine"] is Two and registered() == (Two,)


@pytest.mark.parametrize("name", METHODS)
def test_our_own_methods_keep_to_it(name: str) -> None:
    check_options(METHODS[name])


def test_classifiers_take_it_along_to_workers(near_coop: type[Method], tiny_backbone: Backbone) -> None:
    from promptlet.classifier import PromptClassifier

    packed = pickle.dumps(PromptClassifier("mini", "near_coop"))
    METHODS.pop("near_coop")
    assert pickle.loads(packed).method == "near_coop" and METHODS["near_coop"] is near_coop
    assert not any("near_coop" in str(key) for key in vars(PromptClassifier("mini", "coop")))


def test_what_is_no_method_is_refused() -> None:
    class NoInfo(Method):
        def class_features(self) -> Any: ...

    class NoFeatures(Method):
        info = info()

    class Odd(CoOp):  # type: ignore[misc]
        info = info("My Method")

    class Taken(CoOp):  # type: ignore[misc]
        info = info("rlp")

    class Other(CoOp):  # type: ignore[misc]
        info = info(n_ctx=4, colour="red")

    class Unlike(CoOp):  # type: ignore[misc]
        info = info(n_ctx=5)

    for given, message in (
        (dict, r"is no method; register a subclass of promptlet\.methods\.Method"),
        ("coop", r"'coop' is no method"),
        (NoInfo, "NoInfo is not a whole method: it needs a MethodInfo"),
        (NoFeatures, r"NoFeatures is not a whole method.* class_features\(\)"),
        (Odd, "'My Method' is no name of a method; use up to 64 small letters"),
        (Taken, "'rlp' is one of Promptlet's own"),
        (Other, "has the option 'colour', which its constructor does not take; it takes: n_ctx"),
        (Unlike, "mine: n_ctx is 5 in its info and 4 in its constructor; they must be the same"),
    ):
        with pytest.raises(OptionError, match=message):
            register(given)  # type: ignore[type-var]
    assert registered() == ()


def test_options_that_are_not_told_are_those_of_the_constructor(tiny_backbone: Backbone) -> None:
    told = MethodInfo("mine", "Mine", "an example", "none", "nothing", True)

    class Plain(ZeroShot):  # type: ignore[misc]
        info = told

        def __init__(self, backbone: Backbone, class_names: Any, fill: float = 1.0, *, seed: int = 1) -> None:
            super().__init__(backbone, class_names)

    class ByNameAlone(ZeroShot):  # type: ignore[misc]
        info = pickle.loads(pickle.dumps(told))

        def __init__(self, *args: Any, n_ctx: int = 3, seed: int = 1) -> None:
            super().__init__(*args)

    class Later(ZeroShot):  # type: ignore[misc]
        def __init__(self, backbone: Backbone, class_names: Any, weight: float = 2.0) -> None:
            super().__init__(backbone, class_names)

    Later.info = told
    for method, options in (
        (Plain, {"fill": 1.0, "seed": 1}),
        (ByNameAlone, {"n_ctx": 3, "seed": 1}),
        (Later, {"weight": 2.0}),
    ):
        register(method)
        assert dict(method.info.options) == options
        build_method("mine", tiny_backbone, ["cat", "dog"], **options)
    assert dict(told.options) != {}, "the information that was given is as it was"


def test_an_option_without_a_default_is_refused() -> None:
    class Demanding(ZeroShot):  # type: ignore[misc]
        info = MethodInfo("mine", "Mine", "an example", "none", "nothing", True)

        def __init__(self, backbone: Backbone, class_names: Any, must: int) -> None:
            super().__init__(backbone, class_names)

    with pytest.raises(OptionError, match="needs 'must', which has no default"):
        register(Demanding)


@pytest.mark.parametrize("name", ["backbone", "class_names", "name"])
def test_what_is_no_option_is_refused_in_words(name: str, tiny_backbone: Backbone) -> None:
    with pytest.raises(OptionError, match=f"method 'coop' has no option '{name}'"):
        build_method("coop", tiny_backbone, ["cat", "dog"], **{name: 3})
