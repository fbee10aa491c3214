"""Layers of no particular kind: Dense, Dropout, Flatten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor, convert_to_tensor
from tfc.layers.base import Layer, last_dim
from tfc.layers.branches import branch
from tfc.layers.identifiers import activation_of
from tfc.layers.input_spec import InputSpec
from tfc.layers.windows import ZEROS, layout_of
from tfc.ops import nn_functions
from tfc.ops.array_ops import constant, expand_dims, identity, reshape, shape, transpose
from tfc.ops.linalg.tensordot import tensordot
from tfc.ops.matmul_ops import matmul
from tfc.ops.nn_functions import bias_add


class Dense(Layer):
    """`activation(inputs · kernel + bias)` along the last axis of the inputs.

    units: the last extent of the result. The variables are `kernel` of shape [depth, units] and
    `bias` of shape [units]. Activations and initializers may be given by name.

    Raises, when called:
      ValueError: the last extent of the inputs is not known, or they have less than two axes.
      TypeError: the layer is of no floating or complex dtype.
    """

    def __init__(
        self,
        units: int,
        activation: Callable[..., Any] | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = ZEROS,
        kernel_regularizer: Callable[..., Any] | None = None,
        bias_regularizer: Callable[..., Any] | None = None,
        activity_regularizer: Callable[..., Any] | None = None,
        kernel_constraint: Callable[..., Any] | None = None,
        bias_constraint: Callable[..., Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            trainable=trainable, name=name, activity_regularizer=activity_regularizer, **kwargs
        )
        self.units, self.use_bias = int(units), use_bias
        self.activation = activation_of(activation)
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        self.input_spec: Any = InputSpec(min_ndim=2)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        dtype = dtypes.as_dtype(self.dtype or dtypes.float32)
        if not (dtype.is_floating or dtype.is_complex):
            raise TypeError(f"Unable to build `Dense` layer with non-floating point dtype {dtype}")
        depth = last_dim(input_shape)
        if depth is None:
            raise ValueError(
                "The last dimension of the inputs to `Dense` should be defined. Found `None`."
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: depth})
        self.kernel = self.add_weight(
            "kernel",
            shape=[depth, self.units],
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            trainable=True,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                shape=[self.units],
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                trainable=True,
            )
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        inputs = convert_to_tensor(inputs)
        rank = inputs.get_shape().ndims
        if rank is not None and rank > 2:
            outputs = tensordot(inputs, self.kernel, [[rank - 1], [0]])
            outputs.set_shape(inputs.get_shape()[:-1].concatenate(self.units))
        else:
            outputs = matmul(inputs, self.kernel)
        if self.use_bias:
            outputs = bias_add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        shape = TensorShape(input_shape).with_rank_at_least(2)
        if last_dim(shape) is None:
            raise ValueError(f"The innermost dimension of {shape} must be defined")
        return shape[:-1].concatenate(self.units)


class Dropout(Layer):
    """The inputs with each element set to 0 at random, and scaled by `1 / (1 - rate)` otherwise;
    the inputs themselves where the layer is not called with `training=True`.

    rate: the share of zeros. noise_shape: shape of the choices, broadcast over the inputs; None
    stands for the extent of the inputs. seed: of the random numbers.

    Source: tensorflow/python/layers/core.py.
    """

    def __init__(
        self,
        rate: Any = 0.5,
        noise_shape: Any = None,
        seed: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed

    def call(self, inputs: Any, training: Any = False) -> Tensor:
        """training: a bool, or a bool tensor."""

        def dropped() -> Tensor:
            return nn_functions.dropout(
                inputs, noise_shape=self.noise_shape, seed=self.seed, rate=self.rate
            )

        result: Tensor = branch(training, dropped, lambda: identity(inputs))
        return result

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class Flatten(Layer):
    """All axes but the first as one.

    data_format: "channels_first" puts the channels of the inputs, axis 1, last before that.

    Raises:
      ValueError: the inputs have no axes, or there is no such format.

    Source: tensorflow/python/layers/core.py.
    """

    def __init__(self, data_format: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = layout_of("channels_last" if data_format is None else data_format)
        self.input_spec: Any = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Tensor:
        rank = inputs.get_shape().ndims
        if self.data_format == "channels_first" and rank is not None and rank > 2:
            inputs = transpose(inputs, [0, *range(2, rank), 1])
        known = inputs.get_shape()
        if rank == 1:
            return expand_dims(inputs, 1)
        if known[1:].is_fully_defined():
            return reshape(inputs, constant([-1, known[1:].num_elements()]))
        if known[0].value is not None:
            return reshape(inputs, constant([known[0].value, -1]))
        return reshape(inputs, [shape(inputs)[0], -1])

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        known = TensorShape(input_shape).with_rank_at_least(1)
        rest = known[1:]
        return TensorShape([known[0], rest.num_elements() if rest.is_fully_defined() else None])
