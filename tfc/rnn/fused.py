"""Networks over a whole sequence: FusedRNNCell, its adaptors, LSTMBlockWrapper and
LSTMBlockFusedCell."""

from __future__ import annotations

import abc
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.layers.base import Layer
from tfc.layers.input_spec import InputSpec
from tfc.ops.array_ops import (
    concat,
    expand_dims,
    fill,
    gather_nd,
    shape,
    stack,
    tile,
    transpose,
    unstack,
    zeros,
)
from tfc.ops.cast_ops import cast
from tfc.ops.reduction_ops import reduce_max
from tfc.ops.reverse_ops import reverse, reverse_sequence, sequence_mask
from tfc.ops.scan_ops import range_
from tfc.rnn.block_cells import BlockLSTM
from tfc.rnn.dynamic import dynamic_rnn, time_loop
from tfc.rnn.lstm_cells import LSTMStateTuple
from tfc.rnn.static import static_rnn


class FusedRNNCell(abc.ABC):
    """A recurrent network over a whole sequence: what `__call__` of a subclass computes.

    Source: tensorflow/contrib/rnn/python/ops/fused_rnn_cell.py.
    """

    @abc.abstractmethod
    def __call__(
        self,
        inputs: Any,
        initial_state: Any = None,
        dtype: Any = None,
        sequence_length: Any = None,
        scope: Any = None,
    ) -> Any:
        """The network applied to inputs of shape [time, batch, depth], or to a list of steps.

        initial_state: zeros of `dtype` without it. sequence_length: of each row of the batch.
        scope: the variable scope.

        Returns (outputs, a tensor or a list as the inputs are; the last state).
        """


class FusedRNNCellAdaptor(FusedRNNCell):
    """`cell`, an RNNCell, as a network over a whole sequence.

    use_dynamic_rnn: whether it is a loop (`tf.nn.dynamic_rnn`), else its steps are unrolled
    (`static_rnn`), for which the number of steps has to be known.

    Raises, when called: as these.

    Source: as FusedRNNCell.
    """

    def __init__(self, cell: Any, use_dynamic_rnn: bool = False):
        self._cell, self._use_dynamic_rnn = cell, use_dynamic_rnn

    def __call__(
        self,
        inputs: Any,
        initial_state: Any = None,
        dtype: Any = None,
        sequence_length: Any = None,
        scope: Any = None,
    ) -> Any:
        is_list = isinstance(inputs, list)
        if self._use_dynamic_rnn:
            outputs, state = dynamic_rnn(
                self._cell,
                stack(inputs) if is_list else inputs,
                sequence_length=sequence_length,
                initial_state=initial_state,
                dtype=dtype,
                time_major=True,
                scope=scope,
            )
            return (unstack(outputs) if is_list else outputs), state
        outputs, state = static_rnn(
            self._cell,
            inputs if is_list else unstack(inputs),
            initial_state=initial_state,
            dtype=dtype,
            sequence_length=sequence_length,
            scope=scope,
        )
        return (outputs if is_list else stack(outputs)), state


class TimeReversedFusedRNN(FusedRNNCell):
    """`cell`, a FusedRNNCell or LSTMBlockFusedCell, from the end of the inputs to their beginning;
    outputs are in the order of the inputs. With lengths each row of a tensor is turned within its
    own; lists of steps are turned as a whole.

    Source: as FusedRNNCell.
    """

    def __init__(self, cell: Any):
        self._cell = cell

    def __call__(
        self,
        inputs: Any,
        initial_state: Any = None,
        dtype: Any = None,
        sequence_length: Any = None,
        scope: Any = None,
    ) -> Any:
        outputs, state = self._cell(
            _turned(inputs, sequence_length),
            initial_state=initial_state,
            dtype=dtype,
            sequence_length=sequence_length,
            scope=scope,
        )
        return _turned(outputs, sequence_length), state


def _turned(steps: Any, lengths: Any) -> Any:
    if isinstance(steps, list):
        return steps[::-1]
    if lengths is None:
        return reverse(steps, [0])
    return reverse_sequence(steps, lengths, seq_axis=0, batch_axis=1)


