"""Cells around another cell: CompiledWrapper and HighwayWrapper."""

from __future__ import annotations

from typing import Any

from tfc.base import nest
from tfc.framework.graph import Tensor, name_scope
from tfc.framework.nested import assert_same_structure
from tfc.framework.variable_scope import get_variable
from tfc.ops.init_ops import Constant
from tfc.ops.nn_functions import xw_plus_b
from tfc.ops.unary_api import sigmoid
from tfc.rnn.cell import RNNCell
from tfc.rnn.linear import CellAround


class CompiledWrapper(RNNCell):
    """`cell`, with its variables under its names. In TensorFlow its ops are compiled together;
    here those of every cell are, so that it computes what `cell` does, at the same speed.

    compile_stateful: whether ops that have a state are, too; all are.

    Source: tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(self, cell: Any, compile_stateful: bool = False):
        super().__init__()
        self._cell = cell

    @property
    def state_size(self) -> Any:
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        return self._cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState"):
            return self._cell.zero_state(batch_size, dtype)

    def __call__(self, inputs: Any, state: Any, scope: Any = None, **kwargs: Any) -> Any:
        return self._cell(inputs, state, scope=scope)


class HighwayWrapper(CellAround):
    """`cell`, whose outputs `y` are mixed with its inputs `x` (https://arxiv.org/abs/1505.00387):
    `x · carry + y · transform`, with `carry = sigmoid(x · carry_w + carry_b)` and
    `transform = 1 - carry`.

    couple_carry_transform_gates: whether that is transform, else it has variables of its own,
    `transform_w` and `transform_b`. carry_bias_init: where carry_b starts; transform_b starts at
    its negative.

    Raises, when called:
      TypeError, ValueError: inputs and outputs are of two structures or shapes.

    Source: tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self, cell: Any, couple_carry_transform_gates: bool = True, carry_bias_init: float = 1.0
    ):
        super().__init__(cell, None)
        self._coupled = couple_carry_transform_gates
        self._carry_bias_init = carry_bias_init

    def __call__(self, inputs: Any, state: Any, scope: Any = None, **kwargs: Any) -> Any:
        outputs, new_state = self._cell(inputs, state, scope=scope)
        assert_same_structure(inputs, outputs)
        return nest.map_leaves(self._mixed, inputs, outputs), new_state

    def _mixed(self, x: Tensor, y: Tensor) -> Tensor:
        x.get_shape().assert_is_compatible_with(y.get_shape())
        carry = self._gate(x, "carry", self._carry_bias_init)
        if self._coupled:
            return x * carry + y * (1 - carry)
        return x * carry + y * self._gate(x, "transform", -self._carry_bias_init)

    def _gate(self, x: Tensor, name: str, start: float) -> Tensor:
        width, dtype = x.get_shape().with_rank(2)[1], x.dtype.base_dtype
        kernel = get_variable(f"{name}_w", [width, width], dtype=dtype)
        bias = get_variable(f"{name}_b", [width], dtype=dtype, initializer=Constant(start))
        return sigmoid(xw_plus_b(x, kernel, bias))
