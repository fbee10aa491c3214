"""AttentionCellWrapper: a cell that attends to its own last outputs."""

from __future__ import annotations

from typing import Any

from tfc.base import nest
from tfc.framework.graph import Tensor
from tfc.framework.variable_scope import get_variable, variable_scope
from tfc.ops.array_ops import concat, expand_dims, reshape, slice_
from tfc.ops.conv_ops import conv2d
from tfc.ops.nn_functions import softmax
from tfc.ops.reduction_ops import reduce_sum
from tfc.ops.unary_api import tanh
from tfc.rnn.cell import RNNCell, check_cell
from tfc.rnn.linear import Linear


class AttentionCellWrapper(RNNCell):
    """`cell` with attention to its last `attn_length` outputs.

    attn_size: the width of outputs and of the attention, by default the cell's; attn_vec_size: of
    the features that are compared. The state is (the cell's, the attention, the outputs attended
    to in one row), side by side if not `state_is_tuple`.

    Raises:
      ValueError: `attn_length` is not positive, or the cell's state is a tuple and this one's not.

    Source: tensorflow/contrib/rnn/python/ops/rnn_cell.py.
    """

    def __init__(
        self,
        cell: Any,
        attn_length: int,
        attn_size: int | None = None,
        attn_vec_size: int | None = None,
        input_size: int | None = None,
        state_is_tuple: bool = True,
        reuse: bool | None = None,
    ):
        super().__init__(_reuse=reuse)
        check_cell("cell", cell)
        if nest.is_sequence(cell.state_size) and not state_is_tuple:
            raise ValueError(
                "Cell returns tuple of states, but the flag state_is_tuple is not set. State size "
                f"is: {cell.state_size}"
            )
        if attn_length <= 0:
            raise ValueError(f"attn_length should be greater than zero, got {attn_length}")
        self._cell, self._attn_length, self._input_size = cell, attn_length, input_size
        self._attn_size = cell.output_size if attn_size is None else attn_size
        self._attn_vec_size = self._attn_size if attn_vec_size is None else attn_vec_size
        self._state_is_tuple = state_is_tuple
        self._linears: dict[str, Linear] = {}

    @property
    def state_size(self) -> Any:
        sizes = (self._cell.state_size, self._attn_size, self._attn_size * self._attn_length)
        return sizes if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> Any:
        return self._attn_size

    def _linear(self, key: str, args: Any, width: int) -> Tensor:
        if key not in self._linears:
            self._linears[key] = Linear(args, width, True)
        return self._linears[key](args)

    def call(self, inputs: Any, state: Any) -> Any:
        inner, attns, kept = state if self._state_is_tuple else self._parts(state)
        kept = reshape(kept, [-1, self._attn_length, self._attn_size])
        width = self._input_size
        if width is None:
            width = inputs.get_shape().as_list()[1]
        output, new_inner = self._cell(self._linear("input", [inputs, attns], width), inner)
        query = concat(nest.flatten(new_inner), 1) if self._state_is_tuple else new_inner
        new_attns, later = self._attend(query, kept)
        with variable_scope("attn_output_projection"):
            output = self._linear("output", [output, new_attns], self._attn_size)
        kept = concat([later, expand_dims(output, 1)], 1)
        kept = reshape(kept, [-1, self._attn_length * self._attn_size])
        new_state = (new_inner, new_attns, kept)
        return output, new_state if self._state_is_tuple else concat(list(new_state), 1)

    def _parts(self, state: Tensor) -> list[Tensor]:
        at, parts = 0, []
        for size in (
            self._cell.state_size,
            self._attn_size,
            self._attn_size * self._attn_length,
        ):
            parts.append(slice_(state, [0, at], [-1, size]))
            at += size
        return parts

    def _attend(self, query: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """(what is attended to, all outputs but the oldest)."""
        size, vec, length = self._attn_size, self._attn_vec_size, self._attn_length
        with variable_scope("attention"):
            kernel = get_variable("attn_w", [1, 1, size, vec])
            v = get_variable("attn_v", [vec])
            hidden = reshape(kept, [-1, length, 1, size])
            features = conv2d(hidden, kernel, [1, 1, 1, 1], "SAME")
            y = reshape(self._linear("query", query, vec), [-1, 1, 1, vec])
            weights = softmax(reduce_sum(v * tanh(features + y), [2, 3]))
            found = reduce_sum(reshape(weights, [-1, length, 1, 1]) * hidden, [1, 2])
            return reshape(found, [-1, size]), slice_(kept, [0, 1, 0], [-1, -1, -1])
