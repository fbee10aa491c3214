"""LSTMBlockFusedCell: an LSTM over a whole sequence."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import convert_to_tensor
from tfc.layers.input_spec import InputSpec
from tfc.ops.array_ops import shape, stack, zeros
from tfc.ops.cast_ops import cast
from tfc.rnn.block_cells import BlockLSTM
from tfc.rnn.dynamic import time_loop
from tfc.rnn.lstm_cells import LSTMStateTuple


class LSTMBlockFusedCell(BlockLSTM):
    """The LSTM of LSTMCell for inputs of shape [time, batch, depth].

    Called as `cell(inputs, initial_state=None, dtype=None, sequence_length=None)`, it returns
    (outputs of shape [time, batch, num_units], the last state as an LSTMStateTuple). Outputs
    beyond the lengths are zero, and the state is that of the last step within.

    Raises, when called:
      ValueError: neither initial_state nor dtype is given, or the state is no pair.

    Source: tensorflow/contrib/rnn/python/ops/lstm_ops.py.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        cell_clip: float | None = None,
        use_peephole: bool = False,
        reuse: bool | None = None,
        dtype: Any = None,
        name: str = "lstm_fused_cell",
    ):
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._num_units, self._forget_bias = num_units, forget_bias
        self._cell_clip, self._use_peephole = cell_clip, use_peephole
        self.input_spec: Any = InputSpec(ndim=3)

    @property
    def num_units(self) -> int:
        return self._num_units

    def call(
        self,
        inputs: Any,
        initial_state: Any = None,
        dtype: Any = None,
        sequence_length: Any = None,
    ) -> Any:
        known = inputs.get_shape().with_rank(3)
        if initial_state is None:
            if dtype is None:
                raise ValueError("Either initial_state or dtype needs to be specified")
            batch = known.as_list()[1]
            if batch is None:
                batch = shape(inputs)[1]
            start = zeros(stack([batch, self._num_units]), dtype=dtype)
            initial_state = (start, start)
        if len(initial_state) != 2:
            raise ValueError("Expecting initial_state to be a tuple with length 2 or None")
        c, h = (convert_to_tensor(part) for part in initial_state)
        lengths = None if sequence_length is None else cast(sequence_length, dtypes.int32)

        def step(x: Any, state: Any) -> Any:
            new_c, new_h = self._step(x, *state)
            return new_h, LSTMStateTuple(new_c, new_h)

        return time_loop(
            step, inputs, [inputs], LSTMStateTuple(c, h), self._num_units, lengths, h.dtype
        )
