"""GLSTMCell: an LSTM whose units are in groups that do not see each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.framework.graph import Tensor
from tfc.framework.variable_scope import get_variable, get_variable_scope, variable_scope
from tfc.ops.array_ops import concat, shape, slice_, split
from tfc.ops.init_ops import Constant
from tfc.ops.nn_functions import bias_add
from tfc.ops.unary_api import sigmoid, tanh
from tfc.rnn.cell import RNNCell
from tfc.rnn.linear import Linear
from tfc.rnn.lstm_cells import LSTMStateTuple


class GLSTMCell(RNNCell):
    """An LSTM in number_of_groups groups: each takes its part of the columns of the inputs and of
    the last output, through `group<k>/kernel`, and gives its part of the gates, in the order
    i, j, f, o. All units have the biases `bias_i`, `bias_j`, `bias_f`, `bias_o`.

    num_proj: the output is mapped to this size by `projection/kernel`. initializer: of the
    matrices; biases start at zero. activation: of the memory, for the output.

    Raises:
      ValueError: num_units or num_proj, or, when called, the width of the inputs, which has to be
      known, is no multiple of number_of_groups.

    Source: O. Kuchaiev and B. Ginsburg, Factorization tricks for LSTM networks, 2017
    (arXiv:1703.10722); tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        initializer: Any = None,
        num_proj: int | None = None,
        number_of_groups: int = 1,
        forget_bias: float = 1.0,
        activation: Callable[..., Any] = tanh,
        reuse: bool | None = None,
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._num_proj = num_units, num_proj
        self._initializer, self._forget_bias = initializer, forget_bias
        self._activation, self._groups = activation, number_of_groups
        if num_units % number_of_groups:
            raise ValueError("num_units must be divisible by number_of_groups")
        if num_proj and num_proj % number_of_groups:
            raise ValueError("num_proj must be divisible by number_of_groups")
        self._output_size = num_proj or num_units
        self._linears: list[Linear | None] = [None] * number_of_groups
        self._projection: Linear | None = None

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._output_size)

    @property
    def output_size(self) -> Any:
        return self._output_size

    def call(self, inputs: Any, state: Any) -> Any:
        c_prev, m_prev = state
        batch, depth = inputs.get_shape().as_list()
        batch = batch or shape(inputs)[0]
        if depth is None:
            raise ValueError("input size must be statically known")
        if depth % self._groups:
            raise ValueError(
                f"input size ({depth}) must be divisible by number_of_groups ({self._groups})"
            )
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            parts = [self._gates_of(k, inputs, m_prev, batch, depth) for k in range(self._groups)]
            dtype = inputs.dtype.base_dtype
            biases = [
                get_variable(
                    name=f"bias_{gate}",
                    shape=[self._num_units],
                    dtype=dtype,
                    initializer=Constant(0.0, dtype=dtype),
                )
                for gate in "ijfo"
            ]
            i, j, f, o = (
                bias_add(concat(list(gate), axis=1), bias)
                for gate, bias in zip(zip(*parts, strict=True), biases, strict=True)
            )
        c = sigmoid(f + self._forget_bias) * c_prev + sigmoid(i) * tanh(j)
        m = sigmoid(o) * self._activation(c)
        if self._num_proj is not None:
            with variable_scope("projection"):
                if self._projection is None:
                    self._projection = Linear(m, self._num_proj, False)
                m = self._projection(m)
        return m, LSTMStateTuple(c, m)

    def _gates_of(
        self, group: int, inputs: Tensor, m_prev: Tensor, batch: Any, depth: int
    ) -> list[Tensor]:
        """The gates i, j, f, o of one group."""

        def part(x: Tensor, width: int) -> Tensor:
            name = f"GLSTM_group{group}_input_generation"
            return slice_(x, [0, group * width], [batch, width], name=name)

        with variable_scope(f"group{group}"):
            own = part(m_prev, self._output_size // self._groups)
            x = concat([part(inputs, depth // self._groups), own], axis=1)
            linear = self._linears[group]
            if linear is None:
                linear = Linear(x, 4 * self._num_units // self._groups, False)
                self._linears[group] = linear
            return split(linear(x), 4, 1)
