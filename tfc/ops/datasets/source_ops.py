"""Datasets of what is in memory: tensors, their slices, ranges, and Python generators."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.dtypes import DType
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import OpDef
from tfc.ops import shape_rules as s
from tfc.ops.datasets.nodes import (
    INFINITE,
    Element,
    Elements,
    Node,
    Run,
    Table,
    boxed,
    own,
    scalar,
)
from tfc.ops.datasets.random import Words, seeds_or_random
from tfc.ops.strings.common import invalid

TYPES = "output_types: list(type), output_shapes: list(shape)"


def handle(*shapes: TensorShape) -> list[TensorShape]:
    """The shape of a dataset's handle."""
    return [s.shape_of([])]


class Memory(Node):
    """The rows of tables, in order."""

    def __init__(self, tables: Sequence[Table], size: int):
        self.tables, self.count = tuple(tables), size
        self.extent = max((t.size for t in tables), default=0)

    def elements(self, run: Run) -> Elements:
        return MemoryElements(self)

    def size(self) -> int:
        return self.count


class MemoryElements(Elements):
    def __init__(self, node: Memory):
        self.tables, self.count, self.at = node.tables, node.count, 0

    def item(self) -> int:
        if self.at >= self.count:
            raise StopIteration
        self.at += 1
        return self.at - 1

    def items(self, count: int) -> np.ndarray:
        start = self.at
        self.at = min(start + count, self.count)
        return np.arange(start, self.at)


class TensorDataset(
    OpDef,
    sig="TensorDataset(components: [Toutput_types], output_shapes: list(shape)) -> handle: variant",
):
    """One element: the components."""

    stateful = True
    shape = handle

    def host(*components: np.ndarray) -> np.ndarray:
        return boxed(Memory([Table(own(c)[None], 1) for c in components], 1))


class TensorSliceDataset(
    OpDef,
    sig="TensorSliceDataset(components: [Toutput_types], output_shapes: list(shape))"
    " -> handle: variant",
):
    """The slices of the components along their first axes."""

    stateful = True
    shape = handle

    def host(op: Any, *components: np.ndarray) -> np.ndarray:
        if any(not c.ndim for c in components):
            raise invalid(op, "All components must be at least 1-dimensional")
        sizes = {len(c) for c in components}
        if len(sizes) != 1:
            raise invalid(
                op,
                "All components must have the same size in the 0th dimension, but they have "
                f"{sorted(sizes)}",
            )
        (size,) = sizes
        return boxed(Memory([Table(own(c), size) for c in components], size))


class Arithmetic:
    """Rows start + k * step, without memory."""

    def __init__(self, start: int, step: int, dtype: Any):
        self.start, self.step, self.dtype = start, step, dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        places = index[0] if isinstance(index, tuple) else index
        return np.asarray(self.start + places * self.step, self.dtype)


