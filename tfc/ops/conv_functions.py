"""Functions of `tf.nn` made of convolutions: one axis, transposed, depthwise, dilated."""

from __future__ import annotations

from typing import Any

from tfc.framework.deprecation import either
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import windows as w
from tfc.ops.conv_ops import conv2d, conv2d_backprop_input, conv3d, steps_of
from tfc.ops.shape_ops import expand_dims, shape, squeeze
from tfc.ops.space_functions import with_space_to_batch


def _int_list(value: Any, count: int) -> list[int]:
    """One number for each of `count` axes."""
    steps = [int(n) for n in value] if isinstance(value, (list, tuple)) else [int(value)]
    return steps * count if len(steps) == 1 else steps


def conv1d(
    value: Any = None,
    filters: Any = None,
    stride: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool | None = None,
    data_format: str | None = None,
    name: str | None = None,
    input: Any = None,
    dilations: Any = None,
) -> Tensor:
    """The convolution of sequences [batch, width, channels] with a filter
    [width, channels, outputs]."""
    value = either("input", input, "value", value)
    layout = data_format or "NWC"
    if layout not in ("NWC", "NHWC", "NCW", "NCHW"):
        raise ValueError('data_format must be "NWC" or "NCW".')
    first = w.channels_first(layout)
    if not isinstance(padding, str):
        raise TypeError(f"Expected string for argument 'padding' not {padding!r}.")
    with name_scope(name, "conv1d", [value, filters]):
        at = 2 if first else 1
        wide = expand_dims(convert_to_tensor(value), at)
        kernel = expand_dims(convert_to_tensor(filters), 0)
        result = conv2d(
            wide,
            kernel,
            [1, *w.entries(stride, 1, layout, "stride")],
            padding,
            data_format="NCHW" if first else "NHWC",
            dilations=[1, *w.entries(dilations, 1, layout, "dilations")],
        )
        return squeeze(result, [at])


