"""What a layer demands of its inputs: rank, dtype, extents."""

from __future__ import annotations

from typing import Any

from tfc.base import dtypes, nest
from tfc.base.shapes import as_shape
from tfc.framework.convert import convert_to_tensor
from tfc.framework.operation import Tensor


class InputSpec:
    """Rank, dtype and extents that an input must have; None demands nothing.

    dtype: a DType or its name. shape: extents, None for any. ndim: the rank; max_ndim, min_ndim:
    bounds of it. axes: a dict from axis to extent.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
    ):
        self.dtype = None if dtype is None else dtypes.as_dtype(dtype).name
        self.shape = None if shape is None else tuple(as_shape(shape).as_list())
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        most = self.ndim if self.ndim is not None else max_ndim
        if self.axes and most is not None and max(self.axes) > most - 1:
            raise ValueError(
                f"Axis {max(self.axes)} is greater than the maximum allowed value: {most - 1}"
            )

    def __repr__(self) -> str:
        parts = [
            f"{key}={value}"
            for key in ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
            if (value := getattr(self, key)) not in (None, {})
        ]
        return f"InputSpec({', '.join(parts)})"


def check_inputs(spec: Any, inputs: Any, layer: str) -> None:
    """Raises ValueError or TypeError unless `inputs` are what `spec`, an InputSpec or a structure
    of them, demands of the inputs of the layer of that name."""
    if not spec:
        return
    flat, specs = nest.flatten(inputs), nest.flatten(spec)
    if len(flat) != len(specs):
        raise ValueError(
            f"Layer {layer} expects {len(specs)} inputs, but it received {len(flat)} input "
            f"tensors. Inputs received: {flat}"
        )
    for index, (value, wanted) in enumerate(zip(flat, specs, strict=True)):
        if wanted is not None:
            tensor = value if isinstance(value, Tensor) else convert_to_tensor(value)
            problem = _problem(wanted, tensor)
            if problem:
                raise ValueError(
                    f"Input {index} of layer {layer} is incompatible with the layer: {problem}"
                )


def _problem(spec: InputSpec, x: Tensor) -> str | None:
    """What is wrong with `x`, in words."""
    shape = x.get_shape()
    if shape.ndims is None:
        if spec.ndim is None and spec.min_ndim is None and spec.max_ndim is None:
            return None
        return "its rank is undefined, but the layer requires a defined rank."
    dims = shape.as_list()
    found = f"found ndim={shape.ndims}. Full shape received: {dims}"
    if spec.ndim is not None and shape.ndims != spec.ndim:
        return f"expected ndim={spec.ndim}, {found}"
    if spec.max_ndim is not None and shape.ndims > spec.max_ndim:
        return f"expected max_ndim={spec.max_ndim}, found ndim={shape.ndims}"
    if spec.min_ndim is not None and shape.ndims < spec.min_ndim:
        return f"expected min_ndim={spec.min_ndim}, {found}"
    if spec.dtype is not None and x.dtype.base_dtype.name != spec.dtype:
        return f"expected dtype={spec.dtype}, found dtype={x.dtype.base_dtype.name}"
    for axis, size in spec.axes.items():
        if size is not None and dims[axis] not in (size, None):
            return (
                f"expected axis {axis} of input shape to have value {size} but received input "
                f"with shape {dims}"
            )
    if spec.shape is not None:
        for wanted, got in zip(spec.shape, dims, strict=True):
            if wanted is not None and got is not None and wanted != got:
                return f"expected shape={spec.shape}, found shape={dims}"
    return None
