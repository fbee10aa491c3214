"""The structure of `Session.run`'s fetches: flattened to graph elements, and built up again.

A fetch is a Tensor, an Operation, a name, a Variable, a SparseTensor or IndexedSlices, or a list,
tuple, namedtuple or dict of fetches, nested at will.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

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


class Part(NamedTuple):
    """A part of a nested fetch. Of a LEAF: the object and the element it stands for, if it is one.
    Of others: their type, and of a DICT the keys. make: what makes the value of a list of the
    children's, if it is not that list, a tuple or a dict."""

    kind: Kind
    object: Any
    children: Sequence[Part] = ()
    keys: Sequence[Any] = ()
    element: Any = None
    make: Any = None

    def objects(self) -> list[Any]:
        """What a fetch that is the same consists of."""
        return [self.object, *self.keys, *(x for part in self.children for x in part.objects())]

    def elements(self) -> list[Any]:
        """What is fetched."""
        mine = [] if self.element is None else [self.element]
        return [*mine, *(x for part in self.children for x in part.elements())]

    def key(self) -> Hashable:
        """Equal for fetches that are the same."""
        children = tuple(part.key() for part in self.children)
        return self.kind, tuple(map(name_or_id, (self.object, *self.keys))), children


def name_or_id(item: Any) -> Hashable:
    """What native dispatch knows an object by."""
    return item if type(item) is str else id(item)


def _nested_form(graph: Graph, fetch: Any) -> Part | None:
    """The parts of a fetch; None if there are some that native dispatch does not know."""
    kind = _KINDS.get(type(fetch))
    several = _several(fetch)
    if several is not None:
        kind, (inner, make) = Kind.LEAF, several
    elif kind is not None:
        inner, make = list(fetch.values() if kind is Kind.DICT else fetch), None
    elif isinstance(fetch, tuple) and hasattr(fetch, "_fields"):
        named: Any = type(fetch)
        kind, inner, make = Kind.TUPLE, list(fetch), named._make
    elif isinstance(fetch, (list, tuple, Mapping)):
        return None
    else:
        element = graph.as_graph_element(fetch, allow_tensor=True, allow_operation=True)
        return Part(Kind.LEAF, fetch, element=element)
    parts = [_nested_form(graph, x) for x in inner]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    keys = list(fetch) if kind is Kind.DICT else []
    return Part(kind, fetch if several else type(fetch), known, keys, None, make)


def _several(fetch: Any) -> tuple[Sequence[Any], Callable[[Any], Any]] | None:
    """The tensors that a fetch stands for, if they are several, and what makes its value of
    theirs."""
    match fetch:
        case SparseTensor():
            return (fetch.indices, fetch.values, fetch.dense_shape), SparseTensorValue._make
        case RaggedTensor():
            return (fetch.values, fetch.row_splits), RaggedTensorValue._make
        case IndexedSlices():
            dense = () if fetch.dense_shape is None else (fetch.dense_shape,)
            return (fetch.values, fetch.indices, *dense), lambda v: IndexedSlicesValue(
                v[0], v[1], v[2] if len(v) > 2 else None
            )
    return None


def flat_form(graph: Graph, fetch: Any) -> tuple[Kind, list[Any], list[Any], Part | None] | None:
    """A fetch as native dispatch knows it: its kind, the objects in it (of a dict, keys and values
    in turn), the graph elements they stand for, and its parts if it is nested or stands for
    several. None if there are some that it does not know."""
    kind = _KINDS.get(type(fetch), Kind.LEAF)
    if kind is Kind.LEAF:
        leaves = [fetch]
    else:
        leaves = list(fetch.values() if kind is Kind.DICT else fetch)
    compound = (list, tuple, Mapping, SparseTensor, RaggedTensor, IndexedSlices)
    if any(isinstance(leaf, compound) for leaf in leaves):
        part = _nested_form(graph, fetch)
        return part and (Kind.NESTED, part.objects(), part.elements(), part)
    elements = [graph.as_graph_element(x, allow_tensor=True, allow_operation=True) for x in leaves]
    items = [x for pair in fetch.items() for x in pair] if kind is Kind.DICT else leaves
    return kind, items, elements, None


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
            case SparseTensor() | RaggedTensor() | IndexedSlices():
                several = _several(fetch)
                assert several is not None
                return self._join(*several)
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
