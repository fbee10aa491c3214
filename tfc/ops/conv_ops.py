"""Convolutions over two and three axes, depthwise ones, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.dtypes import INDEX
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops import windows as w
from tfc.ops.lowering import invalid
from tfc.ops.shape_ops import shape, shape_n

FLOATS = dtypes.FLOATS
_2D = (
    "strides: list(int), use_cudnn_on_gpu: bool = True, padding: {'SAME', 'VALID', 'EXPLICIT'}, "
    "explicit_paddings: list(int) = [], data_format: {'NHWC', 'NCHW'} = 'NHWC', "
    "dilations: list(int) = [1, 1, 1, 1]"
)
_DEPTHWISE = (
    "strides: list(int), padding: {'SAME', 'VALID', 'EXPLICIT'}, "
    "explicit_paddings: list(int) = [], data_format: {'NHWC', 'NCHW'} = 'NHWC', "
    "dilations: list(int) = [1, 1, 1, 1]"
)
_3D = (
    "strides: list(int), padding: {'SAME', 'VALID'}, "
    "data_format: {'NDHWC', 'NCDHW'} = 'NDHWC', "
    "dilations: list(int) = [1, 1, 1, 1, 1]"
)


def _attrs_of(op: Any) -> dict[str, Any]:
    """The attributes that a convolution hands to its gradients."""
    names = ("strides", "padding", "explicit_paddings", "data_format", "dilations")
    found = op.defn.signature().attrs
    return {name: op.attr(name) for name in names if name in found}


def layout_of(op: Any) -> str:
    """The data format of an op."""
    return str(op.get_attr("data_format"))


def _result_shape(
    input: TensorShape, filter: TensorShape, rank: int, attrs: dict[str, Any], depthwise: bool
) -> list[TensorShape]:
    layout = attrs["data_format"]
    w.check_plain("strides", attrs["strides"], layout, rank)
    w.check_plain("dilations", attrs["dilations"], layout, rank)
    image = w.to_last(s.with_rank(input, rank), layout)
    kernel = s.with_rank(filter, rank)
    depth, inputs = image[-1], kernel[-2]
    if depth is not None and inputs is not None:
        if depthwise and depth != inputs:
            raise ValueError(f"Dimensions must be equal, but are {depth} and {inputs}")
        if not depthwise and (inputs == 0 or depth % inputs):
            raise ValueError(
                f"Depth of input ({depth}) is not a multiple of input depth of filter ({inputs})"
            )
        if not depthwise and kernel[-1] is not None:
            groups = depth // inputs
            if groups == 0 or kernel[-1] % groups:
                raise ValueError(
                    f"Depth of output ({kernel[-1]}) is not a multiple of the number of groups "
                    f"({groups})"
                )
    strides = w.spatial_of(attrs["strides"], layout)
    dilations = w.spatial_of(attrs["dilations"], layout)
    flat = attrs.get("explicit_paddings") or ()
    w.check_explicit(flat, layout, rank)
    explicit = w.explicit_pairs(flat, layout, rank)
    spatial = [
        w.extent(image[i + 1], kernel[i], strides[i], dilations[i], attrs["padding"], explicit[i])
        for i in range(rank - 2)
    ]
    channels = kernel[-1]
    if depthwise:
        channels = None if inputs is None or kernel[-1] is None else inputs * kernel[-1]
    return [s.shape_of(w.from_last([image[0], *spatial, channels], layout))]


def _filter_for(build: Any, filter: Value, depthwise: bool) -> Value:
    """A depthwise filter [*window, C, M] as [*window, 1, C * M] in C groups."""
    if not depthwise:
        return filter
    *spatial, channels, times = filter.type.shape
    return p.reshape(build, filter, shape=(*spatial, 1, channels * times))


def _check_ranks(build: Any, rank: int, *values: Value) -> None:
    for value in values:
        if value.type.rank != rank:
            raise invalid(build, f"input must be {rank}-dimensional{s.text(value.type.shape)}")


def _groups(build: Any, depth: int, kernel: Sequence[int], depthwise: bool) -> int:
    inputs = kernel[-2]
    if depthwise:
        if depth != inputs:
            raise invalid(build, f"input and filter must have the same depth: {depth} vs {inputs}")
        return depth
    if not inputs or depth % inputs:
        raise invalid(
            build, f"input depth must be evenly divisible by filter depth: {depth} vs {inputs}"
        )
    groups = depth // inputs
    if groups == 0 or kernel[-1] % groups:
        raise invalid(
            build,
            f"output depth must be evenly divisible by number of groups: {kernel[-1]} vs {groups}",
        )
    return groups


def _lower_conv(
    build: Any, input: Value, filter: Value, rank: int, attrs: dict[str, Any], depthwise: bool
) -> Value:
    _check_ranks(build, rank, input, filter)
    x = w.channels_last(build, input, attrs["data_format"])
    groups = _groups(build, x.type.shape[-1], filter.type.shape, depthwise)
    at = w.window(build, x.type.shape[1:-1], filter.type.shape[:-2], attrs)
    kernel = _filter_for(build, filter, depthwise)
    y = p.conv(
        build,
        x,
        kernel,
        strides=at.strides,
        padding=at.padding,
        x_dilation=(1,) * (rank - 2),
        f_dilation=at.dilations,
        groups=groups,
    )
    return w.as_given(build, y, attrs["data_format"])


def _lower_input_grad(
    build: Any,
    dims: Sequence[int],
    filter: Value,
    dy: Value,
    rank: int,
    attrs: dict[str, Any],
    depthwise: bool,
) -> Value:
    _check_ranks(build, rank, filter, dy)
    layout = attrs["data_format"]
    if len(dims) == rank - 2:  # the spatial extents alone, as TensorFlow also accepts
        dims = [dy.type.shape[0], *dims, filter.type.shape[-2]]
        image = tuple(dims)
    else:
        image = tuple(w.to_last(dims, layout))
    groups = _groups(build, image[-1], filter.type.shape, depthwise)
    at = w.window(build, image[1:-1], filter.type.shape[:-2], attrs)
    dy = w.channels_last(build, dy, layout)
    kernel = _filter_for(build, filter, depthwise)
    _check_result(build, image, filter.type.shape[:-2], dy, at, attrs, kernel.type.shape[-1])
    x = p.conv_grad_input(
        build,
        kernel,
        dy,
        shape=image,
        strides=at.strides,
        padding=at.padding,
        f_dilation=at.dilations,
        groups=groups,
    )
    return w.as_given(build, x, layout)


def _lower_filter_grad(
    build: Any,
    input: Value,
    dims: Sequence[int],
    dy: Value,
    rank: int,
    attrs: dict[str, Any],
    depthwise: bool,
) -> Value:
    _check_ranks(build, rank, input, dy)
    layout, kernel = attrs["data_format"], tuple(dims)
    x = w.channels_last(build, input, layout)
    groups = _groups(build, x.type.shape[-1], kernel, depthwise)
    at = w.window(build, x.type.shape[1:-1], kernel[:-2], attrs)
    dy = w.channels_last(build, dy, layout)
    flat = (*kernel[:-2], 1, kernel[-2] * kernel[-1]) if depthwise else kernel
    _check_result(build, x.type.shape, kernel[:-2], dy, at, attrs, flat[-1])
    f = p.conv_grad_filter(
        build,
        x,
        dy,
        shape=flat,
        strides=at.strides,
        padding=at.padding,
        f_dilation=at.dilations,
        groups=groups,
    )
    return p.reshape(build, f, shape=kernel) if depthwise else f


def _check_result(
    build: Any,
    image: Sequence[int],
    sizes: Sequence[int],
    dy: Value,
    at: w.Window,
    attrs: dict[str, Any],
    channels: int,
) -> None:
    """InvalidArgumentError unless `dy` is of the shape that the forward convolution gives."""
    steps = zip(image[1:-1], sizes, at.strides, at.dilations, at.padding, strict=True)
    spatial = [
        max((n + low + high - (k - 1) * d - 1) // stride + 1, 0)
        for n, k, stride, d, (low, high) in steps
    ]
    expected = (image[0], *spatial, channels)
    if dy.type.shape != expected:
        raise invalid(
            build,
            "Size of out_backprop doesn't match computed: "
            f"actual = {s.text(dy.type.shape)}, computed = {s.text(expected)}",
        )


def _static_list(build: Any, sizes: Value) -> list[int]:
    return [int(d) for d in build.static(sizes)]


def _forward(name: str, rank: int, signature: str, depthwise: bool, suffix: str) -> None:
    of_input, of_filter = _gradients_of(name, suffix)

    class Forward(OpDef, sig=f"{name}(input: T, filter: T, {signature}) -> output: T", T=FLOATS):
        """The sum of products of a window of `input` and `filter`, at every place."""

        shape_holds_when_run = False  # windows that just do not fit are none

        def shape(input: TensorShape, filter: TensorShape, **attrs: Any) -> list[TensorShape]:
            return _result_shape(input, filter, rank, attrs, depthwise)

        def grad(op: Any, dy: Tensor) -> list[Any]:
            sizes, kernel = shape_n(list(op.inputs))
            attrs = _attrs_of(op)
            return [
                apply(of_input, sizes, op.inputs[1], dy, **attrs),
                apply(of_filter, op.inputs[0], kernel, dy, **attrs),
            ]

        def lower(build: Any, input: Value, filter: Value, **attrs: Any) -> Value:
            return _lower_conv(build, input, filter, rank, attrs, depthwise)


def _gradients_of(name: str, suffix: str) -> tuple[str, str]:
    """The op types of a convolution's gradients with respect to input and filter."""
    return f"{name}BackpropInput{suffix}", f"{name}BackpropFilter{suffix}"


