"""Bands of diagonals of matrices, taken out, put in, and alone: MatrixDiag and its kin with `k`.

A band k = (lowest, highest) is kept as rows, the highest diagonal first, all as long as the longest
one; `align` says at which end shorter ones are filled up: "RIGHT_LEFT" means those above the main
diagonal end at the right, and those below begin at the left.
"""

from __future__ import annotations

from typing import Any

from tfc import prims as p
from tfc.base import dtypes
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.framework.tensor_util import constant_value
from tfc.ir.core import Value
from tfc.ops import shape_rules as s
from tfc.ops.const_ops import zeros
from tfc.ops.lowering import invalid, reshape_value
from tfc.ops.shape_ops import shape as shape_of

ELEMENTS = (*dtypes.NUMBERS, "i1")
ALIGN = ("LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT")
Band = tuple[int, int]


def _band(values: list[int]) -> Band:
    """(lowest, highest) diagonal. Raises ValueError if they are in the wrong order."""
    if len(values) not in (1, 2):
        raise ValueError("diag_index must have only one or two elements, received "
                         f"{len(values)} elements.")  # fmt: skip
    if values[0] > values[-1]:
        raise ValueError("lower_diag_index is greater than upper_diag_index")
    return values[0], values[-1]


def _check_in(band: Band, rows: int, columns: int) -> None:
    for diagonal, which in zip(band, ("lower_diag_index", "upper_diag_index"), strict=True):
        if not (-rows < diagonal < columns or diagonal == 0):
            raise ValueError(f"{which} is out of bound.")


def _longest(band: Band, rows: int, columns: int) -> int:
    return min(rows + min(band[1], 0), columns - max(band[0], 0))


def _static_band(build: Any, k: Value) -> Band:
    try:
        return _band([int(v) for v in build.static(k).ravel()])
    except ValueError as error:
        raise invalid(build, str(error)) from None


def _offsets(build: Any, d: Value, band: Band, rows: int, columns: int, align: str) -> Any:
    """(length, place of the first element) of the diagonals whose numbers are `d`."""
    zero, whole = p.full_like(build, d, 0), p.full_like(build, d, rows)
    above, below = p.max_(build, d, zero), p.min_(build, d, zero)
    length = p.min_(
        build, p.add(build, whole, below), p.sub(build, p.full_like(build, d, columns), above)
    )
    rest = p.sub(build, p.full_like(build, d, _longest(band, rows, columns)), length)
    upper, lower = (side == "LEFT" for side in align.split("_"))
    left_above = zero if upper else rest
    left_below = zero if lower else rest
    begin = p.select(build, p.ge(build, d, zero), left_above, left_below)
    if upper or lower:  # the main diagonal begins at the left if either side does
        begin = p.select(build, p.eq(build, d, zero), zero, begin)
    return length, begin


def _number(build: Any, padding: Value, shape: tuple[int, ...]) -> Value:
    return p.broadcast(build, reshape_value(build, padding, ()), dims=(), shape=shape)


def _pairs(build: Any, x: Value, y: Value) -> Value:
    """An index of two columns from two arrays of one shape."""
    count = x.type.size
    return p.concat(
        build, p.reshape(build, x, shape=(count, 1)), p.reshape(build, y, shape=(count, 1)), dim=1
    )


def _gathered(build: Any, x: Value, row: Value, column: Value) -> Value:
    """Elements of the matrices in the last two axes, in the shape of `row`."""
    rank, shape = x.type.rank, row.type.shape
    taken = p.gather(build, x, _pairs(build, row, column), dims=(rank - 2, rank - 1))
    moved = p.transpose(build, taken, perm=(*range(1, rank - 1), 0))
    return p.reshape(build, moved, shape=(*x.type.shape[:-2], *shape))


def _clamped(build: Any, x: Value, count: int) -> Value:
    low, high = p.full_like(build, x, 0), p.full_like(build, x, max(count - 1, 0))
    return p.max_(build, low, p.min_(build, high, x))


def _mask(build: Any, inside: Value, shape: tuple[int, ...]) -> Value:
    rank = len(shape)
    return p.broadcast(build, inside, dims=(rank - 2, rank - 1), shape=shape)


