"""Linear algebra of dense matrices, batched over leading dimensions. Its ops run on LAPACK."""

from tfc.ops.linalg import (
    decomposition_ops,
    diagonal_ops,
    einsum_ops,
    function_ops,
    least_squares,
    solve_ops,
    tridiagonal_ops,
)