def _input_grad(name: str, rank: int, signature: str, depthwise: bool, suffix: str) -> None:
    of_input, of_filter = _gradients_of(name, suffix)
    # the sizes of volumes may be int64
    kinds: dict[str, tuple[str, ...]] = {"T": FLOATS}
    sizes_type = "int32"
    if rank == 5:
        sizes_type, kinds["Tshape"] = "Tshape", INDEX

    class InputGrad(
        OpDef,
        sig=f"{of_input}(input_sizes: {sizes_type}, filter: T, out_backprop: T, {signature})"
        " -> output: T",
        **kinds,
    ):
        """The gradient of a convolution with respect to its input."""

        def shape(
            input_sizes: TensorShape, filter: TensorShape, dy: TensorShape, *, op: Any
        ) -> list[TensorShape]:
            known = s.static_dims(op, 0)
            if name == "Conv2D" and known is not None and len(known) == rank - 2:
                outer = s.with_rank(filter, rank)[-2]
                known = w.from_last([s.with_rank(dy, rank)[0], *known, outer], layout_of(op))
            dims = [None] * rank if known is None else s.with_rank(s.shape_of(known), rank)
            if name == "Conv2D":  # TensorFlow takes its batch from the gradient alone
                batch = s.with_rank(dy, rank)[0]
                s.merge_dim(dims[0], batch)
                dims = [batch, *dims[1:]]
            return [s.shape_of(dims)]

        def grad(op: Any, ddx: Tensor) -> list[Any]:
            _, filter, dy = op.inputs
            attrs = _attrs_of(op)
            return [
                None,
                apply(of_filter, ddx, shape(filter), dy, **attrs),
                apply(name, ddx, filter, **attrs),
            ]

        def lower(build: Any, input_sizes: Value, filter: Value, dy: Value, **attrs: Any) -> Value:
            dims = _static_list(build, input_sizes)
            return _lower_input_grad(build, dims, filter, dy, rank, attrs, depthwise)


