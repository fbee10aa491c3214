"""GridLSTMCell and BidirectionalGridLSTMCell: an LSTM through time and one through frequency."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tfc.framework.graph import Tensor
from tfc.framework.variable_scope import get_variable, variable_scope
from tfc.ops.array_ops import concat, constant, shape, slice_, split, zeros
from tfc.ops.init_ops import Zeros
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import bias_add
from tfc.ops.pad_ops import pad
from tfc.ops.unary_api import sigmoid, tanh
from tfc.rnn.cell import RNNCell
from tfc.rnn.contrib.coupled import clipped, sharded_matrix


class _Weights(NamedTuple):
    """Of one of the two LSTMs. peepholes: for a gate of "FIO" the weights of the memory through
    frequency and of that through time."""

    kernel: Any
    bias: Any
    peepholes: dict[str, tuple[Any, Any]]


class _Gates(NamedTuple):
    i: Tensor
    j: Tensor
    f: Tensor | None
    o: Tensor


class GridLSTMCell(RNNCell):
    """Two LSTMs, one through time and one through frequency, whose gates see the same: a window of
    the inputs, the output of the LSTM through time at this window, and that of the LSTM through
    frequency at the window before. Windows are feature_size columns wide and frequency_skip apart;
    the state is that through time, for every window (c, m); outputs are, for every window, that
    through time and that through frequency.

    num_frequency_blocks: how many windows each block of frequencies has; the LSTM through
    frequency starts anew with each block, and each has weights of its own (`W_f_0`, `B_f_0`,
    `W_t_0`, `B_t_0`, `W_f_1`, …). start_freqindex_list, end_freqindex_list: the columns where
    blocks start and end; without them there is one block, of all columns.

    use_peepholes: gates see the memories. share_time_frequency_weights: the LSTM through time has
    the weights of the other. couple_input_forget_gates: it forgets as much as it takes in.
    cell_clip: a bound of the memories' absolute values. num_unit_shards: how many variables a
    matrix is cut into. state_is_tuple: the state is a named tuple, `state_tuple_type`, with
    `state_f00_b00_c`, `state_f00_b00_m`, `state_f01_b00_c`, …; else a matrix, of whose columns all
    blocks read those that the first block would, as in TensorFlow. initializer: not used;
    variables start as their scope says.

    Raises:
      ValueError: there are no num_frequency_blocks; when called, the inputs' width is not known,
      or is not what num_frequency_blocks demands, or the lists differ in length.

    Source: N. Kalchbrenner et al., Grid long short-term memory, 2015 (arXiv:1507.01526);
    T. Sainath and B. Li, Modeling time-frequency patterns with LSTM vs. convolutional
    architectures for LVCSR tasks, 2016; tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        share_time_frequency_weights: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_unit_shards: int = 1,
        forget_bias: float = 1.0,
        feature_size: int | None = None,
        frequency_skip: int | None = None,
        num_frequency_blocks: Sequence[int] | None = None,
        start_freqindex_list: Sequence[int] | None = None,
        end_freqindex_list: Sequence[int] | None = None,
        couple_input_forget_gates: bool = False,
        state_is_tuple: bool = True,
        reuse: bool | None = None,
    ):
        super().__init__(_reuse=reuse)
        self._num_units, self._use_peepholes = num_units, use_peepholes
        self._shared, self._coupled = share_time_frequency_weights, couple_input_forget_gates
        self._cell_clip, self._num_unit_shards = cell_clip, num_unit_shards
        self._forget_bias, self._state_is_tuple = forget_bias, state_is_tuple
        self._feature_size: Any = feature_size
        self._frequency_skip: Any = frequency_skip
        self._starts = start_freqindex_list
        self._ends: Any = end_freqindex_list
        if num_frequency_blocks is None:
            raise ValueError("Must specify num_frequency_blocks")
        self._num_frequency_blocks = num_frequency_blocks
        self._total_blocks = sum(int(count) for count in num_frequency_blocks)
        self._state_tuple_type: Any = None
        self._state_size: Any = num_units * self._total_blocks * 2
        if state_is_tuple:
            self._name_states("GridLSTMStateTuple", ["state"])
        self._output_size = num_units * self._total_blocks * 2

    def _name_states(self, name: str, prefixes: Sequence[str]) -> None:
        """Make the type of the state, with two fields for each window of each prefix."""
        fields = [
            f"{_window_name(prefix, number, block)}_{part}"
            for prefix in prefixes
            for block, count in enumerate(self._num_frequency_blocks)
            for number in range(count)
            for part in "cm"
        ]
        self._state_tuple_type = collections.namedtuple(name, fields)  # type: ignore[misc]
        self._state_size = self._state_tuple_type(*[self._num_units] * len(fields))

    @property
    def output_size(self) -> Any:
        return self._output_size

    @property
    def state_size(self) -> Any:
        return self._state_size

    @property
    def state_tuple_type(self) -> Any:
        """The class of the state, None if it is a matrix."""
        return self._state_tuple_type

    def call(self, inputs: Any, state: Any) -> Any:
        blocks = self._windows(inputs)
        outputs, states = self._through(blocks, state, "state", _batch(inputs))
        if self._state_is_tuple:
            return concat(outputs, 1), self._state_tuple_type(*states)
        new_state = concat(states, 1)
        return concat(outputs, 1), new_state

    # ---- windows

    def _windows(self, inputs: Any, offset: int = 0) -> list[list[Tensor]]:
        """The windows of each block, `offset` columns further, with zeros beyond the inputs."""
        width = inputs.get_shape().with_rank(2).as_list()[-1]
        if width is None:
            raise ValueError("Cannot infer input_size from static shape inference.")
        if offset > 0:
            inputs = pad(inputs, constant([[0, 0], [0, offset]]))
        elif offset < 0:
            inputs, offset = pad(inputs, constant([[0, 0], [-offset, 0]])), 0
        blocks = []
        for (start, end), wanted in zip(
            self._spans(width), self._num_frequency_blocks, strict=True
        ):
            count = int((end - start - self._feature_size) / self._frequency_skip) + 1
            if count != wanted:
                raise ValueError(
                    f"Invalid num_frequency_blocks, requires {wanted} but gets {count}, please "
                    "check the input size and filter config are correct."
                )
            begins = [start + offset + f * self._frequency_skip for f in range(count)]
            blocks.append([slice_(inputs, [0, at], [-1, self._feature_size]) for at in begins])
        return blocks

    def _spans(self, width: int) -> list[tuple[int, int]]:
        """The columns where blocks start and end."""
        count, starts = len(self._num_frequency_blocks), self._starts
        if not starts:
            if count != 1:
                raise ValueError(f"Length of num_frequency_blocks is not 1, but instead is {count}")
            return [(0, width)]
        ends = self._ends
        if len(starts) != len(ends):
            raise ValueError(
                f"Length of start and end freqindex_list does not match {len(starts)} {len(ends)}"
            )
        if count != len(starts):
            raise ValueError(
                "Length of num_frequency_blocks is not equal to start_freqindex_list "
                f"{count} {len(starts)}"
            )
        return list(zip(starts, ends, strict=True))

    # ---- one step

    def _through(
        self, blocks: list[list[Tensor]], state: Any, prefix: str, batch: Any
    ) -> tuple[list[Tensor], list[Tensor]]:
        """(outputs, new states) of all windows."""
        outputs: list[Tensor] = []
        states: list[Tensor] = []
        for block, windows in enumerate(blocks):
            for m_time, m_freq, c_time in self._along(windows, block, state, prefix, batch):
                outputs += [m_time, m_freq]
                states += [c_time, m_time]
        return outputs, states

    def _along(
        self, windows: list[Tensor], block: int, state: Any, prefix: str, batch: Any
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """For each window of a block: both outputs, and the new memory through time."""
        units, dtype = self._num_units, windows[0].dtype.base_dtype
        depth: Any = windows[0].get_shape().as_list()[1]
        by_freq, by_time = self._weights(depth, block, dtype)
        m_beside, c_beside = zeros([batch, units], dtype), zeros([batch, units], dtype)
        for number, window in enumerate(windows):
            c_prev, m_prev = self._state_of(state, prefix, number, block)
            args = concat([window, m_prev, m_beside], 1)
            freq = self._gates(args, by_freq)
            time = freq if self._shared else self._gates(args, by_time)
            seen = (c_beside, c_prev)
            c_freq = self._memory(freq, by_freq, seen, c_beside)
            c_time = self._memory(time, by_time, seen, c_prev)
            seen = (c_freq, c_time)
            m_freq = sigmoid(_peeping(freq.o, by_freq, "O", seen)) * tanh(c_freq)
            m_time = sigmoid(_peeping(time.o, by_time, "O", seen)) * tanh(c_time)
            m_beside, c_beside = m_freq, c_freq
            yield m_time, m_freq, c_time

    def _state_of(self, state: Any, prefix: str, number: int, block: int) -> tuple[Tensor, Tensor]:
        if self._state_is_tuple:
            name = _window_name(prefix, number, block)
            return getattr(state, f"{name}_c"), getattr(state, f"{name}_m")
        units = self._num_units
        c = slice_(state, [0, 2 * number * units], [-1, units])
        return c, slice_(state, [0, (2 * number + 1) * units], [-1, units])

    def _weights(self, depth: int, block: int, dtype: Any) -> tuple[_Weights, _Weights]:
        """Of the LSTM through frequency and of that through time."""
        units = self._num_units
        width = (3 if self._coupled else 4) * units

        def matrix_and_bias(kind: str) -> tuple[Any, Any]:
            size = [depth + 2 * units, width]
            kernel = sharded_matrix(f"W_{kind}_{block}", size, dtype, self._num_unit_shards)
            bias = get_variable(
                f"B_{kind}_{block}", shape=[width], initializer=Zeros(), dtype=dtype
            )
            return kernel, bias

        def peepholes(kind: str) -> dict[str, tuple[Any, Any]]:
            if not self._use_peepholes:
                return {}

            def row(gate: str, seen: str) -> Any:
                name = f"W_{gate}_diag_{kind}{seen}_{block}"
                return get_variable(name, shape=[units], dtype=dtype)

            gates = "IO" if self._coupled else "FIO"
            return {gate: (row(gate, "f"), row(gate, "t")) for gate in gates}

        kernel, bias = matrix_and_bias("f")
        if self._shared:
            both = _Weights(kernel, bias, peepholes("freq"))
            return both, both
        other = matrix_and_bias("t")
        by_freq = _Weights(kernel, bias, peepholes("freq"))
        return by_freq, _Weights(*other, peepholes("time"))

    def _gates(self, args: Tensor, weights: _Weights) -> _Gates:
        count = 3 if self._coupled else 4
        gates = bias_add(matmul(args, weights.kernel), weights.bias)
        parts = split(value=gates, num_or_size_splits=count, axis=1)
        if self._coupled:
            i, j, o = parts
            return _Gates(i, j, None, o)
        return _Gates(*parts)

    def _memory(
        self, gates: _Gates, weights: _Weights, seen: tuple[Tensor, Tensor], own: Tensor
    ) -> Tensor:
        i = sigmoid(_peeping(gates.i, weights, "I", seen))
        if gates.f is None:
            f = 1.0 - i
        else:
            f = sigmoid(_peeping(gates.f + self._forget_bias, weights, "F", seen))
        return clipped(f * own + i * tanh(gates.j), self._cell_clip)


class BidirectionalGridLSTMCell(GridLSTMCell):
    """GridLSTMCell, and beside it another with weights of its own, whose LSTM through frequency
    goes from the last window of a block to the first; time goes forwards in both. Variables are in
    `fwd` and `bwd`; the state's fields are `fwd_state_f00_b00_c`, …, `bwd_state_f00_b00_c`, …

    backward_slice_offset: how many columns further the windows of the second lie; where there are
    no inputs they are zero. Other arguments are those of GridLSTMCell, without state_is_tuple.

    Source: as GridLSTMCell.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        share_time_frequency_weights: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_unit_shards: int = 1,
        forget_bias: float = 1.0,
        feature_size: int | None = None,
        frequency_skip: int | None = None,
        num_frequency_blocks: Sequence[int] | None = None,
        start_freqindex_list: Sequence[int] | None = None,
        end_freqindex_list: Sequence[int] | None = None,
        couple_input_forget_gates: bool = False,
        backward_slice_offset: int = 0,
        reuse: bool | None = None,
    ):
        super().__init__(
            num_units,
            use_peepholes,
            share_time_frequency_weights,
            cell_clip,
            initializer,
            num_unit_shards,
            forget_bias,
            feature_size,
            frequency_skip,
            num_frequency_blocks,
            start_freqindex_list,
            end_freqindex_list,
            couple_input_forget_gates,
            True,
            reuse,
        )
        self._backward_slice_offset = int(backward_slice_offset)
        self._name_states("BidirectionalGridLSTMStateTuple", ["fwd_state", "bwd_state"])
        self._output_size *= 2

    def call(self, inputs: Any, state: Any) -> Any:
        batch = _batch(inputs)
        forwards = self._windows(inputs)
        backwards = forwards
        if self._backward_slice_offset:
            backwards = self._windows(inputs, self._backward_slice_offset)
        with variable_scope("fwd"):
            outputs, states = self._through(forwards, state, "fwd_state", batch)
        with variable_scope("bwd"):
            turned = [windows[::-1] for windows in backwards]
            more_outputs, more_states = self._through(turned, state, "bwd_state", batch)
        new_state = self._state_tuple_type(*states, *more_states)
        return concat(outputs + more_outputs, 1), new_state


def _window_name(prefix: str, number: int, block: int) -> str:
    return f"{prefix}_f{number:02}_b{block:02}"


def _batch(inputs: Tensor) -> Any:
    """The number of rows, a tensor if it is not known."""
    return inputs.get_shape().as_list()[0] or shape(inputs)[0]


def _peeping(x: Tensor, weights: _Weights, gate: str, seen: tuple[Tensor, Tensor]) -> Tensor:
    """A gate that sees the memories, if there are weights for it."""
    for weight, memory in zip(weights.peepholes.get(gate, ()), seen, strict=False):
        x = x + weight * memory
    return x
