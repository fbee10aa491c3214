"""Updates of some rows or elements of a variable: Scatter* and ScatterNd*."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from tfc import prims as p
from tfc.base.dtypes import INDEX, NUMBERS, REALS
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import convert_to_tensor, name_scope
from tfc.framework.indexed_slices import IndexedSlices
from tfc.framework.opdef import ANY, OpDef, apply, public_name
from tfc.framework.variables import Variable
from tfc.ir.core import Value
from tfc.ops import shape_rules
from tfc.ops.common import no_gradient
from tfc.ops.gather_ops import with_batch
from tfc.ops.host_forms import of_content
from tfc.ops.lowering import invalid, reshape_value
from tfc.ops.places import check_indices, check_rows
from tfc.ops.shape_ops import expand_dims
from tfc.ops.state_ops import _reference as reference


def checked_rows(build: Any, indices: Value, rows: int) -> Value:
    """`indices` as a column [*shape, 1], each checked to name one of `rows` rows."""
    check_indices(build, indices, rows)
    return reshape_value(build, indices, (*indices.type.shape, 1))


def _scatter_shape(
    ref: TensorShape, indices: TensorShape, updates: TensorShape, **_: Any
) -> list[TensorShape]:
    dims, where = shape_rules.dims_of(ref), shape_rules.dims_of(indices)
    new = shape_rules.dims_of(updates)
    if dims is not None and where is not None and new:
        shape_rules.merge_dims(where + dims[1:], new)
    return [ref]


def _fitted(build: Any, old: Value, indices: Value, updates: Value) -> Value:
    """`updates` in the shape [*indices, *row]; a scalar is repeated."""
    shape = (*indices.type.shape, *old.type.shape[1:])
    if updates.type.shape == () and shape != ():
        return p.broadcast_to(build, updates, shape)
    if updates.type.shape != shape:
        raise invalid(
            build,
            "Must have updates.shape = indices.shape + params.shape[1:] or updates.shape "
            f"= [], got updates.shape {shape_text(updates.type.shape)}, indices.shape "
            f"{shape_text(indices.type.shape)}, params.shape {shape_text(old.type.shape)}",
        )
    return updates


def _plain(kind: str) -> Callable[..., Value]:
    return lambda build, old, at, new, dims: p.scatter(build, old, at, new, dims=dims, kind=kind)


def _subtract(build: Any, old: Value, at: Value, new: Value, dims: Any) -> Value:
    return p.scatter(build, old, at, p.neg(build, new), dims=dims, kind="add")


def _divide(build: Any, old: Value, at: Value, new: Value, dims: Any) -> Value:
    ones = p.full_like(build, old, 1)
    divisors = p.scatter(build, ones, at, new, dims=dims, kind="mul")
    return p.div(build, old, divisors)


def _rows_op(name: str, allowed: tuple[str, ...], what: str, combine: Callable[..., Value]) -> Any:
    locking = "True" if name == "ScatterUpdate" else "False"

    class Rows(
        OpDef,
        sig=f"{name}(ref: Ref(T), indices: Tindices, updates: T, use_locking: bool = {locking})"
        " -> output_ref: Ref(T)",
        T=allowed,
        Tindices=INDEX,
    ):
        shape = _scatter_shape
        grad = no_gradient

        def lower(build: Any, ref: Any, indices: Value, updates: Value) -> Any:
            old = build.read(ref)
            new = _fitted(build, old, indices, updates)
            at = checked_rows(build, indices, old.type.shape[0])
            return build.write(ref, combine(build, old, at, new, (0,)))

        with_content = of_content(lower)

    Rows.__doc__ = f"{what} the rows of a variable that `indices` names."
    Rows.__name__ = name
    return Rows


ScatterUpdate = _rows_op("ScatterUpdate", ANY, "Replace", _plain("set"))
ScatterAdd = _rows_op("ScatterAdd", NUMBERS, "Add to", _plain("add"))
ScatterSub = _rows_op("ScatterSub", NUMBERS, "Subtract from", _subtract)
ScatterMul = _rows_op("ScatterMul", NUMBERS, "Multiply", _plain("mul"))
ScatterDiv = _rows_op("ScatterDiv", NUMBERS, "Divide", _divide)
ScatterMin = _rows_op("ScatterMin", REALS, "Take the least of updates and", _plain("min"))
ScatterMax = _rows_op("ScatterMax", REALS, "Take the greatest of updates and", _plain("max"))


def _nd_op(name: str, allowed: tuple[str, ...], what: str, combine: Callable[..., Value]) -> Any:
    locking = "True" if name == "ScatterNdUpdate" else "False"

    class Elements(
        OpDef,
        sig=f"{name}(ref: Ref(T), indices: Tindices, updates: T, use_locking: bool = {locking})"
        " -> output_ref: Ref(T)",
        T=allowed,
        Tindices=INDEX,
    ):
        def shape(
            ref: TensorShape, indices: TensorShape, updates: TensorShape
        ) -> list[TensorShape]:
            dims = shape_rules.with_rank_at_least(ref, 1)
            shape_rules.check_scatter_nd(dims, indices, updates)
            return [ref]

        grad = no_gradient

        def lower(build: Any, ref: Any, indices: Value, updates: Value) -> Any:
            old = build.read(ref)
            depth = indices.type.shape[-1]
            wanted = (*indices.type.shape[:-1], *old.type.shape[depth:])
            if depth > old.type.rank or updates.type.shape != wanted:
                raise invalid(
                    build,
                    f"updates must have shape {shape_text(wanted)} "
                    f"but has {shape_text(updates.type.shape)}",
                )
            check_rows(build, indices, old.type.shape, "does not index into shape")
            dims = tuple(range(depth))
            return build.write(ref, combine(build, old, indices, updates, dims))

        with_content = of_content(lower)

    Elements.__doc__ = f"{what} the parts of a variable at the places that `indices` lists."
    Elements.__name__ = name
    return Elements


ScatterNdUpdate = _nd_op("ScatterNdUpdate", ANY, "Replace", _plain("set"))
ScatterNdAdd = _nd_op("ScatterNdAdd", NUMBERS, "Add to", _plain("add"))
ScatterNdSub = _nd_op("ScatterNdSub", NUMBERS, "Subtract from", _subtract)


# ---- the Python API


def _function(op: str, locking: bool) -> Callable[..., Any]:
    def function(
        ref: Any, indices: Any, updates: Any, use_locking: bool = locking, name: str | None = None
    ) -> Any:
        target = reference(ref)
        return apply(op, target, indices, updates, use_locking=use_locking, name=name)

    function.__name__ = function.__qualname__ = public_name(op)
    function.__doc__ = f"The op `{op}` on a variable; the result is the variable after that."
    return function


scatter_update = _function("ScatterUpdate", True)
scatter_add = _function("ScatterAdd", False)
scatter_sub = _function("ScatterSub", False)
scatter_mul = _function("ScatterMul", False)
scatter_div = _function("ScatterDiv", False)
scatter_min = _function("ScatterMin", False)
scatter_max = _function("ScatterMax", False)
scatter_nd_update = _function("ScatterNdUpdate", True)
scatter_nd_add = _function("ScatterNdAdd", False)
scatter_nd_sub = _function("ScatterNdSub", False)


def batch_scatter_update(
    ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None
) -> Any:
    """`scatter_update` of each entry of a batch: `ref[b..., indices[b..., i]] = updates[b..., i]`,
    where b... are all dimensions of `indices` but the last. The result is the variable after that.

    Raises:
      ValueError: the rank of `indices` is unknown.
    """
    with name_scope(name, None) if name else nullcontext():
        indices = convert_to_tensor(indices, name="indices")
        rank = indices.get_shape().ndims
        if rank is None:
            raise ValueError("batch_gather does not allow indices with unknown shape.")
        places = with_batch(expand_dims(indices, axis=-1), rank - 1)
        return scatter_nd_update(ref, places, updates, use_locking=use_locking)


def _batch_update(
    self: Variable, sparse_delta: IndexedSlices, use_locking: bool = False, name: str | None = None
) -> Any:
    """`batch_scatter_update` of this variable with the slices of `sparse_delta`."""
    if not isinstance(sparse_delta, IndexedSlices):
        raise TypeError(f"sparse_delta is not IndexedSlices: {sparse_delta}")
    return batch_scatter_update(
        self, sparse_delta.indices, sparse_delta.values, use_locking=use_locking, name=name
    )


Variable.batch_scatter_update = _batch_update  # type: ignore[attr-defined]