class RangeDataset(
    OpDef, sig=f"RangeDataset(start: int64, stop: int64, step: int64, {TYPES}) -> handle: variant"
):
    """The numbers from start to stop, by steps."""

    stateful = True
    shape = handle

    def host(
        op: Any,
        start: np.ndarray,
        stop: np.ndarray,
        step: np.ndarray,
        *,
        output_types: Sequence[DType],
    ) -> np.ndarray:
        first, end, by = (
            scalar(op, name, v) for name, v in (("start", start), ("stop", stop), ("step", step))
        )
        if by == 0:
            raise invalid(op, "step must be a non-zero integer.")
        size = max((end - first + by - (1 if by > 0 else -1)) // by, 0)
        rows = Arithmetic(first, by, output_types[0].as_numpy_dtype)
        return boxed(Memory([Table(rows, size)], size))


class _Generators:
    """The functions of generator datasets by token, as long as their graphs live."""

    def __init__(self) -> None:
        self.known: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        self.number = 0

    def register(self, maker: GeneratorMaker, graph: Any) -> str:
        token = f"generator_{self.number}"
        self.number += 1
        self.known[token] = maker
        graph.__dict__.setdefault("_dataset_generators", []).append(maker)
        return token


class GeneratorMaker:
    """make(*args) gives something to iterate over. flat: the components of what it yields, in the
    structure that `form` shows."""

    def __init__(self, make: Callable[..., Any], flat: Callable[[Any], list[Any]], form: str):
        self.make, self.flat, self.form = make, flat, form


generators = _Generators()


class GeneratorDataset(
    OpDef, sig=f"GeneratorDataset(args: [Targs], token: str, {TYPES}) -> handle: variant"
):
    """What a Python generator yields, made with `args` for each iterator."""

    stateful = True
    shape = handle

    def host(
        op: Any,
        *args: np.ndarray,
        token: str,
        output_types: Sequence[DType],
        output_shapes: Sequence[TensorShape],
    ) -> np.ndarray:
        maker = generators.known.get(token)
        if maker is None:
            raise invalid(op, f"the generator {token} of '{op.name}' does not exist")
        return boxed(Generated(op, maker, [own(a) for a in args], output_types, output_shapes))


class Generated(Node):
    """What a generator yields."""

    fresh = False

    def __init__(
        self,
        op: Any,
        maker: GeneratorMaker,
        args: Sequence[np.ndarray],
        types: Sequence[DType],
        shapes: Sequence[TensorShape],
    ):
        self.op, self.maker, self.args = op, maker, args
        self.types, self.shapes = types, shapes

    def elements(self, run: Run) -> Elements:
        return GeneratedElements(self, run)


# Which error class an exception of the user's generator becomes.
_ERRORS: tuple[tuple[Any, type[errors.OpError]], ...] = (
    ((TypeError, ValueError), errors.InvalidArgumentError),
    (MemoryError, errors.ResourceExhaustedError),
    (NotImplementedError, errors.UnimplementedError),
)


class GeneratedElements(Elements):
    def __init__(self, node: Generated, run: Run):
        self.node, self.run = node, run
        self.iterator: Any = None
        self.ended = False

    def item(self) -> Element:
        self.run.check()
        if self.ended:
            raise StopIteration
        try:
            if self.iterator is None:
                args = [a[()] if not a.ndim else a for a in self.node.args]
                self.iterator = iter(self.node.maker.make(*args))
            value = next(self.iterator)
        except StopIteration:
            self.ended = True
            raise
        except errors.OpError:
            raise
        except Exception as error:
            kinds = (cls for base, cls in _ERRORS if isinstance(error, base))
            cls = next(kinds, errors.UnknownError)
            raise cls(None, self.node.op, f"{type(error).__name__}: {error}") from error
        return self._components(value)

    def _components(self, value: Any) -> Element:
        node = self.node
        try:
            flat = node.maker.flat(value)
        except (TypeError, ValueError):
            raise invalid(
                node.op,
                "TypeError: `generator` yielded an element that did not match the expected "
                f"structure. The expected structure was {node.maker.form}, but the yielded element "
                f"was {value!r}.",
            ) from None
        return tuple(
            _component(node.op, v, dtype, shape)
            for v, dtype, shape in zip(flat, node.types, node.shapes, strict=True)
        )


def _component(op: Any, value: Any, dtype: DType, shape: TensorShape) -> np.ndarray:
    """One component of what a generator yielded, as an array of the dtype and a shape that fits."""
    kind = dtype.as_numpy_dtype
    try:
        if dtype == dtypes.string:
            array = _strings(value)
        else:
            array = np.array(value, kind, order="C")
    except (TypeError, ValueError, OverflowError):
        raise invalid(
            op,
            "TypeError: `generator` yielded an element that could not be converted to the expected "
            f"type. The expected type was {dtype.name}, but the yielded element was {value!r}.",
        ) from None
    if not shape.is_compatible_with(TensorShape(array.shape)):
        raise invalid(
            op,
            f"ValueError: `generator` yielded an element of shape {s.text(array.shape)} where an "
            f"element of shape {shape} was expected.",
        )
    return array


def _strings(value: Any) -> np.ndarray:
    source = np.asarray(value, object)
    if isinstance(value, str | bytes):
        source = boxed(value)
    flat = np.empty(source.size, object)
    for k, text in enumerate(source.ravel()):
        if not isinstance(text, str | bytes):
            raise TypeError(f"{text!r} is no string")
        flat[k] = text.encode() if isinstance(text, str) else bytes(text)
    return flat.reshape(source.shape)


class Random(Node):
    """Random numbers, one after the other."""

    fresh = True

    def __init__(self, seeds: tuple[int, int]):
        self.seeds = seeds

    def elements(self, run: Run) -> Elements:
        return RandomElements(self)

    def size(self) -> int:
        return INFINITE


class RandomElements(Elements):
    def __init__(self, node: Random):
        self.words = Words(*node.seeds)

    def item(self) -> Element:
        return (np.array(self.words.next(), np.int64),)


class RandomDataset(
    OpDef, sig=f"RandomDataset(seed: int64, seed2: int64, {TYPES}) -> handle: variant"
):
    """Random numbers below 2**32, for ever."""

    stateful = True
    shape = handle

    def host(op: Any, seed: np.ndarray, seed2: np.ndarray) -> np.ndarray:
        seeds = seeds_or_random(scalar(op, "seed", seed), scalar(op, "seed2", seed2))
        return boxed(Random(seeds))
