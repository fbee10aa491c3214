"""tf.hessians: the second derivatives of scalars, row by row in a loop."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.gradients import gradients
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import const_ops, shape_ops
from tfc.ops.join_ops import concat, stack
from tfc.ops.while_functions import while_loop


def hessians(
    ys: Any,
    xs: Any,
    name: str = "hessians",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: int | None = None,
) -> list[Tensor]:
    """For each x the second derivatives of the sum of ys: of shape x.shape + x.shape.

    Raises:
      ValueError: the ys do not depend on an x. LookupError: an op on the way has no gradient.
    """
    xs = list(xs) if isinstance(xs, list | tuple) else [xs]
    options: dict[str, Any] = {
        "colocate_gradients_with_ops": colocate_gradients_with_ops,
        "gate_gradients": gate_gradients,
        "aggregation_method": aggregation_method,
    }
    with name_scope(name):
        firsts = gradients(ys, xs, **options)
        return [_second(first, x, options) for first, x in zip(firsts, xs, strict=True)]


def _second(first: Any, x: Any, options: dict[str, Any]) -> Tensor:
    if first is None:
        raise ValueError(f"the ys do not depend on {x}")
    flat = shape_ops.reshape(convert_to_tensor(first), [-1])
    count = shape_ops.size(flat)
    start = apply("Fill", stack([count, count]), const_ops.constant(0, dtype=flat.dtype))

    def row(j: Any, rows: Any) -> list[Any]:
        (found,) = gradients(apply("GatherV2", flat, j, 0), x, **options)
        if found is None:
            raise ValueError(f"None values not supported: the gradient does not depend on {x}")
        entry = shape_ops.reshape(convert_to_tensor(found), [1, -1])
        places = shape_ops.reshape(j, [1, 1])
        return [j + 1, apply("TensorScatterUpdate", rows, places, entry)]

    zero = const_ops.constant(0, dtype=dtypes.int32)
    _, rows = while_loop(lambda j, _: j < count, row, [zero, start])
    dims = shape_ops.shape(convert_to_tensor(x))
    result = shape_ops.reshape(rows, concat([dims, dims], 0))
    known = convert_to_tensor(x).get_shape()
    result.set_shape(known.concatenate(known))
    return result
