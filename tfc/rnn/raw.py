"""tf.nn.raw_rnn: a loop over time that a function steers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import dtypes, nest
from tfc.base.shapes import Dimension
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.framework.variable_scope import variable_scope
from tfc.ops.array_ops import constant, shape, zeros
from tfc.ops.compare_ops import logical_not, logical_or
from tfc.ops.reduction_ops import reduce_all
from tfc.ops.tensor_array import TensorArray
from tfc.ops.while_functions import while_loop
from tfc.rnn.cell import check_cell
from tfc.rnn.shapes import joined, joined_static
from tfc.rnn.steps import copy_through


def raw_rnn(
    cell: Any,
    loop_fn: Callable[[Any, Any, Any, Any], Any],
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    scope: Any = None,
) -> Any:
    """`cell` in a loop whose inputs, states and outputs `loop_fn` decides.

    loop_fn: a function of (time, cell_output, cell_state, loop_state) that returns
    (elements_finished, next_input, next_cell_state, emit_output, next_loop_state). It is first
    called with time 0 and None for the rest: then next_cell_state is the initial state,
    emit_output has the shapes and dtypes of what is emitted (None: the cell's output), and
    next_loop_state may be None, for none.
    The loop ends when all elements_finished are true. What is emitted by elements that have
    finished is zero, and their state stays.

    Returns (TensorArrays with what was emitted, the last cell state, the last loop state).
    Variables are in the scope "rnn", or `scope`.

    Raises:
      TypeError: `cell` is no cell, or `loop_fn` no function.
      ValueError: what `loop_fn` returns changes its structure, or batch sizes differ.
    """
    check_cell("cell", cell)
    if not callable(loop_fn):
        raise TypeError("loop_fn must be a callable")
    with variable_scope(scope or "rnn"):
        time = constant(0, dtype=dtypes.int32)
        finished, given, state, emitted, first_loop_state = loop_fn(time, None, None, None)
        loop_state = constant(0) if first_loop_state is None else first_loop_state
        batch, batch_size = _batch(nest.flatten(given))
        nest.check_same(state, cell.state_size)
        state = nest.map_leaves(convert_to_tensor, state)
        form, arrays, zero = _emits(cell, emitted, state, batch, batch_size)

        def body(
            time: Tensor, finished: Any, given: Any, arrays: Any, state: Any, loop_state: Any
        ) -> Any:
            output, cell_state = cell(given, state)
            nest.check_same(state, cell_state)
            nest.check_same(cell.output_size, output)
            done, next_input, next_state, emit, next_loop_state = loop_fn(
                time + 1, output, cell_state, loop_state
            )
            nest.check_same(state, next_state)
            nest.check_same(given, next_input)
            nest.check_same(form, emit)
            emit = copy_through(finished, zero, emit)
            next_state = copy_through(finished, state, next_state)
            arrays = nest.map_leaves(lambda kept, x: kept.write(time, x), arrays, emit)
            kept_state = loop_state if next_loop_state is None else next_loop_state
            return time + 1, logical_or(finished, done), next_input, arrays, next_state, kept_state

        returned = while_loop(
            lambda time, finished, *_: logical_not(reduce_all(finished)),
            body,
            [time, finished, given, arrays, state, loop_state],
        )
        arrays, state, loop_state = returned[-3:]
        return arrays, state, None if first_loop_state is None else loop_state


def _batch(flat: list[Tensor]) -> tuple[int | None, Any]:
    """The batch size if it is known, and a number or tensor of it."""
    dim = Dimension(None)
    for value in flat:
        if value.get_shape().ndims:
            dim = dim.merge_with(value.get_shape()[0])
    return dim.value, shape(flat[0])[0] if dim.value is None else dim.value


def _emits(
    cell: Any, emitted: Any, state: Any, batch: int | None, batch_size: Any
) -> tuple[Any, Any, Any]:
    """Of what is emitted: a structure like it, its TensorArrays, and zeros for one step."""
    if emitted is None:
        form = cell.output_size
        sizes = nest.flatten(form)
        kinds = [nest.flatten(state)[0].dtype] * len(sizes)
    else:
        form = emitted
        leaves = nest.flatten(emitted)
        sizes = [x.get_shape() if x.get_shape().is_fully_defined() else shape(x) for x in leaves]
        kinds = [x.dtype for x in leaves]
    arrays = [
        TensorArray(
            dtype=kind,
            dynamic_size=True,
            element_shape=joined_static(batch, size),
            size=0,
            name=f"rnn_output_{i}",
        )
        for i, (kind, size) in enumerate(zip(kinds, sizes, strict=True))
    ]
    zero = [zeros(joined(batch_size, size), kind) for size, kind in zip(sizes, kinds, strict=True)]
    return form, nest.pack(form, arrays), nest.pack(form, zero)
