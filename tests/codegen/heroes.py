"""Compile one fusion around a hero and run it on arrays, for the tests and benchmarks of heroes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tfc.prims as p
from tests.codegen.run import Room, native_call, with_attrs
from tfc.base.dtypes import numpy_dtype, short_of
from tfc.base.target import Target
from tfc.codegen import module, native_rt
from tfc.codegen.target import host
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Op, Type, Value
from tfc.prims.kernel_info import kernel_chunks, kernel_scratch

Epilogue = Callable[[Builder, Value, Sequence[Value]], Value]


class HeroKernel:
    """`hero(*arrays)` with attributes `attrs`, then `epilogue(build, result, extra parameters)`.

    operands: types of the hero's operands; extras: types of what the epilogue reads. split: into
    the chunks the hero asks for. in_place: number of the extra that the result overwrites. target:
    of the code, this machine if None.
    """

    def __init__(
        self,
        hero: str,
        operands: Sequence[Type],
        attrs: dict[str, Any],
        epilogue: Epilogue | None = None,
        extras: Sequence[Type] = (),
        split: bool = True,
        in_place: int | None = None,
        target: Target | None = None,
    ):
        inner = Builder("body")
        params = [inner.param(t) for t in (*operands, *extras)]
        value = getattr(p, hero)(inner, *params[: len(operands)], **attrs)
        if epilogue is not None:
            value = epilogue(inner, value, params[len(operands) :])
        region = inner.finish([value])
        outer = Builder("f")
        arguments = [outer.param(t) for t in (*operands, *extras)]
        place = ("result", 0) if in_place is None else ("param", len(operands) + in_place)
        fixed: dict[str, Any] = {"hero": hero, "out": (place,)}
        plain = outer.emit(p.fusion, *arguments, regions=(region,), **fixed)[0].op
        assert plain is not None
        self.chunks = (kernel_chunks(plain) or 1) if split else 1
        op = _with(plain, chunks=self.chunks)
        self.scratch = kernel_scratch(op)
        op = _with(op, scratch=("arena", 0, self.scratch)) if self.scratch else op
        donated = () if in_place is None else ((len(operands) + in_place, 0),)
        attributes = (("arena", self.scratch), ("donated", donated))
        self.fn = Function("f", tuple(arguments), (op,), op.results, attributes)
        self.code = module.compile_function(self.fn, target or host())
        self.in_place = None if in_place is None else len(operands) + in_place
        self._arena = Room.memory(self.scratch)

    def bind(self, arrays: Sequence[np.ndarray], threads: int = 1) -> Callable[[], np.ndarray]:
        """A function that runs the kernel on `arrays` (kept, dense) and gives its result array."""
        type = self.fn.results[0].type
        out = np.full(type.shape, 77, numpy_dtype(type.dtype))
        assert all(
            a.flags.c_contiguous and Type(short_of(a.dtype), a.shape) == v.type
            for a, v in zip(arrays, self.fn.params, strict=True)
        )
        record, fork = np.zeros(10, np.int64), native_rt.parallel_for_address(threads)
        call = native_call(self.code, [*arrays, out], self._arena, record, fork)
        result = out if self.in_place is None else arrays[self.in_place]

        def run() -> np.ndarray:
            assert call() == 0
            return result

        return run

    def __call__(self, *arrays: np.ndarray, threads: int = 1) -> np.ndarray:
        return self.bind([np.array(a, order="C") for a in arrays], threads)()


def _with(op: Op, **attrs: Any) -> Op:
    return with_attrs(op, op.operands, {**op.kwargs, **attrs})
