"""Products of matrices: MatMul, BatchMatMul, and tf.matmul and matvec over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import OpDef, apply
from tfc.ir.core import Value
from tfc.ops import (
    complex_math,
    shape_ops,
    shape_rules,
)
from tfc.ops.common import conj
from tfc.ops.lowering import invalid, is_complex

MATRIX_TYPES = ("bf16", "f16", "f32", "f64", "i32", "i64", "c64", "c128")
BATCH_TYPES = (*MATRIX_TYPES, "i16")  # the kernels of batches have one type more
Dims = list[int | None]


def _product_dims(a: Dims, b: Dims, flip_a: bool, flip_b: bool) -> Dims:
    """[rows, columns] of the product of two matrices."""
    rows, inner_a = a[::-1] if flip_a else a
    inner_b, columns = b[::-1] if flip_b else b
    shape_rules.merge_dim(inner_a, inner_b)
    return [rows, columns]


class MatMul(
    OpDef,
    sig="MatMul(a: T, b: T, transpose_a: bool = False, transpose_b: bool = False) -> product: T",
    T=MATRIX_TYPES,
):
    """The product of matrices `a` and `b`, either transposed first."""

    def shape(
        a: TensorShape, b: TensorShape, *, transpose_a: bool, transpose_b: bool, **_: Any
    ) -> list[TensorShape]:
        left, right = shape_rules.with_rank(a, 2), shape_rules.with_rank(b, 2)
        return [shape_rules.shape_of(_product_dims(left, right, transpose_a, transpose_b))]

    def grad(op: Any, dy: Any) -> list[Any]:
        a, b = conj(op.inputs[0]), conj(op.inputs[1])
        flips = op.get_attr("transpose_a"), op.get_attr("transpose_b")
        return list(_matmul_gradients("MatMul", ("transpose_a", "transpose_b"), a, b, dy, flips))

    def lower(
        build: Any, a: Value, b: Value, *, transpose_a: bool, transpose_b: bool, **_: Any
    ) -> Value:
        for which, value in enumerate((a, b)):
            if value.type.rank != 2:
                raise invalid(
                    build,
                    f"In[{which}] is not a matrix. Instead it has shape "
                    f"{shape_text(value.type.shape)}",
                )
        inner_a, inner_b = (0 if transpose_a else 1), (1 if transpose_b else 0)
        if a.type.shape[inner_a] != b.type.shape[inner_b]:
            raise invalid(
                build,
                f"Matrix size-incompatible: In[0]: {shape_text(a.type.shape)}, "
                f"In[1]: {shape_text(b.type.shape)}",
            )
        return dot_of(build, a, b, ((), ()), ((inner_a,), (inner_b,)))


def _matmul_gradients(
    op: str, names: tuple[str, str], a: Any, b: Any, dy: Any, flips: tuple[bool, bool]
) -> tuple[Any, Any]:
    """The gradients of a product whose operands were flipped as `flips` says."""

    def product(x: Any, y: Any, first: bool, second: bool) -> Any:
        flags: dict[str, Any] = {names[0]: first, names[1]: second}
        return apply(op, x, y, **flags)

    match flips:
        case False, False:
            return product(dy, b, False, True), product(a, dy, True, False)
        case False, True:
            return product(dy, b, False, False), product(dy, a, True, False)
        case True, False:
            return product(b, dy, False, True), product(a, dy, False, False)
    return product(b, dy, True, True), product(dy, a, True, True)


def dot_of(build: Any, a: Value, b: Value, batch: Any, contract: Any) -> Value:
    """The dot primitive; of complex operands four real ones."""
    if not is_complex(a):
        return p.dot(build, a, b, batch=batch, contract=contract)

    def real_dot(x: Value, y: Value) -> Value:
        return p.dot(build, x, y, batch=batch, contract=contract)

    ar, ai = complex_math.parts(build, a)
    br, bi = complex_math.parts(build, b)
    real = p.sub(build, real_dot(ar, br), real_dot(ai, bi))
    return p.complex(build, real, p.add(build, real_dot(ar, bi), real_dot(ai, br)))


def _batch_shape(
    x: TensorShape, y: TensorShape, *, adj_x: bool, adj_y: bool, broadcasts: bool
) -> list[TensorShape]:
    left = shape_rules.with_rank_at_least(x, 2)
    right = shape_rules.with_rank_at_least(y, 2)
    if left is None or right is None:
        return [shape_rules.unknown()]
    merge = shape_rules.broadcast_dims if broadcasts else shape_rules.merge_dims
    batch = merge(left[:-2], right[:-2])
    return [
        shape_rules.shape_of((batch or []) + _product_dims(left[-2:], right[-2:], adj_x, adj_y))
    ]


def _batch_lower(build: Any, x: Value, y: Value, *, adj_x: bool, adj_y: bool) -> Value:
    if x.type.rank < 2 or y.type.rank < 2:
        raise invalid(
            build,
            "In[0] and In[1] must have at least two dimensions: "
            f"{shape_text(x.type.shape)} vs. {shape_text(y.type.shape)}",
        )
    rows_x, rows_y = x.type.shape[:-2], y.type.shape[:-2]
    if rows_x != rows_y:
        x, y = _same_batch(build, x, y)
    rank = x.type.rank
    if is_complex(x):
        x = complex_math.conj(build, x) if adj_x else x
        y = complex_math.conj(build, y) if adj_y else y
    inner_x, inner_y = rank - (2 if adj_x else 1), rank - (1 if adj_y else 2)
    if x.type.shape[inner_x] != y.type.shape[inner_y]:
        raise invalid(
            build,
            f"Matrix size-incompatible: In[0]: {shape_text(x.type.shape)}, "
            f"In[1]: {shape_text(y.type.shape)}",
        )
    batch = tuple(range(rank - 2))
    return dot_of(build, x, y, (batch, batch), ((inner_x,), (inner_y,)))


def _same_batch(build: Any, x: Value, y: Value) -> tuple[Value, Value]:
    """Both operands with the batch dimensions that they broadcast to."""
    a, b = x.type.shape[:-2], y.type.shape[:-2]
    try:
        batch = np.broadcast_shapes(a, b)
    except ValueError:
        raise invalid(
            build,
            "In[0] and In[1] must have compatible batch dimensions: "
            f"{shape_text(x.type.shape)} vs. {shape_text(y.type.shape)}",
        ) from None
    return (
        p.broadcast_to(build, x, (*batch, *x.type.shape[-2:])),
        p.broadcast_to(build, y, (*batch, *y.type.shape[-2:])),
    )


class BatchMatMul(
    OpDef,
    sig="BatchMatMul(x: T, y: T, adj_x: bool = False, adj_y: bool = False) -> output: T",
    T=BATCH_TYPES,
):
    """Products of the matrices in the last two dimensions; the others must be equal."""

    def shape(
        x: TensorShape, y: TensorShape, *, adj_x: bool, adj_y: bool, **_: Any
    ) -> list[TensorShape]:
        return _batch_shape(x, y, adj_x=adj_x, adj_y=adj_y, broadcasts=False)

    def grad(op: Any, dy: Any) -> list[Any]:
        flips = op.get_attr("adj_x"), op.get_attr("adj_y")
        x, y = op.inputs
        return list(_matmul_gradients("BatchMatMul", ("adj_x", "adj_y"), x, y, dy, flips))

    lower = _batch_lower


class BatchMatMulV2(
    OpDef,
    sig="BatchMatMulV2(x: T, y: T, adj_x: bool = False, adj_y: bool = False) -> output: T",
    T=BATCH_TYPES,
):
    """Products of the matrices in the last two dimensions; the others broadcast."""

    def shape(
        x: TensorShape, y: TensorShape, *, adj_x: bool, adj_y: bool, **_: Any
    ) -> list[TensorShape]:
        return _batch_shape(x, y, adj_x=adj_x, adj_y=adj_y, broadcasts=True)

    def grad(op: Any, dy: Any) -> list[Any]:
        x, y = op.inputs
        flips = op.get_attr("adj_x"), op.get_attr("adj_y")
        gx, gy = _matmul_gradients("BatchMatMulV2", ("adj_x", "adj_y"), x, y, dy, flips)
        sx, sy = shape_ops.shape(x), shape_ops.shape(y)
        rx, ry = apply("BroadcastGradientArgs", sx[:-2], sy[:-2])
        gx = shape_ops.reshape(apply("Sum", gx, rx), sx)
        return [gx, shape_ops.reshape(apply("Sum", gy, ry), sy)]

    lower = _batch_lower


# ---- the Python API


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of matrices, or of the matrices in the last two dimensions.

    The sparsity hints change nothing but how fast TensorFlow is, and are accepted.

    Raises:
      TypeError: two dtypes.
      ValueError: an operand is to be transposed and adjoint, or the shapes do not fit.
    """
    with name_scope(name, "MatMul", [a, b]) as scope:
        for transposed, adjoint, which in ((transpose_a, adjoint_a, "a"),
                                           (transpose_b, adjoint_b, "b")):  # fmt: skip
            if transposed and adjoint:
                raise ValueError(f"Only one of transpose_{which} and adjoint_{which} can be True.")
        x = convert_to_tensor(a, name="a")
        y = convert_to_tensor(b, preferred_dtype=x.dtype.base_dtype, name="b")
        if _is_batch(x, y):
            x, adj_x = (conj(x), True) if transpose_a else (x, adjoint_a)
            y, adj_y = (conj(y), True) if transpose_b else (y, adjoint_b)
            return apply(_batch_op(x, y), x, y, adj_x=adj_x, adj_y=adj_y, name=scope)
        x, flip_a = (conj(x), True) if adjoint_a else (x, transpose_a)
        y, flip_b = (conj(y), True) if adjoint_b else (y, transpose_b)
        return apply("MatMul", x, y, transpose_a=flip_a, transpose_b=flip_b, name=scope)


def _is_batch(x: Tensor, y: Tensor) -> bool:
    """Whether the product may have batch dimensions."""
    ranks = x.get_shape().ndims, y.get_shape().ndims
    return any(rank is None or rank > 2 for rank in ranks)


def _batch_op(x: Tensor, y: Tensor) -> str:
    """BatchMatMul where the batch dimensions are surely equal, else the op that broadcasts."""
    a, b = shape_rules.dims_of(x.get_shape()), shape_rules.dims_of(y.get_shape())
    same = a is not None and b is not None and a[:-2] == b[:-2] and None not in a[:-2]
    return "BatchMatMul" if same else "BatchMatMulV2"


def matvec(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of matrix `a` and vector `b`, batched over leading dimensions."""
    with name_scope(name, "MatVec", [a, b]):
        column = shape_ops.expand_dims(b, axis=-1)
        product = matmul(a, column, transpose_a=transpose_a, adjoint_a=adjoint_a)
        return shape_ops.squeeze(product, axis=[-1])
