"""Layers of convolutions over one, two and three axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.layers.base import Layer
from tfc.layers.identifiers import activation_of
from tfc.layers.input_spec import InputSpec
from tfc.layers.windows import (
    ZEROS,
    check_windows,
    each_axis,
    layout_of,
    output_length,
    padding_of,
    spatial_axes,
)
from tfc.ops.array_ops import pad, reshape
from tfc.ops.conv_functions import convolution
from tfc.ops.nn_functions import bias_add

Function = Callable[..., Any] | None


class Convolution(Layer):
    """`activation(convolution(inputs, kernel) + bias)`.

    rank: how many axes the window moves along. The variables are `kernel`, of shape [window …,
    channels, filters], and `bias`, of shape [filters].
    """

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = 1,
        activation: Function = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = ZEROS,
        kernel_regularizer: Function = None,
        bias_regularizer: Function = None,
        activity_regularizer: Function = None,
        kernel_constraint: Function = None,
        bias_constraint: Function = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            trainable=trainable, name=name, activity_regularizer=activity_regularizer, **kwargs
        )
        self.rank, self.filters = rank, filters
        self.kernel_size = each_axis(kernel_size, rank, "kernel_size")
        self.strides = each_axis(strides, rank, "strides")
        self.dilation_rate = each_axis(dilation_rate, rank, "dilation_rate")
        self.padding = padding_of(padding, causal=rank == 1)
        self.data_format = layout_of(data_format)
        self.activation, self.use_bias = activation_of(activation), use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        self.input_spec: Any = InputSpec(ndim=rank + 2)
        self.kernel: Any = None
        self.bias: Any = None
        check_windows(self.strides, self.dilation_rate)

    @property
    def _first(self) -> bool:
        """Whether the channels come before the other axes."""
        return self.data_format == "channels_first"

    def _channels(self, input_shape: Any) -> int:
        """The number of channels of the inputs, which is from now on demanded of them."""
        axis = 1 if self._first else -1
        channels = TensorShape(input_shape).as_list()[axis]
        if channels is None:
            raise ValueError(
                "The channel dimension of the inputs should be defined. Found `None`. The "
                f"input_shape received is {TensorShape(input_shape)}, where axis {axis} is the "
                "channel dimension."
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})
        return int(channels)

    def _kernel_shape(self, channels: int) -> list[int]:
        return [*self.kernel_size, channels, self.filters]

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.kernel = self.add_weight(
            "kernel",
            shape=self._kernel_shape(channels),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self._build_bias()
        self.built = True

    def _build_bias(self) -> None:
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                shape=[self.filters],
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, inputs: Any) -> Tensor:
        if self.padding == "causal":
            inputs = self._padded(inputs)
        outputs = convolution(
            inputs,
            self.kernel,
            padding="VALID" if self.padding == "causal" else self.padding.upper(),
            strides=list(self.strides),
            dilation_rate=list(self.dilation_rate),
            data_format=self._op_format(),
            name=("conv1d", "Conv2D", "Conv3D")[self.rank - 1],
        )
        return self._finished(outputs)

    def _op_format(self) -> str:
        """The layout in the words of the ops."""
        letters = "DHW"[3 - self.rank :]
        return f"NC{letters}" if self._first else f"N{letters}C"

    def _padded(self, inputs: Tensor) -> Tensor:
        """The inputs with zeros before them, so that no output depends on what comes later."""
        before = [self.dilation_rate[0] * (self.kernel_size[0] - 1), 0]
        none = [0, 0]
        return pad(inputs, [none, none, before] if self._first else [none, before, none])

    def _finished(self, outputs: Tensor) -> Tensor:
        """With bias and activation."""
        if self.use_bias:
            if self.rank == 1 and self._first:
                outputs = outputs + reshape(self.bias, [1, self.filters, 1])
            else:
                outputs = bias_add(
                    outputs, self.bias, data_format="NCHW" if self._first else "NHWC"
                )
        return outputs if self.activation is None else self.activation(outputs)

    def _length(self, at: int, extent: int | None) -> int | None:
        """The extent of the result along the window's axis number `at`."""
        window, gaps = self.kernel_size[at], self.dilation_rate[at]
        return output_length(extent, window, self.padding, self.strides[at], gaps)

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        dims = TensorShape(input_shape).with_rank(self.rank + 2).as_list()
        for at, axis in enumerate(spatial_axes(self.rank, self._first)):
            dims[axis] = self._length(at, dims[axis])
        dims[1 if self._first else -1] = self.filters
        return TensorShape(dims)


class Conv1D(Convolution):
    """A convolution of sequences: [batch, steps, channels], or channels second for data_format
    "channels_first".

    filters: channels of the result. kernel_size, strides, dilation_rate: a number or one for each
    axis. padding: "valid", "same", or "causal": zeros before the sequence only.

    Raises:
      ValueError: an argument is none of those, strides and dilation are both used, or the channels
      of the inputs are not known when called.

    Source: tensorflow/python/layers/convolutional.py.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = 1,
        activation: Function = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = ZEROS,
        kernel_regularizer: Function = None,
        bias_regularizer: Function = None,
        activity_regularizer: Function = None,
        kernel_constraint: Function = None,
        bias_constraint: Function = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            1,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            trainable,
            name,
            **kwargs,
        )


class Conv2D(Convolution):
    """A convolution of images [batch, height, width, channels]. See `Conv1D`; no causal padding."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = (1, 1),
        activation: Function = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = ZEROS,
        kernel_regularizer: Function = None,
        bias_regularizer: Function = None,
        activity_regularizer: Function = None,
        kernel_constraint: Function = None,
        bias_constraint: Function = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            2,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            trainable,
            name,
            **kwargs,
        )


class Conv3D(Convolution):
    """A convolution of volumes: [batch, depth, height, width, channels]. See `Conv1D`; no causal
    padding."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = (1, 1, 1),
        activation: Function = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = ZEROS,
        kernel_regularizer: Function = None,
        bias_regularizer: Function = None,
        activity_regularizer: Function = None,
        kernel_constraint: Function = None,
        bias_constraint: Function = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            3,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            trainable,
            name,
            **kwargs,
        )
