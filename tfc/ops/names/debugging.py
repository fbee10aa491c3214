"""`tf.debugging`: checks, in the graph and of it. Re-exports, nothing else."""

from tfc.ops.check_ops import (
    assert_equal,
    assert_greater,
    assert_greater_equal,
    assert_integer,
    assert_less,
    assert_less_equal,
    assert_near,
    assert_negative,
    assert_non_negative,
    assert_non_positive,
    assert_none_equal,
    assert_positive,
    assert_proper_iterable,
    assert_rank,
    assert_rank_at_least,
    assert_rank_in,
    assert_same_float_dtype,
    assert_scalar,
    assert_type,
    is_non_decreasing,
    is_numeric_tensor,
    is_strictly_increasing,
)
from tfc.ops.const_ops import check_numerics
from tfc.ops.const_ops import verify_tensor_all_finite as assert_all_finite
from tfc.ops.control_ops import Assert
from tfc.ops.unary_api import is_finite, is_inf, is_nan