class LSTMBlockWrapper(Layer, abc.ABC):
    """What LSTMs over a whole sequence share. A subclass says in `_call_cell(inputs,
    initial_cell_state, initial_output, dtype, sequence_length)` which memories and outputs there
    are after each step, both of shape [time, batch, num_units], and in `num_units` how many.

    Called as `cell(inputs, initial_state=None, dtype=None, sequence_length=None)` with inputs of
    shape [time, batch, depth] or a list of steps, it returns (outputs, the last state as an
    LSTMStateTuple). Outputs beyond the lengths are zero, and the state is that of the last step
    within, the initial one for a length of 0.

    Raises, when called:
      ValueError: neither initial_state nor dtype is given, the state is no pair, or inputs have no
      known depth.

    Source: tensorflow/contrib/rnn/python/ops/lstm_ops.py.
    """

    @property
    @abc.abstractmethod
    def num_units(self) -> int:
        """The number of units, which is the width of memory and outputs."""

    @abc.abstractmethod
    def _call_cell(
        self,
        inputs: Any,
        initial_cell_state: Any,
        initial_output: Any,
        dtype: Any,
        sequence_length: Any,
    ) -> Any:
        """(memories, outputs) of all steps."""

    def _start(self, inputs: Any, initial_state: Any, dtype: Any) -> tuple[Any, Any, Any]:
        """The memory and the output before the first step, and the dtype of the masks."""
        if initial_state is None:
            if dtype is None:
                raise ValueError("Either initial_state or dtype needs to be specified")
            start = zeros(stack([_extent(inputs, 1), self.num_units]), dtype=dtype)
            return start, start, dtype
        if len(initial_state) != 2:
            raise ValueError("Expecting initial_state to be a tuple with length 2 or None")
        c, h = (convert_to_tensor(part) for part in initial_state)
        return c, h, dtype or c.dtype

    def call(
        self,
        inputs: Any,
        initial_state: Any = None,
        dtype: Any = None,
        sequence_length: Any = None,
    ) -> Any:
        is_list = isinstance(inputs, list)
        if is_list:
            inputs = stack(inputs)
        known = inputs.get_shape().with_rank(3)
        if not known.as_list()[2]:
            raise ValueError(f"Expecting inputs_shape[2] to be set: {known}")
        c, h, dtype = self._start(inputs, initial_state, dtype)
        if sequence_length is not None:
            sequence_length = convert_to_tensor(sequence_length)
        memories, outputs = self._call_cell(inputs, c, h, dtype, sequence_length)
        if sequence_length is None:
            state = LSTMStateTuple(memories[-1], outputs[-1])
        else:
            mask = sequence_mask(sequence_length, _extent(inputs, 0), dtype=dtype)
            mask = expand_dims(transpose(mask, [1, 0]), [-1])
            outputs = outputs * tile(mask, [1, 1, self.num_units])
            rows = range_(_extent(inputs, 1))
            # The state before the first step stands at 0, that after `length` steps at length.
            places = stack([cast(sequence_length, dtypes.int32), rows], axis=1)
            state = LSTMStateTuple(
                *(
                    gather_nd(concat([expand_dims(first, [0]), later], 0), places)
                    for first, later in ((c, memories), (h, outputs))
                )
            )
        return (unstack(outputs) if is_list else outputs), state


def _extent(x: Tensor, axis: int) -> Any:
    """A number if it is known, else a tensor."""
    known = x.get_shape().as_list()[axis]
    return shape(x)[axis] if known is None else known


class LSTMBlockFusedCell(BlockLSTM, LSTMBlockWrapper):
    """The LSTM of LSTMCell for inputs of shape [time, batch, depth].

    Called as LSTMBlockWrapper says, but for lists: `cell(inputs, initial_state=None, dtype=None,
    sequence_length=None)`.

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
        # The loop passes states and zeros on beyond the lengths: no memories are kept for that.
        c, h, _ = self._start(inputs, initial_state, dtype)
        lengths = None if sequence_length is None else cast(sequence_length, dtypes.int32)

        def step(x: Any, state: Any) -> Any:
            new_c, new_h = self._step(x, *state)
            return new_h, LSTMStateTuple(new_c, new_h)

        return time_loop(
            step, inputs, [inputs], LSTMStateTuple(c, h), self._num_units, lengths, h.dtype
        )

    def _call_cell(
        self,
        inputs: Any,
        initial_cell_state: Any = None,
        initial_output: Any = None,
        dtype: Any = None,
        sequence_length: Any = None,
    ) -> Any:
        units, lengths = self._num_units, None
        if sequence_length is not None:
            # Every row goes on to the end of the longest.
            longest = cast(reduce_max(sequence_length), dtypes.int32)
            lengths = fill([_extent(inputs, 1)], longest)

        def step(x: Any, state: Any) -> Any:
            new = self._step(x, *state)
            return new, new

        start = (initial_cell_state, initial_output)
        both, _ = time_loop(step, inputs, [inputs], start, (units, units), lengths, start[1].dtype)
        return both
