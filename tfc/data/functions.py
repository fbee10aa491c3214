"""Functions of datasets: traced into the graph as regions that only the dataset's op runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from tfc.base import errors
from tfc.data import nest, structure
from tfc.framework.graph import Graph, get_default_graph
from tfc.framework.opdef import apply
from tfc.framework.operation import Operation
from tfc.framework.regions import Region

_NO_PYTHON = (
    "The function passed to {where} is called once, with tensors that stand for every element: "
    "Python statements in it are not made graph ops. Write tf.cond(c, lambda: a, lambda: b) or "
    "tf.where(c, a, b) for `if`, tf.while_loop for `while` and for `for i in range(n)`, tf.map_fn "
    "for `for row in x`, tf.logical_and, tf.logical_or, tf.logical_not for `and`, `or`, `not`; or "
    "call Python with tf.py_func."
)


class Traced:
    """A function that was called once, with parameters of `specs`.

    region: its ops. spec: what it returns. captured: tensors from outside, but no references to
    variables, which it looks up when it runs.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        where: str,
        *specs: Any,
        returned: Callable[[Any], Any] | None = None,
    ):
        """where: the method that takes the function. returned: makes what the function returned
        what it should be.

        Raises:
          TypeError: the function returns what is no structure of tensors.
          ValueError: it returns nothing.
        """
        graph = get_default_graph()
        name = re.sub(r"[^\w.-]", "", getattr(function, "__name__", type(function).__name__))
        seeds, graph.unseeded_random_ops = graph.unseeded_random_ops, 0
        try:
            with graph.name_scope(None), graph.name_scope(f"Dataset_{name}") as scope:
                self.region = Region(graph, scope.rstrip("/"), hidden=True)
                with self.region:
                    self._trace(graph, function, where, specs, returned)
        finally:
            graph.unseeded_random_ops = seeds
        captures = self.region.captures()
        self.captured = [t for t in captures if not t.dtype.is_ref_dtype]

    def _trace(
        self,
        graph: Graph,
        function: Callable[..., Any],
        where: str,
        specs: Sequence[Any],
        returned: Callable[[Any], Any] | None,
    ) -> None:
        args = []
        for spec in specs:
            pairs = zip(
                structure.component_types(spec), structure.component_shapes(spec), strict=True
            )
            tensors = [
                apply("RegionParameter", T=dtype, known_shape=shape, name="arg")
                for dtype, shape in pairs
            ]
            self.region.params += tensors
            args.append(structure.element_from(spec, tensors))
        try:
            value = function(*args)
        except (errors.OperatorNotAllowedInGraphError, TypeError) as error:
            if not isinstance(error, errors.OperatorNotAllowedInGraphError) and (
                "'Tensor' object cannot be interpreted as an integer" not in str(error)
            ):
                raise
            raise type(error)(f"{error} {_NO_PYTHON.format(where=where)}") from error
        if returned is not None:
            value = returned(value)
        if value is None:
            raise ValueError(f"the function passed to {where} returned nothing")
        if isinstance(value, list):
            value = tuple(value)
        try:
            if any(leaf is None for leaf in nest.flatten(value)):
                raise TypeError("None")
            element = nest.map_leaves(structure.as_leaf, value)
        except (TypeError, ValueError):
            raise TypeError(
                f"Unsupported return value from function passed to {where}: {value}."
            ) from None
        self.spec = structure.spec_of(element)
        tensors = structure.components(element)
        with graph.control_dependencies(_effects(self.region.ops)):
            self.region.results = [apply("Identity", t) for t in tensors]

    def controls(self) -> list[Operation]:
        """Ops outside that ops of the function wait for."""
        return self.region.outer_controls()


# Ops that only give something; nobody misses them if nobody takes it.
_GIVERS = {"RegionParameter", "Identity", "Residual"}
_HANDLES = ("variant", "resource")


def _effects(ops: Sequence[Operation]) -> list[Operation]:
    """The ops that do something: they run though no result needs them."""
    return [
        op
        for op in ops
        if op.defn.effects
        and op.type not in _GIVERS
        and "seed" not in op._attrs
        and (op.regions or not op.outputs or op.outputs[0].dtype.short not in _HANDLES)
    ]


def unpacked(function: Callable[..., Any]) -> Callable[[Any], Any]:
    """`function` of an element, which is given the parts of a tuple one by one.

    Raises:
      TypeError: it cannot be called.
    """
    if not callable(function):
        raise TypeError(f"{function!r} is no function of elements")

    def call(element: Any) -> Any:
        return function(*element) if type(element) is tuple else function(element)

    call.__name__ = getattr(function, "__name__", type(function).__name__)
    return call


def with_functions(op_type: str, functions: Sequence[Traced], *inputs: Any, **attrs: Any) -> Any:
    """The output of an op that calls `functions`. An input that is one of them stands for what it
    captured."""
    graph = get_default_graph()
    controls = [op for f in functions for op in f.controls()]
    args = [value.captured if isinstance(value, Traced) else value for value in inputs]
    with graph.control_dependencies(list(dict.fromkeys(controls))):
        found = apply(op_type, *args, **attrs)
    first = found[0] if isinstance(found, list | tuple) else found
    first.op._functions = tuple(f.region for f in functions)
    return found
