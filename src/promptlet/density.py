"""How a context's information is spread over its singular values: density, ranks, and two ways to raise it.

Information density ``ID_k`` is the share of the k largest singular values in the sum of all of them (DIP, the
later version of arXiv 2312.10813): 1 for a matrix of rank k or less, k / n for n equal ones. All functions
take a context (n_ctx, d) or a batch (..., n_ctx, d) and are differentiable: the gradient of a singular value
is ``u v^T``, which stays bounded where values are equal. A value that is rounding has none: its vectors are
arbitrary (`singular_values`). Effective rank: Roy and Vetterli, 2007.
"""

from __future__ import annotations

import torch
from torch import Tensor

from promptlet.errors import OptionError

TINY = 1e-12
"""Below this a sum of singular values counts as zero."""
SOFT = 0.1
"""Of the largest singular value: below it, `softened` values lose their gradient. Ours."""


def singular_values(context: Tensor) -> Tensor:
    """The min(n_ctx, d) singular values (..., n), largest first.

    The gradient of ``s_i`` is ``u_i v_i^T``, and zero where ``s_i <= s_1 max(n_ctx, d) eps``, as
    `numpy.linalg.matrix_rank` counts a value as zero: there rounding alone decides which vectors these are.
    So it is for the start "a photo of a", which holds "a" twice.
    """
    matrix = context.float()
    left, values, right = _decomposed(matrix.detach())
    pairs = left.mT.unsqueeze(-1) * right.unsqueeze(-2)  # (..., n, n_ctx, d)
    along = (pairs * matrix.unsqueeze(-3)).sum((-2, -1))  # u_i^T P v_i: no matrix product, so never in bf16
    rounding = values[..., :1] * (max(matrix.shape[-2:]) * torch.finfo(matrix.dtype).eps)
    moving = torch.where(values > rounding, along - along.detach(), torch.zeros_like(values))
    result: Tensor = values + moving  # moving is 0: it brings the gradient alone
    return result


def _decomposed(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """U, the singular values, V^T; on the CPU where the device has no such kernel (Apple's)."""
    if matrix.device.type != "mps":
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        return left, values, right
    left, values, right = (part.to(matrix.device) for part in _decomposed(matrix.cpu()))
    return left, values, right


def softened(values: Tensor) -> Tensor:
    """``sqrt(s_i^2 + e^2) - e`` of singular values (..., n), e a tenth of the largest: for terms of a loss.

    A term on the values themselves has a corner wherever one is zero, or two of them are equal, which is
    where it drives them: there its gradient turns with every rounding, and AdamW follows at full length.
    Softened, the gradient of a value fades as the value does, and a training repeats.
    """
    edge = (SOFT * values[..., :1].detach()).clamp_min(TINY)
    return torch.hypot(values, edge) - edge


def information_density(context: Tensor, k: int = 1, soft: bool = False) -> Tensor:
    """``ID_k`` (...,): the share of the k largest singular values, from k / n to 1; 1 for a zero matrix.

    soft: of `softened` values.
    """
    values = softened(singular_values(context)) if soft else singular_values(context)
    _check_k(k, values.shape[-1])
    total = values.sum(-1)
    return torch.where(total > TINY, values[..., :k].sum(-1) / total.clamp_min(TINY), torch.ones_like(total))


def effective_rank(context: Tensor) -> Tensor:
    """exp of the entropy of the singular values' shares (...,): from 1 to n."""
    values = singular_values(context)
    shares = values / values.sum(-1, keepdim=True).clamp_min(TINY)
    entropy = -(shares * shares.clamp_min(TINY).log()).sum(-1)
    return entropy.exp()


def stable_rank(context: Tensor) -> Tensor:
    """Squared Frobenius norm over the squared largest singular value (...,): from 1 to n."""
    values = singular_values(context)
    return values.square().sum(-1) / values[..., 0].square().clamp_min(TINY)


def positional_penalty(context: Tensor, soft: bool = False) -> Tensor:
    """``sum_i i s_i / sum_i s_i`` (...,) with i counted from 0: the mean position of the singular values.

    0 for rank 1, (n - 1) / 2 for n equal ones. The paper's weighting is not public; this one is ours.
    soft: of `softened` values.
    """
    values = softened(singular_values(context)) if soft else singular_values(context)
    position = torch.arange(values.shape[-1], dtype=values.dtype, device=values.device)
    return (position * values).sum(-1) / values.sum(-1).clamp_min(TINY)


def profile(context: Tensor) -> dict[str, float | list[float]]:
    """All of this of one context (n_ctx, d) as plain numbers; ``density`` has ``ID_k`` for k = 1..n."""
    values = singular_values(context.detach())
    return {
        "singular_values": values.tolist(),
        "effective_rank": float(effective_rank(context.detach())),
        "stable_rank": float(stable_rank(context.detach())),
        "density": [float(information_density(context.detach(), k + 1)) for k in range(values.shape[-1])],
    }


def _check_k(k: int, most: int) -> None:
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= most:
        raise OptionError(f"k={k!r} is outside 1..{most}, the number of singular values")
