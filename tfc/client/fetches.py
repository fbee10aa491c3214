"""The structure of `Session.run`'s fetches: flattened to graph elements, and built up again.

A fetch is a Tensor, an Operation, a name, a Variable, a SparseTensor or IndexedSlices, or a list,
tuple, namedtuple or dict of fetches, nested at will.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from tfc.codegen.dispatch.layout import Kind
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


def flat_form(graph: Graph, fetch: Any) -> tuple[Kind, list[Any], list[Any]] | None:
    """A fetch as native dispatch knows it: its kind, the objects in it (of a dict, keys and values
    in turn), and the graph elements they stand for. None if it is nested, or made of several."""
    kind = _KINDS.get(type(fetch), Kind.LEAF)
    if kind is Kind.LEAF:
        leaves = [fetch]
    else:
        leaves = list(fetch.values() if kind is Kind.DICT else fetch)
    compound = (list, tuple, Mapping, SparseTensor, RaggedTensor, IndexedSlices)
    if any(isinstance(leaf, compound) for leaf in leaves):
        return None
    elements = [graph.as_graph_element(x, allow_tensor=True, allow_operation=True) for x in leaves]
    items = [x for pair in fetch.items() for x in pair] if kind is Kind.DICT else leaves
    return kind, items, elements


_KINDS: dict[type, Kind] = {list: Kind.LIST, tuple: Kind.TUPLE, dict: Kind.DICT}


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
        op = element.op if isinstance(element, Tensor) else element
        if not (self._graph.is_fetchable(element) and self._graph.is_fetchable(op)):
            raise ValueError(f"Operation {op.name!r} has been marked as not fetchable.")
        position = self._positions.setdefault(element, len(self._positions))
        return lambda arrays: arrays[position]
