"""How a StridedSlice reads: its specification, axis by axis.

One function, `plan`, turns the sparse specification (with an ellipsis, new axes and indices) into
one entry per axis of the input; the shape rule reads that, and `take`, with the values that
lowering knows, says what is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc import prims as p
from tfc.base.records import dataclass
from tfc.ir.builder import constant_value
from tfc.ir.core import Value
from tfc.ir.walk import made_by
from tfc.ops.lowering import invalid
from tfc.passes.lessons import OUTSIDE
from tfc.passes.linear import difference

NEW_AXIS = -1


@dataclass(frozen=True)
class Axis:
    """What a StridedSlice does to one axis: entry `at` of begin, end, strides; whole if None."""

    at: int | None
    begin_masked: bool = True
    end_masked: bool = True
    shrinks: bool = False


def plan(count: int, rank: int, masks: dict[str, int]) -> tuple[list[Axis], list[int]]:
    """(one Axis per input axis, result axes as input axes or NEW_AXIS) for `count` entries.

    Raises:
      ValueError: more entries than the input has axes, or several ellipses.
    """

    def bit(mask: str, i: int) -> bool:
        return bool(masks[mask] >> i & 1)

    ellipses = [i for i in range(count) if bit("ellipsis_mask", i)]
    if len(ellipses) > 1 or masks["ellipsis_mask"] & masks["ellipsis_mask"] - 1:
        raise ValueError("Multiple ellipses in slice spec not allowed")
    ellipsis = ellipses[0] if ellipses else count
    new_after = sum(bit("new_axis_mask", i) for i in range(ellipsis + 1, count))
    axes: list[Axis] = []
    result: list[int] = []
    for i in range(max(count, ellipsis + 1)):
        if i == ellipsis:
            after = max(count - i - 1, 0) - new_after
            for _ in range(max(rank - after - len(axes), 0)):
                result.append(len(axes))
                axes.append(Axis(None))
        elif bit("new_axis_mask", i):
            result.append(NEW_AXIS)
        else:
            if len(axes) == rank:
                raise ValueError(
                    f"Index out of range using input dim {len(axes)}; input has only {rank} dims"
                )
            shrinks = bit("shrink_axis_mask", i)
            if not shrinks:
                result.append(len(axes))
            axes.append(Axis(i, bit("begin_mask", i), bit("end_mask", i), shrinks))
    return axes, result


def extent_of(axis: Axis, dim: int | None, number: int, spec: tuple[int | None, ...]) -> int | None:
    """Elements taken along an axis of extent `dim` (None: unknown)."""
    begin, end, stride = spec
    if axis.shrinks:
        if begin is not None and dim is not None and not -dim <= begin < dim:
            raise ValueError(f"slice index {begin} of dimension {number} out of bounds.")
        return 1
    if axis.at is None:
        return dim
    if dim is None or stride is None:
        return None
    if (begin is None and not axis.begin_masked) or (end is None and not axis.end_masked):
        return None
    return len(_range_of(axis, dim, begin, end, stride))


def _range_of(axis: Axis, dim: int, begin: int | None, end: int | None, stride: int) -> range:
    first = None if axis.begin_masked else begin
    last = None if axis.end_masked else end
    return range(*slice(first, last, stride).indices(dim))


def check_strides(axes: Sequence[Axis], strides: Sequence[int] | None) -> None:
    for axis in axes:
        if axis.at is None or strides is None:
            continue
        if strides[axis.at] == 0:
            raise ValueError(f"strides[{axis.at}] must be non-zero")
        if axis.shrinks and strides[axis.at] < 0:
            raise ValueError("only stride 1 allowed on non-range indexing.")


def check_index(build: Any, index: Value, low: int, high: int, message: str) -> None:
    """Fail with `message` unless low <= index <= high."""
    above = p.ge(build, index, p.full_like(build, index, low))
    below = p.le(build, index, p.full_like(build, index, high))
    build.assert_(p.and_(build, above, below), (index,), message=message)


def entries_of(build: Any, vector: Value) -> list[Value]:
    """The elements of a vector as scalars: constants where a `stack` put constants in."""
    joined = made_by(vector, "concat")
    if joined is not None and all(v.type.shape == (1,) for v in joined.operands):
        pieces = list(joined.operands)
    else:
        count = vector.type.shape[0]
        pieces = [
            p.slice(build, vector, start=(i,), limit=(i + 1,), stride=(1,)) for i in range(count)
        ]
    return [p.reshape(build, piece, shape=()) for piece in pieces]


@dataclass
class Taken:
    """A StridedSlice with its input's shape known: what to read, and how to arrange it."""

    ranges: list[range]  # per axis; within the window where there is one
    windows: dict[int, tuple[Value, int]]  # axis -> start that only the run can tell, and width
    result: tuple[int, ...]  # shape of the result

    @property
    def extents(self) -> tuple[int, ...]:
        return tuple(len(r) for r in self.ranges)

    @property
    def reversed(self) -> tuple[int, ...]:
        return tuple(i for i, r in enumerate(self.ranges) if r.step < 0)

    @property
    def forward(self) -> list[range]:
        return [r[::-1] if r.step < 0 else r for r in self.ranges]

    def starts(self, build: Any) -> list[Value]:
        """Where the windows begin, one start per axis."""
        dtype = next(iter(self.windows.values()))[0].type.dtype
        zero = p.constant(build, 0, dtype)
        return [self.windows.get(i, (zero, 0))[0] for i in range(len(self.ranges))]

    def sizes(self, dims: Sequence[int]) -> tuple[int, ...]:
        """The extents of what the windows show of a tensor of extents `dims`."""
        return tuple(self.windows[i][1] if i in self.windows else d for i, d in enumerate(dims))