def _spread(
    build: Any, diagonal: Value, band: Band, rows: int, columns: int, other: Value, align: str
) -> Value:
    """`other`, matrices, with the diagonals of the band put in."""
    count = band[1] - band[0] + 1
    longest = diagonal.type.shape[-1]
    if count == 1 and diagonal.type.rank == other.type.rank - 1:
        shape = (*diagonal.type.shape[:-1], 1, longest)
        diagonal = p.reshape(build, diagonal, shape=shape)
    row = p.iota(build, dtype="i64", shape=(rows, columns), dim=0)
    column = p.iota(build, dtype="i64", shape=(rows, columns), dim=1)
    d = p.sub(build, column, row)
    _, begin = _offsets(build, d, band, rows, columns, align)
    zero = p.full_like(build, d, 0)
    low, high = p.full_like(build, d, band[0]), p.full_like(build, d, band[1])
    place = p.add(build, p.sub(build, column, p.max_(build, d, zero)), begin)
    which = p.sub(build, high, d)
    inside = p.and_(build, p.ge(build, d, low), p.le(build, d, high))
    if not longest or not rows or not columns:
        return other
    taken = _gathered(
        build, diagonal, _clamped(build, which, count), _clamped(build, place, longest)
    )
    return p.select(build, _mask(build, inside, other.type.shape), taken, other)


