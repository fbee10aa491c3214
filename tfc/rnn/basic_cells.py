"""BasicRNNCell and GRUCell."""

from __future__ import annotations

from typing import Any

from tfc.layers.identifiers import initializer_of
from tfc.layers.input_spec import InputSpec
from tfc.ops.array_ops import concat, split
from tfc.ops.init_ops import Constant, Zeros
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import bias_add
from tfc.ops.unary_api import sigmoid
from tfc.rnn.cell import (
    LayerRNNCell,
    activation_of,
    check_dtype,
    check_inputs_dtypes,
    known_depth,
)


class _UnitsCell(LayerRNNCell):
    """A cell whose state and output are `num_units` numbers."""

    def __init__(
        self,
        num_units: int,
        activation: Any,
        reuse: bool | None,
        name: Any,
        dtype: Any,
        kwargs: Any,
    ):
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        check_dtype(self.dtype)
        self.input_spec: Any = InputSpec(ndim=2)
        self._num_units = num_units
        self._activation = activation_of(activation)

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units


class BasicRNNCell(_UnitsCell):
    """`output = new_state = activation([inputs, state] · kernel + bias)`.

    num_units: the size of state and output. activation: tanh by default; a function or its name.
    reuse: whether the variables are there already. dtype: of the variables; by default that of
    the first input.

    Source: tensorflow/python/ops/rnn_cell_impl.py.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(num_units, activation, reuse, name, dtype, kwargs)

    def build(self, input_shape: Any) -> None:
        depth, units = known_depth(input_shape), self._num_units
        check_dtype(self.dtype)
        self._kernel = self.add_weight("kernel", shape=[depth + units, units])
        self._bias = self.add_weight("bias", shape=[units], initializer=Zeros(dtype=self.dtype))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        check_inputs_dtypes(inputs, state)
        gates = bias_add(matmul(concat([inputs, state], 1), self._kernel), self._bias)
        output = self._activation(gates)
        return output, output


class GRUCell(_UnitsCell):
    """Gated recurrent unit: gates `r, u = sigmoid([inputs, state] · gates/kernel + gates/bias)`,
    `c = activation([inputs, r · state] · candidate/kernel + candidate/bias)`, and
    `output = new_state = u · state + (1 - u) · c`.

    The biases of the gates start at 1, those of the candidate at 0, unless `bias_initializer` is
    given. Source: tensorflow/python/ops/rnn_cell_impl.py.
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
        **kwargs: Any,
    ):
        super().__init__(num_units, activation, reuse, name, dtype, kwargs)
        self._kernel_initializer = initializer_of(kernel_initializer)
        self._bias_initializer = initializer_of(bias_initializer)

    def build(self, input_shape: Any) -> None:
        depth, units = known_depth(input_shape), self._num_units
        check_dtype(self.dtype)

        def pair(name: str, width: int, bias: Any) -> tuple[Any, Any]:
            kernel = self.add_weight(
                f"{name}/kernel", shape=[depth + units, width], initializer=self._kernel_initializer
            )
            start = bias if self._bias_initializer is None else self._bias_initializer
            return kernel, self.add_weight(f"{name}/bias", shape=[width], initializer=start)

        ones = Constant(1.0, dtype=self.dtype)
        self._gate_kernel, self._gate_bias = pair("gates", 2 * units, ones)
        zeros = Zeros(dtype=self.dtype)
        self._candidate_kernel, self._candidate_bias = pair("candidate", units, zeros)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        check_inputs_dtypes(inputs, state)
        gates = matmul(concat([inputs, state], 1), self._gate_kernel)
        value = sigmoid(bias_add(gates, self._gate_bias))
        r, u = split(value=value, num_or_size_splits=2, axis=1)
        candidate = matmul(concat([inputs, r * state], 1), self._candidate_kernel)
        c = self._activation(bias_add(candidate, self._candidate_bias))
        new_state = u * state + (1 - u) * c
        return new_state, new_state
