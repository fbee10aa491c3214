"""Cells around cells: MultiRNNCell, ResidualWrapper, DeviceWrapper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import nest
from tfc.framework.graph import device, name_scope
from tfc.framework.variable_scope import variable_scope
from tfc.ops.array_ops import concat, slice_
from tfc.rnn.cell import RNNCell, check_cell


class MultiRNNCell(RNNCell):
    """Cells one upon the other: the output of each is the input of the next.

    cells: of the layers, from the input on. state_is_tuple: whether the state is the tuple of
    their states, else these side by side.

    Raises:
      ValueError: there are no cells, or their states are tuples that cannot stand side by side.
      TypeError: `cells` is no list or tuple.

    Source: tensorflow/python/ops/rnn_cell_impl.py.
    """

    def __init__(self, cells: Sequence[Any], state_is_tuple: bool = True):
        super().__init__()
        if not cells:
            raise ValueError("Must specify at least one cell for MultiRNNCell.")
        if not nest.is_sequence(cells):
            raise TypeError(f"cells must be a list or tuple, but saw: {cells}.")
        self._cells, self._state_is_tuple = cells, state_is_tuple
        if not state_is_tuple and any(nest.is_sequence(c.state_size) for c in cells):
            raise ValueError(
                "Some cells return tuples of states, but the flag state_is_tuple is not set.  "
                f"State sizes are: {[c.state_size for c in cells]}"
            )

    @property
    def state_size(self) -> Any:
        if self._state_is_tuple:
            return tuple(cell.state_size for cell in self._cells)
        return sum(cell.state_size for cell in self._cells)

    @property
    def output_size(self) -> Any:
        return self._cells[-1].output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState"):
            if self._state_is_tuple:
                return tuple(cell.zero_state(batch_size, dtype) for cell in self._cells)
            return super().zero_state(batch_size, dtype)

    def call(self, inputs: Any, state: Any) -> Any:
        at, states = 0, []
        for number, cell in enumerate(self._cells):
            with variable_scope(f"cell_{number}"):
                if not self._state_is_tuple:
                    part = slice_(state, [0, at], [-1, cell.state_size])
                    at += cell.state_size
                elif nest.is_sequence(state):
                    part = state[number]
                else:
                    raise ValueError(
                        f"Expected state to be a tuple of length {len(self.state_size)}, but "
                        f"received: {state}"
                    )
                inputs, new_state = cell(inputs, part)
                states.append(new_state)
        return inputs, tuple(states) if self._state_is_tuple else concat(states, 1)


class CellWrapper(RNNCell):
    """A cell that does something before or after `cell`, and has its variables, under its names."""

    def __init__(self, cell: Any, **kwargs: Any):
        super().__init__(**kwargs)
        check_cell("cell", cell)
        self.cell = cell

    def __call__(self, inputs: Any, state: Any, scope: Any = None, **kwargs: Any) -> Any:
        return self._step(inputs, state, scope)

    def _step(self, inputs: Any, state: Any, scope: Any) -> Any:
        raise NotImplementedError

    @property
    def wrapped_cell(self) -> Any:
        return self.cell

    @property
    def state_size(self) -> Any:
        return self.cell.state_size

    @property
    def output_size(self) -> Any:
        return self.cell.output_size

    def build(self, input_shape: Any) -> None:
        self.cell.build(input_shape)
        self.built = True

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState"):
            return self.cell.zero_state(batch_size, dtype)


class ResidualWrapper(CellWrapper):
    """`cell`, with the inputs added to its outputs, or with `residual_fn(inputs, outputs)` of them.

    Raises, when called:
      TypeError, ValueError: inputs and outputs are of two structures or shapes.
    """

    def __init__(
        self, cell: Any, residual_fn: Callable[[Any, Any], Any] | None = None, **kwargs: Any
    ):
        super().__init__(cell, **kwargs)
        self._residual_fn = residual_fn

    def _step(self, inputs: Any, state: Any, scope: Any) -> Any:
        outputs, new_state = self.cell(inputs, state, scope=scope)
        return (self._residual_fn or _sums)(inputs, outputs), new_state


def _sums(inputs: Any, outputs: Any) -> Any:
    def summed(x: Any, y: Any) -> Any:
        x.get_shape().assert_is_compatible_with(y.get_shape())
        return x + y

    return nest.map_leaves(summed, inputs, outputs)


class DeviceWrapper(CellWrapper):
    """`cell`, with its ops on `device`."""

    def __init__(self, cell: Any, device: Any, **kwargs: Any):
        super().__init__(cell, **kwargs)
        self._device = device

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState"), device(self._device):
            return self.cell.zero_state(batch_size, dtype)

    def _step(self, inputs: Any, state: Any, scope: Any) -> Any:
        with device(self._device):
            return self.cell(inputs, state, scope=scope)
