"""Cells that compute what cuDNN's layers do: CudnnCompatibleLSTMCell, CudnnCompatibleGRUCell."""

from __future__ import annotations

from typing import Any

from tfc.ops.array_ops import concat, split
from tfc.ops.init_ops import Constant, Zeros
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import bias_add
from tfc.ops.unary_api import sigmoid
from tfc.rnn.basic_cells import GRUCell
from tfc.rnn.block_cells import LSTMBlockCell
from tfc.rnn.cell import known_depth


class CudnnCompatibleLSTMCell(LSTMBlockCell):
    """LSTMBlockCell without forget bias, clip and peepholes, under the name
    `cudnn_compatible_lstm_cell`: it reads what CudnnLSTM has written.

    Source: tensorflow/contrib/cudnn_rnn/python/ops/cudnn_rnn_ops.py.
    """

    def __init__(self, num_units: int, reuse: bool | None = None):
        super().__init__(num_units, forget_bias=0, reuse=reuse, name="cudnn_compatible_lstm_cell")


class CudnnCompatibleGRUCell(GRUCell):
    """A GRU whose reset gate stands after the product with the state: gates as in GRUCell,
    `c = tanh(inputs · candidate/input_projection/kernel + candidate/input_projection/bias
    + r * (state · candidate/hidden_projection/kernel + candidate/hidden_projection/bias))`,
    `output = new_state = (1 - u) * c + u * state`. It reads what CudnnGRU has written.

    kernel_initializer: of the matrices; biases start at 1 for the gates, at 0 for the candidate.

    Source: tensorflow/contrib/cudnn_rnn/python/ops/cudnn_rnn_ops.py.
    """

    def __init__(self, num_units: int, reuse: bool | None = None, kernel_initializer: Any = None):
        super().__init__(num_units, reuse=reuse, kernel_initializer=kernel_initializer)

    def build(self, input_shape: Any) -> None:
        depth, units = known_depth(input_shape), self._num_units

        def kernel(name: str, rows: int, width: int) -> Any:
            return self.add_weight(
                f"{name}/kernel", shape=[rows, width], initializer=self._kernel_initializer
            )

        def bias(name: str, width: int, start: Any) -> Any:
            return self.add_weight(f"{name}/bias", shape=[width], initializer=start)

        ones, zeros = Constant(1.0, dtype=self.dtype), Zeros(dtype=self.dtype)
        self._gate_kernel = kernel("gates", depth + units, 2 * units)
        self._gate_bias = bias("gates", 2 * units, ones)
        self._input_kernel = kernel("candidate/input_projection", depth, units)
        self._hidden_kernel = kernel("candidate/hidden_projection", units, units)
        self._input_bias = bias("candidate/input_projection", units, zeros)
        self._hidden_bias = bias("candidate/hidden_projection", units, zeros)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        gates = matmul(concat([inputs, state], 1), self._gate_kernel)
        value = sigmoid(bias_add(gates, self._gate_bias))
        r, u = split(value=value, num_or_size_splits=2, axis=1)
        candidate = bias_add(matmul(inputs, self._input_kernel), self._input_bias)
        candidate += r * bias_add(matmul(state, self._hidden_kernel), self._hidden_bias)
        new_state = (1 - u) * self._activation(candidate) + u * state
        return new_state, new_state