def _filter_grad(name: str, rank: int, signature: str, depthwise: bool, suffix: str) -> None:
    of_input, of_filter = _gradients_of(name, suffix)

    class FilterGrad(
        OpDef,
        sig=f"{of_filter}(input: T, filter_sizes: int32, out_backprop: T, {signature})"
        " -> output: T",
        T=FLOATS,
    ):
        """The gradient of a convolution with respect to its filter."""

        def shape(
            input: TensorShape, filter_sizes: TensorShape, dy: TensorShape, *, op: Any
        ) -> list[TensorShape]:
            known = s.static_dims(op, 1)
            return [s.unknown(rank) if known is None else s.shape_of(known)]

        def grad(op: Any, ddf: Tensor) -> list[Any]:
            input, _, dy = op.inputs
            attrs = _attrs_of(op)
            return [
                apply(of_input, shape(input), ddf, dy, **attrs),
                None,
                apply(name, input, ddf, **attrs),
            ]

        def lower(build: Any, input: Value, filter_sizes: Value, dy: Value, **attrs: Any) -> Value:
            dims = _static_list(build, filter_sizes)
            return _lower_filter_grad(build, input, dims, dy, rank, attrs, depthwise)


def _define(
    name: str, rank: int, signature: str, depthwise: bool = False, suffix: str = ""
) -> None:
    """The three ops of one kind of convolution: forward and the gradients of both operands."""
    for define in (_forward, _input_grad, _filter_grad):
        define(name, rank, signature, depthwise, suffix)


