"""AttentionWrapper: a cell that attends to a memory at every step."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable
from typing import Any

from tfc.base import dtypes, nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, control_dependencies, name_scope
from tfc.layers.core import Dense
from tfc.ops.array_ops import concat, expand_dims, identity, shape, squeeze, zeros
from tfc.ops.check_ops import assert_equal
from tfc.ops.matmul_ops import matmul
from tfc.ops.tensor_array import TensorArray
from tfc.rnn.cell import RNNCell, check_cell
from tfc.rnn.shapes import zeros_of
from tfc.seq2seq.attention import AttentionMechanism

_Fields = collections.namedtuple(
    "_Fields",
    ("cell_state", "attention", "time", "alignments", "alignment_history", "attention_state"),
)


class AttentionWrapperState(_Fields):
    """The state of an AttentionWrapper.

    cell_state: of the cell inside. attention: what the last step attended to. time: which step is
    next. alignments: of the last step; alignment_history: a TensorArray of those of all steps, or
    (). attention_state: of the mechanism. With several mechanisms, the last three are tuples.
    """

    __slots__ = ()

    def clone(self, **kwargs: Any) -> AttentionWrapperState:
        """A state with some fields exchanged for others of the same structure and shapes.

        Raises:
          ValueError: structures or shapes differ.
        """
        state: AttentionWrapperState
        state = nest.map_leaves(_of_same_shape, self, self._replace(**kwargs))
        return state


def _of_same_shape(old: Any, new: Any) -> Any:
    if not isinstance(old, Tensor) or not isinstance(new, Tensor):
        return new
    known, given = old.get_shape(), new.get_shape()
    given.assert_is_compatible_with(known)
    if known.is_fully_defined() and given.is_fully_defined():
        return new
    message = f"the shape of {new.name} is not that of {old.name}"
    with control_dependencies([assert_equal(shape(new), shape(old), message=message)]):
        return identity(new)


class AttentionWrapper(RNNCell):
    """`cell`, with attention to a memory.

    A step runs the cell on cell_input_fn(inputs, last attention), by default both side by side,
    lets every mechanism align its output, and makes the attention: the memory's values averaged by
    the alignments, and of these and the output `attention_layer/kernel` makes
    attention_layer_size numbers, where a size (or layer) is given.

    attention_mechanism, attention_layer_size, attention_layer: one, or a list for several
    mechanisms, whose attentions stand side by side. alignment_history: whether the state keeps all
    alignments. output_attention: whether the output is the attention, else the cell's output.
    initial_cell_state: what zero_state starts the cell from. attention_fn: from (mechanism, output
    of the cell, state of the mechanism, layer) to (attention, alignments, next state).

    Raises:
      TypeError: an argument is of another kind. ValueError: there are not as many layers as
      mechanisms, or both layers and sizes. InvalidArgumentError: batch sizes differ.

    Source: tensorflow/contrib/seq2seq/python/ops/attention_wrapper.py.
    """

    def __init__(
        self,
        cell: Any,
        attention_mechanism: Any,
        attention_layer_size: Any = None,
        alignment_history: bool = False,
        cell_input_fn: Callable[[Any, Any], Any] | None = None,
        output_attention: bool = True,
        initial_cell_state: Any = None,
        name: str | None = None,
        attention_layer: Any = None,
        attention_fn: Callable[..., Any] | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        check_cell("cell", cell)
        self._is_multi = isinstance(attention_mechanism, list | tuple)
        self._mechanisms = _listed(attention_mechanism)
        for mechanism in self._mechanisms:
            if not isinstance(mechanism, AttentionMechanism):
                raise TypeError(
                    "attention_mechanism must be an AttentionMechanism or list of multiple "
                    f"AttentionMechanism instances, saw type: {type(mechanism).__name__}"
                )
        if cell_input_fn is not None and not callable(cell_input_fn):
            raise TypeError(
                f"cell_input_fn must be callable, saw type: {type(cell_input_fn).__name__}"
            )
        if attention_layer_size is not None and attention_layer is not None:
            raise ValueError("Only one of attention_layer_size and attention_layer should be set")
        self._cell, self._cell_input_fn = cell, cell_input_fn or _side_by_side
        self._attention_fn = attention_fn or compute_attention
        self._output_attention, self._alignment_history = output_attention, alignment_history
        self._attention_layers: Any = None
        self._attention_layer_size = self._make_layers(attention_layer_size, attention_layer)
        with name_scope(name, "AttentionWrapperInit"):
            self._initial_cell_state = initial_cell_state
            if initial_cell_state is not None:
                self._initial_cell_state = self._checked(
                    initial_cell_state, "initial_cell_state", "check_initial_cell_state"
                )

    def _make_layers(self, sizes: Any, layers: Any) -> int:
        """The width of the attention."""
        widths = [m.values.get_shape().as_list()[-1] for m in self._mechanisms]
        if sizes is None and layers is None:
            return int(sum(widths))
        key = "attention_layer" if sizes is None else "attention_layer_size"
        given = _listed(layers if sizes is None else sizes)
        if len(given) != len(self._mechanisms):
            raise ValueError(
                f"If provided, {key} must contain exactly one entry per attention_mechanism, saw: "
                f"{len(given)} vs {len(self._mechanisms)}"
            )
        if sizes is not None:
            self._attention_layers = tuple(
                Dense(size, name="attention_layer", use_bias=False, dtype=mechanism.dtype)
                for size, mechanism in zip(given, self._mechanisms, strict=True)
            )
            return int(sum(given))
        self._attention_layers = given
        inputs = [TensorShape([None, self._cell.output_size + width]) for width in widths]
        shapes = [x.compute_output_shape(s) for x, s in zip(given, inputs, strict=True)]
        return int(sum(s.as_list()[-1] for s in shapes))

    def _checked(
        self, values: Any, what: str, name: str, batch_size: Any = None, at_run: bool = True
    ) -> Any:
        """`values`, whose batch size is checked to be the memories'; where that is not known, the
        run checks it if `at_run`."""
        if batch_size is None:
            last = nest.flatten(values)[-1]
            batch_size = last.get_shape().as_list()[0] or shape(last)[0]
        message = (
            f"AttentionWrapper {self._base_name}: Non-matching batch sizes between the memory "
            f"(encoder output) and {what}.  Are you using the BeamSearchDecoder?  You may need to "
            "tile your memory or state via the tf.contrib.seq2seq.tile_batch function with "
            "argument multiple=beam_width."
        )
        sizes = [mechanism.batch_size for mechanism in self._mechanisms]
        checks = [
            assert_equal(batch_size, size, message=message)
            for size in sizes
            if not (isinstance(size, int) and size == batch_size)
            and (at_run or not (isinstance(batch_size, Tensor) or isinstance(size, Tensor)))
        ]
        with control_dependencies(checks):
            return nest.map_leaves(lambda x: identity(x, name=name), values)

    def _item_or_tuple(self, items: Iterable[Any]) -> Any:
        found = tuple(items)
        return found if self._is_multi else found[0]

    @property
    def output_size(self) -> Any:
        return self._attention_layer_size if self._output_attention else self._cell.output_size

    @property
    def state_size(self) -> Any:
        sizes = [m.alignments_size for m in self._mechanisms]
        return AttentionWrapperState(
            cell_state=self._cell.state_size,
            time=TensorShape([]),
            attention=self._attention_layer_size,
            alignments=self._item_or_tuple(sizes),
            attention_state=self._item_or_tuple(m.state_size for m in self._mechanisms),
            alignment_history=self._item_or_tuple(
                size if self._alignment_history else () for size in sizes
            ),
        )

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """The state to start from: zeros, and initial_cell_state if there is one."""
        with name_scope(type(self).__name__ + "ZeroState"):
            cell_state = self._initial_cell_state
            if cell_state is None:
                cell_state = self._cell.get_initial_state(batch_size=batch_size, dtype=dtype)
            cell_state = self._checked(
                cell_state, "the requested batch size", "checked_cell_state", batch_size
            )
            alignments = [m.initial_alignments(batch_size, dtype) for m in self._mechanisms]
            histories = (
                TensorArray(dtype, size=0, dynamic_size=True, element_shape=x.get_shape())
                if self._alignment_history
                else ()
                for x in alignments
            )
            return AttentionWrapperState(
                cell_state=cell_state,
                time=zeros([], dtype=dtypes.int32),
                attention=zeros_of(self._attention_layer_size, batch_size, dtype),
                alignments=self._item_or_tuple(alignments),
                attention_state=self._item_or_tuple(
                    m.initial_state(batch_size, dtype) for m in self._mechanisms
                ),
                alignment_history=self._item_or_tuple(histories),
            )

    def call(self, inputs: Any, state: Any) -> Any:
        if not isinstance(state, AttentionWrapperState):
            raise TypeError(
                "Expected state to be instance of AttentionWrapperState. Received type "
                f"{type(state)} instead."
            )
        given = self._cell_input_fn(inputs, state.attention)
        output, next_cell_state = self._cell(given, state.cell_state)
        # Only what is known now: a check in the loop would have Python drive it, and the product
        # with the memory fails where batch sizes differ.
        output = self._checked(
            output, "the query (decoder output)", "checked_cell_output", at_run=False
        )
        one = not self._is_multi
        states = [state.attention_state] if one else state.attention_state
        histories = [state.alignment_history] if one else state.alignment_history
        rows = [
            self._attention_fn(
                mechanism,
                output,
                states[i],
                self._attention_layers[i] if self._attention_layers else None,
            )
            for i, mechanism in enumerate(self._mechanisms)
        ]
        attention = concat([found for found, _, _ in rows], 1)
        next_state = AttentionWrapperState(
            time=state.time + 1,
            cell_state=next_cell_state,
            attention=attention,
            attention_state=self._item_or_tuple(after for _, _, after in rows),
            alignments=self._item_or_tuple(alignments for _, alignments, _ in rows),
            alignment_history=self._item_or_tuple(
                kept.write(state.time, alignments) if self._alignment_history else ()
                for kept, (_, alignments, _) in zip(histories, rows, strict=True)
            ),
        )
        return (attention if self._output_attention else output), next_state


def _listed(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, list | tuple) else (given,)


def _side_by_side(inputs: Any, attention: Any) -> Tensor:
    return concat([inputs, attention], -1)


def compute_attention(mechanism: Any, output: Any, state: Any, layer: Any) -> Any:
    """(attention, alignments, next state of the mechanism)."""
    alignments, next_state = mechanism(output, state=state)
    context = squeeze(matmul(expand_dims(alignments, 1), mechanism.values), [1])
    if layer is None:
        return context, alignments, next_state
    return layer(concat([output, context], 1)), alignments, next_state
