"""TensorFlow's ops. Importing this package defines those that most programs use and says where the
others are, and puts the operators on Tensor."""

from tfc.framework.graph import Tensor
from tfc.framework.opdef import load_later
from tfc.framework.partitioned import PartitionedVariable
from tfc.framework.variables import Variable
from tfc.ops import (
    activation_ops,
    array_ops,
    batch_norm_ops,
    bias_ops,
    broadcast_ops,
    cast_ops,
    check_ops,
    clip_ops,
    compare_ops,
    control_ops,
    conv_ops,
    custom_gradient,
    gather_ops,
    identity_ops,
    index_ops,
    init_ops,
    initializers,
    join_ops,
    math_ops,
    matmul_ops,
    nn,
    operators,
    pad_ops,
    pool_ops,
    random_ops,
    reduction_ops,
    region_ops,
    residual_ops,
    scatter_ops,
    shape_ops,
    slice_ops,
    space_ops,
    split_ops,
    state_ops,
    sum_ops,
    tensor_array_ops,
    training_ops,
    unary_ops,
    variable_ops,
    weight_ops,
    xent_ops,
)
from tfc.ops.later import LATER
from tfc.ops.sparse import cwise_ops  # operators of SparseTensor


def _getitem_of_parts(variable: PartitionedVariable, key: object) -> Tensor:
    return array_ops.getitem(variable.as_tensor(), key)


load_later(LATER)
operators.install(Variable, PartitionedVariable)
for owner, getitem in (
    (Tensor, array_ops.getitem),
    (Variable, variable_ops.variable_getitem),
    (PartitionedVariable, _getitem_of_parts),
):
    setattr(owner, "__getitem__", getitem)  # noqa: B010  (assigning to a method is no mypy way)
