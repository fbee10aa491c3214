"""Driven regions: an If or While that cannot be one native function.

Python decides and repeats; each region is a Plan of its own, compiled once per shape that it
meets. Why an op is driven is logged once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfc.framework.operation import Operation, Tensor
from tfc.passes.live import params_of, results_of
from tfc.passes.lower_regions import no_scalar
from tfc.passes.versions import is_snapshot, variable_of, written_in

log = logging.getLogger("tfc")


class Tape:
    """What a driven op kept: how often it ran, and the values of tensors in each iteration."""

    def __init__(self, owner: Operation, tensors: Sequence[Tensor]):
        self.owner, self.count = owner, 0
        self._values: dict[Tensor, list[np.ndarray]] = {t: [] for t in tensors}

    def add(self, tensors: Sequence[Tensor], values: Sequence[np.ndarray]) -> None:
        """Keep the values that `tensors` had in one more iteration."""
        self.count += 1
        for tensor, value in zip(tensors, values, strict=True):
            self._values[tensor].append(value)

    def values_of(self, tensor: Tensor) -> np.ndarray:
        """One entry an iteration, as an object array if they differ in shape; of a condition the
        value. A loop that never ran and a branch not taken have object arrays without a value."""
        values = self._values[tensor]
        if self.owner.type == "If":
            return values[0] if values else np.empty((), object)
        if values and len({v.shape for v in values}) == 1:
            return np.stack(values)
        ragged = np.empty(len(values), object)
        for index, value in enumerate(values):
            ragged[index] = value
        return ragged

    def as_array(self) -> np.ndarray:
        """The tape as the value of a tensor."""
        array = np.empty((), object)
        array[()] = self
        return array


def _reads_of_written(op: Operation) -> set[Tensor]:
    """The captured reads of variables that the regions of `op` write: made again where they are
    taken, since they share the variables' memory."""
    reads = {t: variable_of(t.op.inputs[0]) for t in op.inputs if is_snapshot(t)}
    written = written_in(op) if reads else set()
    return {t for t, variable in reads.items() if variable in written}


class DrivenOp:
    """One such op, with the plans of its regions.

    wanted: tensors of its regions that gradients want kept. make_plan(region, results, fed,
    kept, reads) plans a region, which makes the tensors `reads` itself.
    """

    def __init__(self, op: Operation, reason: str, wanted: Sequence[Tensor], make_plan: Any):
        log.info("%s '%s' is driven by Python: %s", op.type, op.name, reason)
        self.op, self.reason = op, reason
        count = 1 if op.type == "If" else len(op.outputs) - 1
        self.given, self.captured = op.inputs[:count], op.inputs[count:]
        self._reads = _reads_of_written(op)
        self._wanted = [[t for t in wanted if t.op._region is region] for region in op.regions]
        self._results = [results_of(op, region) for region in op.regions]
        self._params = [params_of(op, region) for region in op.regions]
        self._plans = [
            make_plan(region, results, [*params, *self._fed()], kept, self._reads)
            for region, results, params, kept in zip(
                op.regions, self._results, self._params, self._wanted, strict=True
            )
        ]

    def _fed(self) -> list[Tensor]:
        return [t for t in self.captured if not t.dtype.is_ref_dtype and t not in self._reads]

    def run(self, runtime: Any, values: Mapping[Tensor, np.ndarray]) -> Sequence[np.ndarray]:
        """The outputs, from the values of the inputs."""
        captured = {t: values[t] for t in self._fed()}
        given = [values[t] for t in self.given]
        tape = Tape(self.op, [t for kept in self._wanted for t in kept])
        if self.op.type == "If":
            (pred,) = given
            if pred.shape:
                raise no_scalar(self.op, pred.shape)
            taken = 0 if pred else 1
            return [*self._region(taken, runtime, [], captured, tape), tape.as_array()]
        unkept = Tape(self.op, [])
        while True:
            (go_on,) = self._region(0, runtime, given, captured, unkept)
            if go_on.shape:
                raise no_scalar(self.op, go_on.shape)
            if not go_on:
                break
            given = list(self._region(1, runtime, given, captured, tape))
        return [*given, tape.as_array()]

    def _region(
        self,
        number: int,
        runtime: Any,
        given: Sequence[np.ndarray],
        captured: Mapping[Tensor, np.ndarray],
        tape: Tape,
    ) -> Sequence[np.ndarray]:
        values = dict(zip(self._params[number], given, strict=True))
        values.update(captured)
        found: Sequence[np.ndarray] = self._plans[number].run(runtime, values)
        results = len(self._results[number])
        tape.add(self._wanted[number], found[results:])
        return found[:results]