_define("Conv2D", 4, _2D)
_define("Conv3D", 5, _3D, suffix="V2")
_define("DepthwiseConv2dNative", 4, _DEPTHWISE, depthwise=True)


def _named(value: Any, other: Any, first: str, second: str) -> Any:
    """The one of two spellings of an argument that was given."""
    if value is not None and other is not None:
        raise ValueError(f"Cannot specify both '{first}' and '{second}'")
    found = other if value is None else value
    if found is None:
        raise ValueError(f"'{first}' must be given")
    return found


def steps_of(value: Any, rank: int, data_format: str) -> list[int]:
    """Strides or dilations for every axis, from one number, one per spatial axis, or all."""
    return w.entries(value, rank - 2, data_format, "strides and dilations")


def conv2d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """The convolution of images [batch, height, width, channels] with a filter
    [height, width, channels, outputs]."""
    filter = _named(filter, filters, "filter", "filters")
    return apply(
        "Conv2D",
        input,
        filter,
        strides=steps_of(strides, 4, data_format),
        use_cudnn_on_gpu=use_cudnn_on_gpu,
        data_format=data_format,
        dilations=steps_of(dilations, 4, data_format),
        name=name,
        **w.padding_attrs(padding, data_format),
    )


def conv2d_backprop_input(
    input_sizes: Any,
    filter: Any = None,
    out_backprop: Any = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """The gradient of `conv2d` with respect to its input, which has the shape `input_sizes`."""
    filter = _named(filter, filters, "filter", "filters")
    return apply(
        "Conv2DBackpropInput",
        input_sizes,
        filter,
        out_backprop,
        strides=steps_of(strides, 4, data_format),
        use_cudnn_on_gpu=use_cudnn_on_gpu,
        data_format=data_format,
        dilations=steps_of(dilations, 4, data_format),
        name=name,
        **w.padding_attrs(padding, data_format),
    )


def conv2d_backprop_filter(
    input: Any,
    filter_sizes: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient of `conv2d` with respect to its filter, which has the shape `filter_sizes`."""
    return apply(
        "Conv2DBackpropFilter",
        input,
        filter_sizes,
        out_backprop,
        strides=steps_of(strides, 4, data_format),
        use_cudnn_on_gpu=use_cudnn_on_gpu,
        data_format=data_format,
        dilations=steps_of(dilations, 4, data_format),
        name=name,
        **w.padding_attrs(padding, data_format),
    )


def conv3d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str = "NDHWC",
    dilations: Any = (1, 1, 1, 1, 1),
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """The convolution of volumes [batch, depth, height, width, channels] with a filter."""
    filter = _named(filter, filters, "filter", "filters")
    return apply(
        "Conv3D",
        input,
        filter,
        strides=list(strides),
        padding=padding,
        data_format=data_format,
        dilations=list(dilations),
        name=name,
    )