class MatrixDiagV3(
    OpDef,
    sig="MatrixDiagV3(diagonal: T, k: int32, num_rows: int32, num_cols: int32, padding_value: T, "
    "align: str = 'RIGHT_LEFT') -> output: T",
    T=ELEMENTS,
):
    """Matrices with a band of diagonals, and one number elsewhere."""

    def shape(diagonal: TensorShape, *others: TensorShape, op: Any) -> list[TensorShape]:
        dims = s.with_rank_at_least(diagonal, 1)
        k, rows, columns = (s.static_ints(op, i) for i in (1, 2, 3))
        if dims is None or k is None or rows is None or columns is None:
            return [s.unknown()]
        band = _band(k)
        batch = dims[:-1]
        if band[0] != band[1]:
            s.with_rank_at_least(diagonal, 2)
            batch, count = dims[:-2], dims[-2]
            if count is not None and count != band[1] - band[0] + 1:
                raise ValueError(
                    "The number of rows of `diagonal` doesn't match the number of diagonals "
                    f"implied from `d_lower` and `d_upper`.\nnum_diags = {count}, d_lower = "
                    f"{band[0]}, d_upper = {band[1]}"
                )
        if dims[-1] is None:
            sizes: list[int | None] = [n if n >= 0 else None for n in (rows[0], columns[0])]
        else:
            sizes = list(_sizes(dims[-1], band, rows[0], columns[0]))
        return [s.shape_of([*batch, *sizes])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        zero = zeros([], dtype=dy.dtype.base_dtype)
        part = apply("MatrixDiagPartV3", dy, op.inputs[1], zero, align=op.get_attr("align"))
        return [part, None, None, None, None]

    def lower(
        build: Any, diagonal: Value, k: Value, num_rows: Value, num_cols: Value, padding: Value,
        *, align: str,
    ) -> Value:  # fmt: skip
        band = _static_band(build, k)
        several = band[0] != band[1]
        rank = diagonal.type.rank
        if rank < 1 + several:
            raise invalid(build, f"diagonal must be at least {1 + several}-dim, received shape: "
                          f"{s.text(diagonal.type.shape)}")  # fmt: skip
        batch = diagonal.type.shape[: rank - 1 - several]
        if several and diagonal.type.shape[-2] != band[1] - band[0] + 1:
            raise invalid(
                build,
                "The number of diagonals provided in the input does not match the lower_diag_index "
                "and upper_diag_index range.",
            )
        wanted = [int(build.static(v).ravel()[0]) for v in (num_rows, num_cols)]
        try:
            rows, columns = _sizes(diagonal.type.shape[-1], band, *wanted)
        except ValueError as error:
            raise invalid(build, str(error)) from None
        other = _number(build, padding, (*batch, rows, columns))
        return _spread(build, diagonal, band, rows, columns, other, align)


def _sizes(longest: int, band: Band, rows: int, columns: int) -> tuple[int, int]:
    """The extents of matrices with diagonals of this length; -1 asks for the least."""
    least_rows, least_columns = longest - min(band[1], 0), longest + max(band[0], 0)
    if rows == -1 and columns == -1:
        rows = columns = max(least_rows, least_columns)
    rows = least_rows if rows == -1 else rows
    columns = least_columns if columns == -1 else columns
    if rows < least_rows:
        raise ValueError("num_rows is too small")
    if columns < least_columns:
        raise ValueError("num_cols is too small")
    if rows != least_rows and columns != least_columns:
        raise ValueError(
            "num_rows and num_cols are not consistent with lower_diag_index, upper_diag_index, "
            "and the length of the given diagonals.\n"
            f"num_rows = {rows} != min_num_rows = {least_rows}, num_cols = {columns} != "
            f"min_num_cols = {least_columns}"
        )
    return rows, columns


class MatrixDiagPartV3(
    OpDef,
    sig="MatrixDiagPartV3(input: T, k: int32, padding_value: T, align: str = 'RIGHT_LEFT')"
    " -> diagonal: T",
    T=ELEMENTS,
):
    """A band of diagonals of matrices."""

    def shape(
        input: TensorShape, k: TensorShape, padding: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        dims, known = s.with_rank_at_least(input, 2), s.static_ints(op, 1)
        if dims is None or known is None:
            return [s.unknown()]
        band = _band(known)
        rows, columns = dims[-2:]
        longest = None
        if rows is not None and columns is not None:
            _check_in(band, rows, columns)
            longest = _longest(band, rows, columns)
        several = [band[1] - band[0] + 1] if band[0] != band[1] else []
        return [s.shape_of([*dims[:-2], *several, longest])]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        none = apply("ZerosLike", op.inputs[0])
        align = op.get_attr("align")
        return [apply("MatrixSetDiagV3", none, dy, op.inputs[1], align=align), None, None]

    def lower(build: Any, input: Value, k: Value, padding: Value, *, align: str) -> Value:
        band = _static_band(build, k)
        if input.type.rank < 2:
            raise invalid(
                build, f"input must be at least 2-dim, received shape: {s.text(input.type.shape)}"
            )
        *batch, rows, columns = input.type.shape
        try:
            _check_in(band, rows, columns)
        except ValueError as error:
            raise invalid(build, str(error)) from None
        count, longest = band[1] - band[0] + 1, max(_longest(band, rows, columns), 0)
        shape = (*batch, count, longest)
        number = p.iota(build, dtype="i64", shape=(count, longest), dim=0)
        d = p.sub(build, p.full_like(build, number, band[1]), number)
        length, begin = _offsets(build, d, band, rows, columns, align)
        place = p.sub(build, p.iota(build, dtype="i64", shape=(count, longest), dim=1), begin)
        zero = p.full_like(build, d, 0)
        inside = p.and_(build, p.ge(build, place, zero), p.lt(build, place, length))
        row = p.sub(build, place, p.min_(build, d, zero))
        column = p.add(build, place, p.max_(build, d, zero))
        result = _number(build, padding, shape)
        if longest:
            taken = _gathered(
                build, input, _clamped(build, row, rows), _clamped(build, column, columns)
            )
            result = p.select(build, _mask(build, inside, shape), taken, result)
        return result if count > 1 else p.reshape(build, result, shape=(*batch, longest))


class MatrixSetDiagV3(
    OpDef,
    sig="MatrixSetDiagV3(input: T, diagonal: T, k: int32, align: str = 'RIGHT_LEFT') -> output: T",
    T=ELEMENTS,
):
    """Matrices with a band of diagonals replaced."""

    def shape(
        input: TensorShape, diagonal: TensorShape, k: TensorShape, *, op: Any
    ) -> list[TensorShape]:
        dims, known = s.with_rank_at_least(input, 2), s.static_ints(op, 2)
        s.with_rank_at_least(diagonal, 1)
        if known is not None:
            band = _band(known)
            if dims is not None and dims[-2] is not None and dims[-1] is not None:
                _check_in(band, dims[-2], dims[-1])
        return [input]

    def grad(op: Any, dy: Tensor) -> list[Any]:
        _, diagonal, k = op.inputs
        align, dtype = op.get_attr("align"), dy.dtype.base_dtype
        none = zeros(shape_of(diagonal), dtype=dtype)
        part = apply("MatrixDiagPartV3", dy, k, zeros([], dtype=dtype), align=align)
        return [apply("MatrixSetDiagV3", dy, none, k, align=align), part, None]

    def lower(build: Any, input: Value, diagonal: Value, k: Value, *, align: str) -> Value:
        band = _static_band(build, k)
        if input.type.rank < 2:
            raise invalid(
                build, f"input must be at least 2-dim, received shape: {s.text(input.type.shape)}"
            )
        *batch, rows, columns = input.type.shape
        try:
            _check_in(band, rows, columns)
        except ValueError as error:
            raise invalid(build, str(error)) from None
        several = [band[1] - band[0] + 1] if band[0] != band[1] else []
        wanted = (*batch, *several, _longest(band, rows, columns))
        if diagonal.type.shape != wanted:
            raise invalid(
                build,
                "Either first dimensions of diagonal don't match input.shape[:-2], or "
                "diagonal.shape[:-1] is not equal to the longests diagonal in range "
                f"[lower_diag_index:upper_diag_index].\nInput shape: {s.text(input.type.shape)}\n"
                f"Diagonal shape: {s.text(diagonal.type.shape)}",
            )
        return _spread(build, diagonal, band, rows, columns, input, align)


# ---- the Python API


def _is_main(k: Any) -> bool:
    """Whether `k` surely names the main diagonal alone."""
    known = constant_value(k) if isinstance(k, Tensor) else k
    return isinstance(known, int) and not isinstance(known, bool) and known == 0


def _checked(align: str) -> str:
    if align not in ALIGN:
        raise ValueError(f"align must be one of {ALIGN}, not {align!r}")
    return align


def matrix_diag(
    diagonal: Any,
    name: str | None = "diag",
    k: Any = 0,
    num_rows: Any = -1,
    num_cols: Any = -1,
    padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Tensor:
    """Matrices with the vectors of `diagonal` on their diagonals.

    k: which diagonal, 0 for the main one, positive above it; or the lowest and the highest, with
    the diagonals in rows of `diagonal`, the highest first. num_rows, num_cols: the size, the least
    if -1. padding_value: what stands elsewhere. align: at which end diagonals above and below the
    main one are filled up to one length.

    Raises:
      ValueError: the size is too small, or the rows are not as many as diagonals.
    """
    _checked(align)
    given = zip((num_rows, num_cols, padding_value), (-1, -1, 0), strict=True)
    plain = all(isinstance(value, int | float) and value == usual for value, usual in given)
    if _is_main(k) and plain:
        return apply("MatrixDiag", diagonal, name=name)
    return apply(
        "MatrixDiagV3", diagonal, k, num_rows, num_cols, padding_value, align=align, name=name
    )


def matrix_diag_part(
    input: Any,
    name: str | None = "diag_part",
    k: Any = 0,
    padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Tensor:
    """The diagonals of matrices: the main one, or diagonal `k`, or the diagonals from k[0] to k[1]
    as rows, the highest first, filled up with `padding_value` at the ends that `align` says.

    Raises:
      ValueError: there is no such diagonal.
    """
    _checked(align)
    if _is_main(k):
        return apply("MatrixDiagPart", input, name=name)
    return apply("MatrixDiagPartV3", input, k, padding_value, align=align, name=name)


def matrix_set_diag(
    input: Any,
    diagonal: Any,
    name: str | None = "set_diag",
    k: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Tensor:
    """`input` with other diagonals: the main one, or diagonal `k`, or those from k[0] to k[1] from
    the rows of `diagonal`, the highest first.

    Raises:
      ValueError: there is no such diagonal.
    """
    _checked(align)
    if _is_main(k):
        return apply("MatrixSetDiag", input, diagonal, name=name)
    return apply("MatrixSetDiagV3", input, diagonal, k, align=align, name=name)
