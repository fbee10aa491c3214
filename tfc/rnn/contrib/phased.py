"""PhasedLSTMCell: an LSTM whose units are open at times of their own."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor
from tfc.framework.variable_scope import get_variable, variable_scope
from tfc.ops.array_ops import split, stop_gradient
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import where
from tfc.ops.init_ops import Constant, RandomUniform
from tfc.ops.random_ops import random_uniform
from tfc.ops.sum_ops import mod
from tfc.ops.unary_api import exp, log, sigmoid, tanh
from tfc.rnn.cell import RNNCell
from tfc.rnn.linear import Linear
from tfc.rnn.lstm_cells import LSTMStateTuple


class PhasedLSTMCell(RNNCell):
    """An LSTM for inputs at any times: a pair (time, x), where time is of shape [batch, 1]. A unit
    takes part in the step as far as it is open, `k`, which depends on where the time lies in the
    unit's cycle, `((time - phase) mod period) / period`: in the first ratio_on of it `k` rises to
    1 and falls to 0, and beyond that it is `leak` times the place in the cycle. What is not open
    keeps its state.

    use_peepholes: whether the gates see the memory. ratio_on: where the variable of the same name
    starts; trainable_ratio_on: whether it is trained. period_init_min, period_init_max: floats
    between which periods start, their logarithms uniform; phases start uniform below the period.

    The state is float32; time is float32 or float64.

    Source: D. Neil, M. Pfeiffer, S. Liu, Phased LSTM, 2016 (arXiv:1610.09513);
    tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        leak: float = 0.001,
        ratio_on: float = 0.1,
        trainable_ratio_on: bool = True,
        period_init_min: float = 1.0,
        period_init_max: float = 1000.0,
        reuse: bool | None = None,
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._use_peepholes = num_units, use_peepholes
        self._leak, self._ratio_on = leak, ratio_on
        self._trainable_ratio_on = trainable_ratio_on
        self._period_init = (period_init_min, period_init_max)
        self._linears: dict[str, Linear] = {}

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    @property
    def output_size(self) -> Any:
        return self._num_units

    def _linear(self, name: str, args: list[Tensor], width: int) -> Tensor:
        if name not in self._linears:
            self._linears[name] = Linear(args, width, True)
        return self._linears[name](args)

    def call(self, inputs: Any, state: Any) -> Any:
        c_prev, h_prev = state
        time, x = inputs
        units = self._num_units
        seen = [x, h_prev]
        with variable_scope("mask_gates"):
            masked = [*seen, c_prev] if self._use_peepholes else seen
            gates = sigmoid(self._linear("mask_gates", masked, 2 * units))
            i, f = split(axis=1, num_or_size_splits=2, value=gates)
        with variable_scope("new_input"):
            j = tanh(self._linear("new_input", seen, units))
        new_c = c_prev * f + i * j
        with variable_scope("output_gate"):
            masked = [*seen, new_c] if self._use_peepholes else seen
            o = sigmoid(self._linear("output_gate", masked, units))
        new_h = tanh(new_c) * o
        k = self._openness(time)
        new_c = k * new_c + (1 - k) * c_prev
        new_h = k * new_h + (1 - k) * h_prev
        return new_h, LSTMStateTuple(new_c, new_h)

    def _openness(self, time: Tensor) -> Tensor:
        shape = [self._num_units]
        period = get_variable("period", shape, initializer=self._first_periods)
        phase = get_variable("phase", shape, initializer=RandomUniform(0.0, period.initial_value))
        ratio_on = get_variable(
            "ratio_on",
            shape,
            initializer=Constant(self._ratio_on),
            trainable=self._trainable_ratio_on,
        )
        shifted = time - cast(phase, time.dtype)
        cycle = cast(period, time.dtype)
        # The remainder has the gradient of its first argument alone.
        place = stop_gradient(mod(shifted, cycle) - shifted) + shifted
        ratio = cast(place / cycle, dtypes.float32)
        rising = 2 * ratio / ratio_on
        k = where(ratio < ratio_on, 2 - rising, self._leak * ratio)
        return where(ratio < 0.5 * ratio_on, rising, k)

    def _first_periods(self, shape: Any, dtype: Any = dtypes.float32) -> Tensor:
        low, high = self._period_init
        return exp(random_uniform(shape, log(low), log(high), dtype))
