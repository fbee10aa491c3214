"""tf.assert_*: checks of values, as an Assert op, or at once where the graph decides them; and
checks of ranks, types and dtypes, which the graph always decides or an Assert op does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.dtypes import DType
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.framework.tensor_util import constant_value
from tfc.ops import const_ops, control_ops, reduction_ops, shape_ops


def _binary(name: str, symbol: str, op: str, holds: Callable[..., Any]) -> Callable[..., Any]:
    """`assert_<name>(x, y)`: x `symbol` y element by element, with broadcasting."""

    def check(
        x: Any,
        y: Any,
        data: Any = None,
        summarize: int | None = None,
        message: str | None = None,
        name: str | None = None,
    ) -> Any:
        with name_scope(name, default, [x, y, data]):
            a = convert_to_tensor(x, name="x")
            b = convert_to_tensor(y, name="y")
            if data is None:
                words = f"Condition x {symbol} y did not hold element-wise:"
                left, right = f"x ({a.name}) = ", f"y ({b.name}) = "
                data = [message or "", words, left, a, right, b]
            condition = reduction_ops.reduce_all(apply(op, a, b))
            known = constant_value(a), constant_value(b)
            if known[0] is not None and known[1] is not None:
                _static(bool(np.all(holds(*known))), data)
            return control_ops.Assert(condition, data, summarize=summarize)

    default = name
    check.__name__ = name
    check.__doc__ = f"An op that fails the run unless x {symbol} y everywhere."
    return check


def _static(ok: bool, data: Sequence[Any]) -> None:
    """InvalidArgumentError with `data` now, where constants decide that the condition fails."""
    if not ok:
        said = "\n".join(str(_known(part)) for part in data)
        raise errors.InvalidArgumentError(None, None, said)


def _known(part: Any) -> Any:
    """A tensor's value if it is constant; anything else itself."""
    value = constant_value(part) if isinstance(part, Tensor) else None
    return part if value is None else value


assert_equal = _binary("assert_equal", "==", "Equal", np.equal)
assert_none_equal = _binary("assert_none_equal", "!=", "NotEqual", np.not_equal)
assert_less = _binary("assert_less", "<", "Less", np.less)
assert_less_equal = _binary("assert_less_equal", "<=", "LessEqual", np.less_equal)
assert_greater = _binary("assert_greater", ">", "Greater", np.greater)
assert_greater_equal = _binary("assert_greater_equal", ">=", "GreaterEqual", np.greater_equal)


def _against_zero(
    name: str, symbol: str, check: Callable[..., Any], swap: bool
) -> Callable[..., Any]:
    """`assert_<name>(x)`: x `symbol` 0 everywhere."""

    def function(
        x: Any,
        data: Any = None,
        summarize: int | None = None,
        message: str | None = None,
        name: str | None = None,
    ) -> Any:
        with name_scope(name, default, [x, data]):
            tensor = convert_to_tensor(x, name="x")
            if data is None:
                words = f"Condition x {symbol} 0 did not hold element-wise:"
                data = [message or "", words, f"x ({tensor.name}) = ", tensor]
            zero = const_ops.constant(0, dtype=tensor.dtype.base_dtype)
            pair = (zero, tensor) if swap else (tensor, zero)
            return check(*pair, data=data, summarize=summarize, message=message)

    default = name
    function.__name__ = name
    function.__doc__ = f"An op that fails the run unless x {symbol} 0 everywhere."
    return function


assert_positive = _against_zero("assert_positive", ">", assert_less, True)
assert_negative = _against_zero("assert_negative", "<", assert_less, False)
assert_non_negative = _against_zero("assert_non_negative", ">=", assert_less_equal, True)
assert_non_positive = _against_zero("assert_non_positive", "<=", assert_less_equal, False)


