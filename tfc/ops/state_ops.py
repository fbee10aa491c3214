"""Variables as ops: their storage, Assign and its relatives, CountUpTo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc import prims as p
from tfc.base.dtypes import INDEX, NUMBERS
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.opdef import ANY, OpDef, apply
from tfc.framework.operation import Tensor
from tfc.ir.core import Value
from tfc.ops import shape_rules
from tfc.ops.common import no_gradient, scalar
from tfc.ops.lowering import invalid


def _variable_shape(*, shape: TensorShape) -> list[TensorShape]:
    return [shape]


class VariableV2(
    OpDef,
    sig="VariableV2(shape: shape, dtype: type, container: str = '', shared_name: str = '')"
    " -> ref: Ref(dtype)",
):
    """Storage that a Session keeps from run to run; its output refers to it."""

    stateful = True
    shape = _variable_shape


class Variable(
    OpDef,
    sig="Variable(shape: shape, dtype: type, container: str = '', shared_name: str = '')"
    " -> ref: Ref(dtype)",
):
    """`VariableV2` of early TensorFlow, in which an empty shape meant an unknown one."""

    stateful = True

    def shape(*, shape: TensorShape) -> list[TensorShape]:
        return [TensorShape(None) if shape.ndims == 0 else shape]


class Assign(
    OpDef,
    sig="Assign(ref: Ref(T), value: T, validate_shape: bool = True, use_locking: bool = True)"
    " -> output_ref: Ref(T)",
    T=ANY,
):
    """Make `value` the content of the variable. The result refers to the variable, after that."""

    def shape(
        ref: TensorShape, value: TensorShape, *, validate_shape: bool, **_: Any
    ) -> list[TensorShape]:
        if not validate_shape:
            return [value]
        merged = shape_rules.merge_dims(shape_rules.dims_of(ref), shape_rules.dims_of(value))
        return [shape_rules.shape_of(merged)]

    grad = no_gradient

    def assigns(value: Any) -> Any:
        return value

    def lower(build: Any, ref: Any, value: Value, *, validate_shape: bool) -> Any:
        declared = build.op.inputs[0].get_shape()
        if validate_shape and not declared.is_compatible_with(TensorShape(value.type.shape)):
            shapes = shape_text(shape_rules.dims_of(declared)), shape_text(value.type.shape)
            raise invalid(
                build,
                "Assign requires shapes of both tensors to match. lhs shape= "
                f"{shapes[0]} rhs shape= {shapes[1]}",
            )
        return build.write(ref, value)


def _updating(name: str, symbol: str, combine: Callable[..., Value]) -> type[OpDef]:
    class Update(
        OpDef,
        sig=f"{name}(ref: Ref(T), value: T, use_locking: bool = False) -> output_ref: Ref(T)",
        T=NUMBERS,
    ):
        def shape(ref: TensorShape, value: TensorShape) -> list[TensorShape]:
            dims = shape_rules.merge_dims(shape_rules.dims_of(ref), shape_rules.dims_of(value))
            return [shape_rules.shape_of(dims)]

        grad = no_gradient

        def lower(build: Any, ref: Any, value: Value) -> Any:
            old = build.read(ref)
            if old.type.shape != value.type.shape:
                raise invalid(
                    build,
                    "Input shapes must match: "
                    f"{shape_text(old.type.shape)} vs. {shape_text(value.type.shape)}",
                )
            return build.write(ref, combine(build, old, value))

    Update.__doc__ = f"variable {symbol} value."
    Update.__name__ = name
    return Update


AssignAdd = _updating("AssignAdd", "+=", p.add)
AssignSub = _updating("AssignSub", "-=", p.sub)


class IsVariableInitialized(
    OpDef,
    sig="IsVariableInitialized(ref: Ref(dtype)) -> is_initialized: bool",
    dtype=ANY,
):
    """Whether the variable has content."""

    shape = scalar
    grad = no_gradient

    def lower(build: Any, ref: Any) -> Value:
        return p.constant(build, ref.type is not None, "i1")


class CountUpTo(OpDef, sig="CountUpTo(ref: Ref(T), limit: int) -> output: T", T=INDEX):
    """The content before it is increased by one.

    Raises OutOfRangeError once that would pass `limit`.
    """

    def shape(ref: TensorShape) -> list[TensorShape]:
        return [shape_rules.shape_of(shape_rules.with_rank(ref, 0))]

    grad = no_gradient

    def lower(build: Any, ref: Any, *, limit: int) -> Value:
        old = build.read(ref)
        ok = p.lt(build, old, p.full_like(build, old, limit))
        build.assert_(ok, (), "OutOfRangeError", f"Reached limit of {limit}")
        build.write(ref, p.add(build, old, p.full_like(build, old, 1)))
        return old


# ---- the Python API


def _reference(ref: Any) -> Any:
    """The reference tensor behind a Variable; a reference itself.

    Raises:
      AttributeError: `ref` is neither. TensorFlow looks for the method of a variable then.
    """
    tensor = getattr(ref, "_ref", None)
    tensor = tensor() if callable(tensor) else ref
    if not getattr(getattr(tensor, "dtype", None), "is_ref_dtype", False):
        raise AttributeError(
            f"'{type(ref).__name__}' object has no attribute 'assign': {ref!r} is not a variable, "
            "and has no storage to assign to"
        )
    return tensor


def assign(
    ref: Any,
    value: Any,
    validate_shape: bool | None = None,
    use_locking: bool | None = None,
    name: str | None = None,
) -> Any:
    """Make `value` the content of a variable, or of the part of one that `variable[...]` is; the
    result is the variable after that.

    Raises:
      ValueError: the shapes cannot be equal, and `validate_shape` is not False.
    """
    own = getattr(ref, "assign", None)
    if isinstance(ref, Tensor) and own is not None:
        return own(value, name=name)
    return apply(
        "Assign",
        _reference(ref),
        value,
        validate_shape=validate_shape is not False,
        use_locking=use_locking is not False,
        name=name,
    )


def assign_add(ref: Any, value: Any, use_locking: bool | None = None, name: Any = None) -> Any:
    """Add `value` to a variable; the result is the variable after that."""
    return apply("AssignAdd", _reference(ref), value, use_locking=bool(use_locking), name=name)


def assign_sub(ref: Any, value: Any, use_locking: bool | None = None, name: Any = None) -> Any:
    """Subtract `value` from a variable; the result is the variable after that."""
    return apply("AssignSub", _reference(ref), value, use_locking=bool(use_locking), name=name)


def count_up_to(ref: Any, limit: int, name: str | None = None) -> Any:
    """A variable's content, which is then increased; OutOfRangeError once it reaches `limit`."""
    return apply("CountUpTo", _reference(ref), limit=limit, name=name)


def is_variable_initialized(ref: Any, name: str | None = None) -> Any:
    """Whether a variable has content."""
    return apply("IsVariableInitialized", _reference(ref), name=name)
