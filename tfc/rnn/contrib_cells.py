"""LayerNormBasicLSTMCell, NASCell and HighwayWrapper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import nest
from tfc.framework.graph import Tensor
from tfc.framework.nested import assert_same_structure
from tfc.framework.variable_scope import get_variable, variable_scope
from tfc.ops.array_ops import concat, split
from tfc.ops.init_ops import Constant, Zeros
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import batch_normalization, bias_add, dropout, moments, relu, xw_plus_b
from tfc.ops.unary_api import sigmoid, tanh
from tfc.rnn.cell import LayerRNNCell, RNNCell, known_depth
from tfc.rnn.linear import CellAround
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