def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """An op that fails the run unless |x - y| < atol + rtol |y| everywhere; both tolerances are
    10 times the dtype's epsilon if not given."""
    with name_scope(name, "assert_near", [x, y, rtol, atol, data]):
        a = convert_to_tensor(x, name="x")
        b = convert_to_tensor(y, name="y", dtype=a.dtype.base_dtype)
        dtype = a.dtype.real_dtype if a.dtype.is_complex else a.dtype.base_dtype
        epsilon = float(np.finfo(dtype.as_numpy_dtype).eps) * 10
        relative = convert_to_tensor(epsilon if rtol is None else rtol, dtype=dtype, name="rtol")
        absolute = convert_to_tensor(epsilon if atol is None else atol, dtype=dtype, name="atol")
        if data is None:
            words = f"x and y not equal to tolerance rtol = {relative}, atol = {absolute}"
            left, right = f"x ({a.name}) = ", f"y ({b.name}) = "
            data = [message or "", words, left, a, right, b]
        tolerance = absolute + relative * abs(b)
        condition = reduction_ops.reduce_all(apply("Less", abs(a - b), tolerance))
        return control_ops.Assert(condition, data, summarize=summarize)


# ---- ranks


def _rank_check(
    name: str | None,
    default: str,
    x: Any,
    rank: Any,
    data: Any,
    summarize: int | None,
    message: str | None,
    fits: Callable[[int, int], bool],
    op: str,
    words: str,
) -> Any:
    with name_scope(name, default, [x, rank]):
        tensor = convert_to_tensor(x, name="x")
        wanted = convert_to_tensor(rank, name="rank")
        number, known = constant_value(wanted), tensor.get_shape().ndims
        if number is not None and np.ndim(number) != 0:
            raise ValueError("Rank must be a scalar.")
        if not wanted.dtype.is_integer:
            raise TypeError(f"Rank must be an integer, but is of {wanted.dtype.name}")
        if number is not None and known is not None:
            if not fits(known, int(number)):
                raise ValueError(
                    f"{message or ''}. Tensor {tensor.name} must have rank {words}{int(number)}.  "
                    f"Received rank {known}, shape {tensor.get_shape()}"
                )
            return control_ops.no_op(name="static_checks_determined_all_ok")
        if data is None:
            said = f"Tensor {tensor.name} must have rank {words}"
            data = [message or "", said, wanted, "Received shape: ", shape_ops.shape(tensor)]
        condition = apply(op, shape_ops.rank(tensor), wanted)
        return control_ops.Assert(condition, data, summarize=summarize)


