"""NASCell: the cell that an architecture search found."""

from __future__ import annotations

from typing import Any

from tfc.ops.array_ops import split
from tfc.ops.init_ops import Zeros
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import bias_add, relu
from tfc.ops.unary_api import sigmoid, tanh
from tfc.rnn.cell import LayerRNNCell, known_depth
from tfc.rnn.lstm_cells import LSTMStateTuple


class NASCell(LayerRNNCell):
    """The cell that an architecture search found (https://arxiv.org/abs/1611.01578): eight maps of
    inputs and of the last output, combined by a fixed tree.

    num_proj: the size of the output, through `projection_weights`. use_bias: whether the maps of
    the last output have one. Source: tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        num_proj: int | None = None,
        use_bias: bool = False,
        reuse: bool | None = None,
        **kwargs: Any,
    ):
        super().__init__(_reuse=reuse, **kwargs)
        self._num_units, self._num_proj, self._use_bias = num_units, num_proj, use_bias
        self._output_size = num_units if num_proj is None else num_proj

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._output_size)

    @property
    def output_size(self) -> Any:
        return self._output_size

    def build(self, input_shape: Any) -> None:
        depth, width = known_depth(input_shape), 8 * self._num_units
        self.recurrent_kernel = self.add_weight("recurrent_kernel", [self._output_size, width])
        self.kernel = self.add_weight("kernel", [depth, width])
        if self._use_bias:
            self.bias = self.add_weight("bias", [width], initializer=Zeros())
        if self._num_proj is not None:
            self.projection_weights = self.add_weight(
                "projection_weights", [self._num_units, self._num_proj]
            )
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        c_prev, m_prev = state
        from_m = matmul(m_prev, self.recurrent_kernel)
        from_x = matmul(inputs, self.kernel)
        if self._use_bias:
            from_m = bias_add(from_m, self.bias)
        m = split(value=from_m, num_or_size_splits=8, axis=1)
        x = split(value=from_x, num_or_size_splits=8, axis=1)
        first = tanh(tanh(sigmoid(x[0] + m[0]) * relu(x[1] + m[1])) + c_prev)
        new_c = first * tanh(sigmoid(x[2] + m[2]) + relu(x[3] * m[3]))
        third = tanh(tanh(x[4] + m[4]) * sigmoid(x[5] + m[5]))
        fourth = sigmoid(tanh(x[6] + m[6]) + sigmoid(x[7] + m[7]))
        new_m = tanh(new_c * tanh(third + fourth))
        if self._num_proj is not None:
            new_m = matmul(new_m, self.projection_weights)
        return new_m, LSTMStateTuple(new_c, new_m)
