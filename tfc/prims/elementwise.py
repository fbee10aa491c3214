"""Elementwise primitives: arithmetic, comparison, select, conversion, complex parts.

Operands have one shape and nothing broadcasts. float16 and bfloat16 are computed in float32 and
rounded after every op.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfc.base.dtypes import (
    COMPLEX,
    FLOATS,
    INTEGERS,
    NUMBERS,
    REAL_PART,
    REALS,
    by_short,
    is_short,
    numpy_dtype,
)
from tfc.ir.core import Type
from tfc.prims import numeric
from tfc.prims.numeric import precise
from tfc.prims.prim import Prim, binary, check, check_dtype, comparison, unary

BITS = (*INTEGERS, "i1")
ANY = (*NUMBERS, "i1")
MOVED = (*ANY, "str")  # what can be moved and compared; strings in the interpreter only

abs_ = unary("abs", REALS, np.abs, "|x|; the least integer stays itself", cheap=True)
neg = unary("neg", NUMBERS, np.negative, "-x; integers wrap", cheap=True)
sign = unary("sign", REALS, numeric.sign, "-1, 0 or 1; NaN and zeros stay themselves", cheap=True)
not_ = unary("not", BITS, np.invert, "logical not of i1, every bit of integers", cheap=True)
floor = unary("floor", FLOATS, np.floor, "greatest whole number not above x", cheap=True)
ceil = unary("ceil", FLOATS, np.ceil, "least whole number not below x", cheap=True)
round_ = unary("round", FLOATS, np.rint, "nearest whole number, half to even", cheap=True)
sqrt = unary("sqrt", FLOATS, np.sqrt, "square root, correctly rounded")
rsqrt = unary(
    "rsqrt",
    FLOATS,
    lambda x: (1 / np.sqrt(numeric.single(x))).astype(x.dtype),
    "1 / sqrt(x): both steps rounded",
)


def _approximated(name: str, eval: Any, doc: str, ulp: float = 4.0) -> Prim:
    """A function that compiled code approximates: within `ulp` of the rounded float64 value."""
    return unary(name, FLOATS, precise(eval), doc, exact=False, ulp=ulp)


exp = _approximated("exp", np.exp, "e ** x")
expm1 = _approximated("expm1", np.expm1, "e ** x - 1")
log = _approximated("log", np.log, "natural logarithm; NaN below 0")
log1p = _approximated("log1p", np.log1p, "log(1 + x)")
sin = _approximated("sin", np.sin, "sine")
cos = _approximated("cos", np.cos, "cosine")
tan = _approximated("tan", np.tan, "tangent")
tanh = _approximated("tanh", np.tanh, "hyperbolic tangent")
logistic = _approximated("logistic", numeric.logistic, "1 / (1 + e ** -x)")
sinh = _approximated("sinh", np.sinh, "hyperbolic sine")
cosh = _approximated("cosh", np.cosh, "hyperbolic cosine")
asin = _approximated("asin", np.arcsin, "arc sine; NaN outside [-1, 1]")
acos = _approximated("acos", np.arccos, "arc cosine; NaN outside [-1, 1]")
atan = _approximated("atan", np.arctan, "arc tangent")
asinh = _approximated("asinh", np.arcsinh, "inverse hyperbolic sine")
acosh = _approximated("acosh", np.arccosh, "inverse hyperbolic cosine; NaN below 1")
atanh = _approximated("atanh", np.arctanh, "inverse hyperbolic tangent; NaN outside [-1, 1]")
erf = _approximated("erf", numeric.erf, "2/sqrt(pi) * integral of exp(-t*t) from 0 to x")
erfc = _approximated("erfc", numeric.erfc, "1 - erf(x)", ulp=16.0)
lgamma = _approximated("lgamma", numeric.lgamma, "log |gamma(x)|; inf at poles", ulp=16.0)
digamma = _approximated("digamma", numeric.digamma, "d/dx lgamma(x); NaN at poles", ulp=16.0)

popcount = unary("popcount", INTEGERS, numeric.popcount, "number of one bits")
clz = unary("clz", INTEGERS, numeric.count_leading_zeros, "zero bits above the highest one")

add = binary("add", NUMBERS, np.add, "x + y; integers wrap", cheap=True)
sub = binary("sub", NUMBERS, np.subtract, "x - y; integers wrap", cheap=True)
mul = binary("mul", NUMBERS, np.multiply, "x * y; integers wrap", cheap=True)
div = binary("div", NUMBERS, numeric.divide, "x / y; integers truncate, and x / 0 = 0")
rem = binary("rem", REALS, numeric.remainder, "x - trunc(x / y) * y; integers rem 0 give 0")
pow_ = binary("pow", REALS, numeric.power, "x ** y; integers wrap", exact=False, ulp=4.0)
max_ = binary("max", REALS, np.maximum, "the greater; NaN if either is", cheap=True)
min_ = binary("min", REALS, np.minimum, "the lesser; NaN if either is", cheap=True)
and_ = binary("and", BITS, np.bitwise_and, "bitwise and", cheap=True)
or_ = binary("or", BITS, np.bitwise_or, "bitwise or", cheap=True)
xor = binary("xor", BITS, np.bitwise_xor, "bitwise exclusive or", cheap=True)
shl = binary("shl", INTEGERS, numeric.shift_left, "x << y; 0 past the width", cheap=True)
shr = binary("shr", INTEGERS, numeric.shift_right, "x >> y; the sign past the width", cheap=True)
atan2 = binary("atan2", FLOATS, precise(np.arctan2), "angle of (y, x)", exact=False, ulp=4.0)

eq = comparison("eq", MOVED, np.equal, "x == y; false for NaN")
ne = comparison("ne", MOVED, np.not_equal, "x != y; true for NaN")
lt = comparison("lt", REALS, np.less, "x < y")
le = comparison("le", REALS, np.less_equal, "x <= y")
gt = comparison("gt", REALS, np.greater, "x > y")
ge = comparison("ge", REALS, np.greater_equal, "x >= y")


def _is_finite_type(x: Type) -> tuple[Type, ...]:
    check_dtype("is_finite", x, FLOATS)
    return (Type("i1", x.shape),)


is_finite = Prim(
    "is_finite",
    "neither infinite nor NaN",
    _is_finite_type,
    np.isfinite,
    lambda e, i, x: e.unary("is_finite", x(i)),
    cheap=True,
)


def _select_type(pred: Type, on_true: Type, on_false: Type) -> tuple[Type, ...]:
    check(pred.dtype == "i1", "select takes a predicate of i1, not {}", pred)
    check(
        on_true == on_false, "select takes branches of one type, not {} and {}", on_true, on_false
    )
    check(pred.shape == on_true.shape, "select of {} takes a predicate of its shape", on_true)
    check_dtype("select", on_true, MOVED)
    return (on_true,)


select = Prim(
    "select",
    "where(pred, on_true, on_false), element by element",
    _select_type,
    np.where,
    lambda e, i, pred, on_true, on_false: e.select(pred(i), on_true(i), on_false(i)),
    cheap=True,
)


def _convert_type(x: Type, *, dtype: str) -> tuple[Type, ...]:
    check_dtype("convert", x, ANY)
    check(dtype in ANY, "convert does not give {}", dtype)
    return (Type(dtype, x.shape),)


convert = Prim(
    "convert",
    "x as another dtype: floats truncate to integers, anything to i1 is x != 0, complex to real "
    "takes the real part",
    _convert_type,
    lambda x, *, dtype: numeric.convert(x, dtype),
    lambda e, i, x, *, dtype: e.convert(x(i), dtype),
    cheap=True,
)


def _bitcast_type(x: Type, *, dtype: str) -> tuple[Type, ...]:
    check_dtype("bitcast", x, REALS)
    check(is_short(dtype) and dtype in REALS, "bitcast does not give {}", dtype)
    same_width = by_short(dtype).bits == by_short(x.dtype).bits
    check(same_width, "bitcast keeps the width: {} is not as wide as {}", x.dtype, dtype)
    return (Type(dtype, x.shape),)


bitcast = Prim(
    "bitcast",
    "the same bits as another dtype of the same width",
    _bitcast_type,
    lambda x, *, dtype: np.ascontiguousarray(x).view(numpy_dtype(dtype)),
    lambda e, i, x, *, dtype: e.bitcast(x(i), dtype),
    cheap=True,
)

_COMPLEX_OF = {part: whole for whole, part in REAL_PART.items()}


def _complex_type(re: Type, im: Type) -> tuple[Type, ...]:
    check(re == im, "complex takes parts of one type, not {} and {}", re, im)
    check_dtype("complex", re, tuple(_COMPLEX_OF))
    return (Type(_COMPLEX_OF[re.dtype], re.shape),)


def _complex_array(re: np.ndarray, im: np.ndarray) -> np.ndarray:
    result = np.empty(re.shape, np.complex64 if re.dtype == np.float32 else np.complex128)
    result.real, result.imag = re, im
    return result


complex_ = Prim(
    "complex",
    "re + im * 1j",
    _complex_type,
    _complex_array,
    lambda e, i, re, im: e.binary("complex", re(i), im(i)),
    cheap=True,
)


def _part(name: str, doc: str) -> Prim:
    def infer(z: Type) -> tuple[Type, ...]:
        check_dtype(name, z, COMPLEX)
        return (Type(REAL_PART[z.dtype], z.shape),)

    def emit(e: Any, i: Any, z: Any) -> Any:
        return e.unary(name, z(i))

    return Prim(name, doc, infer, lambda z: getattr(z, name), emit, cheap=True)


real = _part("real", "the real part")
imag = _part("imag", "the imaginary part")
