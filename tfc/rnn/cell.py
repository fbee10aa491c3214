"""RNNCell, the base class of cells, and what cells share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import dtypes, nest
from tfc.framework.graph import convert_to_tensor, name_scope
from tfc.framework.tensor_util import constant_value, is_tensor
from tfc.framework.variable_lists import trainable_variables
from tfc.framework.variable_scope import get_variable_scope, variable_scope
from tfc.layers import identifiers
from tfc.layers.base import Layer, last_dim
from tfc.ops import unary_api
from tfc.ops.array_ops import shape
from tfc.rnn.shapes import zeros_of


class RNNCell(Layer):
    """A step of a recurrent network: `output, new_state = cell(inputs, state)`.

    A subclass has the properties `state_size` (an integer, a TensorShape, or a tuple of such,
    nested at will) and `output_size`, and a method `call(inputs, state)`, which may make variables
    with `tf.get_variable`: they are in a scope of the cell's name, and shared by all steps.

    Source: tensorflow/python/ops/rnn_cell_impl.py.
    """

    def __init__(
        self, trainable: bool = True, name: str | None = None, dtype: Any = None, **kwargs: Any
    ):
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)
        self._steps_scope: variable_scope | None = None

    def __call__(self, inputs: Any, state: Any, scope: Any = None, **kwargs: Any) -> Any:
        """One step: inputs of shape [batch, depth] and a state as `state_size` says.

        scope: the variable scope, if not one of the cell's name.

        Returns (output, new state).
        """
        if scope is not None:
            with variable_scope(scope, custom_getter=self._get_and_keep) as opened:
                return super().__call__(inputs, state, scope=opened, **kwargs)
        if self._steps_scope is None:
            self._steps_scope = variable_scope(
                get_variable_scope(), custom_getter=self._get_and_keep
            )
        with self._steps_scope:
            return super().__call__(inputs, state, **kwargs)

    def _get_and_keep(self, getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        variable = getter(*args, **kwargs)
        self._keep(variable, variable in trainable_variables())
        return variable

    @property
    def state_size(self) -> Any:
        """Sizes of the state: an integer, a TensorShape, or a structure of them."""
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        """The size of the output: an integer or a TensorShape."""
        raise NotImplementedError("Abstract method")

    def get_initial_state(
        self, inputs: Any = None, batch_size: Any = None, dtype: Any = None
    ) -> Any:
        """A state of zeros, of the batch size and dtype of `inputs` or as given.

        Raises:
          ValueError: neither says, or they contradict each other.
        """
        if inputs is not None:
            inputs = convert_to_tensor(inputs, name="inputs")
            known = inputs.get_shape().as_list()[0]
            if batch_size is not None:
                given = constant_value(batch_size) if is_tensor(batch_size) else batch_size
                if known != given:
                    raise ValueError(
                        "batch size from input tensor is different from the input param. Input "
                        f"tensor batch: {known}, batch_size: {batch_size}"
                    )
            if dtype is not None and inputs.dtype.base_dtype != dtypes.as_dtype(dtype):
                raise ValueError(
                    "dtype from input tensor is different from the input param. Input tensor "
                    f"dtype: {inputs.dtype}, dtype: {dtype}"
                )
            batch_size = shape(inputs)[0] if known is None else known
            dtype = inputs.dtype
        if batch_size is None or dtype is None:
            raise ValueError(
                "batch_size and dtype cannot be None while constructing initial state: "
                f"batch_size={batch_size}, dtype={dtype}"
            )
        return self.zero_state(batch_size, dtype)

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Zeros of shape [batch_size] + size for every size of the state."""
        with name_scope(type(self).__name__ + "ZeroState"):
            return zeros_of(self.state_size, batch_size, dtype)


class LayerRNNCell(RNNCell):
    """A cell that makes its variables in `build`, as layers do."""

    def __call__(
        self, inputs: Any, state: Any, scope: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        return Layer.__call__(self, inputs, state, *args, scope=scope, **kwargs)


def check_cell(argument: str, cell: Any) -> None:
    """Raises TypeError unless `cell` has what a cell needs."""
    problems = [
        f"'{name}' property is missing"
        for name in ("output_size", "state_size")
        if not hasattr(cell, name)
    ]
    if not (hasattr(cell, "zero_state") or hasattr(cell, "get_initial_state")):
        problems.append("either 'zero_state' or 'get_initial_state' method is required")
    if not callable(cell):
        problems.append("is not callable")
    if problems:
        raise TypeError(
            f"The argument {argument!r} ({cell}) is not an RNNCell: {', '.join(problems)}."
        )


def check_dtype(dtype: Any) -> None:
    """Raises ValueError for a dtype that cells do not compute in."""
    if dtype is None:
        return
    found = dtypes.as_dtype(dtype)
    if not (found.is_floating or found.is_complex):
        raise ValueError(f"RNN cell only supports floating point inputs, but saw dtype: {found}")


def check_inputs_dtypes(*inputs: Any) -> None:
    for x in nest.flatten(inputs):
        check_dtype(x.dtype)


def known_depth(input_shape: Any) -> int:
    """The last extent of the inputs, which the variables' shapes need."""
    depth = last_dim(input_shape)
    if depth is None:
        raise ValueError(f"Expected inputs.shape[-1] to be known, saw shape: {input_shape}")
    return depth


def activation_of(given: Any) -> Callable[..., Any]:
    """A function, a function by the name that layers know it by, or tanh.

    Raises:
      ValueError: no activation has this name.
      TypeError: neither function nor name.
    """
    if not given:
        return unary_api.tanh
    found = identifiers.activation_of(given)
    assert found is not None
    return found
