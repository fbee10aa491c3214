"""The `tf` namespace: `import tfc as tf`. Re-exports, nothing else."""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from tfc.base.collector import kept_to_the_end as _kept_to_the_end
from tfc.base.uninterrupted import Uninterrupted as _Uninterrupted

with _Uninterrupted(None), _kept_to_the_end():  # half an import could not be made again
    from tfc import nn, train, version
    from tfc.base import compat, errors, logging, resource_loader
    from tfc.base.dtypes import (
        DType,
        as_dtype,
        bfloat16,
        complex64,
        complex128,
        double,
        float16,
        float32,
        float64,
        half,
        int8,
        int16,
        int32,
        int64,
        resource,
        string,
        uint8,
        uint16,
        uint32,
        uint64,
        variant,
    )
    from tfc.base.dtypes import bool_ as bool
    from tfc.base.errors import OpError
    from tfc.base.later import later as _later
    from tfc.base.renamed import no_attribute as _no_attribute
    from tfc.base.shapes import Dimension, TensorShape
    from tfc.client.batches import Batches
    from tfc.client.config import (
        ConfigProto,
        GPUOptions,
        GraphOptions,
        OptimizerOptions,
        RunMetadata,
        RunOptions,
    )
    from tfc.client.session import InteractiveSession, Session
    from tfc.framework import nested as nest
    from tfc.framework.device import DeviceSpec
    from tfc.framework.gradient_registry import NoGradient, NotDifferentiable, RegisterGradient
    from tfc.framework.gradients import AggregationMethod, UnconnectedGradients, gradients
    from tfc.framework.graph import (
        Graph,
        GraphKeys,
        NodeDef,
        Operation,
        Tensor,
        add_to_collection,
        add_to_collections,
        colocate_with,
        container,
        control_dependencies,
        convert_to_tensor,
        convert_to_tensor_or_indexed_slices,
        device,
        get_collection,
        get_collection_ref,
        get_default_graph,
        name_scope,
        op_scope,
        register_tensor_conversion_function,
        reset_default_graph,
    )
    from tfc.framework.indexed_slices import IndexedSlices, IndexedSlicesValue
    from tfc.framework.ragged_tensor import RaggedTensor
    from tfc.framework.random_seed import get_seed, set_random_seed
    from tfc.framework.session_stack import get_default_session
    from tfc.framework.sparse_tensor import (
        SparseTensor,
        SparseTensorValue,
        convert_to_tensor_or_sparse_tensor,
    )
    from tfc.framework.template import make_template
    from tfc.framework.tensor_spec import SparseTensorSpec, TensorSpec
    from tfc.framework.tensor_util import constant_value as get_static_value
    from tfc.framework.tensor_util import is_tensor
    from tfc.framework.variable_scope import (
        AUTO_REUSE,
        VariableScope,
        get_local_variable,
        get_variable,
        get_variable_scope,
        no_regularizer,
        variable_op_scope,
        variable_scope,
    )
    from tfc.framework.variables import Variable, VariableAggregation, VariableSynchronization
    from tfc.io.protos import TOP_LEVEL as _MESSAGES
    from tfc.io.protos import message as _message
    from tfc.ops import initializers
    from tfc.ops.array_ops import (
        boolean_mask,
        broadcast_to,
        check_numerics,
        concat,
        constant,
        ensure_shape,
        expand_dims,
        fill,
        gather,
        gather_nd,
        identity,
        invert_permutation,
        one_hot,
        ones,
        ones_like,
        pad,
        parallel_stack,
        placeholder,
        placeholder_with_default,
        rank,
        reshape,
        scatter_nd,
        shape,
        shape_n,
        size,
        split,
        squeeze,
        stack,
        stop_gradient,
        strided_slice,
        tile,
        transpose,
        unstack,
        zeros,
        zeros_like,
    )
    from tfc.ops.array_ops import slice_ as slice
    from tfc.ops.cast_ops import (
        cast,
        saturate_cast,
        to_bfloat16,
        to_complex64,
        to_complex128,
        to_double,
        to_float,
        to_int32,
        to_int64,
    )
    from tfc.ops.cast_ops import complex_ as complex
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
    from tfc.ops.clip_ops import (
        clip_by_average_norm,
        clip_by_global_norm,
        clip_by_norm,
        clip_by_value,
        global_norm,
    )
    from tfc.ops.compare_ops import (
        approximate_equal,
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
        where,
    )
    from tfc.ops.cond_functions import case, cond, switch_case
    from tfc.ops.const_ops import verify_tensor_all_finite
    from tfc.ops.control_ops import Assert, Print, group, no_op
    from tfc.ops.control_ops import tuple_ as tuple
    from tfc.ops.custom_gradient import custom_gradient
    from tfc.ops.init_ops import (
        constant_initializer,
        glorot_normal_initializer,
        glorot_uniform_initializer,
        ones_initializer,
        orthogonal_initializer,
        random_normal_initializer,
        random_uniform_initializer,
        truncated_normal_initializer,
        uniform_unit_scaling_initializer,
        variance_scaling_initializer,
        zeros_initializer,
    )
    from tfc.ops.matmul_ops import matmul
    from tfc.ops.names.core import *
    from tfc.ops.names.later import LATER as _NAMES
    from tfc.ops.random_ops import (
        multinomial,
        random_normal,
        random_shuffle,
        random_uniform,
        truncated_normal,
    )
    from tfc.ops.reduction_ops import (
        count_nonzero,
        reduce_all,
        reduce_any,
        reduce_logsumexp,
        reduce_max,
        reduce_mean,
        reduce_min,
        reduce_prod,
        reduce_sum,
    )
    from tfc.ops.scatter_ops import (
        batch_scatter_update,
        scatter_add,
        scatter_div,
        scatter_max,
        scatter_min,
        scatter_mul,
        scatter_nd_add,
        scatter_nd_sub,
        scatter_nd_update,
        scatter_sub,
        scatter_update,
    )
    from tfc.ops.state_ops import assign, assign_add, assign_sub, count_up_to
    from tfc.ops.sum_ops import (
        accumulate_n,
        add,
        add_n,
        atan2,
        bincount,
        cross,
        div,
        div_no_nan,
        divide,
        floor_div,
        floordiv,
        floormod,
        maximum,
        minimum,
        mod,
        multiply,
        realdiv,
        scalar_mul,
        squared_difference,
        subtract,
        truediv,
        truncatediv,
        truncatemod,
    )
    from tfc.ops.sum_ops import pow_ as pow
    from tfc.ops.tensor_array import TensorArray
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
    from tfc.ops.while_functions import while_loop
    from tfc.version import VERSION as __version__

