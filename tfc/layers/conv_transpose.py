"""Layers of transposed convolutions, over two and three axes."""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import Tensor
from tfc.layers.conv import Convolution, Function
from tfc.layers.windows import ZEROS, spatial_axes
from tfc.ops.array_ops import shape, stack
from tfc.ops.conv_functions import conv2d_transpose, conv3d_transpose


class _Transpose(Convolution):
    """The gradient of a convolution, used as a layer: `kernel` is [window …, filters, channels]."""

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str,
        *others: Any,
        **kwargs: Any,
    ):
        gaps = (1,) * rank
        super().__init__(
            rank, filters, kernel_size, strides, padding, data_format, gaps, *others, **kwargs
        )

    def _kernel_shape(self, channels: int) -> list[int]:
        return [*self.kernel_size, self.filters, channels]

    def call(self, inputs: Any) -> Tensor:
        known, axes = inputs.get_shape().as_list(), spatial_axes(self.rank, self._first)
        extents = shape(inputs)
        dims: list[Any] = [extents[0]] + [self.filters] * (self.rank + 1)
        strides = [1] * (self.rank + 2)
        for at, axis in enumerate(axes):
            extent = extents[axis] if known[axis] is None else known[axis]
            dims[axis], strides[axis] = self._length(at, extent), self.strides[at]
        function = conv2d_transpose if self.rank == 2 else conv3d_transpose
        outputs = function(
            inputs,
            self.kernel,
            stack(dims),
            strides,
            padding=self.padding.upper(),
            data_format=self._op_format(),
        )
        outputs.set_shape(self.compute_output_shape(inputs.get_shape()))
        return self._finished(outputs)

    def _length(self, at: int, extent: Any) -> Any:
        if extent is None:
            return None
        stride = self.strides[at]
        more = max(self.kernel_size[at] - stride, 0) if self.padding == "valid" else 0
        return extent * stride + more if more else extent * stride


class Conv2DTranspose(_Transpose):
    """The transpose of a convolution of images [batch, height, width, channels].

    filters: channels of the result. kernel_size, strides: a number or one for each axis. padding:
    "valid" or "same". The result is `strides` times as high and wide, and more for "valid" padding
    if the window is larger than its stride.

    Raises:
      ValueError: an argument is none of those, or the channels of the inputs are not known when
      called.

    Source: tensorflow/python/layers/convolutional.py.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
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


class Conv3DTranspose(_Transpose):
    """The transpose of a convolution of volumes [batch, depth, height, width, channels]. See
    `Conv2DTranspose`."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
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
