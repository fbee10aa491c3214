"""What a stage writes, and the memory for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.records import dataclass
from tfc.base.shapes import shape_text
from tfc.client.state import aligned_empty, fetched_empty
from tfc.framework.graph import Graph
from tfc.runtime import memory


@dataclass
class Output:
    """One result of a stage: its tensor or variable, and where it is written."""

    is_variable: bool
    what: Any  # Tensor, or variable key
    shape: tuple[int, ...]
    dtype: np.dtype
    donor: int | None  # parameter whose buffer it takes over


def new_array(graph: Graph, output: Output) -> np.ndarray:
    """Memory for a result. Raises ResourceExhaustedError if there is not enough."""
    make = aligned_empty if output.is_variable else fetched_empty
    try:
        memory.check(math.prod(output.shape) * output.dtype.itemsize)
        return make(output.shape, output.dtype)
    except (MemoryError, ValueError) as error:  # ValueError: more than a size can say
        op = graph.get_operation_by_name(output.what) if output.is_variable else output.what.op
        raise errors.ResourceExhaustedError(
            None,
            op,
            f"OOM when allocating tensor with shape{shape_text(output.shape)} and type "
            f"{output.dtype}",
        ) from error
