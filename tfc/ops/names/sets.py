"""`tf.sets`: sets in the rows of tensors. Re-exports, nothing else."""

from tfc.ops.sparse.set_ops import set_difference, set_intersection, set_size, set_union
from tfc.ops.sparse.set_ops import set_difference as difference
from tfc.ops.sparse.set_ops import set_intersection as intersection
from tfc.ops.sparse.set_ops import set_size as size
from tfc.ops.sparse.set_ops import set_union as union
