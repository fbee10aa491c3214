"""Layers of convolutions of each channel by itself, followed by one that mixes channels."""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import Tensor
from tfc.layers.conv import Convolution, Function
from tfc.layers.windows import ZEROS
from tfc.ops.array_ops import expand_dims, squeeze
from tfc.ops.conv_functions import separable_conv2d
from tfc.ops.nn_functions import bias_add


class _Separable(Convolution):
    """The variables are `depthwise_kernel`, of shape [window …, channels, depth_multiplier],
    `pointwise_kernel`, of shape [1 …, channels * depth_multiplier, filters], and `bias`."""

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str,
        dilation_rate: Any,
        depth_multiplier: int,
        activation: Function,
        use_bias: bool,
        depthwise_initializer: Any,
        pointwise_initializer: Any,
        bias_initializer: Any,
        depthwise_regularizer: Function,
        pointwise_regularizer: Function,
        bias_regularizer: Function,
        activity_regularizer: Function,
        depthwise_constraint: Function,
        pointwise_constraint: Function,
        bias_constraint: Function,
        trainable: bool,
        name: str | None,
        **kwargs: Any,
    ):
        super().__init__(
            rank,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer=bias_initializer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            bias_constraint=bias_constraint,
            trainable=trainable,
            name=name,
            **kwargs,
        )
        self.depth_multiplier = depth_multiplier
        self.depthwise_initializer = depthwise_initializer
        self.pointwise_initializer = pointwise_initializer
        self.depthwise_regularizer = depthwise_regularizer
        self.pointwise_regularizer = pointwise_regularizer
        self.depthwise_constraint = depthwise_constraint
        self.pointwise_constraint = pointwise_constraint
        self.depthwise_kernel: Any = None
        self.pointwise_kernel: Any = None

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel",
            shape=[*self.kernel_size, channels, self.depth_multiplier],
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self.pointwise_kernel = self.add_weight(
            "pointwise_kernel",
            shape=[1] * self.rank + [channels * self.depth_multiplier, self.filters],
            initializer=self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )
        self._build_bias()
        self.built = True


class SeparableConv1D(_Separable):
    """A separable convolution of sequences. See `Conv1D`; depth_multiplier is how many channels
    each channel becomes in the first of the two convolutions.

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
        depth_multiplier: int = 1,
        activation: Function = None,
        use_bias: bool = True,
        depthwise_initializer: Any = None,
        pointwise_initializer: Any = None,
        bias_initializer: Any = ZEROS,
        depthwise_regularizer: Function = None,
        pointwise_regularizer: Function = None,
        bias_regularizer: Function = None,
        activity_regularizer: Function = None,
        depthwise_constraint: Function = None,
        pointwise_constraint: Function = None,
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
            depth_multiplier,
            activation,
            use_bias,
            depthwise_initializer,
            pointwise_initializer,
            bias_initializer,
            depthwise_regularizer,
            pointwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            depthwise_constraint,
            pointwise_constraint,
            bias_constraint,
            trainable,
            name,
            **kwargs,
        )

    def call(self, inputs: Any) -> Tensor:
        """A sequence is an image of one row."""
        if self.padding == "causal":
            inputs = self._padded(inputs)
        at = 2 if self._first else 1
        both = [self.strides[0]] * 2
        layout = "NCHW" if self._first else "NHWC"
        outputs = separable_conv2d(
            expand_dims(inputs, at),
            expand_dims(self.depthwise_kernel, 0),
            expand_dims(self.pointwise_kernel, 0),
            strides=[1, 1, *both] if self._first else [1, *both, 1],
            padding="VALID" if self.padding == "causal" else self.padding.upper(),
            rate=[1, *self.dilation_rate],
            data_format=layout,
        )
        if self.use_bias:
            outputs = bias_add(outputs, self.bias, data_format=layout)
        outputs = squeeze(outputs, [at])
        return outputs if self.activation is None else self.activation(outputs)


class SeparableConv2D(_Separable):
    """A separable convolution of images. See `Conv2D`; depth_multiplier is how many channels each
    channel becomes in the first of the two convolutions."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1,
        activation: Function = None,
        use_bias: bool = True,
        depthwise_initializer: Any = None,
        pointwise_initializer: Any = None,
        bias_initializer: Any = ZEROS,
        depthwise_regularizer: Function = None,
        pointwise_regularizer: Function = None,
        bias_regularizer: Function = None,
        activity_regularizer: Function = None,
        depthwise_constraint: Function = None,
        pointwise_constraint: Function = None,
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
            depth_multiplier,
            activation,
            use_bias,
            depthwise_initializer,
            pointwise_initializer,
            bias_initializer,
            depthwise_regularizer,
            pointwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            depthwise_constraint,
            pointwise_constraint,
            bias_constraint,
            trainable,
            name,
            **kwargs,
        )

    def call(self, inputs: Any) -> Tensor:
        strides = [1, 1, *self.strides] if self._first else [1, *self.strides, 1]
        outputs = separable_conv2d(
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            strides=strides,
            padding=self.padding.upper(),
            rate=list(self.dilation_rate),
            data_format="NCHW" if self._first else "NHWC",
        )
        return self._finished(outputs)
