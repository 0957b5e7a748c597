"""Whether each engine gives the plain path's numbers on the model at hand: asked once, when it is loaded.

`plain` knows the ways in which a layer may be another than it seems; this catches those that nobody thought
of. Where engine and plain path differ by more than rounding, the plain path is taken. A model that agreed is
remembered in the user's cache folder, by its fingerprint and by all that the comparison depends on.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import torch
import torch.nn.functional as F
from torch import Tensor

from promptlet import rng
from promptlet.backbones.computes import states_of
from promptlet.backbones.image.encoder import ImageEncoder
from promptlet.backbones.image.engine import ImageEngine
from promptlet.backbones.image.reference import encode_plain_images
from promptlet.backbones.parts import Towers
from promptlet.backbones.text.encoder import TextEncoder
from promptlet.backbones.text.engine import TextEngine
from promptlet.backbones.text.reference import encode_plain
from promptlet.data.cache.agreed import remember, remembered
from promptlet.errors import BackboneError
from promptlet.session import precision, without_autocast

TEXTS = ("a photo of a dog.", "a 7 b.")
N_CTX = 2
LIMITS = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
ROUGH = 1e-2
"""What features may differ by, relative to their length; the last where float32 products are not exact."""
STEP, SLOPE_LIMIT = 0.02, 0.05
"""Of a slope: how far the context is moved, relative to its length, and how far off its gradient may be."""
PACKAGES = ("promptlet", "torch", "transformers", "open_clip_torch")

_agreed: set[str] = set()

Way = Callable[[Tensor], Tensor]
"""From a context to features (N, D)."""


class UnusableTowerError(BackboneError):
    """A tower that the library itself cannot run."""


@dataclass(frozen=True)
class Case:
    """One tower: its plain path and its engine over the same input, and the context that both read, where one
    can enter; ``odd``: why its layers are not plain."""

    side: str
    plain: Way
    engine: Way | None
    context: Tensor
    odd: str
    dtype: torch.dtype

    @property
    def limit(self) -> float:
        """What two rows of features may differ by, relative to their length."""
        device = self.context.device
        exact = device.type != "cuda" and not precision(device)
        return LIMITS[self.dtype] if exact or self.dtype != torch.float32 else ROUGH


def compare_once(name: str, towers: Towers, text: TextEncoder, images: ImageEncoder, tokenizer: str) -> None:
    """Compare both engines with the plain paths, unless this was done before; those that disagree are put
    away, and ``towers.disagree`` says why.

    Raises BackboneError for a tower that gives features that are not finite, or not the same twice, and for a
    text tower that cannot run. An image tower that cannot says so when it is used.
    """
    with torch.inference_mode(False):  # a gradient may be asked for
        _compare_once(name, towers, text, images, tokenizer)


def _compare_once(name: str, towers: Towers, text: TextEncoder, images: ImageEncoder, tokenizer: str) -> None:
    odd = towers.why_odd()
    key = "" if odd else _key(towers, text, images, tokenizer)
    if key and (key in _agreed or key in remembered()):
        return
    with without_autocast(text.token_embedding.device), torch.no_grad():
        for case in (_text_case(text, odd.get("text", "")), _image_case(images, odd.get("image", ""))):
            try:
                why = _compare(f"the {case.side} tower of {name!r}", case)
            except UnusableTowerError as error:
                if case.side == "text":
                    raise
                images.broken, key = str(error), ""  # texts, and features of other towers, are served
            else:
                towers.disagree |= {case.side: why} if why else {}
    text.engine = None if "text" in towers.disagree else text.engine
    images.engine = None if "image" in towers.disagree else images.engine
    if key and not towers.disagree:
        _agreed.add(key)
        remember(key)


def _text_case(text: TextEncoder, odd: str) -> Case:
    """Two prompts with a context. The engine in the weights' own dtype, whatever it computes in."""
    tokenizer = text.tokenizer
    engine = None if text.engine is None else TextEngine(text.engine.tower, text.engine.start_id)
    draw = rng.generator("agreement/text", 1).standard_normal((N_CTX, text.dim))
    context = torch.from_numpy(0.1 * draw).to(text.device, torch.float32)
    at = int(tokenizer.start is not None)
    sequences = [tokenizer.text(one) for one in TEXTS]
    room = tokenizer.length - at - N_CTX
    rows = tokenizer.rows([one[:room] for one in sequences], N_CTX)
    ids = torch.tensor(rows, dtype=torch.int64, device=text.device)

    def plain(context: Tensor) -> Tensor:
        return encode_plain(text.plain, ids, context, (), at)

    def shared(context: Tensor) -> Tensor:
        return engine.encode(context[None, None], sequences)[0] if engine else plain(context)

    fits = engine is not None and max(map(len, sequences)) <= room
    return Case("text", plain, shared if fits else None, context, odd, text.token_embedding.dtype)


