"""Functions of `tf.nn` that are gradients of convolutions: transposed ones, and of each operand."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import windows as w
from tfc.ops.conv_functions import conv2d_transpose, conv3d_transpose
from tfc.ops.conv_ops import conv2d_backprop_input, steps_of
from tfc.ops.join_ops import concat
from tfc.ops.shape_ops import expand_dims, squeeze


def conv1d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: str = "SAME",
    data_format: str = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The gradient of `conv1d` used as a layer: filters is [width, outputs, channels].

    Raises:
      ValueError: another layout, or channels that do not fit.
    """
    if data_format not in ("NWC", "NCW"):
        raise ValueError(f'data_format must be "NWC" or "NCW", not {data_format!r}')
    with name_scope(name, "conv1d_transpose", [input, filters, output_shape]):
        input = convert_to_tensor(input, name="input")
        filters = convert_to_tensor(filters, name="filters")
        first = data_format == "NCW"
        at, layout = (2, "NCHW") if first else (1, "NHWC")
        depth = input.get_shape().with_rank(3)[1 if first else 2].value
        inputs = filters.get_shape().with_rank(3)[2].value
        if depth is not None and inputs is not None and depth != inputs:
            raise ValueError(
                f"input channels does not match filter's input channels, {depth} != {inputs}"
            )
        if isinstance(output_shape, list | tuple):
            sizes: Any = [*output_shape[:at], 1, *output_shape[at:]]
        else:
            given = convert_to_tensor(output_shape, name="output_shape")
            sizes = concat([given[:at], [1], given[at:]], axis=0)
        steps, gaps = (
            w.from_last([1, 1, _width(v, first), 1], layout)
            for v in (strides, 1 if dilations is None else dilations)
        )
        wide, kernel = expand_dims(input, at), expand_dims(filters, 0)
        result = conv2d_backprop_input(
            sizes,
            kernel,
            wide,
            steps,
            padding,
            data_format=layout,
            dilations=gaps,
        )
        return squeeze(result, [at])


def _width(value: Any, first: bool) -> int:
    """The entry about the width, of one number, a list of it, or one for each axis."""
    return int(steps_of(value, 3, "NCW" if first else "NWC")[2 if first else 1])


def conv_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: str = "SAME",
    data_format: str | None = None,
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The gradient of a convolution over one, two or three axes, by the length of `output_shape`.

    Raises:
      ValueError: `output_shape` has no length, or one of other than 3 to 5.
    """
    with name_scope(name, "conv_transpose", [input, filters, output_shape]) as scope:
        if isinstance(output_shape, Tensor):
            rank = output_shape.get_shape().with_rank(1)[0].value
        elif isinstance(output_shape, Sized):
            rank = len(output_shape)
        else:
            raise ValueError("`output_shape` must be a tensor or sized collection.")
        if rank not in (3, 4, 5):
            raise ValueError(f"output_shape must be of length 3, 4 or 5 but was {rank}")
        if rank == 3:
            return conv1d_transpose(
                input,
                filters,
                output_shape,
                strides,
                padding,
                data_format or "NWC",
                dilations,
                scope,
            )
        call, default = {4: (conv2d_transpose, "NHWC"), 5: (conv3d_transpose, "NDHWC")}[rank]
        result: Tensor = call(  # type: ignore[operator]
            input,
            filters,
            output_shape,
            strides,
            padding,
            data_format or default,
            scope,
            dilations=dilations,
        )
        return result


def conv3d_backprop_filter(
    input: Any,
    filter_sizes: Any,
    out_backprop: Any,
    strides: Any,
    padding: str,
    data_format: str = "NDHWC",
    dilations: Any = (1, 1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient of `conv3d` with respect to its filter, which has the shape `filter_sizes`."""
    return apply(
        "Conv3DBackpropFilterV2",
        input,
        filter_sizes,
        out_backprop,
        strides=list(strides),
        padding=padding,
        data_format=data_format,
        dilations=list(dilations),
        name=name,
    )


def depthwise_conv2d_native_backprop_input(
    input_sizes: Any,
    filter: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient of `depthwise_conv2d_native` with respect to its input, whose shape is
    `input_sizes`."""
    return apply(
        "DepthwiseConv2dNativeBackpropInput",
        input_sizes,
        filter,
        out_backprop,
        strides=list(strides),
        data_format=data_format,
        dilations=list(dilations),
        name=name,
        **w.padding_attrs(padding, data_format),
    )


def depthwise_conv2d_native_backprop_filter(
    input: Any,
    filter_sizes: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient of `depthwise_conv2d_native` with respect to its filter, whose shape is
    `filter_sizes`."""
    return apply(
        "DepthwiseConv2dNativeBackpropFilter",
        input,
        filter_sizes,
        out_backprop,
        strides=list(strides),
        data_format=data_format,
        dilations=list(dilations),
        name=name,
        **w.padding_attrs(padding, data_format),
    )
