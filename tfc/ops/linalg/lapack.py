"""What host ops compute with LAPACK, on stacks of matrices [count, rows, columns] in any layout.

Every function returns fresh arrays, and raises `Failed` where an input has no such factorisation.
Arguments of wrong shapes are the caller's fault: op shapes are checked before.
"""

from __future__ import annotations

import numpy as np

from tfc.runtime import lapack
from tfc.runtime.lapack import Array, call_in_room, columns_of, diagonals, real_type, zeros


class Failed(Exception):
    """A factorisation does not exist, or an iteration did not converge."""


def adjoints(x: Array) -> Array:
    """The conjugate of the transpose of each matrix of a stack."""
    return x.conj().swapaxes(-1, -2)


def lu_by_magnitude(a: Array) -> tuple[Array, Array, Array]:
    """What `lu` gives for complex matrices, with the entry of the greatest magnitude as pivot, as
    TensorFlow's library chooses it; LAPACK goes by |re| + |im|, and exchanges other rows."""
    work = columns_of(a)
    count, n = a.shape[:2]
    every = np.arange(count)
    pivots = np.zeros((count, n), np.int32)
    regular = np.ones(count, bool)
    with np.errstate(all="ignore"):  # what is divided by no pivot is not regular
        for k in range(n):
            at = k + np.abs(work[:, k:, k]).argmax(axis=1)
            pivots[:, k] = at + 1
            work[every, k], work[every, at] = work[every, at], work[every, k]
            pivot = work[:, k, k, None]
            regular &= np.abs(pivot[:, 0]) > 0
            below = work[:, k + 1 :, k]
            below /= pivot
            work[:, k + 1 :, k + 1 :] -= below[:, :, None] * work[:, k, None, k + 1 :]
    return work, pivots, regular


def solve_triangular(a: Array, b: Array, lower: bool, adjoint: bool) -> Array:
    """X with T X = b, or T^H X = b, for the lower or upper triangles T of `a`."""
    if not (np.abs(diagonals(a)) > 0).all():
        raise Failed
    return lapack.triangular_solve(a, b, lower, adjoint)


def schur(a: Array) -> tuple[Array, Array]:
    """(T, Z) of complex matrices: T upper triangular and a = Z T Z^H."""
    count, n = a.shape[:2]
    t, z = columns_of(a), zeros(count, n, n, a.dtype)
    if not n:
        return t, z
    values, kept = np.zeros((count, n), a.dtype), np.zeros(1, np.int32)
    fixed = [np.empty(n, real_type(a)), np.empty(n, np.int32)]
    info = call_in_room(
        "gees", a.dtype.char, count, b"V", b"N", None, n, t, n, kept, values, z, n,
        fixed=fixed,
    )  # fmt: skip
    if info.any():
        raise Failed
    return np.triu(t), z