def take(
    build: Any,
    dims: Sequence[int],
    spec: tuple[Value, Value, Value],
    masks: dict[str, int],
    result: Sequence[int] | None = None,
) -> Taken:
    """Resolve a StridedSlice of an input with extents `dims`; `result`: its shape, if known.

    Raises:
      InvalidArgumentError: an index or a stride that TensorFlow's kernel refuses.
      NeedsValue: a range depends on a value that is not known yet.
    """
    begins, ends, strides = (entries_of(build, v) for v in spec)
    try:
        axes, order = plan(len(begins), len(dims), masks)
        check_strides(axes, [int(build.static(v)) for v in strides])
    except ValueError as error:
        raise invalid(build, str(error)) from None
    extents: dict[int, int] = {}
    if result is not None and len(result) == len(order):
        extents = dict(zip(order, result, strict=True))
    ranges, windows = [], {}
    for number, (axis, dim) in enumerate(zip(axes, dims, strict=True)):
        if axis.at is None:
            ranges.append(range(dim))
            continue
        first, last = begins[axis.at], ends[axis.at]
        if axis.shrinks:
            found = _index(build, first, number, dim)
        else:
            stride = int(build.static(strides[axis.at]))
            found = _window(build, axis, (dim, extents.get(number)), first, last, stride)
        if isinstance(found, range):
            ranges.append(found)
        else:
            start, taken = found
            windows[number] = start, taken.stop
            ranges.append(taken)
    shape = tuple(1 if a == NEW_AXIS else len(ranges[a]) for a in order)
    return Taken(ranges, windows, shape)


def _index(build: Any, index: Value, number: int, dim: int) -> range | tuple[Value, range]:
    """One element of axis `number`."""
    known = constant_value(index)
    message = f"slice index {{0}} of dimension {number} out of bounds."
    if known is None:
        check_index(build, index, -dim, dim - 1, message)
        wrapped = p.add(build, index, p.full_like(build, index, dim))
        negative = p.lt(build, index, p.full_like(build, index, 0))
        return p.select(build, negative, wrapped, index), range(1)
    if not -dim <= int(known) < dim:
        raise invalid(build, message.replace("{0}", str(int(known))))
    return range(int(known) % dim, int(known) % dim + 1)


def _window(
    build: Any, axis: Axis, extents: tuple[int, int | None], first: Value, last: Value, stride: int
) -> range | tuple[Value, range]:
    """The elements from `first` to `last`, of the first of `extents`; the second are what they
    give, if that is known. Of ends that only the run can tell, but which are a known number apart,
    it is guessed that they are within the tensor."""
    dim, given = extents
    computed = constant_value(first) is None or constant_value(last) is None
    if computed and stride > 0 and not (axis.begin_masked or axis.end_masked):
        width = difference(last, first) if given is None else (given - 1) * stride + 1
        if width is not None and 0 < width <= dim and build.op not in build.lessons.refused:
            above = p.ge(build, first, p.full_like(build, first, 0))
            below = p.le(build, first, p.full_like(build, first, dim - width))
            build.assert_(p.and_(build, above, below), (), OUTSIDE)
            return first, range(0, width, stride)
    begin = 0 if axis.begin_masked else int(build.static(first))
    end = 0 if axis.end_masked else int(build.static(last))
    return _range_of(axis, dim, begin, end, stride)
