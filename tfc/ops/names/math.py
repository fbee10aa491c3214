"""`tf.math`: arithmetic and reductions. Re-exports, nothing else."""

from tfc.ops.check_ops import is_non_decreasing, is_strictly_increasing
from tfc.ops.compare_ops import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from tfc.ops.confusion_ops import confusion_matrix
from tfc.ops.names import special
from tfc.ops.nn_functions import (
    in_top_k,
    l2_normalize,
    log_softmax,
    softmax,
    softplus,
    softsign,
    top_k,
    zero_fraction,
)
from tfc.ops.reduction_ops import (
    count_nonzero,
    reduce_all,
    reduce_any,
    reduce_euclidean_norm,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_std,
    reduce_sum,
    reduce_variance,
)
from tfc.ops.scan_ops import argmax, argmin, cumprod, cumsum
from tfc.ops.segment_ops import (
    segment_max,
    segment_mean,
    segment_min,
    segment_prod,
    segment_sum,
    unsorted_segment_max,
    unsorted_segment_mean,
    unsorted_segment_min,
    unsorted_segment_prod,
    unsorted_segment_sqrt_n,
    unsorted_segment_sum,
)
from tfc.ops.shape_ops import invert_permutation
from tfc.ops.special.bessel import bessel_i0, bessel_i0e, bessel_i1, bessel_i1e
from tfc.ops.special.beta_integral import betainc
from tfc.ops.special.functions import (
    cumulative_logsumexp,
    lbeta,
    multiply_no_nan,
    nextafter,
    polyval,
    reciprocal_no_nan,
    xlog1py,
)
from tfc.ops.special.gamma_integral import igamma, igammac
from tfc.ops.special.inverse_normal import erfcinv, erfinv, ndtri
from tfc.ops.special.zeta import polygamma, zeta
from tfc.ops.sum_ops import (
    accumulate_n,
    add,
    add_n,
    atan2,
    bincount,
    divide,
    floordiv,
    floormod,
    maximum,
    minimum,
    mod,
    multiply,
    scalar_mul,
    squared_difference,
    subtract,
    truediv,
    xdivy,
    xlogy,
)
from tfc.ops.sum_ops import div_no_nan as divide_no_nan
from tfc.ops.sum_ops import pow_ as pow
from tfc.ops.unary_api import abs_ as abs
from tfc.ops.unary_api import (
    acos,
    acosh,
    angle,
    asin,
    asinh,
    atan,
    atanh,
    ceil,
    conj,
    cos,
    cosh,
    digamma,
    erf,
    erfc,
    exp,
    expm1,
    floor,
    is_finite,
    is_inf,
    is_nan,
    lgamma,
    log,
    log1p,
    log_sigmoid,
    negative,
    reciprocal,
    rint,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    tan,
    tanh,
)
from tfc.ops.unary_api import round_ as round
from tfc.ops.unary_ops import imag, real
