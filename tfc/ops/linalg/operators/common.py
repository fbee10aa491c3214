"""What the kinds of linear operators share: hints, and batches of operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.framework.graph import Tensor
from tfc.ops.broadcast_ops import broadcast_to
from tfc.ops.join_ops import concat
from tfc.ops.reverse_ops import broadcast_dynamic_shape, broadcast_static_shape
from tfc.ops.shape_ops import shape as shape_of

Hint = bool | None


def checked_hints(
    is_non_singular: Hint, is_self_adjoint: Hint, is_positive_definite: Hint, is_square: Hint
) -> tuple[Hint, Hint]:
    """`is_non_singular` and `is_square` with what the other hints imply.

    Raises:
      ValueError: the hints contradict each other.
    """
    if is_positive_definite:
        if is_non_singular is False:
            raise ValueError("A positive definite matrix is always non-singular.")
        is_non_singular = True
    for hint, what in ((is_non_singular, "non-singular"), (is_self_adjoint, "self-adjoint")):
        if hint:
            if is_square is False:
                raise ValueError(f"A {what} matrix is always square.")
            is_square = True
    return is_non_singular, is_square


def always(hint: Hint, message: str) -> bool:
    """True, for what a kind of operator always is. Raises ValueError if the hint denies it."""
    if hint is False:
        raise ValueError(message)
    return True


def both(left: Hint, right: Hint) -> Hint:
    """Whether a product is what its factors are: none if one is unknown, unless the other fails."""
    if left is False or right is False:
        return False
    return True if left and right else None


def fit_batches(*stacks: Tensor) -> list[Tensor]:
    """The stacks of matrices, broadcast to one another's batch dimensions."""
    batches = [stack.shape[:-2] for stack in stacks]
    static = batches[0]
    for batch in batches[1:]:
        static = broadcast_static_shape(static, batch)
    if static.is_fully_defined():
        if all(batch.is_fully_defined() and batch == static for batch in batches):
            return [*stacks]
        wanted: Any = static.as_list()
    else:
        wanted = shape_of(stacks[0])[:-2]
        for stack in stacks[1:]:
            wanted = broadcast_dynamic_shape(wanted, shape_of(stack)[:-2])
    fitted = []
    for stack in stacks:
        if static.is_fully_defined() and stack.shape[:-2] == static:
            fitted.append(stack)
            continue
        result = broadcast_to(stack, concat([wanted, shape_of(stack)[-2:]], 0))
        result.set_shape(static.concatenate(stack.shape[-2:]))
        fitted.append(result)
    return fitted


def with_batches(solve: Callable[..., Tensor], matrix: Tensor, rhs: Tensor, **how: Any) -> Tensor:
    """`solve(matrix, rhs)` with broadcast batch dimensions."""
    return solve(*fit_batches(matrix, rhs), **how)
