"""LSTMBlockCell, GRUBlockCell and GRUBlockCellV2: other names of variables for LSTM and GRU."""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import Tensor
from tfc.layers.base import Layer
from tfc.layers.input_spec import InputSpec
from tfc.ops.array_ops import concat, split, stop_gradient
from tfc.ops.clip_ops import clip_by_value
from tfc.ops.init_ops import Constant
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import bias_add
from tfc.ops.unary_api import sigmoid, tanh
from tfc.rnn.cell import LayerRNNCell, known_depth
from tfc.rnn.lstm_cells import LSTMStateTuple


class BlockLSTM(Layer):
    """The variables and the step of an LSTM: `kernel`, `bias` and peepholes, as LSTMCell."""

    _num_units: int
    _forget_bias: float
    _cell_clip: float | None
    _use_peephole: bool

    def build(self, input_shape: Any) -> None:
        depth, units = known_depth(input_shape), self._num_units
        self._kernel = self.add_weight("kernel", [depth + units, units * 4])
        self._bias = self.add_weight("bias", [units * 4], initializer=Constant(0.0))
        if self._use_peephole:
            self._w_i_diag, self._w_f_diag, self._w_o_diag = (
                self.add_weight(f"w_{gate}_diag", [units]) for gate in "ifo"
            )
        self.built = True

    def _step(self, inputs: Tensor, c_prev: Tensor, h_prev: Tensor) -> tuple[Tensor, Tensor]:
        """(c, h) after one step."""
        gates = bias_add(matmul(concat([inputs, h_prev], 1), self._kernel), self._bias)
        i, j, f, o = split(value=gates, num_or_size_splits=4, axis=1)
        f = f + self._forget_bias
        if self._use_peephole:
            i, f = i + self._w_i_diag * c_prev, f + self._w_f_diag * c_prev
        c = tanh(j) * sigmoid(i) + c_prev * sigmoid(f)
        if self._cell_clip is not None and self._cell_clip > 0:
            # TensorFlow's kernel passes gradients on to what is clipped as if it were not.
            bounded = clip_by_value(c, -self._cell_clip, self._cell_clip)
            c = stop_gradient(bounded) + (c - stop_gradient(c))
        if self._use_peephole:
            o = o + self._w_o_diag * c
        return c, tanh(c) * sigmoid(o)


class LSTMBlockCell(BlockLSTM, LayerRNNCell):
    """The LSTM of LSTMCell, under its names, so that each reads what the other wrote.

    cell_clip: a bound of the memory's absolute values; none if it is None or not positive.
    Gradients pass it as if it were not there.
    Source: tensorflow/contrib/rnn/python/ops/lstm_ops.py.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        cell_clip: float | None = None,
        use_peephole: bool = False,
        dtype: Any = None,
        reuse: bool | None = None,
        name: str = "lstm_cell",
    ):
        super().__init__(_reuse=reuse, dtype=dtype, name=name)
        self._num_units, self._forget_bias = num_units, forget_bias
        self._cell_clip, self._use_peephole = cell_clip, use_peephole
        self.input_spec: Any = InputSpec(ndim=2)

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    @property
    def output_size(self) -> Any:
        return self._num_units

    def call(self, inputs: Any, state: Any) -> Any:
        if len(state) != 2:
            raise ValueError("Expecting state to be a tuple with length 2.")
        c, h = self._step(inputs, *state)
        return h, LSTMStateTuple(c, h)


class GRUBlockCell(LayerRNNCell):
    """The GRU of GRUCell, with variables `w_ru`, `b_ru`, `w_c` and `b_c`.

    cell_size: an old name of num_units. Source: tensorflow/contrib/rnn/python/ops/gru_ops.py.
    """

    _names = ("w_ru", "b_ru", "w_c", "b_c")

    def __init__(
        self,
        num_units: int | None = None,
        cell_size: int | None = None,
        reuse: bool | None = None,
        name: str = "gru_cell",
    ):
        super().__init__(_reuse=reuse, name=name)
        if (cell_size is None) == (num_units is None):
            raise ValueError("Exactly one of num_units or cell_size must be provided.")
        self._cell_size: Any = cell_size if num_units is None else num_units
        self.input_spec: Any = InputSpec(ndim=2)

    @property
    def state_size(self) -> Any:
        return self._cell_size

    @property
    def output_size(self) -> Any:
        return self._cell_size

    def build(self, input_shape: Any) -> None:
        depth, units = known_depth(input_shape), self._cell_size
        gates, gates_bias, candidate, candidate_bias = self._names
        self._gate_kernel = self.add_weight(gates, [depth + units, units * 2])
        self._gate_bias = self.add_weight(gates_bias, [units * 2], initializer=Constant(1.0))
        self._candidate_kernel = self.add_weight(candidate, [depth + units, units])
        self._candidate_bias = self.add_weight(candidate_bias, [units], initializer=Constant(0.0))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        units = state.get_shape().with_rank(2)[1]
        if units != self._cell_size:
            raise ValueError(
                f"Shape of h_prev[1] incorrect: cell_size {self._cell_size} vs {units}"
            )
        gates = matmul(concat([inputs, state], 1), self._gate_kernel)
        r, u = split(value=sigmoid(bias_add(gates, self._gate_bias)), num_or_size_splits=2, axis=1)
        candidate = matmul(concat([inputs, r * state], 1), self._candidate_kernel)
        c = tanh(bias_add(candidate, self._candidate_bias))
        new_state = u * state + (1 - u) * c
        return new_state, new_state


class GRUBlockCellV2(GRUBlockCell):
    """GRUBlockCell with the variables' names of GRUCell."""

    _names = ("gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias")
