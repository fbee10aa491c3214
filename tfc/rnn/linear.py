"""Cells with a linear map before or after them: EmbeddingWrapper, InputProjectionWrapper,
OutputProjectionWrapper."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tfc.base import nest
from tfc.framework.graph import Tensor, device, name_scope
from tfc.framework.variable_scope import get_variable, get_variable_scope, variable_scope
from tfc.ops.array_ops import concat, reshape
from tfc.ops.embedding_ops import embedding_lookup
from tfc.ops.init_ops import Constant, RandomUniform
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import bias_add
from tfc.rnn.cell import RNNCell, check_cell


class Linear:
    """`[args] · kernel + bias`, with variables of the scope it is made in.

    args: a matrix or a list of them, which stand side by side.

    Raises:
      ValueError: there are none, one is no matrix, or its width is not known.
    """

    def __init__(
        self,
        args: Any,
        output_size: int,
        build_bias: bool,
        bias_initializer: Any = None,
        kernel_initializer: Any = None,
    ):
        if args is None or (nest.is_sequence(args) and not args):
            raise ValueError("`args` must be specified")
        parts = args if nest.is_sequence(args) else [args]
        shapes = [part.get_shape() for part in parts]
        for shape in shapes:
            if shape.ndims != 2:
                raise ValueError(f"linear is expecting 2D arguments: {shapes}")
            if shape.as_list()[1] is None:
                raise ValueError(
                    f"linear expects shape[1] to be provided for shape {shape}, but saw {shape[1]}"
                )
        width = sum(shape.as_list()[1] for shape in shapes)
        dtype = parts[0].dtype.base_dtype
        self._kernel = get_variable(
            "kernel", [width, output_size], dtype=dtype, initializer=kernel_initializer
        )
        self._bias = None
        if build_bias:
            start = bias_initializer or Constant(0.0, dtype=dtype)
            with variable_scope(get_variable_scope(), auxiliary_name_scope=False) as scope:
                scope.set_partitioner(None)
                self._bias = get_variable("bias", [output_size], dtype=dtype, initializer=start)

    def __call__(self, args: Any) -> Tensor:
        parts = list(args) if nest.is_sequence(args) else [args]
        result = matmul(parts[0] if len(parts) == 1 else concat(parts, 1), self._kernel)
        return result if self._bias is None else bias_add(result, self._bias)


class CellAround(RNNCell):
    """A cell with variables of its own around `cell`."""

    def __init__(self, cell: Any, reuse: bool | None):
        super().__init__(_reuse=reuse)
        check_cell("cell", cell)
        self._cell = cell

    @property
    def state_size(self) -> Any:
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        return self._cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with name_scope(type(self).__name__ + "ZeroState"):
            return self._cell.zero_state(batch_size, dtype)


class EmbeddingWrapper(CellAround):
    """`cell` on rows of a table, the variable `embedding`; the inputs are numbers of rows.

    embedding_classes: how many rows there are; embedding_size: how long they are.

    Raises:
      ValueError: there are no rows, or they are empty.
    """

    def __init__(
        self,
        cell: Any,
        embedding_classes: int,
        embedding_size: int,
        initializer: Any = None,
        reuse: bool | None = None,
    ):
        super().__init__(cell, reuse)
        if embedding_classes <= 0 or embedding_size <= 0:
            raise ValueError(
                "Both embedding_classes and embedding_size must be > 0: "
                f"{embedding_classes}, {embedding_size}."
            )
        self._table_shape = [embedding_classes, embedding_size]
        self._initializer = initializer

    def call(self, inputs: Any, state: Any) -> Any:
        with device("/cpu:0"):
            start = self._initializer or get_variable_scope().initializer
            if not start:
                start = RandomUniform(-math.sqrt(3), math.sqrt(3))  # of variance 1
            dtype = (state[0] if isinstance(state, tuple) else state).dtype
            table = get_variable("embedding", self._table_shape, initializer=start, dtype=dtype)
            return self._cell(embedding_lookup(table, reshape(inputs, [-1])), state)


class InputProjectionWrapper(CellAround):
    """`cell` on `activation(inputs · kernel + bias)`, of width `num_proj`.

    input_size: not used.
    """

    def __init__(
        self,
        cell: Any,
        num_proj: int,
        activation: Callable[..., Any] | None = None,
        input_size: Any = None,
        reuse: bool | None = None,
    ):
        super().__init__(cell, reuse)
        self._num_proj, self._activation = num_proj, activation
        self._linear: Linear | None = None

    def call(self, inputs: Any, state: Any) -> Any:
        if self._linear is None:
            self._linear = Linear(inputs, self._num_proj, True)
        projected = self._linear(inputs)
        if self._activation:
            projected = self._activation(projected)
        return self._cell(projected, state)


class OutputProjectionWrapper(CellAround):
    """`activation(outputs of cell · kernel + bias)`, of width `output_size`.

    Raises:
      ValueError: `output_size` is not positive.
    """

    def __init__(
        self,
        cell: Any,
        output_size: int,
        activation: Callable[..., Any] | None = None,
        reuse: bool | None = None,
    ):
        super().__init__(cell, reuse)
        if output_size < 1:
            raise ValueError(f"Parameter output_size must be > 0: {output_size}.")
        self._output_size, self._activation = output_size, activation
        self._linear: Linear | None = None

    @property
    def output_size(self) -> Any:
        return self._output_size

    def call(self, inputs: Any, state: Any) -> Any:
        output, new_state = self._cell(inputs, state)
        if self._linear is None:
            self._linear = Linear(output, self._output_size, True)
        projected = self._linear(output)
        return (self._activation(projected) if self._activation else projected), new_state
