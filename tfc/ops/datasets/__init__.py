"""Datasets and iterators: their ops run in Python, their functions as compiled code."""

from tfc.ops.datasets import (
    batch_ops,
    file_ops,
    function_ops,
    group_ops,
    iterator_ops,
    join_ops,
    order_ops,
    source_ops,
    sparse_ops,
)
