"""tile_batch: a batch for several beams."""

from __future__ import annotations

from typing import Any

from tfc.base import nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.ops.array_ops import concat, expand_dims, reshape, shape, tile


def tile_batch(t: Any, multiplier: int, name: str | None = None) -> Any:
    """Every row of a tensor, or of the tensors of a structure, `multiplier` times in a row:
    [batch, …] becomes [batch * multiplier, …].

    Raises:
      ValueError: a rank is not known, or there is no batch.
    """
    with name_scope(name, "tile_batch", [*nest.flatten(t), multiplier]):
        return nest.map_leaves(lambda x: _tiled(x, multiplier), t)


def _tiled(given: Any, multiplier: int) -> Tensor:
    t = convert_to_tensor(given, name="t")
    known = t.get_shape()
    if not known.ndims:
        raise ValueError("t must have statically known rank")
    whole = shape(t)
    tiled = tile(expand_dims(t, 1), [1, multiplier] + [1] * (known.ndims - 1))
    result = reshape(tiled, concat(([whole[0] * multiplier], whole[1:]), 0))
    batch = known.as_list()[0]
    rows = None if batch is None else batch * multiplier
    result.set_shape(TensorShape([rows]).concatenate(known[1:]))
    return result
