"""LayerNormBasicLSTMCell: an LSTM whose gates and memory are normalised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.framework.graph import Tensor
from tfc.framework.variable_scope import get_variable, variable_scope
from tfc.ops.array_ops import concat, split
from tfc.ops.init_ops import Constant
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import batch_normalization, bias_add, dropout, moments
from tfc.ops.unary_api import sigmoid, tanh
from tfc.rnn.cell import RNNCell
from tfc.rnn.lstm_cells import LSTMStateTuple


class LayerNormBasicLSTMCell(RNNCell):
    """BasicLSTMCell with layer normalization of the gates and the memory, and with dropout of what
    is added to the memory.

    layer_norm: whether to normalize; norm_gain, norm_shift: where `gamma` and `beta` start.
    dropout_keep_prob: how likely an element is kept. input_size: not used.

    Source: tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        input_size: Any = None,
        activation: Callable[..., Any] = tanh,
        layer_norm: bool = True,
        norm_gain: float = 1.0,
        norm_shift: float = 0.0,
        dropout_keep_prob: Any = 1.0,
        dropout_prob_seed: int | None = None,
        reuse: bool | None = None,
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._activation, self._forget_bias = num_units, activation, forget_bias
        self._layer_norm, self._norm_gain, self._norm_shift = layer_norm, norm_gain, norm_shift
        self._keep_prob, self._seed = dropout_keep_prob, dropout_prob_seed

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    @property
    def output_size(self) -> Any:
        return self._num_units

    def _norm(self, x: Tensor, scope: str) -> Tensor:
        if not self._layer_norm:
            return x
        shape, dtype = x.get_shape()[-1:], x.dtype.base_dtype
        with variable_scope(scope):
            gamma = get_variable("gamma", shape, dtype, Constant(self._norm_gain))
            beta = get_variable("beta", shape, dtype, Constant(self._norm_shift))
            mean, variance = moments(x, [1], keep_dims=True)
            epsilon = 1e-3 if dtype.name == "float16" else 1e-12
            return batch_normalization(x, mean, variance, beta, gamma, epsilon)

    def call(self, inputs: Any, state: Any) -> Any:
        c, h = state
        args = concat([inputs, h], 1)
        width, dtype = args.get_shape()[-1], args.dtype.base_dtype
        gates = matmul(args, get_variable("kernel", [width, 4 * self._num_units], dtype=dtype))
        if not self._layer_norm:
            gates = bias_add(gates, get_variable("bias", [4 * self._num_units], dtype=dtype))
        i, j, f, o = split(value=gates, num_or_size_splits=4, axis=1)
        i, j = self._norm(i, "input"), self._norm(j, "transform")
        f, o = self._norm(f, "forget"), self._norm(o, "output")
        g = self._activation(j)
        if not isinstance(self._keep_prob, float) or self._keep_prob < 1:
            g = dropout(g, self._keep_prob, seed=self._seed)
        new_c = self._norm(c * sigmoid(f + self._forget_bias) + sigmoid(i) * g, "state")
        new_h = self._activation(new_c) * sigmoid(o)
        return new_h, LSTMStateTuple(new_c, new_h)
