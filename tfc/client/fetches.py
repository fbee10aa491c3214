"""The structure of `Session.run`'s fetches: flattened to graph elements, and built up again.

A fetch is a Tensor, an Operation, a name, a Variable, a SparseTensor or IndexedSlices, or a list,
tuple, namedtuple or dict of fetches, nested at will.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from tfc.framework.graph import Graph
from tfc.framework.indexed_slices import IndexedSlices, IndexedSlicesValue
from tfc.framework.operation import Operation, Tensor
from tfc.framework.ragged_tensor import RaggedTensor, RaggedTensorValue
from tfc.framework.sparse_tensor import SparseTensor, SparseTensorValue

Rebuild = Callable[[Sequence[Any]], Any]


def fetch_key(fetch: Any) -> Hashable:
    """A key that is equal for fetches of equal structure over the same graph elements."""
    kind = type(fetch)
    if kind is Tensor or kind is Operation or kind is str:
        return fetch
    if isinstance(fetch, Mapping):
        return kind, tuple((k, fetch_key(v)) for k, v in fetch.items())
    if isinstance(fetch, (list, tuple)):
        return kind, tuple(map(fetch_key, fetch))
    return fetch if isinstance(fetch, Hashable) else (kind, id(fetch))


class Fetches:
    """A flattened fetch structure.

    elements: the distinct Tensors and Operations to run, in order of first appearance.
    rebuild: from one array per element (None for Operations) to the caller's structure.
    """

    def __init__(self, graph: Graph, fetch: Any):
        self._graph = graph
        self._positions: dict[Any, int] = {}
        self.rebuild: Rebuild = self._flatten(fetch)
        self.elements: list[Any] = list(self._positions)

    def _flatten(self, fetch: Any) -> Rebuild:
        match fetch:
            case None:
                raise TypeError(f"Fetch argument {fetch!r} has invalid type {type(fetch)!r}")
            case SparseTensor():
                parts = (fetch.indices, fetch.values, fetch.dense_shape)
                return self._join(parts, SparseTensorValue._make)
            case RaggedTensor():
                return self._join((fetch.values, fetch.row_splits), RaggedTensorValue._make)
            case IndexedSlices():
                dense = () if fetch.dense_shape is None else (fetch.dense_shape,)
                return self._join(
                    (fetch.values, fetch.indices, *dense),
                    lambda v: IndexedSlicesValue(v[0], v[1], v[2] if len(v) > 2 else None),
                )
            case list():
                return self._join(fetch, list)
            case tuple() if hasattr(fetch, "_fields"):
                named: Any = type(fetch)
                return self._join(fetch, named._make)
            case tuple():
                return self._join(fetch, type(fetch))
            case Mapping():
                keys = list(fetch)
                make: Any = type(fetch)
                return self._join(
                    [fetch[k] for k in keys],
                    lambda v: make(zip(keys, v, strict=True)),
                )
        return self._leaf(fetch)

    def _join(self, parts: Sequence[Any], make: Callable[[list[Any]], Any]) -> Rebuild:
        rebuilds = [self._flatten(part) for part in parts]
        return lambda arrays: make([r(arrays) for r in rebuilds])

    def _leaf(self, fetch: Any) -> Rebuild:
        try:
            element = self._graph.as_graph_element(fetch, allow_tensor=True, allow_operation=True)
        except TypeError as error:
            raise TypeError(
                f"Fetch argument {fetch!r} has invalid type {type(fetch)!r}, "
                f"must be a string or Tensor. ({error})"
            ) from None
        except (ValueError, KeyError) as error:
            text = error.args[0] if error.args else error
            raise ValueError(
                f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({text})"
            ) from None
        if isinstance(element, Tensor) and not self._graph.is_fetchable(element):
            raise ValueError(f"Tensor {element.name} may not be fetched.")
        position = self._positions.setdefault(element, len(self._positions))
        return lambda arrays: arrays[position]
