"""tf.TensorArray: an array of tensors that loops write and read, element by element."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.shapes import TensorShape, as_shape
from tfc.framework.convert import constant_tensor, convert_to_tensor
from tfc.framework.graph import control_dependencies, name_scope
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor
from tfc.framework.tensor_util import constant_value

# What may not be given together with a handle, which says it already.
_SAID_BY_HANDLE = ("tensor_array_name", "size", "dynamic_size", "clear_after_read", "element_shape")


class TensorArray:
    """An array of `size` tensors of one dtype, each of them written at most once.

    An array is immutable: what writes to it returns the new array, and only that knows what was
    written. It may be a loop variable of `tf.while_loop` and a result of `tf.cond`. Gradients flow
    through all its methods.
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Any = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ):
        """A new array, or another object for the array that `handle` or `flow` belongs to.

        dynamic_size: writing beyond the end makes the array larger. infer_shape: all elements have
        the shape of the first one. element_shape: what is known of that; if it is all known,
        elements that were not written are zeros. clear_after_read and
        colocate_with_first_write_call are accepted: an array that is a value needs neither.

        Raises:
          ValueError: there is neither a size nor a handle, or there are both.
          TypeError: the handle is no Tensor.
        """
        given = dict(
            tensor_array_name=tensor_array_name,
            size=size,
            dynamic_size=dynamic_size,
            clear_after_read=clear_after_read,
            element_shape=element_shape,
        )
        _check_handle(handle, given)
        self._dtype = dtypes.as_dtype(dtype).base_dtype
        self._infer_shape = bool(infer_shape)
        self._adds = False
        # One list for all objects of an array: a loop's body says what the elements are.
        self._shape_of_elements = [as_shape(element_shape)]
        self._declared = self.element_shape.is_fully_defined()
        if handle is not None or flow is not None:
            self._take(handle, flow)
            return
        self._dynamic_size = bool(dynamic_size)
        with name_scope(name, "TensorArray", [size]) as scope:
            self._flow, self._mask = apply(
                "TensorArrayV3",
                size,
                dtype=self._dtype,
                element_shape=self.element_shape,
                dynamic_size=self._dynamic_size,
                clear_after_read=clear_after_read is None or bool(clear_after_read),
                identical_element_shapes=self._infer_shape,
                tensor_array_name=tensor_array_name or "",
                name=scope,
            )
        self._handle = self._flow
        self._name = tensor_array_name or self._flow.op.name
        known = constant_value(self._flow.op.inputs[0])
        self._size = None if known is None or self._dynamic_size else int(known)
        self._flow._tensor_array = self

    def _take(self, handle: Any, flow: Any) -> None:
        """Be the array that these tensors belong to."""
        source = handle if flow is None else flow
        known = getattr(source, "_tensor_array", None)
        if known is None:
            raise ValueError(f"{source!r} is neither the handle nor the flow of a TensorArray")
        if known.dtype != self._dtype:
            raise ValueError(f"The TensorArray is of {known.dtype.name}, not {self._dtype.name}")
        self._infer_shape = known._infer_shape
        self._become(known, known._flow, known._mask)

    def _become(self, other: TensorArray, flow: Tensor, mask: Tensor) -> None:
        self._dynamic_size, self._size = other._dynamic_size, other._size
        self._handle, self._name, self._adds = other._handle, other._name, other._adds
        self._shape_of_elements, self._declared = other._shape_of_elements, other._declared
        self._flow, self._mask = flow, mask
        flow._tensor_array = self  # type: ignore[attr-defined]

    def _with(self, flow: Tensor, mask: Tensor) -> TensorArray:
        """This array with another content."""
        new = TensorArray.__new__(TensorArray)
        new._dtype, new._infer_shape = self._dtype, self._infer_shape
        new._become(self, flow, mask)
        return new

    @property
    def dtype(self) -> dtypes.DType:
        """The dtype of the elements."""
        return self._dtype

    @property
    def handle(self) -> Tensor:
        """The tensor that stands for the array as it was made."""
        return self._handle

    @property
    def flow(self) -> Tensor:
        """The tensor of the elements, through which gradients flow."""
        return self._flow

    @property
    def mask(self) -> Tensor:
        """The bool vector that says which elements were written."""
        return self._mask

    @property
    def dynamic_size(self) -> bool:
        """Whether writing beyond the end makes the array larger."""
        return self._dynamic_size

    @property
    def element_shape(self) -> TensorShape:
        """What is known of the shape of every element."""
        return self._shape_of_elements[0]

    def _about(self) -> dict[str, Any]:
        """The attributes by which ops know their array."""
        return {
            "array": self._name,
            "element_shape": self.element_shape,
            "identical": self._infer_shape,
            "dynamic": self._dynamic_size,
            "declared": self._declared,
        }

    def _merge(self, shape: TensorShape) -> None:
        """Take note of the shape of an element that is written."""
        if not self.element_shape.is_compatible_with(shape):
            raise ValueError(f"Inconsistent shapes: saw {shape} but expected {self.element_shape} ")
        if self._infer_shape:
            self._shape_of_elements[0] = self.element_shape.merge_with(shape)

    def _value(self, value: Any) -> Tensor:
        tensor = convert_to_tensor(value, preferred_dtype=self._dtype, name="value")
        if tensor.dtype.base_dtype != self._dtype:
            raise errors.InvalidArgumentError(
                None,
                None,
                f"TensorArray dtype is {self._dtype.name} but Op is trying to write dtype "
                f"{tensor.dtype.base_dtype.name}.",
            )
        return tensor

    def identity(self) -> TensorArray:
        """The same array, behind the control dependencies that hold where this is called."""
        return self._with(apply("Identity", self._flow), apply("Identity", self._mask))

    def grad(self, source: str, flow: Any = None, name: str | None = None) -> TensorArray:
        """An array of zeros like this one, for gradients: what is written to it adds up."""
        with name_scope(name, "TensorArrayGrad", [self._flow]):
            like = self._flow if flow is None else flow
            zeros, none = apply("ZerosLike", like), apply("ZerosLike", self._mask)
        new = self._with(zeros, none)
        new._adds = True
        return new

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The element at `index`, a scalar int32.

        Raises:
          InvalidArgumentError: when it runs, if the index is outside, or was never written and the
          shape of the elements is not known.
        """
        value: Tensor = apply(
            "TensorArrayReadV3", self._flow, self._mask, index, name=name, **self._about()
        )
        return value

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with `value` at `index`.

        Raises:
          ValueError: the shape of `value` is not that of the elements.
          InvalidArgumentError: of another dtype; when it runs: the index is outside, or was
          written before.
        """
        with name_scope(name, "TensorArrayWrite", [self._flow, index, value]):
            value = self._value(value)
            self._merge(value.get_shape())
            flow, mask = apply(
                "TensorArrayWriteV3",
                self._flow,
                self._mask,
                index,
                value,
                add=self._adds,
                name=name,
                **self._about(),
            )
        return self._with(flow, mask)

    def stack(self, name: str | None = None) -> Tensor:
        """All elements along a new first axis."""
        with name_scope(name, "TensorArrayStack", [self._flow]):
            value = self.gather(apply("Range", 0, self.size(), 1, name="range"), name=name)
        if self._size is not None and self.element_shape.ndims is not None:
            value.set_shape([self._size, *self.element_shape.as_list()])
        return value

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """The elements at `indices`, a vector of int32, along a new first axis."""
        value: Tensor = apply(
            "TensorArrayGatherV3", self._flow, self._mask, indices, name=name, **self._about()
        )
        return value

    def concat(self, name: str | None = None) -> Tensor:
        """All elements one after the other, along their first axis."""
        shape = self.element_shape
        if shape.ndims == 0:
            raise ValueError("The elements of a TensorArray that is joined must not be scalars")
        value, _ = apply(
            "TensorArrayConcatV3",
            self._flow,
            self._mask,
            element_shape_except0=shape[1:],
            name=name,
            **self._about(),
        )
        if shape.ndims is not None:
            length = shape.as_list()[0] if self._infer_shape else None
            known = None if self._size is None or length is None else self._size * length
            value.set_shape([known, *shape.as_list()[1:]])
        result: Tensor = value
        return result

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array with the slices of `value` along its first axis as elements, from the first
        one on."""
        with name_scope(name, "TensorArrayUnstack", [self._flow, value]):
            value = self._value(value)
            shape = apply("Shape", value, out_type=dtypes.int32)
            count = shape[0]
            indices = apply("Range", 0, count, 1, name="range")
            return self.scatter(indices, value, name=name)

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with the slices of `value` along its first axis at `indices`."""
        with name_scope(name, "TensorArrayScatter", [self._flow, value, indices]):
            value = self._value(value)
            self._merge(value.get_shape()[1:])
            flow, mask = apply(
                "TensorArrayScatterV3",
                self._flow,
                self._mask,
                indices,
                value,
                name=name,
                **self._about(),
            )
        return self._with(flow, mask)

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array with parts of `value` along its first axis as elements, `lengths[i]` long."""
        with name_scope(name, "TensorArraySplit", [self._flow, value, lengths]):
            value = self._value(value)
            lengths = convert_to_tensor(lengths, name="Cast/x")
            if lengths.dtype.base_dtype != dtypes.int64:
                lengths = apply("Cast", lengths, DstT=dtypes.int64)
            known, dims = constant_value(lengths), value.get_shape()
            if known is not None and dims.ndims is not None and len(set(np.ravel(known))) == 1:
                self._merge(TensorShape([int(np.ravel(known)[0])]).concatenate(dims[1:]))
            flow, mask = apply(
                "TensorArraySplitV3",
                self._flow,
                self._mask,
                value,
                lengths,
                name=name,
                **self._about(),
            )
        return self._with(flow, mask)

    def size(self, name: str | None = None) -> Tensor:
        """How many elements the array has room for."""
        count: Tensor = apply("TensorArraySizeV3", self._flow, name=name, **self._about())
        return count

    def close(self, name: str | None = None) -> Operation:
        """An op that does nothing: an array holds no resources."""
        done: Operation = apply("TensorArrayCloseV3", self._flow, name=name)
        return done


def with_arrays(tensors: Sequence[Tensor], arrays: Mapping[int, TensorArray]) -> list[Any]:
    """Values of a region: tensors, of which those at the keys of `arrays` are flows of such arrays;
    the masks come last."""
    count = len(tensors) - len(arrays)
    masks = dict(zip(arrays, tensors[count:], strict=True))
    return [
        arrays[k]._with(t, masks[k]) if k in arrays else t for k, t in enumerate(tensors[:count])
    ]


def results_of(leaves: Sequence[Any], arrays: Container[int]) -> list[Tensor]:
    """Results of a region as tensors: flows in place of arrays, and the masks at the end.

    Raises:
      TypeError: there is an array where there should be none, or none where there should be one.
    """
    for k, leaf in enumerate(leaves):
        if isinstance(leaf, TensorArray) != (k in arrays):
            raise TypeError(f"Value {k} is {leaf!r}; a TensorArray must stay what it is")
    flows = [leaf.flow if k in arrays else as_result(leaf) for k, leaf in enumerate(leaves)]
    return [*flows, *(leaves[k].mask for k in range(len(leaves)) if k in arrays)]


def as_result(leaf: Any, done_as: bool = True) -> Tensor:
    """What a region returns, as a tensor: references are read, operations give the constant
    `done_as`, which is available once they are done."""
    if isinstance(leaf, Operation):
        with control_dependencies([leaf]):
            done: Tensor = apply("Identity", constant_tensor(np.array(done_as), "Const"))
        return done
    tensor = convert_to_tensor(leaf)
    if tensor.dtype.is_ref_dtype:
        tensor = apply("Identity", tensor)
    return tensor


def _check_handle(handle: Any, given: dict[str, Any]) -> None:
    if handle is None:
        if given["size"] is None:
            raise ValueError("Size must be provided if handle is not provided")
        return
    if not isinstance(handle, Tensor):
        raise TypeError("Handle must be a Tensor")
    for what in _SAID_BY_HANDLE:
        if given[what] is not None:
            raise ValueError(f"Cannot provide both a handle and {what} at the same time")
