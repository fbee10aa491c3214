"""Layers of pooling over one, two and three axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.layers.base import Layer
from tfc.layers.input_spec import InputSpec
from tfc.layers.windows import each_axis, layout_of, output_length, padding_of, spatial_axes
from tfc.ops.array_ops import expand_dims, squeeze, transpose
from tfc.ops.pool_functions import avg_pool, avg_pool3d, max_pool, max_pool3d


class _Pooling(Layer):
    """The greatest element, or the mean, of each window along `rank` axes, by channel."""

    def __init__(
        self,
        function: Callable[..., Tensor],
        rank: int,
        pool_size: Any,
        strides: Any,
        padding: str,
        data_format: str,
        name: str | None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.rank, self.pool_function = rank, function
        self.pool_size = each_axis(pool_size, rank, "pool_size")
        self.strides = each_axis(pool_size if strides is None else strides, rank, "strides")
        self.padding, self.data_format = padding_of(padding), layout_of(data_format)
        self.input_spec: Any = InputSpec(ndim=rank + 2)

    @property
    def _first(self) -> bool:
        return self.data_format == "channels_first"

    def call(self, inputs: Any) -> Tensor:
        """A sequence is pooled as an image of one column, and volumes with their channels last."""
        size, strides = list(self.pool_size), list(self.strides)
        if self.rank == 1:
            size, strides = [*size, 1], [*strides, 1]
            inputs = expand_dims(inputs, 3 if self._first else 2)
        turned = self._first and self.rank == 3
        if turned:
            inputs = transpose(inputs, (0, 2, 3, 4, 1))
        first = self._first and not turned
        letters = "DHW" if self.rank == 3 else "HW"
        result = self.pool_function(
            inputs,
            ksize=[1, 1, *size] if first else [1, *size, 1],
            strides=[1, 1, *strides] if first else [1, *strides, 1],
            padding=self.padding.upper(),
            data_format=f"NC{letters}" if first else f"N{letters}C",
        )
        if turned:
            return transpose(result, (0, 4, 1, 2, 3))
        return squeeze(result, [3 if self._first else 2]) if self.rank == 1 else result

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        dims = TensorShape(input_shape).with_rank(self.rank + 2).as_list()
        for at, axis in enumerate(spatial_axes(self.rank, self._first)):
            size, stride = self.pool_size[at], self.strides[at]
            dims[axis] = output_length(dims[axis], size, self.padding, stride)
        return TensorShape(dims)


class AveragePooling1D(_Pooling):
    """The mean of each window of sequences [batch, steps, channels], by channel.

    pool_size, strides: a number or one for each axis. padding: "valid" or "same". data_format:
    "channels_first" puts the channels second.

    Raises:
      ValueError: an argument is none of those, or the rank of the inputs is another one.

    Source: tensorflow/python/layers/pooling.py.
    """

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(avg_pool, 1, pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling2D(_Pooling):
    """The mean of each window of images [batch, height, width, channels], by channel.
    See `AveragePooling1D`."""

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(avg_pool, 2, pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling3D(_Pooling):
    """The mean of each window of volumes [batch, depth, height, width, channels], by channel.
    See `AveragePooling1D`."""

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(avg_pool3d, 3, pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling1D(_Pooling):
    """The greatest element of each window of sequences [batch, steps, channels], by channel.
    See `AveragePooling1D`."""

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(max_pool, 1, pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling2D(_Pooling):
    """The greatest element of each window of images [batch, height, width, channels], by channel.
    See `AveragePooling1D`."""

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(max_pool, 2, pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling3D(_Pooling):
    """The greatest element of each window of volumes [batch, depth, height, width, channels], by
    channel. See `AveragePooling1D`."""

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(max_pool3d, 3, pool_size, strides, padding, data_format, name, **kwargs)
