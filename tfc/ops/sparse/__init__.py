"""Ops on sparse tensors and on sets, which are rows of sparse tensors."""

from tfc.ops.sparse import (
    combine_functions,
    combine_ops,
    cwise_ops,
    dense_ops,
    edit_ops,
    functions,
    order_ops,
    part_ops,
    reduce_functions,
    reduce_ops,
    set_ops,
)
