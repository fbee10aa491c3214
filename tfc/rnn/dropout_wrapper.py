"""DropoutWrapper: a cell with dropout of its inputs, outputs and states."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from tfc.base import nest
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.tensor_util import constant_value
from tfc.ops.array_ops import concat
from tfc.ops.nn_functions import dropout
from tfc.ops.random_ops import random_uniform
from tfc.ops.sum_ops import divide
from tfc.ops.unary_api import floor
from tfc.rnn.lstm_cells import LSTMStateTuple
from tfc.rnn.shapes import map_numbered
from tfc.rnn.wrappers import CellWrapper


class DropoutWrapper(CellWrapper):
    """`cell`, with elements of its inputs, outputs and states dropped.

    input_keep_prob, output_keep_prob, state_keep_prob: how likely an element is kept: numbers or
    scalar tensors. The memory of an LSTMStateTuple is never dropped; another choice is made by
    dropout_state_filter_visitor, which says for a state, or a part of it, whether to drop in it:
    a bool or a structure of them.
    variational_recurrent: the same choices in all steps, and for all of a batch; needs `dtype`,
    and `input_size` where inputs may be dropped.
    seed: of all choices, with a salt for each of them.

    Raises:
      ValueError: a probability is not in [0, 1], or one of those two is missing.
      TypeError: the visitor is no function.

    Source: tensorflow/python/ops/rnn_cell_wrapper_impl.py.
    """

    def __init__(
        self,
        cell: Any,
        input_keep_prob: Any = 1.0,
        output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0,
        variational_recurrent: bool = False,
        input_size: Any = None,
        dtype: Any = None,
        seed: Any = None,
        dropout_state_filter_visitor: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(cell, dtype=dtype, **kwargs)
        visitor = dropout_state_filter_visitor
        if visitor is not None and not callable(visitor):
            raise TypeError("dropout_state_filter_visitor must be callable")
        self._state_filter = visitor or _all_but_memory
        with name_scope("DropoutWrapperInit"):
            self._input_keep_prob = _probability("input_keep_prob", input_keep_prob)
            self._state_keep_prob = _probability("state_keep_prob", state_keep_prob)
            self._output_keep_prob = _probability("output_keep_prob", output_keep_prob)
        self._variational, self._seed = variational_recurrent, seed
        self._noise: dict[str, Any] = {}
        if variational_recurrent:
            self._make_noise(input_size, dtype)

    def _make_noise(self, input_size: Any, dtype: Any) -> None:
        """The random numbers that all steps share."""
        if dtype is None:
            raise ValueError("When variational_recurrent=True, dtype must be provided")
        sizes = {"state": self.cell.state_size, "output": self.cell.output_size}
        if _drops(self._input_keep_prob):
            if input_size is None:
                raise ValueError(
                    "When variational_recurrent=True and input_keep_prob < 1.0 or is unknown, "
                    "input_size must be provided"
                )
            sizes = {"input": input_size, **sizes}

        for salt, size in sizes.items():

            def drawn(number: int, s: Any, salt: str = salt) -> Tensor:
                dims = concat(([1], TensorShape(s).as_list()), 0)
                return random_uniform(dims, seed=self._gen_seed(salt, number), dtype=dtype)

            self._noise[salt] = map_numbered(drawn, size, size)

    def _gen_seed(self, salt: str, number: int) -> int | None:
        if self._seed is None:
            return None
        text = f"{self._seed}{salt}_{number}".encode()
        return int(hashlib.md5(text).hexdigest()[:8], 16) & 0x7FFFFFFF

    def _dropped(self, values: Any, salt: str, keep_prob: Any, chosen: Any = None) -> Any:
        """`values` with dropout of its tensors, or of those that `chosen` has True for."""

        def one(number: int, choice: Any, value: Any, *noise: Any) -> Any:
            if choice is False:
                return value
            if not noise:
                seed = self._gen_seed(salt, number)
                return dropout(value, keep_prob=keep_prob, seed=seed)
            binary = floor(keep_prob + noise[0])
            kept = divide(value, keep_prob) * binary
            kept.set_shape(value.get_shape())
            return kept

        form = values if chosen is None else chosen
        noise = [self._noise[salt]] if self._variational else []
        return map_numbered(one, form, form, values, *noise)

    def _step(self, inputs: Any, state: Any, scope: Any) -> Any:
        if _drops(self._input_keep_prob):
            inputs = self._dropped(inputs, "input", self._input_keep_prob)
        output, new_state = self.cell(inputs, state, scope=scope)
        if _drops(self._state_keep_prob):
            chosen = _chosen(self._state_filter, new_state)
            new_state = self._dropped(new_state, "state", self._state_keep_prob, chosen)
        if _drops(self._output_keep_prob):
            output = self._dropped(output, "output", self._output_keep_prob)
        return output, new_state


def _probability(name: str, given: Any) -> Any:
    """A float, or a tensor where the value is not known."""
    tensor = convert_to_tensor(given)
    value = constant_value(tensor)
    if value is None:
        return tensor
    if value < 0 or value > 1:
        raise ValueError(f"Parameter {name} must be between 0 and 1: {float(value)}")
    return float(value)


def _drops(probability: Any) -> bool:
    return not isinstance(probability, float) or probability < 1


def _all_but_memory(state: Any) -> Any:
    if isinstance(state, LSTMStateTuple):
        return LSTMStateTuple(c=False, h=True)
    return nest.is_sequence(state) or isinstance(state, Tensor)


def _chosen(visitor: Callable[[Any], Any], state: Any) -> Any:
    """What `visitor` says of a state, down to where it says no or where the tensors are."""
    answer = visitor(state)
    if not nest.is_sequence(state):
        if not isinstance(answer, bool):
            raise TypeError(f"the state filter returned {answer!r} for a tensor, not a bool")
        return answer
    if answer is False:
        return False
    parts = [True] * len(state) if answer is True else list(answer)
    rows = zip(parts, state, strict=True)
    made = [_chosen(visitor, value) if part else False for part, value in rows]
    return type(state)(*made) if hasattr(state, "_fields") else type(state)(made)
