"""tf.data.Iterator, and how datasets make them."""

from __future__ import annotations

import warnings
from typing import Any

from tfc.base import dtypes
from tfc.data import nest, structure
from tfc.framework.convert import convert_to_tensor
from tfc.framework.graph import add_to_collection, colocate_with, name_scope
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation, Tensor

_MANY = 32  # calls of get_next after which one is told
_STATEFUL_CONTROL = {"If", "While"}


class Iterator:
    """Gives the elements of a dataset, one at each run of what depends on `get_next()`.

    A Session keeps where each of its iterators stands.
    """

    def __init__(
        self,
        iterator_resource: Tensor,
        initializer: Operation | None,
        output_types: Any,
        output_shapes: Any,
        output_classes: Any,
    ):
        """iterator_resource: the handle. initializer: what lets it begin. The rest: of elements."""
        spec = structure.spec_from(output_types, output_shapes, output_classes)
        self._set(iterator_resource, initializer, spec)

    def _set(self, resource: Tensor, initializer: Operation | None, spec: Any) -> None:
        self._iterator_resource, self._initializer, self._spec = resource, initializer, spec
        self._string_handle = apply("IteratorToStringHandle", resource)
        self._calls = 0
        add_to_collection("iterators", resource)

    @classmethod
    def _of(cls, resource: Tensor, initializer: Operation | None, spec: Any) -> Iterator:
        made = cls.__new__(cls)
        made._set(resource, initializer, spec)
        return made

    @staticmethod
    def from_structure(
        output_types: Any,
        output_shapes: Any = None,
        shared_name: str | None = None,
        output_classes: Any = None,
    ) -> Iterator:
        """An iterator for all datasets with such elements; `make_initializer` gives the Operation
        that lets it begin one.

        Shapes are unknown by default. shared_name: iterators of one name are one of the Session.

        Raises:
          TypeError, ValueError: structures that differ.
        """
        spec = structure.spec_from(output_types, output_shapes, output_classes)
        return Iterator._of(_resource(spec, shared_name), None, spec)

    @staticmethod
    def from_string_handle(
        string_handle: Any,
        output_types: Any,
        output_shapes: Any = None,
        output_classes: Any = None,
    ) -> Iterator:
        """The iterator whose `string_handle()` had that value, which may be fed.

        Raises, when run:
          InvalidArgumentError: the value is no handle, or one of an iterator over other elements.
        """
        spec = structure.spec_from(output_types, output_shapes, output_classes)
        handle = convert_to_tensor(string_handle, dtypes.string)
        resource = apply("IteratorFromStringHandleV2", handle, **structure.attrs_of(spec))
        return Iterator._of(resource, None, spec)

    @property
    def initializer(self) -> Operation:
        """The Operation that lets it begin. Raises ValueError if it has none."""
        if self._initializer is None:
            raise ValueError("Iterator does not have an initializer.")
        return self._initializer

    def make_initializer(self, dataset: Any, name: str | None = None) -> Operation:
        """The Operation that lets it begin `dataset`.

        Raises:
          TypeError, ValueError: elements of another structure, type or shape.
        """
        spec, given = self._spec, dataset.element_spec
        nest.check_same(spec, given)
        for what, of in (("classes", structure.classes_of), ("types", structure.types_of)):
            wanted, found = of(spec), of(given)
            if wanted != found:
                raise TypeError(
                    f"Expected output {what} {wanted!r} but got dataset with output {what} "
                    f"{found!r}."
                )
        if not structure.compatible(spec, given):
            raise TypeError(
                f"Expected output shapes compatible with {structure.shapes_of(spec)!r} but got "
                f"dataset with output shapes {structure.shapes_of(given)!r}."
            )
        with name_scope(name, "make_initializer") as scope:
            return _initializer(dataset, self._iterator_resource, scope)

    def get_next(self, name: str | None = None) -> Any:
        """The next element, in the structure of elements; another one in each run.

        Raises, when run:
          OutOfRangeError: there is no other. FailedPreconditionError: it was not initialised.
        """
        self._calls += 1
        if self._calls > _MANY:
            warnings.warn(
                "An unusually high number of `Iterator.get_next()` calls was detected. One call "
                "outside of the loop is enough: its result is another element in each run.",
                stacklevel=2,
            )
        attrs = structure.attrs_of(self._spec)
        found = apply("IteratorGetNext", self._iterator_resource, name=name, **attrs)
        return structure.element_from(self._spec, found)

    def string_handle(self, name: str | None = None) -> Tensor:
        """A scalar string tensor that stands for the iterator, for `from_string_handle`."""
        if name is None:
            return self._string_handle
        handle: Tensor = apply("IteratorToStringHandle", self._iterator_resource, name=name)
        return handle

    @property
    def output_classes(self) -> Any:
        return structure.classes_of(self._spec)

    @property
    def output_shapes(self) -> Any:
        return structure.shapes_of(self._spec)

    @property
    def output_types(self) -> Any:
        return structure.types_of(self._spec)

    @property
    def element_spec(self) -> Any:
        return self._spec

    def _components(self) -> tuple[list[Any], list[Any]]:
        return structure.component_types(self._spec), structure.component_shapes(self._spec)


def _resource(spec: Any, shared_name: str | None) -> Tensor:
    attrs = structure.attrs_of(spec)
    handle: Tensor = apply("IteratorV2", shared_name=shared_name or "", container="", **attrs)
    return handle


def _initializer(dataset: Any, resource: Tensor, name: str | None = None) -> Operation:
    with colocate_with(resource.op):
        made: Operation = apply("MakeIterator", dataset._variant_tensor, resource, name=name)
    return made


def initializable(dataset: Any, shared_name: str | None) -> Iterator:
    """An iterator over `dataset` with an initializer."""
    resource = _resource(dataset.element_spec, shared_name)
    return Iterator._of(resource, _initializer(dataset, resource), dataset.element_spec)


def one_shot(dataset: Any) -> Iterator:
    """An iterator over `dataset` that begins by itself.

    Raises:
      ValueError: the dataset depends on something that is fed, or on state.
    """
    _check_self_contained(dataset._variant_tensor)
    resource = apply("OneShotIterator", **structure.attrs_of(dataset.element_spec))
    resource.op._dataset = dataset._variant_tensor
    return Iterator._of(resource, None, dataset.element_spec)


def _check_self_contained(dataset: Tensor) -> None:
    seen: set[Operation] = set()
    stack = [dataset.op]
    while stack:
        op = stack.pop()
        if op in seen:
            continue
        seen.add(op)
        if op.type in ("Placeholder", "PlaceholderV2"):
            raise ValueError(
                f"Cannot capture a placeholder (name:{op.name}, type:{op.type}) by value."
            )
        if op.defn.stateful and op.type not in _STATEFUL_CONTROL and not _is_dataset(op):
            raise ValueError(
                "Failed to create a one-shot iterator for a dataset. "
                "`tf.data.Dataset.make_one_shot_iterator()` does not support datasets that capture "
                "stateful objects, such as a `Variable` or a `LookupTable`. In these cases, use "
                "`tf.data.Dataset.make_initializable_iterator()`. (Original error: Cannot capture "
                f"a stateful node (name:{op.name}, type:{op.type}) by value.)"
            )
        stack.extend(t.op for t in op.inputs)
        regions = list(op._functions)
        while regions:
            region = regions.pop()
            stack.extend(t.op for t in region.captures() if t.dtype.is_ref_dtype)
            regions.extend(inner for made in region.ops for inner in made._functions)


def _is_dataset(op: Operation) -> bool:
    return bool(op.outputs) and op.outputs[0].dtype == dtypes.variant
