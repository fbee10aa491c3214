"""Functions of datasets: regions of the graph that run by themselves, each as a plan of its own.

An iterator has the random ops of its functions for itself: their hidden state is in a store beside
that of the Session, and begins anew with the iterator. That of ops without a seed does not, so that
no two passes are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.cells import Cell
from tfc.client.kept import KeptPanels
from tfc.client.runtime import Runtime
from tfc.client.state import Buffer, VariableStore
from tfc.codegen.kept import Kept
from tfc.framework.graph import Graph
from tfc.framework.operation import Tensor
from tfc.framework.session_objects import SessionObjects
from tfc.passes.live import region_ops
from tfc.runtime.python_abi import address_of


class OwnStates(VariableStore):
    """The store of a Session, with hidden states of seeded random ops beside it."""

    def __init__(self, base: VariableStore, graph: Graph):
        self._base, self._graph = base, graph
        self._buffers: dict[str, Buffer] = {}
        self._changes = 0
        self.known: set[Any] = set()  # plans whose states are here
        self._with: tuple[Runtime, Runtime] | None = None  # a runtime, and what `within` made of it

    @property
    def objects(self) -> SessionObjects:  # type: ignore[override]
        return self._base.objects

    @property
    def closed(self) -> bool:  # type: ignore[override]
        return self._base.closed

    @property
    def was_forked(self) -> bool:  # type: ignore[override]
        return self._base.was_forked

    @property
    def generation(self) -> Any:  # type: ignore[override]
        return self._base.generation, self._changes, self

    def get(self, key: str) -> Buffer | None:
        return self._buffers.get(key) or self._base.get(key)

    def __getitem__(self, key: str) -> Buffer:
        found = self.get(key)
        assert found is not None
        return found

    def version(self, key: str) -> Cell:
        return self._base.version(key)

    def kept(self, source: str | np.ndarray, form: Kept) -> KeptPanels:
        return self._base.kept(source, form)

    def put(self, key: str, array: np.ndarray) -> None:
        if key in self._buffers:
            self._buffers[key] = replace(self._buffers[key], array=array, address=address_of(array))
        else:
            self._base.put(key, array)

    def within(self, runtime: Runtime) -> Runtime:
        """`runtime` with this store."""
        if self._with is None or self._with[0] is not runtime:
            self._with = runtime, replace(runtime, store=self)
        return self._with[1]

    def put_missing(self, initial: Mapping[str, np.ndarray]) -> None:
        own = {k: a for k, a in initial.items() if k not in self._buffers and self._is_seeded(k)}
        fresh = VariableStore()
        fresh.put_missing(own)
        self._buffers.update((key, fresh[key]) for key in own)
        self._changes += len(own)
        self._base.put_missing({k: a for k, a in initial.items() if k not in self._buffers})

    def _is_seeded(self, key: str) -> bool:
        attrs = self._graph.get_operation_by_name(key.rpartition("/")[0])._attrs
        return bool(attrs.get("seed") or attrs.get("seed2"))


class Functions:
    """What host ops run of the graph in one run of a Session. make_plan: the class Plan."""

    def __init__(self, runtime: Runtime, make_plan: Any):
        self._runtime, self._make_plan = runtime, make_plan

    def new_states(self) -> OwnStates:
        """The states of one iterator."""
        return OwnStates(self._runtime.store, self._runtime.graph)

    def value(self, tensor: Tensor) -> np.ndarray:
        """The value of a tensor that depends on nothing that is fed."""
        plan = self._plan(f"value/{tensor.name}", lambda: self._make_plan([tensor], ()))
        found: np.ndarray = plan.run(self._runtime, {})[0]
        return found

    def call(
        self, op: Any, number: int, values: Sequence[np.ndarray], states: OwnStates
    ) -> list[np.ndarray]:
        """The results of a function of `op`, from its parameters and what it captures."""
        plan, fed = self._plan(f"function/{op.name}/{number}", lambda: self._of(op, number))
        if plan.states and plan not in states.known:
            states.known.add(plan)
            states.put_missing(plan.states)
        runtime = states.within(self._runtime)
        found: list[np.ndarray] = plan.run(runtime, dict(zip(fed, values, strict=True)))
        return found

    def _of(self, op: Any, number: int) -> tuple[Any, list[Tensor]]:
        """The plan of a function, and the tensors whose values it is given."""
        if not op._functions:
            raise errors.UnimplementedError(
                None, op, "the functions of an imported dataset are not in the graph"
            )
        region = op._functions[number]
        captured = [t for t in region.captures() if not t.dtype.is_ref_dtype]
        fed = [*region.params, *captured]
        plan = self._make_plan(region.results, fed, region_ops(region, region.results))
        plan.string_feeds = []
        return plan, fed

    def _plan(self, key: str, make: Any) -> Any:
        objects = self._runtime.store.objects
        found = objects.items.get(key)
        return found if found is not None else objects.get(key, make)
