"""Cells whose units see no other unit's state: IndRNNCell, IndyGRUCell, IndyLSTMCell, SRUCell."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor
from tfc.layers.identifiers import initializer_of
from tfc.layers.input_spec import InputSpec
from tfc.ops.array_ops import concat, constant, split, tile
from tfc.ops.init_ops import Constant, RandomUniform, Zeros
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import bias_add
from tfc.ops.sum_ops import add, multiply
from tfc.ops.unary_api import sigmoid, tanh
from tfc.rnn.cell import LayerRNNCell, known_depth
from tfc.rnn.lstm_cells import LSTMStateTuple


class _Independent(LayerRNNCell):
    """A cell of `num_units` units, each of which takes its own state times one weight.

    activation: tanh by default. reuse: whether the variables are there already. name, dtype: of
    the layer; without a dtype, that of the first input.
    """

    def __init__(self, num_units: int, activation: Any, reuse: bool | None, **kwargs: Any):
        super().__init__(_reuse=reuse, **kwargs)
        self.input_spec: Any = InputSpec(ndim=2)
        self._num_units = num_units
        self._activation = activation or tanh

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def _own_weights(self, name: str, width: int) -> Any:
        """The weights of the units' own states, a row."""
        start = RandomUniform(minval=-1, maxval=1, dtype=self.dtype)
        return self.add_weight(name, shape=[1, width], initializer=start)


class IndRNNCell(_Independent):
    """`output = new_state = activation(inputs · kernel_w + state * kernel_u + bias)`, where
    `kernel_u` has one weight for each unit and starts uniform in [-1, 1).

    Source: S. Li et al., Independently recurrent neural network, 2018 (arXiv:1803.04831);
    tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(num_units, activation, reuse, name=name, dtype=dtype)

    def build(self, input_shape: Any) -> None:
        depth, units = known_depth(input_shape), self._num_units
        self._kernel_w = self.add_weight("kernel_w", shape=[depth, units])
        self._kernel_u = self._own_weights("kernel_u", units)
        self._bias = self.add_weight("bias", shape=[units], initializer=Zeros(dtype=self.dtype))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        gates = matmul(inputs, self._kernel_w) + state * self._kernel_u
        output = self._activation(bias_add(gates, self._bias))
        return output, output


class IndyGRUCell(_Independent):
    """GRUCell, in which every product with the state is one weight a unit: gates
    `r, u = sigmoid(inputs · gates/kernel_w + [state, state] * gates/kernel_u + gates/bias)`,
    `c = activation(inputs · candidate/kernel + r * state * candidate/kernel_u + candidate/bias)`,
    and `output = new_state = u * state + (1 - u) * c`.

    kernel_initializer: of the matrices; the units' own weights start uniform in [-1, 1).
    bias_initializer: of both biases, which otherwise start at 1 and 0.

    Source: as IndRNNCell.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: bool | None = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(num_units, activation, reuse, name=name, dtype=dtype)
        self._kernel_initializer = initializer_of(kernel_initializer)
        self._bias_initializer = initializer_of(bias_initializer)

    def build(self, input_shape: Any) -> None:
        depth, units = known_depth(input_shape), self._num_units

        def weights(scope: str, kernel: str, width: int, bias: Any) -> tuple[Any, Any, Any]:
            w = self.add_weight(
                f"{scope}/{kernel}", shape=[depth, width], initializer=self._kernel_initializer
            )
            u = self._own_weights(f"{scope}/kernel_u", width)
            start = bias if self._bias_initializer is None else self._bias_initializer
            return w, u, self.add_weight(f"{scope}/bias", shape=[width], initializer=start)

        ones, zeros = Constant(1.0, dtype=self.dtype), Zeros(dtype=self.dtype)
        self._gates = weights("gates", "kernel_w", 2 * units, ones)
        self._candidate = weights("candidate", "kernel", units, zeros)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        w, u, bias = self._gates
        gates = bias_add(matmul(inputs, w) + tile(state, [1, 2]) * u, bias)
        r, update = split(value=sigmoid(gates), num_or_size_splits=2, axis=1)
        w, u, bias = self._candidate
        own = r * state
        c = self._activation(bias_add(matmul(inputs, w) + own * u, bias))
        new_state = update * state + (1 - update) * c
        return new_state, new_state


class IndyLSTMCell(_Independent):
    """BasicLSTMCell, in which the product with the output is one weight for each unit and gate:
    `i, j, f, o = inputs · kernel_w + [h, h, h, h] * kernel_u + bias`.

    forget_bias: what is added to `f`. kernel_initializer: of kernel_w; kernel_u starts uniform
    in [-1, 1). bias_initializer: zeros by default.

    Source: P. Gonnet and T. Deselaers, IndyLSTMs, 2019 (arXiv:1903.08023);
    tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        activation: Any = None,
        reuse: bool | None = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(num_units, activation, reuse, name=name, dtype=dtype)
        self._forget_bias = forget_bias
        self._kernel_initializer = initializer_of(kernel_initializer)
        self._bias_initializer = initializer_of(bias_initializer)

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    def build(self, input_shape: Any) -> None:
        depth, width = known_depth(input_shape), 4 * self._num_units
        self._kernel_w = self.add_weight(
            "kernel_w", shape=[depth, width], initializer=self._kernel_initializer
        )
        self._kernel_u = self._own_weights("kernel_u", width)
        start = self._bias_initializer
        if start is None:
            start = Zeros(dtype=self.dtype)
        self._bias = self.add_weight("bias", shape=[width], initializer=start)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        one = constant(1, dtype=dtypes.int32)
        c, h = state
        gates = matmul(inputs, self._kernel_w)
        gates = bias_add(gates + tile(h, [1, 4]) * self._kernel_u, self._bias)
        i, j, f, o = split(value=gates, num_or_size_splits=4, axis=one)
        forget = constant(self._forget_bias, dtype=f.dtype)
        new_c = add(multiply(c, sigmoid(add(f, forget))), multiply(sigmoid(i), self._activation(j)))
        new_h = multiply(self._activation(new_c), sigmoid(o))
        return new_h, LSTMStateTuple(new_c, new_h)


class SRUCell(_Independent):
    """Simple recurrent unit, whose only product is with the inputs: `a, f, r, b = inputs · kernel`,
    `f, r = sigmoid([f, r] + bias)`, `c = f * state + (1 - f) * a`. The new state is `c`, the
    output `r * activation(c) + (1 - r) * b`.

    Source: T. Lei et al., Training RNNs as fast as CNNs, 2017 (arXiv:1709.02755);
    tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: bool | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_units, activation, reuse, name=name, **kwargs)

    def build(self, input_shape: Any) -> None:
        depth, units = known_depth(input_shape), self._num_units
        self._kernel = self.add_weight("kernel", shape=[depth, 4 * units])
        self._bias = self.add_weight("bias", shape=[2 * units], initializer=Zeros())
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        kernel: Tensor = matmul(inputs, self._kernel)
        a, f, r, b = split(value=kernel, num_or_size_splits=4, axis=1)
        gates = sigmoid(bias_add(concat([f, r], 1), self._bias))
        f, r = split(value=gates, num_or_size_splits=2, axis=1)
        c = f * state + (1.0 - f) * a
        return r * self._activation(c) + (1.0 - r) * b, c
