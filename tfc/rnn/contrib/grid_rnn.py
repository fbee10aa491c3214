"""GridRNNCell: cells along several dimensions, and the grids of one to three of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.framework.graph import GraphKeys, Tensor
from tfc.framework.variable_scope import get_variable, get_variable_scope, variable_scope
from tfc.layers.contrib_initializers import xavier_initializer
from tfc.layers.core import Dense
from tfc.ops.array_ops import concat, slice_, split, zeros
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import relu
from tfc.rnn.basic_cells import BasicRNNCell, GRUCell
from tfc.rnn.cell import RNNCell
from tfc.rnn.lstm_cells import BasicLSTMCell, LSTMCell


class GridRNNCell(RNNCell):
    """A cell for each of num_dims dimensions. Each sees the outputs of all dimensions but the last,
    side by side, as its inputs and the output of the last as its state; an LSTM has a memory of
    its own beside that. First the dimensions that are not in priority_dims are computed, from the
    outputs of the step before, then those in priority_dims, which see the new outputs.

    input_dims: the dimensions whose last output, and memory, is not that of the step before but
    the inputs times `project_m_<d>`, and `project_c_<d>`; several share the columns of the
    inputs. output_dims: whose new outputs are the cell's outputs. Each is a number or a list.
    non_recurrent_dims: these have no cell and no state, but a layer with weights and biases and
    the activation non_recurrent_fn (relu by default) of what a cell would see. cell_fn: makes a
    cell of num_units units, LSTMCell by default. tied: whether all dimensions have one cell.
    state_is_tuple: the state is a tuple, for each recurrent dimension that of its cell, else these
    side by side, for which cells have to have tuples as states. output_is_tuple: as that.

    Variables are in a scope of the class's name or the one given: `recurrent/cell_<d>` and
    `non_recurrent/cell_<d>`, or `recurrent` and `non_recurrent` if they are tied.

    Raises:
      ValueError: there are no dimensions, or the number of one is not below num_dims; when called,
      the state is not of one element for each recurrent dimension, or the inputs cannot be shared.
      TypeError: cell_fn makes no RNNCell; when called, there is one dimension and the batch size
      is not known.

    Source: N. Kalchbrenner et al., Grid long short-term memory, 2015 (arXiv:1507.01526);
    tensorflow/contrib/grid_rnn/python/ops/grid_rnn_cell.py.
    """

    def __init__(
        self,
        num_units: int,
        num_dims: int = 1,
        input_dims: Any = None,
        output_dims: Any = None,
        priority_dims: Any = None,
        non_recurrent_dims: Any = None,
        tied: bool = False,
        cell_fn: Callable[[int], Any] | None = None,
        non_recurrent_fn: Callable[..., Any] | None = None,
        state_is_tuple: bool = True,
        output_is_tuple: bool = True,
    ):
        super().__init__()
        if num_dims < 1:
            raise ValueError(f"dims must be >= 1: {num_dims}")
        self._num_units, self._num_dims, self._tied = num_units, num_dims, tied
        self._inputs, self._outputs = _dims(input_dims, num_dims), _dims(output_dims, num_dims)
        self._priority = _dims(priority_dims, num_dims)
        layers = _dims(non_recurrent_dims, num_dims)
        self._recurrent = [d for d in range(num_dims) if d not in layers]
        self._non_recurrent_fn = non_recurrent_fn or relu
        self._state_is_tuple, self._output_is_tuple = state_is_tuple, output_is_tuple

        def new_cell() -> Any:
            if cell_fn is None:
                return LSTMCell(num_units=num_units, state_is_tuple=state_is_tuple)
            return cell_fn(num_units)

        count = 1 if tied else num_dims
        self._cells = [new_cell() for _ in range(count)] * (num_dims // count)
        if not isinstance(self._cells[0], RNNCell):
            raise TypeError(f"cell_fn must return an RNNCell instance, saw: {type(self._cells[0])}")

    @property
    def output_size(self) -> Any:
        one = self._cells[0].output_size
        return (one,) * len(self._outputs) if self._output_is_tuple else one * len(self._outputs)

    @property
    def state_size(self) -> Any:
        if self._state_is_tuple:
            return (self._cells[0].state_size,) * len(self._recurrent)
        return self._cell_state_size() * len(self._recurrent)

    def _cell_state_size(self) -> int:
        size = self._cells[0].state_size
        return sum(size) if isinstance(size, tuple) else size

    def __call__(self, inputs: Any, state: Any, scope: Any = None, **kwargs: Any) -> Any:
        dtype = inputs.dtype
        memories, before = self._parts(state)
        with variable_scope(scope or type(self).__name__, custom_getter=self._get_and_keep):
            self._project(inputs, memories, before)
            outputs: list[Any] = [None] * self._num_dims
            states: list[Any] = [None] * self._num_dims
            first = [d for d in range(self._num_dims) if d not in self._priority]
            self._propagate(first, memories, before, outputs, states, True)
            self._propagate(self._priority, memories, before, outputs, states, False)
            chosen = [outputs[d] for d in self._outputs]
            output = tuple(chosen) if self._output_is_tuple else _beside(chosen, dtype)
            kept = [states[d] for d in self._recurrent]
            if self._state_is_tuple:
                return output, tuple(kept)
            return output, _beside([part for pair in kept for part in pair], dtype)

    def _parts(self, state: Any) -> tuple[list[Any], list[Any]]:
        """The memories, if cells have such, and the last outputs; None where there is no state."""
        memories: list[Any] = [None] * self._num_dims
        outputs: list[Any] = [None] * self._num_dims
        units, size = self._num_units, self._cell_state_size()
        if self._state_is_tuple and len(state) != len(self._recurrent):
            raise ValueError(f"Expected state as a tuple of {len(self._recurrent)} element")
        for number, d in enumerate(self._recurrent):
            if self._state_is_tuple:
                part = state[number]
                if size > units:
                    memories[d], outputs[d] = part
                else:
                    outputs[d] = part
                continue
            at = number * size
            if size > units:
                memories[d] = slice_(state, [0, at], [-1, units])
                outputs[d] = slice_(state, [0, at + units], [-1, size - units])
            else:
                outputs[d] = slice_(state, [0, at], [-1, units])
        return memories, outputs

    def _project(self, inputs: Any, memories: list[Any], outputs: list[Any]) -> None:
        """Put the inputs in the place of the last outputs and memories of input_dims."""
        width: Any = inputs.get_shape().with_rank(2).as_list()[1]
        if not (width > 0 and self._inputs):
            return
        parts = split(value=inputs, num_or_size_splits=len(self._inputs), axis=1)
        shape = [width // len(self._inputs), self._num_units]
        dtype = inputs.dtype.base_dtype
        for part, d in zip(parts, self._inputs, strict=True):
            outputs[d] = matmul(part, get_variable(f"project_m_{d}", shape, dtype=dtype))
            if self._cell_state_size() > self._num_units:
                memories[d] = matmul(part, get_variable(f"project_c_{d}", shape, dtype=dtype))

    def _propagate(
        self,
        dims: Sequence[int],
        memories: list[Any],
        before: list[Any],
        outputs: list[Any],
        states: list[Any],
        first: bool,
    ) -> None:
        """Compute the new outputs and states of `dims`, which see what there is by now."""
        if not dims:
            return
        now = [old if new is None else new for old, new in zip(before, outputs, strict=True)]
        seen, last = now[:-1], now[-1]
        if seen:
            x = concat(seen, 1)
        else:
            x = zeros([before[0].get_shape().as_list()[0], 0], before[0].dtype)
        for d in dims:
            recurrent = d in self._recurrent
            both = last if recurrent or not seen else concat([x, last], 1)
            name = "recurrent" if recurrent else "non_recurrent"
            with variable_scope(name if self._tied else f"{name}/cell_{d}") as scope:
                if self._tied and not (first and d == dims[0]):
                    scope.reuse_variables()
                if recurrent:
                    state = last if memories[d] is None else (memories[d], last)
                    outputs[d], states[d] = self._cells[d](x, state)
                else:
                    outputs[d] = self._layer(both)

    def _layer(self, x: Tensor) -> Tensor:
        """The layer of a dimension without a cell."""
        outer = get_variable_scope()
        with variable_scope(None, "fully_connected", custom_getter=_renamed) as scope:
            dense = Dense(
                self._num_units,
                kernel_initializer=outer.initializer or xavier_initializer(),
                kernel_regularizer=outer.regularizer,
                name=scope.name,
                dtype=x.dtype.base_dtype,
                _scope=scope,
            )
            return self._non_recurrent_fn(dense.apply(x))


def _renamed(getter: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
    """The variables of a Dense layer under the names of tf.contrib.layers, and in the collection
    of model variables, as there."""
    kwargs["collections"] = [GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES]
    scope, _, last = name.rpartition("/")
    last = {"kernel": "weights", "bias": "biases"}[last]
    return getter(f"{scope}/{last}", *args, **kwargs)


def _beside(parts: list[Tensor], dtype: Any) -> Tensor:
    return concat(parts, 1) if parts else zeros([0, 0], dtype)


def _dims(given: Any, count: int) -> list[int]:
    """A number, a list of numbers or None as a sorted list."""
    listed = given if isinstance(given, list | tuple) else [] if given is None else [given]
    dims = sorted(set(listed))
    if any(d < 0 or d >= count for d in dims):
        raise ValueError(f"Invalid dims: {dims}. Must be in [0, {count})")
    return dims


class _FirstDimension(GridRNNCell):
    """A grid whose first dimension has the inputs, gives the outputs and comes last. With
    non_recurrent_fn it has a layer with that activation, and no state."""

    def __init__(
        self,
        num_units: int,
        num_dims: int,
        cell_fn: Callable[[int], Any],
        tied: bool,
        non_recurrent_fn: Callable[..., Any] | None,
        state_is_tuple: bool,
        output_is_tuple: bool,
    ):
        super().__init__(
            num_units,
            num_dims,
            input_dims=0,
            output_dims=0,
            priority_dims=0,
            non_recurrent_dims=None if non_recurrent_fn is None else 0,
            tied=tied,
            cell_fn=cell_fn,
            non_recurrent_fn=non_recurrent_fn,
            state_is_tuple=state_is_tuple,
            output_is_tuple=output_is_tuple,
        )


class Grid1BasicRNNCell(_FirstDimension):
    """GridRNNCell of one dimension with a BasicRNNCell."""

    def __init__(self, num_units: int, state_is_tuple: bool = True, output_is_tuple: bool = True):
        super().__init__(num_units, 1, BasicRNNCell, False, None, state_is_tuple, output_is_tuple)


class Grid2BasicRNNCell(_FirstDimension):
    """GridRNNCell of two dimensions with BasicRNNCells; the first has inputs and outputs, and no
    cell if non_recurrent_fn is given, but a layer with that activation."""

    def __init__(
        self,
        num_units: int,
        tied: bool = False,
        non_recurrent_fn: Callable[..., Any] | None = None,
        state_is_tuple: bool = True,
        output_is_tuple: bool = True,
    ):
        super().__init__(
            num_units, 2, BasicRNNCell, tied, non_recurrent_fn, state_is_tuple, output_is_tuple
        )


class Grid1BasicLSTMCell(_FirstDimension):
    """GridRNNCell of one dimension with a BasicLSTMCell of this forget_bias."""

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1,
        state_is_tuple: bool = True,
        output_is_tuple: bool = True,
    ):
        make = _basic_lstm(forget_bias)
        super().__init__(num_units, 1, make, False, None, state_is_tuple, output_is_tuple)


class Grid2BasicLSTMCell(_FirstDimension):
    """Grid2BasicRNNCell with BasicLSTMCells of this forget_bias."""

    def __init__(
        self,
        num_units: int,
        tied: bool = False,
        non_recurrent_fn: Callable[..., Any] | None = None,
        forget_bias: float = 1,
        state_is_tuple: bool = True,
        output_is_tuple: bool = True,
    ):
        make = _basic_lstm(forget_bias)
        super().__init__(
            num_units, 2, make, tied, non_recurrent_fn, state_is_tuple, output_is_tuple
        )


class Grid1LSTMCell(_FirstDimension):
    """GridRNNCell of one dimension with an LSTMCell, with peepholes or without."""

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        output_is_tuple: bool = True,
    ):
        make = _lstm(use_peepholes, forget_bias)
        super().__init__(num_units, 1, make, False, None, state_is_tuple, output_is_tuple)


class Grid2LSTMCell(_FirstDimension):
    """Grid2BasicRNNCell with LSTMCells, with peepholes or without."""

    def __init__(
        self,
        num_units: int,
        tied: bool = False,
        non_recurrent_fn: Callable[..., Any] | None = None,
        use_peepholes: bool = False,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        output_is_tuple: bool = True,
    ):
        make = _lstm(use_peepholes, forget_bias)
        super().__init__(
            num_units, 2, make, tied, non_recurrent_fn, state_is_tuple, output_is_tuple
        )


class Grid3LSTMCell(_FirstDimension):
    """Grid2LSTMCell of three dimensions."""

    def __init__(
        self,
        num_units: int,
        tied: bool = False,
        non_recurrent_fn: Callable[..., Any] | None = None,
        use_peepholes: bool = False,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        output_is_tuple: bool = True,
    ):
        make = _lstm(use_peepholes, forget_bias)
        super().__init__(
            num_units, 3, make, tied, non_recurrent_fn, state_is_tuple, output_is_tuple
        )


class Grid2GRUCell(_FirstDimension):
    """Grid2BasicRNNCell with GRUCells."""

    def __init__(
        self,
        num_units: int,
        tied: bool = False,
        non_recurrent_fn: Callable[..., Any] | None = None,
        state_is_tuple: bool = True,
        output_is_tuple: bool = True,
    ):
        super().__init__(
            num_units, 2, GRUCell, tied, non_recurrent_fn, state_is_tuple, output_is_tuple
        )


def _basic_lstm(forget_bias: float) -> Callable[[int], Any]:
    return lambda units: BasicLSTMCell(units, forget_bias=forget_bias)


def _lstm(use_peepholes: bool, forget_bias: float) -> Callable[[int], Any]:
    return lambda units: LSTMCell(units, use_peepholes, forget_bias=forget_bias)
