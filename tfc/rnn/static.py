"""tf.nn.static_rnn and what is made of it: networks unrolled in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc.base import dtypes, nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, control_dependencies, convert_to_tensor
from tfc.framework.variable_scope import variable_scope
from tfc.ops.array_ops import concat, identity, shape, stack, unstack
from tfc.ops.cast_ops import cast
from tfc.ops.reverse_ops import reverse_sequence
from tfc.rnn.cell import check_cell
from tfc.rnn.shapes import joined_static, state_dtype, zeros_of
from tfc.rnn.steps import copy_through


def static_rnn(
    cell: Any,
    inputs: Sequence[Any],
    initial_state: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> Any:
    """`cell` applied to each of `inputs`, one after the other.

    inputs: a list with a tensor of shape [batch, depth] (or a structure of such) for each step.
    initial_state: by default zeros of `dtype`. sequence_length: how many steps there are for each
    row of the batch; beyond it the outputs are zero, and the state stays.

    Returns (a list of the outputs, the last state). Variables are in the scope "rnn", or `scope`.

    Raises:
      TypeError: `cell` is no cell, or `inputs` no list.
      ValueError: there are no inputs, their depth is not known, or neither state nor dtype is
      given.
    """
    _check_arguments(inputs, cell=cell)
    with variable_scope(scope or "rnn") as opened:
        batch = _static_batch(inputs)
        first = nest.flatten(inputs)[0]
        batch_size = shape(first)[0] if batch is None else batch
        state = initial_state
        if state is None:
            if not dtype:
                raise ValueError("If no initial_state is provided, dtype must be specified")
            state = initial_state_of(cell, batch_size, dtype)
        zero_output: Any = None
        if sequence_length is not None:
            sequence_length = _lengths(sequence_length)
            zero_output = zeros_of(cell.output_size, batch_size, state_dtype(dtype, state))
            for made, size in zip(
                nest.flatten(zero_output), nest.flatten(cell.output_size), strict=True
            ):
                made.set_shape(joined_static(batch, size))
        outputs = []
        for time, value in enumerate(inputs):
            if time > 0:
                opened.reuse_variables()
            output, new_state = cell(value, state)
            if sequence_length is not None:
                finished = time >= sequence_length
                output = copy_through(finished, zero_output, output)
                new_state = copy_through(finished, state, new_state)
            state = new_state
            outputs.append(output)
        return outputs, state


def initial_state_of(cell: Any, batch_size: Any, dtype: Any) -> Any:
    """The state that `cell` starts in."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(inputs=None, batch_size=batch_size, dtype=dtype)
    return cell.zero_state(batch_size, dtype)


def _check_arguments(inputs: Any, **cells: Any) -> None:
    for name, cell in cells.items():
        check_cell(name, cell)
    if not nest.is_sequence(inputs):
        raise TypeError("inputs must be a sequence")
    if not inputs:
        raise ValueError("inputs must not be empty")


def _static_batch(inputs: Any) -> int | None:
    """The batch size, if the inputs say it. A vector for each step is a batch of numbers."""
    flat = nest.flatten(inputs)
    if flat[0].get_shape().ndims == 1:
        return flat[0].get_shape().as_list()[0]
    batch = flat[0].get_shape().with_rank_at_least(2).dims[0]
    for value in flat:
        known = value.get_shape().with_rank_at_least(2)
        batch.assert_is_compatible_with(known.dims[0])
        for axis, size in enumerate(known.as_list()[1:]):
            if size is None:
                raise ValueError(
                    f"Input size (dimension {axis} of inputs) must be accessible via shape "
                    "inference, but saw value None."
                )
    extent: int | None = batch.value
    return extent


def _lengths(given: Any) -> Tensor:
    lengths = convert_to_tensor(given, name="sequence_length")
    if lengths.get_shape().ndims not in (None, 1):
        raise ValueError("sequence_length must be a vector of length batch_size")
    return cast(lengths, dtypes.int32)


def static_state_saving_rnn(
    cell: Any,
    inputs: Sequence[Any],
    state_saver: Any,
    state_name: Any,
    sequence_length: Any = None,
    scope: Any = None,
) -> Any:
    """`static_rnn` from a state that `state_saver` has, and to it.

    state_saver: an object with methods `state(name)`, which gives the state to start from, and
    `save_state(name, value)`, an op that keeps it. state_name: the name, or names in the structure
    of the cell's state. Taking the last output or the state runs what keeps it.

    Raises:
      ValueError: names and state are of two structures.
    """
    check_cell("cell", cell)
    sizes = cell.state_size
    if nest.is_sequence(sizes) != nest.is_sequence(state_name):
        raise ValueError(
            "state_name should be the same type as cell.state_size.  state_name: "
            f"{state_name!s}, cell.state_size: {sizes!s}"
        )
    names = nest.flatten(state_name)
    if len(names) != len(nest.flatten(sizes)):
        raise ValueError(
            f"#elems(state_name) != #elems(state_size): {len(names)} vs. {len(nest.flatten(sizes))}"
        )
    first = nest.pack(sizes, [state_saver.state(name) for name in names])
    outputs, state = static_rnn(
        cell, inputs, initial_state=first, sequence_length=sequence_length, scope=scope
    )
    parts = zip(names, nest.flatten(state), strict=True)
    saved = [state_saver.save_state(name, part) for name, part in parts]
    with control_dependencies(saved):
        outputs[-1] = nest.map_leaves(identity, outputs[-1])
        state = nest.map_leaves(identity, state)
    return outputs, state


def static_bidirectional_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Sequence[Any],
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> Any:
    """Two `static_rnn`, one of which runs from the end of the inputs to their beginning.

    Returns (a list of both outputs side by side, the last state forwards, the last backwards).
    Variables are in `bidirectional_rnn/fw` and `bidirectional_rnn/bw`.

    Raises: as `static_rnn`.
    """
    _check_arguments(inputs, cell_fw=cell_fw, cell_bw=cell_bw)
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as forwards:
            output_fw, state_fw = static_rnn(
                cell_fw, inputs, initial_state_fw, dtype, sequence_length, scope=forwards
            )
        with variable_scope("bw") as backwards:
            turned = _reversed(inputs, sequence_length)
            output_bw, state_bw = static_rnn(
                cell_bw, turned, initial_state_bw, dtype, sequence_length, scope=backwards
            )
    output_bw = _reversed(output_bw, sequence_length)
    both = zip(nest.flatten(output_fw), nest.flatten(output_bw), strict=True)
    outputs = nest.pack(output_fw, [concat([fw, bw], 1) for fw, bw in both])
    return outputs, state_fw, state_bw


def _reversed(steps: Sequence[Any], lengths: Any) -> list[Any]:
    """The steps from the last to the first; for each row from its own last one."""
    if lengths is None:
        return list(reversed(steps))
    columns = []
    for sequence in zip(*(nest.flatten(step) for step in steps), strict=True):
        common = TensorShape([None] * sequence[0].get_shape().ndims)
        for value in sequence:
            common = common.merge_with(value.get_shape())
        turned = unstack(reverse_sequence(stack(sequence), lengths, 0, 1))
        for value in turned:
            value.set_shape(common)
        columns.append(turned)
    rows = zip(*columns, strict=True)
    return [nest.pack(step, list(row)) for step, row in zip(steps, rows, strict=True)]
