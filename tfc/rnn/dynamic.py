"""tf.nn.dynamic_rnn and tf.nn.bidirectional_dynamic_rnn: a loop over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import dtypes, nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, control_dependencies, convert_to_tensor, name_scope
from tfc.framework.variable_scope import variable_scope
from tfc.ops.array_ops import constant, identity, shape, stack
from tfc.ops.cast_ops import cast
from tfc.ops.compare_ops import equal
from tfc.ops.control_ops import Assert
from tfc.ops.reduction_ops import reduce_all, reduce_max
from tfc.ops.reverse_ops import reverse, reverse_sequence
from tfc.ops.sum_ops import maximum, minimum
from tfc.ops.tensor_array import TensorArray
from tfc.ops.while_functions import while_loop
from tfc.rnn.cell import check_cell
from tfc.rnn.shapes import batch_of, joined_static, state_dtype, swap_batch_and_time, zeros_of
from tfc.rnn.static import initial_state_of
from tfc.rnn.steps import copy_through


def dynamic_rnn(
    cell: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> Any:
    """`cell` applied to one step of `inputs` after the other, in a loop.

    inputs: of shape [batch, time, …], or [time, batch, …] if `time_major`; or a structure of such
    tensors. sequence_length: how many steps there are for each row of the batch; beyond it the
    outputs are zero, and the state stays. initial_state: by default zeros of `dtype`.
    parallel_iterations and swap_memory are accepted: a native loop needs neither.

    Returns (outputs, last state); outputs are shaped as the inputs are. Variables are in the scope
    "rnn", or `scope`.

    Raises:
      TypeError: `cell` is no cell.
      ValueError: the depth of the inputs is not known, inputs disagree in time or batch, lengths
      are no vector, or neither state nor dtype is given.
    """
    check_cell("cell", cell)
    with variable_scope(scope or "rnn"):
        flat = [convert_to_tensor(x) for x in nest.flatten(inputs)]
        if not time_major:
            flat = [swap_batch_and_time(x) for x in flat]
        lengths = None if sequence_length is None else _lengths(sequence_length)
        batch_size = batch_of(flat)
        state = initial_state
        if state is None:
            if not dtype:
                raise ValueError("If there is no initial_state, you must give a dtype.")
            state = initial_state_of(cell, batch_size, dtype)
        if lengths is not None:
            with control_dependencies([_one_each(lengths, batch_size)]):
                lengths = identity(lengths, name="CheckSeqLen")
        _check_inputs(flat)
        outputs, final_state = time_loop(
            cell, inputs, flat, state, cell.output_size, lengths, state_dtype(dtype, state),
            parallel_iterations,
        )  # fmt: skip
        if not time_major:
            outputs = nest.map_leaves(swap_batch_and_time, outputs)
        return outputs, final_state


def _lengths(given: Any) -> Tensor:
    lengths = cast(given, dtypes.int32)
    if lengths.get_shape().ndims not in (None, 1):
        raise ValueError(
            "sequence_length must be a vector of length batch_size, but saw shape: "
            f"{lengths.get_shape()}"
        )
    return identity(lengths, name="sequence_length")


def _one_each(lengths: Tensor, batch_size: Any) -> Any:
    """Checks, when it runs, that there are as many lengths as rows."""
    found, wanted = shape(lengths), stack([batch_size])
    text = f"Expected shape for Tensor {lengths.name} is "
    return Assert(reduce_all(equal(found, wanted)), [text, wanted, " but saw shape: ", found])


def _check_inputs(flat: Sequence[Tensor]) -> None:
    shapes = [x.get_shape().with_rank_at_least(3) for x in flat]
    for known in shapes:
        if not known[2:].is_fully_defined():
            raise ValueError(
                "Input size (depth of inputs) must be accessible via shape inference, but saw "
                "value None."
            )
        extents, wanted = known.as_list(), shapes[0].as_list()
        if extents[0] != wanted[0]:
            raise ValueError(
                "Time steps is not the same for all the elements in the input in a batch."
            )
        if extents[1] != wanted[1]:
            raise ValueError("Batch_size is not the same for all the elements in the input.")


def time_loop(
    step: Callable[[Any, Any], Any],
    form: Any,
    flat: Sequence[Tensor],
    state: Any,
    sizes: Any,
    lengths: Tensor | None,
    dtype: Any,
    parallel_iterations: int | None = None,
) -> Any:
    """`output, state = step(inputs, state)` for every step of the inputs.

    form: the structure of the inputs; flat: its leaves, of shape [time, batch, …]. sizes: of the
    outputs, whose dtype is `dtype`. Steps beyond all `lengths` are not run, but for the first one,
    as in TensorFlow: what counts steps, such as a random op, stands where it stands there.

    Returns (outputs of shape [time, batch, …], the last state).
    """
    batch_size = batch_of(flat)
    time_steps = shape(flat[0])[0]
    known_time, known_batch = flat[0].get_shape().as_list()[:2]
    flat_sizes = nest.flatten(sizes)
    zero_output = zeros_of(sizes, batch_size, dtype)
    first, last = constant(0, dtype=dtypes.int32, name="time"), time_steps
    if lengths is not None:
        last = minimum(time_steps, maximum(1, reduce_max(lengths)))
    with name_scope("dynamic_rnn") as base_name:
        pass

    def array(name: str, dtype: Any, element: Any) -> TensorArray:
        return TensorArray(
            dtype=dtype,
            size=time_steps,
            tensor_array_name=base_name + name,
            element_shape=element,
        )

    written = tuple(
        array(f"output_{i}", dtype, joined_static(TensorShape([known_batch]), size))
        for i, size in enumerate(flat_sizes)
    )
    read = tuple(
        array(f"input_{i}", x.dtype, x.get_shape()[1:]).unstack(x) for i, x in enumerate(flat)
    )

    def body(time: Tensor, arrays: Any, state: Any) -> Any:
        steps = [source.read(time) for source in read]
        for value, whole in zip(steps, flat, strict=True):
            value.set_shape(whole.get_shape()[1:])
        output, new_state = step(nest.pack(form, steps), state)
        if lengths is not None:
            finished = time >= lengths
            output = copy_through(finished, zero_output, output)
            new_state = copy_through(finished, state, new_state)
        pairs = zip(arrays, nest.flatten(output), strict=True)
        return time + 1, tuple(kept.write(time, value) for kept, value in pairs), new_state

    _, arrays, final_state = while_loop(
        lambda time, *_: time < last,
        body,
        (first, written, state),
        parallel_iterations=parallel_iterations or 32,
        maximum_iterations=time_steps,
    )
    outputs = [kept.stack() for kept in arrays]
    for output, size in zip(outputs, flat_sizes, strict=True):
        output.set_shape(
            TensorShape([known_time]).concatenate(joined_static(TensorShape([known_batch]), size))
        )
    return nest.pack(sizes, outputs), final_state


def bidirectional_dynamic_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> Any:
    """Two `dynamic_rnn`, one of which runs from the end of the inputs (for each row of the batch,
    from its own end) to their beginning.

    Returns ((outputs forwards, outputs backwards), (last state forwards, last state backwards)).
    Variables are in `bidirectional_rnn/fw` and `bidirectional_rnn/bw`.

    Raises: as `dynamic_rnn`.
    """
    check_cell("cell_fw", cell_fw)
    check_cell("cell_bw", cell_bw)
    time_axis, batch_axis = (0, 1) if time_major else (1, 0)

    def turned(x: Any) -> Tensor:
        if sequence_length is None:
            return reverse(x, axis=[time_axis])
        return reverse_sequence(x, sequence_length, seq_axis=time_axis, batch_axis=batch_axis)

    def run(cell: Any, given: Any, state: Any, scope: Any) -> Any:
        return dynamic_rnn(
            cell, given, sequence_length, state, dtype, parallel_iterations, swap_memory,
            time_major, scope,
        )  # fmt: skip

    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as forwards:
            output_fw, state_fw = run(cell_fw, inputs, initial_state_fw, forwards)
        with variable_scope("bw") as backwards:
            reversed_inputs = nest.map_leaves(turned, inputs)
            output_bw, state_bw = run(cell_bw, reversed_inputs, initial_state_bw, backwards)
    return (output_fw, nest.map_leaves(turned, output_bw)), (state_fw, state_bw)