def _image_case(images: ImageEncoder, odd: str) -> Case:
    """A picture of noise, beside a prompt where one can enter."""
    dtype, tower = images.dtype, images.plain
    engine = None if images.engine is None else ImageEngine(images.engine.tower)
    draw = rng.generator("agreement/image", 1)
    height, width = images.spec.output_size
    pixels = torch.from_numpy(draw.standard_normal((1, 3, height, width))).to(images.device, dtype)
    if tower is None:
        return Case(
            "image",
            lambda _none: images.encode_reference(pixels),
            None,
            torch.empty(0, dtype=torch.float32, device=images.device),
            odd,
            dtype,
        )
    context = torch.from_numpy(0.1 * draw.standard_normal((1, 1, images.dim))).to(
        images.device, torch.float32
    )

    def plain(context: Tensor) -> Tensor:
        return encode_plain_images(tower, pixels, context)

    beside = None if engine is None else partial(engine.encode, pixels)
    return Case("image", plain, beside, context, odd, dtype)


def _compare(what: str, case: Case) -> str:
    """Why the engine is not to be used; "" where it agrees, or there is none. Raises BackboneError."""
    expected = _asked(case, what)
    if not bool(expected.isfinite().all()) or not bool(expected.any(dim=-1).all()):
        raise BackboneError(
            f"{what} gives features that are zero or not finite: its weights, or the images' mean and "
            "deviation, are damaged, or too large for its precision. Load it in float32, or download it again"
        )
    why = "" if case.engine is None else _disagreement(case.engine, case, expected)
    if not (why or case.odd):
        return ""
    if _difference(_asked(case, what), expected) > case.limit:
        raise BackboneError(
            f"{what} gives other features each time for the same input: a layer draws random numbers or "
            "keeps something; take it out of the model"
        )
    if case.dtype == torch.float32 and case.context.numel() and not _can_be_learned(case):
        raise BackboneError(
            f"{what} has a layer through which nothing can be learned, such as a quantised one: "
            f"{why or case.odd}. Load the model with its weights as they were trained"
        )
    return why


def _disagreement(engine: Way, case: Case, expected: Tensor) -> str:
    try:
        off = _difference(engine(case.context), expected)
    except Exception as error:  # of layers that only look plain
        return f"the engine cannot read its layers ({type(error).__name__})"
    return (
        f"the engine's features are {100 * off:.2g} % off, for a reason not known" if off > case.limit else ""
    )


def _can_be_learned(case: Case) -> bool:
    """Whether the gradient of the plain path is the slope of its features."""
    start = case.context
    weights = torch.linspace(-1, 1, case.plain(start).shape[-1], dtype=torch.float32, device=start.device)

    def height(context: Tensor) -> Tensor:
        return (F.normalize(case.plain(context).float(), dim=-1) * weights).sum()

    try:
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("error")
            context = start.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(height(context), context)
    except Exception:  # a layer that has no gradient, or says that it may be wrong
        return False
    length = float(gradient.norm())
    step = STEP * start.norm() * gradient / max(length, 1e-30)
    slope = float(height(start + step) - height(start - step)) / (2 * STEP * float(start.norm()))
    return math.isclose(slope, length, rel_tol=SLOPE_LIMIT, abs_tol=1e-3)


def _asked(case: Case, what: str) -> Tensor:
    try:
        return case.plain(case.context).float()
    except BackboneError:
        raise
    except Exception as error:  # the library's own kinds
        lines = str(error).strip().splitlines() or [""]
        raise UnusableTowerError(
            f"{what} cannot be used ({type(error).__name__}: {lines[0][:200]}); take a model whose parts "
            "belong together"
        ) from error


def _difference(found: Tensor, expected: Tensor) -> float:
    """The largest distance of two rows, relative to the length of the expected one; infinite for NaN."""
    off = (found.float() - expected).norm(dim=-1) / expected.norm(dim=-1).clamp_min(1e-30)
    largest = float(off.max())
    return math.inf if math.isnan(largest) else largest


def _key(towers: Towers, text: TextEncoder, images: ImageEncoder, tokenizer: str) -> str:
    """32 hexadecimal digits for all that the comparison depends on."""
    device = images.device
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    told = [
        [towers.text_digest, tokenizer, towers.image_digest],
        [states_of(towers.text), states_of(towers.image)],
        [text.engine is not None, images.engine is not None, str(images.dtype), device.type, kind],
        [precision(device)],
        [_version(package) for package in PACKAGES],
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
