"""The seeds of datasets, as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base import dtypes
from tfc.framework import random_seed
from tfc.framework.convert import convert_to_tensor
from tfc.framework.graph import name_scope
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor

_MOST = 2**31 - 1


def seed_tensors(seed: Any) -> tuple[Tensor, Tensor]:
    """The graph seed and the op seed, int64; two zeros, which ask for random ones, if there is
    none. Seeds that are both zero otherwise are replaced. seed: an int or an int64 tensor."""
    second: Any
    if isinstance(seed, Tensor):
        first, second = random_seed.get_seed(0)[0], apply("FloorMod", seed, np.int64(_MOST))
    else:
        first, second = random_seed.get_seed(seed)
    one = convert_to_tensor(first or 0, dtypes.int64, "seed")
    if second is None:
        return one, convert_to_tensor(0, dtypes.int64, "seed2")
    with name_scope("seed2") as scope:
        two = convert_to_tensor(second, dtypes.int64)
        zero = np.zeros((), np.int64)
        both = apply("LogicalAnd", apply("Equal", one, zero), apply("Equal", two, zero))
        other = convert_to_tensor(_MOST, dtypes.int64)
        found: Tensor = apply("Select", both, other, two, name=scope)
    return one, found