def conv2d_transpose(
    value: Any = None,
    filter: Any = None,
    output_shape: Any = None,
    strides: Any = None,
    padding: str = "SAME",
    data_format: str = "NHWC",
    name: str | None = None,
    input: Any = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """The gradient of `conv2d` used as a layer: filter is [height, width, outputs, channels]."""
    value = either("input", input, "value", value)
    filter = either("filters", filters, "filter", filter)
    if data_format not in ("NCHW", "NHWC"):
        raise ValueError("data_format has to be either NCHW or NHWC.")
    with name_scope(name, "conv2d_transpose", [value, filter, output_shape]) as scope:
        value = convert_to_tensor(value, name="value")
        filter = convert_to_tensor(filter, name="filter")
        axis = 1 if w.channels_first(data_format) else 3
        depth, inputs = value.get_shape()[axis].value, filter.get_shape()[3].value
        if depth is not None and inputs is not None and depth != inputs:
            raise ValueError(
                f"input channels does not match filter's input channels, {depth} != {inputs}"
            )
        return conv2d_backprop_input(
            output_shape,
            filter,
            value,
            strides,
            padding,
            data_format=data_format,
            dilations=[1, 1, 1, 1] if dilations is None else dilations,
            name=scope,
        )


def conv3d_transpose(
    value: Any,
    filter: Any = None,
    output_shape: Any = None,
    strides: Any = None,
    padding: str = "SAME",
    data_format: str = "NDHWC",
    name: str | None = None,
    input: Any = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """The gradient of `conv3d` used as a layer."""
    value = either("input", input, "value", value)
    filter = either("filters", filters, "filter", filter)
    with name_scope(name, "conv3d_transpose", [value, filter, output_shape]) as scope:
        return apply(
            "Conv3DBackpropInputV2",
            output_shape,
            filter,
            value,
            strides=steps_of(strides, 5, data_format),
            padding=padding,
            data_format=data_format,
            dilations=steps_of(1 if dilations is None else dilations, 5, data_format),
            name=scope,
        )


def depthwise_conv2d_native(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """A convolution of each channel by itself; filter is [height, width, channels, multiplier]."""
    return apply(
        "DepthwiseConv2dNative",
        input,
        filter,
        strides=list(strides),
        data_format=data_format,
        dilations=list(dilations),
        name=name,
        **w.padding_attrs(padding, data_format),
    )


def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """A convolution of each channel by itself, with holes of `rate` in the filter.

    padding: "SAME", "VALID", or a pair (before, after) for each axis.
    """
    layout = data_format or "NHWC"
    rate = either("dilations", dilations, "rate", rate)
    with name_scope(name, "depthwise", [input, filter]) as scope:
        input = convert_to_tensor(input, name="tensor_in")
        filter = convert_to_tensor(filter, name="filter_in")
        gaps = w.entries(rate, 2, layout, "rate")
        if max(gaps) > 1 and max(strides) > 1:  # the strides are steps among the blocks
            return with_space_to_batch(
                input,
                w.spatial_of(gaps, layout),
                padding,
                lambda x, _, pad: depthwise_conv2d_native(
                    x, filter, strides, pad, layout, name=scope
                ),
                filter_shape=shape(filter),
                data_format=layout,
            )
        return depthwise_conv2d_native(input, filter, strides, padding, layout, gaps, name=scope)


def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: Any,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """`depthwise_conv2d`, then a 1 x 1 convolution with `pointwise_filter`.

    Raises:
      ValueError: the pointwise filter is not [1, 1, channels, outputs].
    """
    layout = data_format or "NHWC"
    rate = either("dilations", dilations, "rate", rate)
    values = [input, depthwise_filter, pointwise_filter]
    with name_scope(name, "separable_conv2d", values) as scope:
        pointwise_filter = convert_to_tensor(pointwise_filter, name="pointwise_filter")
        for extent in pointwise_filter.get_shape().with_rank(4).dims[:2]:
            extent.assert_is_compatible_with(1)
        channels = depthwise_conv2d(
            input, depthwise_filter, strides, padding, rate, "depthwise", layout
        )
        return conv2d(
            channels, pointwise_filter, [1, 1, 1, 1], "VALID", data_format=layout, name=scope
        )


def atrous_conv2d(
    value: Any, filters: Any, rate: int, padding: str, name: str | None = None
) -> Tensor:
    """A convolution whose filter has rate - 1 holes between its elements."""
    return conv2d(
        value,
        filters,
        [1, 1, 1, 1],
        padding,
        dilations=[1, rate, rate, 1],
        name=name or "convolution",
    )


def atrous_conv2d_transpose(
    value: Any, filters: Any, output_shape: Any, rate: int, padding: str, name: str | None = None
) -> Tensor:
    """The gradient of `atrous_conv2d` used as a layer."""
    with name_scope(name, "atrous_conv2d_transpose", [value, filters, output_shape]) as scope:
        return conv2d_backprop_input(
            output_shape,
            filters,
            value,
            [1, 1, 1, 1],
            padding,
            dilations=[1, rate, rate, 1],
            name=scope,
        )


def convolution(
    input: Any,
    filter: Any,
    padding: Any,
    strides: Any = None,
    dilation_rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """A convolution over one, two or three axes, by the rank of `input`.

    Raises:
      ValueError: another rank, or both strides and dilations above 1.
    """
    filter = either("filters", filters, "filter", filter)
    rate = either("dilations", dilations, "dilation_rate", dilation_rate)
    with name_scope(name, "convolution", [input, filter]) as scope:
        input = convert_to_tensor(input, name="input")
        filter = convert_to_tensor(filter, name="filter")
        rank = input.get_shape().ndims or filter.get_shape().ndims
        if rank not in (3, 4, 5):
            raise ValueError(f"`input` must be of rank 3, 4 or 5 but was rank {rank}")
        first = data_format is not None and w.channels_first(data_format)
        steps, gaps = (_int_list(1 if v is None else v, rank - 2) for v in (strides, rate))
        if max(steps) > 1 and max(gaps) > 1:
            raise ValueError(
                "strides > 1 not supported in conjunction with dilation_rate > 1: "
                f"{steps} and {gaps}"
            )
        if rank == 3:
            layout = "NCW" if first else "NWC"
            return conv1d(
                input,
                filter,
                steps[0],
                padding,
                data_format=layout,
                dilations=gaps[0],
                name=scope,
            )
        layout = ("NCHW" if first else "NHWC") if rank == 4 else ("NCDHW" if first else "NDHWC")
        full = [w.from_last([1, *v, 1], layout) for v in (steps, gaps)]
        call = conv2d if rank == 4 else conv3d
        return call(
            input, filter, full[0], padding, data_format=layout, dilations=full[1], name=scope
        )


def max_pool_with_argmax(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: str,
    data_format: str = "NHWC",
    Targmax: Any = None,
    name: str | None = None,
    output_dtype: Any = None,
    include_batch_in_index: bool = False,
) -> tuple[Tensor, Tensor]:
    """The largest element of each window and its flat position in its image, or in the batch."""
    kind = output_dtype if Targmax is None else Targmax
    more = {} if kind is None else {"Targmax": kind}
    if data_format != "NHWC":
        raise ValueError("Data formats other than 'NHWC' are not yet supported")
    return apply(
        "MaxPoolWithArgmax",
        input,
        ksize=list(ksize),
        strides=list(strides),
        padding=padding,
        include_batch_in_index=include_batch_in_index,
        name=name,
        **more,
    )
