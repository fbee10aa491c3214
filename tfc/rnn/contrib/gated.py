"""UGRNNCell and IntersectionRNNCell: one gate through time, and one through depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.framework.graph import Tensor
from tfc.framework.variable_scope import get_variable_scope, variable_scope
from tfc.ops.array_ops import concat, split
from tfc.ops.nn_functions import relu
from tfc.ops.unary_api import sigmoid, tanh
from tfc.rnn.cell import RNNCell
from tfc.rnn.linear import Linear


class _Gated(RNNCell):
    """A cell whose state and output are `num_units` numbers, with variables of a `Linear`."""

    def __init__(self, num_units: int, initializer: Any, forget_bias: float, reuse: bool | None):
        super().__init__(_reuse=reuse)
        self._num_units, self._forget_bias = num_units, forget_bias
        self._initializer = initializer
        self._linear: Linear | None = None

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def _initialized(self) -> variable_scope:
        """The current scope, in which variables start as `initializer` says."""
        return variable_scope(get_variable_scope(), initializer=self._initializer)

    def _mapped(self, args: Tensor, width: int) -> Tensor:
        if self._linear is None:
            self._linear = Linear(args, width, True)
        return self._linear(args)


def matrix_depth(inputs: Any) -> int:
    """The known number of columns of a matrix.

    Raises:
      ValueError: it is no matrix, or the number is not known.
    """
    depth: int | None = inputs.get_shape().with_rank(2).as_list()[1]
    if depth is None:
        raise ValueError("Could not infer input size from inputs.get_shape()[-1]")
    return depth


class UGRNNCell(_Gated):
    """A network with one gate, the update gate: `g, c = [inputs, state] · kernel + bias`,
    `g = sigmoid(g + forget_bias)`, `output = new_state = g * state + (1 - g) * activation(c)`.

    initializer: of the kernel; the bias starts at zero.

    Source: J. Collins, J. Sohl-Dickstein, D. Sussillo, Capacity and trainability in recurrent
    neural networks, 2016 (arXiv:1611.09913); tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        initializer: Any = None,
        forget_bias: float = 1.0,
        activation: Callable[..., Any] = tanh,
        reuse: bool | None = None,
    ):
        super().__init__(num_units, initializer, forget_bias, reuse)
        self._activation = activation

    def call(self, inputs: Any, state: Any) -> Any:
        matrix_depth(inputs)
        with self._initialized():
            both = self._mapped(concat([inputs, state], 1), 2 * self._num_units)
            gate, candidate = split(axis=1, num_or_size_splits=2, value=both)
            c = self._activation(candidate)
            g = sigmoid(gate + self._forget_bias)
            new_state = g * state + (1.0 - g) * c
        return new_state, new_state


class IntersectionRNNCell(_Gated):
    """The +RNN: a gate through time, from the state to the new state, and one through depth, from
    the inputs to the outputs. Of `gh, h, gy, y = [inputs, state] · kernel + bias`,
    `gh = sigmoid(gh + forget_bias)` and `gy = sigmoid(gy + forget_bias)`,
    `new_state = gh * state + (1 - gh) * tanh(h)` and
    `output = gy * inputs + (1 - gy) * y_activation(y)`.

    num_in_proj: if it is given, inputs of another width than num_units are first mapped to that
    by `in_projection/kernel` and `in_projection/bias`.

    Raises, when called:
      ValueError: inputs of another width, and no num_in_proj.

    Source: as UGRNNCell.
    """

    def __init__(
        self,
        num_units: int,
        num_in_proj: int | None = None,
        initializer: Any = None,
        forget_bias: float = 1.0,
        y_activation: Callable[..., Any] = relu,
        reuse: bool | None = None,
    ):
        super().__init__(num_units, initializer, forget_bias, reuse)
        self._num_input_proj, self._y_activation = num_in_proj, y_activation
        self._projection: Linear | None = None

    def call(self, inputs: Any, state: Any) -> Any:
        depth, n = matrix_depth(inputs), self._num_units
        with self._initialized():
            if depth != n:
                inputs = self._projected(inputs)
            gates = self._mapped(concat([inputs, state], 1), 4 * n)
            gh, h = gates[:, :n], gates[:, n : 2 * n]
            gy, y = gates[:, 2 * n : 3 * n], gates[:, 3 * n : 4 * n]
            h, y = tanh(h), self._y_activation(y)
            gh, gy = sigmoid(gh + self._forget_bias), sigmoid(gy + self._forget_bias)
            new_state = gh * state + (1.0 - gh) * h
            output = gy * inputs + (1.0 - gy) * y
        return output, new_state

    def _projected(self, inputs: Tensor) -> Tensor:
        if not self._num_input_proj:
            raise ValueError(
                "Must have input size == output size for Intersection RNN. To fix, num_in_proj "
                "should be set to num_units at cell init."
            )
        with variable_scope("in_projection"):
            if self._projection is None:
                self._projection = Linear(inputs, self._num_units, True)
            return self._projection(inputs)