def assert_rank(
    x: Any,
    rank: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """An op that fails the run unless x has this rank; ValueError at once where it is known."""
    return _rank_check(
        name, "assert_rank", x, rank, data, summarize, message,
        lambda actual, wanted: actual == wanted, "Equal", "",
    )  # fmt: skip


def assert_rank_at_least(
    x: Any,
    rank: Any,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """An op that fails the run unless x has at least this rank; ValueError where it is known."""
    return _rank_check(
        name, "assert_rank_at_least", x, rank, data, summarize, message,
        lambda actual, wanted: actual >= wanted, "GreaterEqual", "at least ",
    )  # fmt: skip


def assert_rank_in(
    x: Any,
    ranks: Iterable[Any],
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    """An op that fails the run unless the rank of x is one of `ranks`.

    Raises:
      TypeError: a rank is no int32.
      ValueError: a rank is no scalar; or both ranks are known, and x has another.
    """
    with name_scope(name, "assert_rank_in", [x, *ranks]):
        tensor = convert_to_tensor(x, name="x")
        wanted = [convert_to_tensor(r, name="rank") for r in ranks]
        for rank in wanted:
            if rank.dtype.base_dtype != dtypes.int32:
                raise TypeError(f"{rank.name} must be of type tf.int32; got {rank.dtype.name}")
            if rank.get_shape().ndims not in (None, 0):
                raise ValueError(f"Rank must be a scalar, but {rank.name} is {rank.get_shape()}")
        numbers, known = [constant_value(r) for r in wanted], tensor.get_shape().ndims
        if known is not None and all(n is not None for n in numbers):
            allowed = tuple(int(n) for n in numbers if n is not None)
            if known not in allowed:
                raise ValueError(
                    f"{message or ''}. Tensor {tensor.name} must have rank in {allowed}.  "
                    f"Received rank {known}, shape {tensor.get_shape()}"
                )
            return control_ops.no_op(name="static_checks_determined_all_ok")
        if data is None:
            said = f"Tensor {tensor.name} must have rank in"
            data = [message or "", said, *wanted, "Received shape: ", shape_ops.shape(tensor)]
        actual = shape_ops.rank(tensor)
        condition = apply("Equal", actual, wanted[0])
        for number in wanted[1:]:
            condition = apply("LogicalOr", condition, apply("Equal", actual, number))
        return control_ops.Assert(condition, data, summarize=summarize)


def assert_scalar(tensor: Any, name: str | None = None, message: str | None = None) -> Tensor:
    """The tensor, which must be known to be a scalar. Raises ValueError if it is not."""
    with name_scope(name, "assert_scalar", [tensor]) as scope:
        x = convert_to_tensor(tensor, name=scope)
        if x.get_shape().ndims != 0:
            raise ValueError(
                f"{message or ''}Expected scalar shape for {x.name}, saw shape: {x.get_shape()}."
            )
        return x


# ---- types


def assert_type(
    tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None
) -> Any:
    """A no-op. Raises TypeError unless the tensor has this dtype."""
    with name_scope(name, "assert_type", [tensor]):
        x = convert_to_tensor(tensor, name="tensor")
        wanted = dtypes.as_dtype(tf_type)
        if x.dtype != wanted:
            raise TypeError(f"{message or ''}  {x.name} must be of type {wanted!r}; "
                            f"got {x.dtype!r}")  # fmt: skip
        return control_ops.no_op("statically_determined_correct_type")


def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> Any:
    """A no-op. Raises TypeError unless x has an integer dtype."""
    with name_scope(name, "assert_integer", [x]):
        tensor = convert_to_tensor(x, name="x")
        if not tensor.dtype.is_integer:
            raise TypeError(
                f'{message or ""}  Expected "x" to be integer type.  Found: {tensor.dtype}'
            )
        return control_ops.no_op("statically_determined_was_integer")


def assert_proper_iterable(values: Any) -> None:
    """Raises TypeError if `values` is a tensor, an array or a string, or cannot be iterated."""
    if isinstance(values, Tensor | np.ndarray | str | bytes):
        raise TypeError(
            f'Expected argument "values" to be a "proper" iterable.  Found: {type(values)}'
        )
    if not hasattr(values, "__iter__"):
        raise TypeError(f'Expected argument "values" to be iterable.  Found: {type(values)}')


def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> DType:
    """The one floating dtype of the tensors, float32 if there are none.

    Raises:
      ValueError: the dtypes differ, or are not floating.
    """
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    for tensor in tensors or ():
        found = tensor.dtype.base_dtype
        if wanted is not None and found != wanted:
            raise ValueError(f"Tensor {tensor} dtype {found} does not match {wanted}.")
        wanted = found
    wanted = wanted or dtypes.float32
    if not wanted.is_floating:
        raise ValueError(f"Expected floating point type, got {wanted}.")
    return wanted


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether this is a tensor of numbers."""
    return isinstance(tensor, Tensor) and tensor.dtype.base_dtype.short in dtypes.NUMBERS


def _neighbours(x: Any) -> tuple[Tensor, Tensor]:
    """All elements but the last one, and all but the first: differences of unsigned ones wrap."""
    flat = shape_ops.reshape(x, [-1])
    return flat[:-1], flat[1:]


def is_non_decreasing(x: Any, name: str | None = None) -> Tensor:
    """Whether each element is at least the one before it."""
    with name_scope(name, "is_non_decreasing", [x]):
        before, after = _neighbours(convert_to_tensor(x, name="x"))
        return reduction_ops.reduce_all(apply("LessEqual", before, after))


def is_strictly_increasing(x: Any, name: str | None = None) -> Tensor:
    """Whether each element is greater than the one before it."""
    with name_scope(name, "is_strictly_increasing", [x]):
        before, after = _neighbours(convert_to_tensor(x, name="x"))
        return reduction_ops.reduce_all(apply("Less", before, after))
