"""What is known of elements: specs in the structure of the element, and how values become the
components that ops take, one tensor for each leaf."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import dtypes
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape, as_shape
from tfc.data import nest
from tfc.framework.convert import convert_to_tensor
from tfc.framework.graph import name_scope
from tfc.framework.opdef import apply
from tfc.framework.operation import Tensor
from tfc.framework.sparse_tensor import SparseTensor, SparseTensorValue
from tfc.framework.tensor_spec import SparseTensorSpec, TensorSpec


class DatasetSpec:
    """What is known of a dataset that is a component of an element."""

    make: Callable[[Tensor, Any], Any]  # set by the module of Dataset
    kind: type

    def __init__(self, element_spec: Any, dataset_shape: Any = ()):
        self._element_spec, self._dataset_shape = element_spec, as_shape(dataset_shape)

    @property
    def element_spec(self) -> Any:
        return self._element_spec

    @property
    def shape(self) -> TensorShape:
        return self._dataset_shape

    @property
    def dtype(self) -> DType:
        return dtypes.variant

    @property
    def value_type(self) -> type:
        return DatasetSpec.kind

    @classmethod
    def from_value(cls, value: Any) -> DatasetSpec:
        """That of a Dataset."""
        return cls(value.element_spec)

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether the elements' specs are."""
        other = spec_or_value.element_spec
        try:
            return compatible(self._element_spec, other)
        except (TypeError, ValueError):
            return False

    def most_specific_compatible_type(self, other: DatasetSpec) -> DatasetSpec:
        """What is true of both. Raises ValueError or TypeError if their elements differ in kind."""
        return DatasetSpec(common(self._element_spec, other._element_spec))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatasetSpec) and self._element_spec == other._element_spec

    def __hash__(self) -> int:
        return hash(DatasetSpec)

    def __repr__(self) -> str:
        return f"DatasetSpec({self._element_spec!r}, {self._dataset_shape!r})"


def compatible(first: Any, second: Any) -> bool:
    """Whether elements may be of both specs. Raises TypeError or ValueError on other structures."""
    nest.check_same(first, second)
    pairs = zip(nest.flatten(first), nest.flatten(second), strict=True)
    return all(type(a) is type(b) and a.is_compatible_with(b) for a, b in pairs)


def common(first: Any, second: Any) -> Any:
    """What is true of elements of both specs. Raises TypeError or ValueError: nothing is."""
    nest.check_same(first, second)
    pairs = zip(nest.flatten(first), nest.flatten(second), strict=True)
    return nest.pack(first, [a.most_specific_compatible_type(b) for a, b in pairs])


def types_of(spec: Any) -> Any:
    """The dtypes, in the structure of `spec`."""
    return nest.map_leaves(
        lambda leaf: types_of(leaf.element_spec) if isinstance(leaf, DatasetSpec) else leaf.dtype,
        spec,
    )


def shapes_of(spec: Any) -> Any:
    """The shapes, in the structure of `spec`."""
    return nest.map_leaves(
        lambda leaf: shapes_of(leaf.element_spec) if isinstance(leaf, DatasetSpec) else leaf.shape,
        spec,
    )


def classes_of(spec: Any) -> Any:
    """The classes of values, in the structure of `spec`."""
    return nest.map_leaves(lambda leaf: leaf.value_type, spec)


def spec_from(types: Any, shapes: Any = None, classes: Any = None) -> Any:
    """The spec of dtypes, shapes (None: unknown) and classes (None: tensors) of one structure.

    Raises:
      TypeError, ValueError: structures that differ.
    """
    kinds = [dtypes.as_dtype(t) for t in nest.flatten(types)]
    extents = [None] * len(kinds) if shapes is None else _flat_shapes(types, shapes)
    wanted = [Tensor] * len(kinds) if classes is None else nest.flatten_up_to(types, classes)
    leaves: list[Any] = []
    for dtype, shape, cls in zip(kinds, extents, wanted, strict=True):
        if cls is SparseTensor:
            leaves.append(SparseTensorSpec(shape, dtype))
        elif cls is Tensor:
            leaves.append(TensorSpec(shape, dtype))
        else:
            raise TypeError(f"output_classes holds {cls!r}, which is no class of a component")
    return nest.pack(types, leaves)


def _flat_shapes(types: Any, shapes: Any) -> list[TensorShape]:
    """Shapes where `types` has leaves; a tuple of numbers there is a shape."""
    return [as_shape(shape) for shape in nest.flatten_up_to(types, shapes)]


