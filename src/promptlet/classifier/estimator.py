"""`PromptClassifier`: what `PromptLearner` does, as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import estimator_html_repr

from promptlet.classifier.answers.answering import Answers
from promptlet.classifier.learner import PromptLearner
from promptlet.classifier.showing import as_html, in_words
from promptlet.methods import register, registered


class PromptClassifier(PromptLearner, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Learns a prompt for a frozen backbone from a few labelled images; a scikit-learn classifier.

    Parameters
    ----------
    backbone : what `load_backbone` takes, or a `Backbone` (shared, never copied).
    method : "rlp", "coop", "zero_shot", ... (`promptlet.methods.METHODS`; ``promptlet methods``).
    rank : rank of a low-rank method; None takes the method's own (1 for RLP).
    n_ctx : number of context vectors; None takes the method's own (4 for RLP and CoOp).
    ctx_init : words the context starts at (as many tokens as n_ctx), "random", or None: "a photo of a".
    shots : images per class drawn for training; None takes all that are given.
    views : readings of each image: 1 is the plain one, more add random crops, and "crops:16" is so many crops
        alone; None: 1, or what the method's own code takes with "official" (`promptlet.views`).
    schedule : "fast" (few large steps), "adamw" (fast by AdamW alone), "coop", "official" (as the
        method's own code runs few-shot, or else base-to-new), "official:base-to-new" (as it runs another
        protocol), or a `Schedule`.
    epochs, lr, batch_size : change the schedule; None keeps its own value.
    seed : for the draw of shots, the start and the order. 0 is a seed.
    new_names : how class names that were not taught are answered: "learned", "zero-shot" or "blend"
        (`promptlet.methods.new_names`); None takes the method's own.
    method_options : further options of the method, such as {"dropout": 0.2}.
    device : as in `load_backbone`, of a backbone that is not loaded yet.
    cache : True for the user's feature cache, a folder, a `FeatureCache`, or False for none.
    checkpoint : a file that lets an interrupted fit go on; None for none.
    on_epoch : called with an `EpochReport` after each epoch.
    on_encode : called with (done, total) while images are encoded.
    label_names : what labels that are whole numbers mean: a list of names, counted from 0, or a dict by
        number. Labels in words need none.
    image_column, label_column : columns of a data frame, or of a data set in memory; None finds them by their
        names.
    verbose : whether a bar shows how far encoding and training are. None: on a terminal or in a notebook,
        when it takes long and there is no on_encode or on_epoch; elsewhere the logger "promptlet" is told.
    start_from : a prompt file of the same backbone, method and shape, whose numbers the training begins with;
        other class names are allowed where its numbers belong to none.
    sampled_classes : classes that each step is over, drawn by chance, where there are thousands
        (`promptlet.training.sampled`); None: all.
    dtype : as ``device``.
    capture : True captures training steps on a CUDA device as graphs, which start at once what a step starts
        one by one (`promptlet.training.captured`).

    Attributes
    ----------
    classes_ : the labels as given, words or whole numbers, sorted (C,); of a prompt file in its order.
    class_names_ : their names as they stand in the prompts: spaces for "_".
    method_ : what was learned, a `promptlet.methods.Method`.
    history_ : an `EpochReport` for each epoch.
    rejection_ : what tells "none of these", or None where the images were too few.
    short_classes_ : class names with fewer images than shots.
    started_ : what was taken over from ``start_from`` (`promptlet.classifier.starting.Started`), or None.
    n_features_in_ : D, where features were given; feature_names_in_ : their columns in a data frame.

    Raises DataError, ImageError, OptionError, BackboneError, TrainingError, each with what to do next.

    Examples
    --------
    >>> clf = PromptClassifier(backbone=backbone, method="rlp")          # doctest: +SKIP
    >>> clf.fit(["cat1.jpg", "dog1.jpg"], ["cat", "dog"]).predict(["x.jpg"])   # doctest: +SKIP
    """

    def __getstate__(self) -> dict[str, Any]:
        """Without what answers quickly, which is made again when it is needed; with a method that is not one
        of Promptlet's own, so that workers know it."""
        state: dict[str, Any] = {k: v for k, v in super().__getstate__().items() if k != "_answers"}
        own = {method for method in registered() if method.info.name == self.method}
        return {**state, "_own": own} if own else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        for method in state.pop("_own", ()):
            register(method)
        parameters = signature(type(self)).parameters.items()  # a pickle may be older than some of them
        super().__setstate__({**{name: p.default for name, p in parameters if name not in state}, **state})
        if hasattr(self, "method_"):
            self._answers = Answers(self.method_)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:  # noqa: N803 - as scikit-learn calls it
        parameters: str = super().__repr__(N_CHAR_MAX)
        return f"{parameters}\n{in_words(self)}" if hasattr(self, "method_") else parameters

    def _in_notebook(self) -> str:
        diagram: str = estimator_html_repr(self)
        return as_html(self) + diagram if hasattr(self, "method_") else diagram

    @property
    def _repr_html_(self) -> Callable[[], str]:
        if get_config()["display"] != "diagram":
            raise AttributeError("_repr_html_ is there where scikit-learn's option display is 'diagram'")
        return self._in_notebook

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        bundle = {"text/plain": repr(self)}
        return (
            {**bundle, "text/html": self._in_notebook()} if get_config()["display"] == "diagram" else bundle
        )
