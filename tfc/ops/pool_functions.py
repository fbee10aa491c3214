"""The functions of `tf.nn` that pool over one, two and three axes."""

from __future__ import annotations

from typing import Any

from tfc.framework.deprecation import either
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import windows as w
from tfc.ops.shape_ops import expand_dims, squeeze


def max_pool(
    value: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """The largest element of each window of images [batch, height, width, channels]."""
    value = either("input", input, "value", value)
    return _pool("MaxPool", value, ksize, strides, padding, data_format, name)


def avg_pool(
    value: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """The mean of each window of images [batch, height, width, channels]."""
    value = either("input", input, "value", value)
    return _pool("AvgPool", value, ksize, strides, padding, data_format, name)


def max_pool2d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
) -> Tensor:
    """The largest element of each window of images [batch, height, width, channels]."""
    return _pool("MaxPool", input, ksize, strides, padding, data_format, name)


def max_pool3d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NDHWC",
    name: str | None = None,
) -> Tensor:
    """The largest element of each window of volumes [batch, depth, height, width, channels]."""
    return _pool("MaxPool3D", input, ksize, strides, padding, data_format, name)


def avg_pool3d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NDHWC",
    name: str | None = None,
) -> Tensor:
    """The mean of each window of volumes [batch, depth, height, width, channels]."""
    return _pool("AvgPool3D", input, ksize, strides, padding, data_format, name)


def _pool(
    op: str, value: Any, ksize: Any, strides: Any, padding: Any, layout: str, name: str | None
) -> Tensor:
    count = 3 if op.endswith("3D") else 2
    padded = w.padding_attrs(padding, layout) if op == "MaxPool" else {"padding": padding}
    return apply(
        op,
        value,
        ksize=w.entries(ksize, count, layout, "ksize"),
        strides=w.entries(strides, count, layout, "strides"),
        data_format=layout,
        name=name or op,
        **padded,
    )


def _pool1d(
    op: str, input: Any, ksize: Any, strides: Any, padding: Any, layout: str, name: str | None
) -> Tensor:
    """A pool over the width of [batch, width, channels], as images of height 1."""
    default = "max_pool1d" if op == "MaxPool" else "avg_pool1d"
    with name_scope(name, default, [input]) as scope:
        first = w.channels_first(layout)
        at = 2 if first else 1
        wide = expand_dims(convert_to_tensor(input, name="input"), at)
        plain = "NCW" if first else "NWC"
        sizes = [1, *w.entries(ksize, 1, plain, "ksize")]
        steps = [1, *w.entries(strides, 1, plain, "strides")]
        image_layout = "NCHW" if first else "NHWC"
        if isinstance(padding, (list, tuple)):
            w.padding_attrs(padding, layout)
            padding = [*padding[:at], [0, 0], *padding[at:]]
        pooled = _pool(op, wide, sizes, steps, padding, image_layout, None)
        return squeeze(pooled, [at], name=scope)


def max_pool1d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: str,
    data_format: str = "NWC",
    name: str | None = None,
) -> Tensor:
    """The largest element of each window of sequences [batch, width, channels]."""
    return _pool1d("MaxPool", input, ksize, strides, padding, data_format, name)


def avg_pool1d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: str,
    data_format: str = "NWC",
    name: str | None = None,
) -> Tensor:
    """The mean of each window of sequences [batch, width, channels]."""
    return _pool1d("AvgPool", input, ksize, strides, padding, data_format, name)


def _by_rank(
    op: str, input: Any, ksize: Any, strides: Any, padding: str, layout: Any, name: str | None
) -> Tensor:
    """Raises ValueError for other ranks than 3, 4 and 5."""
    rank = len(layout) if layout is not None else convert_to_tensor(input).get_shape().ndims
    if rank not in (3, 4, 5):
        raise ValueError(f"Input tensor must be of rank 3, 4 or 5 but was {rank}.")
    default = {3: "NWC", 4: "NHWC", 5: "NDHWC"}[rank]
    if rank == 3:
        return _pool1d(op, input, ksize, strides, padding, layout or default, name)
    full = op + ("3D" if rank == 5 else "")
    return _pool(full, input, ksize, strides, padding, layout or default, name)


def max_pool_v2(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: str,
    data_format: str | None = None,
    name: str | None = None,
) -> Tensor:
    """The largest element of each window, over one, two or three axes by the rank of `input`."""
    return _by_rank("MaxPool", input, ksize, strides, padding, data_format, name)


def avg_pool_v2(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: str,
    data_format: str | None = None,
    name: str | None = None,
) -> Tensor:
    """The mean of each window, over one, two or three axes by the rank of `input`."""
    return _by_rank("AvgPool", input, ksize, strides, padding, data_format, name)