def component_types(spec: Any) -> list[DType]:
    """The dtypes of the tensors that stand for an element."""
    return [
        leaf.dtype if isinstance(leaf, TensorSpec) else dtypes.variant
        for leaf in nest.flatten(spec)
    ]


def component_shapes(spec: Any) -> list[TensorShape]:
    """The shapes of the tensors that stand for an element."""
    return [_component_shape(leaf) for leaf in nest.flatten(spec)]


def _component_shape(leaf: Any) -> TensorShape:
    if isinstance(leaf, SparseTensorSpec):
        return TensorShape([3])
    return TensorShape([]) if isinstance(leaf, DatasetSpec) else leaf.shape


def attrs_of(spec: Any) -> dict[str, Any]:
    """The attributes that say it to ops."""
    return {"output_types": component_types(spec), "output_shapes": component_shapes(spec)}


def normalized(element: Any, scope: str = "normalize_element") -> Any:
    """`element` with tensors, SparseTensors and Datasets as leaves."""
    leaves = nest.flatten(element)
    with name_scope(None, scope):
        return nest.pack(element, [as_leaf(v, f"component_{k}") for k, v in enumerate(leaves)])


def as_leaf(value: Any, name: str | None = None) -> Any:
    """A value as a leaf. Raises TypeError or ValueError for one that converts to no tensor."""
    if isinstance(value, SparseTensorValue):
        return SparseTensor.from_value(value)
    if isinstance(value, SparseTensor | DatasetSpec.kind):
        return value
    return convert_to_tensor(value, name=name)


def spec_of(element: Any) -> Any:
    """The spec of an element whose leaves are normal."""
    return nest.map_leaves(_leaf_spec, element)


def _leaf_spec(value: Any) -> Any:
    if isinstance(value, SparseTensor):
        return SparseTensorSpec.from_value(value)
    if isinstance(value, DatasetSpec.kind):
        return DatasetSpec.from_value(value)
    return TensorSpec(value.get_shape(), value.dtype.base_dtype)


def components(element: Any) -> list[Tensor]:
    """The tensors that stand for an element whose leaves are normal."""
    return [_component(leaf, "SerializeSparse") for leaf in nest.flatten(element)]


def batched_components(element: Any) -> list[Tensor]:
    """The tensors whose slices stand for the slices of `element`."""
    return [_component(leaf, "SerializeManySparse") for leaf in nest.flatten(element)]


def _component(leaf: Any, op: str) -> Tensor:
    found: Tensor = leaf
    if isinstance(leaf, SparseTensor):
        found = apply(op, leaf.indices, leaf.values, leaf.dense_shape, out_type=dtypes.variant)
    elif isinstance(leaf, DatasetSpec.kind):
        found = leaf._variant_tensor  # type: ignore[attr-defined]
    return found


def element_from(spec: Any, tensors: Sequence[Tensor]) -> Any:
    """The element that `tensors` stand for."""
    pairs = zip(nest.flatten(spec), tensors, strict=True)
    return nest.pack(spec, [_value_from(leaf, tensor) for leaf, tensor in pairs])


def _value_from(leaf: Any, tensor: Tensor) -> Any:
    if isinstance(leaf, DatasetSpec):
        return DatasetSpec.make(tensor, leaf.element_spec)
    if not isinstance(leaf, SparseTensorSpec):
        return tensor
    indices, values, shape = apply("DeserializeSparse", tensor, dtype=leaf.dtype)
    rank = leaf.shape.ndims
    if rank is not None:
        indices.set_shape([None, rank])
        shape.set_shape([rank])
    sparse = SparseTensor(indices, values, shape)
    sparse._known_shape = leaf.shape
    return sparse


def sliced(spec: Any) -> Any:
    """The spec of slices along the first axis. Raises ValueError for scalars."""
    return nest.map_leaves(_sliced_leaf, spec)


def _sliced_leaf(leaf: Any) -> Any:
    if leaf.shape.ndims is None:
        return type(leaf)(None, leaf.dtype)
    if leaf.shape.ndims < 1:
        raise ValueError("Unbatching a tensor is only supported for rank >= 1")
    return type(leaf)(leaf.shape[1:], leaf.dtype)


def stacked(spec: Any, count: int | None) -> Any:
    """The spec of `count` elements (None: of several) as rows. Raises TypeError for datasets."""
    return nest.map_leaves(lambda leaf: _stacked_leaf(leaf, count), spec)


def _stacked_leaf(leaf: Any, count: int | None) -> Any:
    if isinstance(leaf, DatasetSpec):
        return DatasetSpec(leaf.element_spec, TensorShape([count]).concatenate(leaf.shape))
    return type(leaf)(TensorShape([count]).concatenate(leaf.shape), leaf.dtype)
