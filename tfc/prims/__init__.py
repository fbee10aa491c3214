"""The primitives. `p.add(build, a, b)` appends one to a Builder; a trailing underscore marks names
that Python keeps for itself (`p.and_`)."""

from tfc.prims.contraction import conv, conv_grad_filter, conv_grad_input, dot
from tfc.prims.control import cond, fusion, while_
from tfc.prims.effects import AssertionFailed, assert_, rng_bits, rng_truncated_normal
from tfc.prims.elementwise import (
    abs_,
    acos,
    acosh,
    add,
    and_,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitcast,
    ceil,
    clz,
    complex_,
    convert,
    cos,
    cosh,
    digamma,
    div,
    eq,
    erf,
    erfc,
    exp,
    expm1,
    floor,
    ge,
    gt,
    imag,
    is_finite,
    le,
    lgamma,
    log,
    log1p,
    logistic,
    lt,
    max_,
    min_,
    mul,
    ne,
    neg,
    not_,
    or_,
    popcount,
    pow_,
    real,
    rem,
    round_,
    rsqrt,
    select,
    shl,
    shr,
    sign,
    sin,
    sinh,
    sqrt,
    sub,
    tan,
    tanh,
    xor,
)
from tfc.prims.factorization import (
    cholesky,
    eigh,
    least_squares,
    lu,
    qr,
    solve,
    svd,
    triangular_solve,
    tridiagonal_solve,
)
from tfc.prims.helpers import broadcast_to, constant, full_like, splat
from tfc.prims.indexing import dynamic_slice, dynamic_update_slice, gather, scatter, sort
from tfc.prims.movement import (
    broadcast,
    concat,
    const,
    iota,
    pad,
    reshape,
    reverse,
    slice_,
    transpose,
)
from tfc.prims.prim import REGISTRY, Prim
from tfc.prims.reduction import (
    arg_reduce,
    cumulative,
    identity,
    reduce,
    reduce_window,
    scatter_near,
    select_and_scatter,
)

# the names under which a primitive hides no Python builtin are also the plain ones
abs, max, min, pow, round, slice, complex = abs_, max_, min_, pow_, round_, slice_, complex_

__all__ = [
    "REGISTRY",
    "AssertionFailed",
    "Prim",
    "broadcast_to",
    "constant",
    "full_like",
    "identity",
    "splat",
]
