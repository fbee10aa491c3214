"""What static and dynamic networks share: steps of sequences that end at different times."""

from __future__ import annotations

from typing import Any

from tfc.base import nest
from tfc.framework.graph import Tensor, colocate_with
from tfc.framework.nested import assert_same_structure
from tfc.ops.compare_ops import where


def copy_through(finished: Tensor, old: Any, new: Any) -> Any:
    """`old` in the rows where `finished` is true, else `new`, for every tensor of a structure.
    Scalars, and what is no tensor (a TensorArray), are taken from `new`.

    Raises:
      ValueError, TypeError: the structures differ.
    """

    def row(before: Any, after: Any) -> Any:
        if not isinstance(before, Tensor) or before.get_shape().ndims == 0:
            return after
        with colocate_with(after):
            return where(finished, before, after)

    assert_same_structure(old, new)
    return nest.map_leaves(row, old, new)