newaxis = None

_LATER = {
    **_NAMES,
    "contrib": "tfc.contrib",
    "data": "tfc.data",
    "examples": "tfc.examples",
    "graph_util": "tfc.io.graph_util",
    "import_graph_def": "tfc.io.import_graph:import_graph_def",
    "io": "tfc.io",
    "layers": "tfc.layers",
    "losses": "tfc.losses",
    "make_ndarray": "tfc.io.tensor_values:make_ndarray",
    "make_tensor_proto": "tfc.io.tensor_values:make_tensor_proto",
    "metrics": "tfc.metrics",
    "python_io": "tfc.io.python_io",
    "summary": "tfc.summary",
    "test": "tfc.testing",
}
if _TYPE_CHECKING:
    from tfc import contrib, data, examples, io, layers, losses, metrics, summary
    from tfc.io import graph_util, python_io
    from tfc.io.import_graph import import_graph_def
    from tfc.io.tensor_values import make_ndarray, make_tensor_proto
    from tfc.ops.names.top import *


def __getattr__(name: str) -> _Any:
    """What `import tfc` does not load: what programs may do without, and the protocol messages."""
    if name in _MESSAGES:
        return _message(name)
    if name in _LATER:
        return _later("tfc", name, _LATER)
    raise _no_attribute("tfc", name)


__all__ = sorted({*_LATER, *(name for name in dir() if name[0] != "_")} - {"test"})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
