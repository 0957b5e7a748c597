"""Which layers are plain: what they compute follows from their class and their weights alone.

The engines read the weights and compute by themselves, so they serve plain layers alone. A layer is not
plain where something wraps it (LoRA of PEFT), quantises or parametrises it (weight norm, pruning), where it
is of a class of somebody's own, where a hook stands on it, or where its ``forward`` was replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from promptlet.errors import BackboneError

OURS = "promptlet.backbones."
LAYERS = (
    "torch.nn.modules.",
    "transformers.models.",
    "transformers.activations.",
    "open_clip.",
    "timm.",
    OURS,
)
"""Where the classes of plain layers are written."""
FORWARDS = ("torch.nn.modules.", "transformers.", "open_clip.", "timm.", OURS)
OBSERVERS = ("transformers.utils.output_capturing", OURS)
"""Whose hooks do not count: those that transformers leaves behind once it was asked for hidden states only
look, and the plain paths' own are gone after each pass."""
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
GLOBAL_HOOKS = tuple(f"_global{name}" for name in HOOKS)


def why_not_plain(roots: Iterable[nn.Module]) -> str:
    """Which layer in ``roots`` is not plain, and why, as a sentence without an end; "" where all are."""
    if _has_global_hooks():
        return "a hook stands on all modules of this process"
    for root in roots:
        for name, layer in root.named_modules():
            reason = _why_odd(layer)
            if reason:
                return f"{_path(root, name)} {reason}"
    return ""


def check_whole(model: nn.Module) -> None:
    """Raise BackboneError for a hook on the model as a whole, which no path calls: only its towers are."""
    if "forward" in vars(model) or _hooked(vars(model)):
        raise BackboneError(
            f"the whole {type(model).__name__} has a hook or another forward, which texts and images do not "
            "pass through: they are encoded by its towers. Put it on a tower, or take it away"
        )


def odd_layers(roots: Iterable[nn.Module]) -> list[tuple[str, nn.Module]]:
    """The layers that are not plain, by name."""
    every = [(_path(root, name), layer) for root in roots for name, layer in root.named_modules()]
    return [(name, layer) for name, layer in every if _why_odd(layer)]


def _path(root: nn.Module, name: str) -> str:
    return f"{type(root).__name__}.{name}" if name else type(root).__name__


def _why_odd(layer: nn.Module) -> str:
    kind, own = type(layer), vars(layer)
    if not f"{kind.__module__}.".startswith(LAYERS):
        return f"is a {kind.__module__}.{kind.__qualname__}, no plain layer of its library"
    if "forward" in own or not f"{_module_of(kind.forward)}.".startswith(FORWARDS):
        return "has another forward than its class"
    if _hooked(own):
        return "has a hook"
    for name, tensor in (*own["_parameters"].items(), *own["_buffers"].items()):
        if tensor is not None and type(tensor) not in (nn.Parameter, Tensor):
            return f"has a {name} of kind {type(tensor).__name__}"
    for name, tensor in own["_parameters"].items():
        if tensor is not None and not tensor.is_floating_point():
            return f"has a {name} of {tensor.dtype}"
    hidden = [name for name, value in own.items() if isinstance(value, Tensor)]
    if hidden:
        return f"has a {hidden[0]} that is neither a parameter nor a buffer"
    if getattr(layer, "max_norm", None) is not None:
        return "changes its weights while it reads them (max_norm)"
    return ""


def _module_of(function: Any) -> str:
    return getattr(function, "__module__", None) or ""


def _hooked(own: dict[str, Any]) -> bool:
    """Whether a hook may change what the module with these attributes computes."""
    return any(not _module_of(hook).startswith(OBSERVERS) for name in HOOKS for hook in own[name].values())


def _has_global_hooks() -> bool:
    return any(getattr(torch_module, name, None) for name in GLOBAL_HOOKS)


@dataclass(frozen=True)
class _Seen:
    """A layer as it was."""

    layer: nn.Module
    kind: type
    own: dict[str, Any]
    children: tuple[nn.Module | None, ...]
    weights: tuple[tuple[int, int], ...]  # which tensors, and where their numbers are


class Watch:
    """Modules whose layers were looked at once, and whether they are still as they were.

    Attributes: ``why``, what `why_not_plain` said of them; ``before_use``, what is to be done before they are
    used for the first time.
    """

    def __init__(self, roots: Sequence[nn.Module]) -> None:
        self.roots = tuple(roots)
        self.why = why_not_plain(self.roots)
        self.before_use: Callable[[], None] | None = None
        self._seen: tuple[_Seen, ...] = ()
        self.look()

    def use(self) -> None:
        """`before_use`, once."""
        if self.before_use is not None:
            self.before_use()

    def look(self) -> None:
        """What is there now is what was there, from now on."""
        layers = [layer for root in self.roots for layer in root.modules()]
        self._seen = tuple(
            _Seen(layer, type(layer), vars(layer), _children(vars(layer)), _weights(vars(layer)))
            for layer in layers
        )

    def replaced(self) -> str:
        """Which layer or weight is another one than it was, as a sentence without an end; else ""."""
        for seen in self._seen:
            if (
                type(seen.layer) is not seen.kind
                or _children(seen.own) != seen.children
                or _weights(seen.own) != seen.weights
            ):
                return f"layers or weights of {self._name(seen.layer)} were replaced"
        return ""

    def check(self, tower: str) -> None:
        """Raise BackboneError where layers or weights were replaced, or `before_use` does."""
        self.use()
        changed = self.replaced()
        if changed:
            raise BackboneError(
                f"the {tower} tower was changed after the backbone was made: {changed}. A backbone is "
                "frozen; change the model first, then load it or wrap it again"
            )

    def added(self) -> str:
        """Which hook or forward was put on since, as a sentence without an end; else ""."""
        if self.why:
            return ""
        if _has_global_hooks():
            return "a hook stands on all modules of this process"
        for seen in self._seen:
            if "forward" in seen.own or _hooked(seen.own):
                return f"{self._name(seen.layer)} {_why_odd(seen.layer)}"
        return ""

    def _name(self, layer: nn.Module) -> str:
        return next(
            _path(root, name) for root in self.roots for name, one in root.named_modules() if one is layer
        )


def _children(own: dict[str, Any]) -> tuple[nn.Module | None, ...]:
    return tuple(own["_modules"].values())


def _weights(own: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    return tuple(
        (id(tensor), tensor.data_ptr()) for tensor in own["_parameters"].values() if tensor is not None
    )
