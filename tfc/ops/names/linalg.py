"""`tf.linalg`: matrices. Re-exports, nothing else."""

from tfc.ops.clip_ops import global_norm
from tfc.ops.diag_ops import diag as tensor_diag
from tfc.ops.diag_ops import diag_part as tensor_diag_part
from tfc.ops.diag_ops import eye, matrix_transpose
from tfc.ops.diag_ops import matrix_band_part as band_part
from tfc.ops.diag_ops import matrix_transpose as transpose
from tfc.ops.linalg.common import adjoint
from tfc.ops.linalg.decomposition_ops import cholesky, cholesky_solve, qr, svd
from tfc.ops.linalg.decomposition_ops import self_adjoint_eig as eigh
from tfc.ops.linalg.decomposition_ops import self_adjoint_eigvals as eigvalsh
from tfc.ops.linalg.diagonal_ops import matrix_diag as diag
from tfc.ops.linalg.diagonal_ops import matrix_diag_part as diag_part
from tfc.ops.linalg.diagonal_ops import matrix_set_diag as set_diag
from tfc.ops.linalg.einsum_ops import einsum
from tfc.ops.linalg.function_ops import expm, logm, sqrtm
from tfc.ops.linalg.least_squares import matrix_solve_ls as lstsq
from tfc.ops.linalg.operators.base import LinearOperator
from tfc.ops.linalg.operators.combined import (
    LinearOperatorAdjoint,
    LinearOperatorComposition,
    LinearOperatorInversion,
)
from tfc.ops.linalg.operators.dense import LinearOperatorFullMatrix, LinearOperatorLowerTriangular
from tfc.ops.linalg.operators.scaled import (
    LinearOperatorDiag,
    LinearOperatorIdentity,
    LinearOperatorScaledIdentity,
)
from tfc.ops.linalg.pseudo import (
    lu_matrix_inverse,
    lu_reconstruct,
    lu_solve,
    matrix_rank,
    pinv,
)
from tfc.ops.linalg.solve_ops import logdet, lu, slogdet
from tfc.ops.linalg.solve_ops import matrix_determinant as det
from tfc.ops.linalg.solve_ops import matrix_inverse as inv
from tfc.ops.linalg.solve_ops import matrix_solve as solve
from tfc.ops.linalg.solve_ops import matrix_triangular_solve as triangular_solve
from tfc.ops.linalg.tensordot import tensordot
from tfc.ops.linalg.tridiagonal_ops import tridiagonal_matmul, tridiagonal_solve
from tfc.ops.matmul_ops import matmul, matvec
from tfc.ops.nn_functions import l2_normalize
from tfc.ops.norm_ops import norm, normalize, trace
from tfc.ops.sum_ops import cross
