"""Layers of networks that run both ways, each upon the outputs of the one below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.framework.variable_scope import variable_scope
from tfc.ops.array_ops import concat
from tfc.rnn.dynamic import bidirectional_dynamic_rnn
from tfc.rnn.static import static_bidirectional_rnn


def stack_bidirectional_rnn(
    cells_fw: Any,
    cells_bw: Any,
    inputs: Any,
    initial_states_fw: Any = None,
    initial_states_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> Any:
    """`static_bidirectional_rnn` with a pair of cells for each layer.

    cells_fw, cells_bw, initial_states_fw, initial_states_bw: lists with an entry for each layer.

    Returns (the outputs of the last layer, the states forwards, the states backwards).

    Raises:
      ValueError: these are no lists, are empty, or of different lengths.
    """

    def layer(below: Any, fw: Any, bw: Any, state_fw: Any, state_bw: Any, scope: Any) -> Any:
        return static_bidirectional_rnn(
            fw, bw, below, state_fw, state_bw, dtype, sequence_length, scope
        )

    return _stacked(layer, inputs, cells_fw, cells_bw, initial_states_fw, initial_states_bw, scope)


def stack_bidirectional_dynamic_rnn(
    cells_fw: Any,
    cells_bw: Any,
    inputs: Any,
    initial_states_fw: Any = None,
    initial_states_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    parallel_iterations: int | None = None,
    time_major: bool = False,
    scope: Any = None,
    swap_memory: bool = False,
) -> Any:
    """`bidirectional_dynamic_rnn` with a pair of cells for each layer. Arguments, results and
    errors are those of `stack_bidirectional_rnn`."""

    def layer(below: Any, fw: Any, bw: Any, state_fw: Any, state_bw: Any, scope: Any) -> Any:
        outputs, states = bidirectional_dynamic_rnn(
            fw, bw, below, sequence_length, state_fw, state_bw, dtype, parallel_iterations,
            swap_memory, time_major,
        )  # fmt: skip
        return concat(outputs, 2), *states

    return _stacked(layer, inputs, cells_fw, cells_bw, initial_states_fw, initial_states_bw, scope)


def _stacked(
    layer: Callable[..., Any],
    inputs: Any,
    cells_fw: Any,
    cells_bw: Any,
    starts_fw: Any,
    starts_bw: Any,
    scope: Any,
) -> Any:
    for name, cells in (("fw", cells_fw), ("bw", cells_bw)):
        if not cells:
            raise ValueError(f"Must specify at least one {name} cell for BidirectionalRNN.")
        if not isinstance(cells, list):
            raise ValueError(f"cells_{name} must be a list of RNNCells (one per layer).")
    if len(cells_fw) != len(cells_bw):
        raise ValueError("Forward and Backward cells must have the same depth.")
    for name, starts in (("fw", starts_fw), ("bw", starts_bw)):
        if starts is not None and (not isinstance(starts, list) or len(starts) != len(cells_fw)):
            raise ValueError(
                f"initial_states_{name} must be a list of state tensors (one per layer)."
            )
    none = [None] * len(cells_fw)
    rows = zip(cells_fw, cells_bw, starts_fw or none, starts_bw or none, strict=True)
    states_fw, states_bw = [], []
    with variable_scope(scope or "stack_bidirectional_rnn"):
        for number, row in enumerate(rows):
            with variable_scope(f"cell_{number}") as opened:
                inputs, state_fw, state_bw = layer(inputs, *row, opened)
            states_fw.append(state_fw)
            states_bw.append(state_bw)
    return inputs, tuple(states_fw), tuple(states_bw)
