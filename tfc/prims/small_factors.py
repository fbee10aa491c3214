"""What factorisations of matrices with few rows mean: elimination element by element, with the
signs, exchanges and zeros that LAPACK has.

Operands are stacks [count, rows, columns]; every step is taken for all matrices of a stack.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def _magnitude(x: Array) -> Array:
    size: Array = np.abs(x.real)
    return size + np.abs(x.imag) if np.iscomplexobj(x) else size


def _swap(x: Array, k: int, i: int, where: Array) -> None:
    """Exchange rows k and i of those matrices."""
    x[where, k], x[where, i] = x[where, i], x[where, k]


def lu(a: Array) -> tuple[Array, Array, Array]:
    """(U, and below its diagonal L; row exchanges counted from 1; the order of rows after them),
    with the entry of the greatest |re| + |im| as pivot, the first of equals. What a zero would
    divide is zero, and stays it."""
    a = a.copy()
    count, n = a.shape[:2]
    exchanges = np.zeros((count, n), np.int32)
    order = np.tile(np.arange(n, dtype=np.int32), (count, 1))
    with np.errstate(all="ignore"):
        for k in range(n):
            best, at = _magnitude(a[:, k, k]), np.full(count, k)
            for i in range(k + 1, n):
                size = _magnitude(a[:, i, k])
                at = np.where(size > best, i, at)
                best = np.where(size > best, size, best)
            exchanges[:, k] = at + 1
            for i in range(k + 1, n):
                _swap(a, k, i, at == i)
                _swap(order, k, i, at == i)
            pivot = np.where(a[:, k, k] == 0, a.dtype.type(1), a[:, k, k])
            for i in range(k + 1, n):
                a[:, i, k] = a[:, i, k] / pivot
                for j in range(k + 1, n):
                    a[:, i, j] -= a[:, i, k] * a[:, k, j]
    return a, exchanges, order


def solve(a: Array, b: Array, adjoint: bool) -> tuple[Array, Array]:
    """(X with a X = b, or a^H X = b; whether no pivot is zero)."""
    (factors, exchanges, _), n = lu(a), a.shape[1]
    ok = np.ones(len(a), bool)
    for k in range(n):
        ok &= _magnitude(factors[:, k, k]) > 0
    x = b.copy()
    with np.errstate(all="ignore"):
        if adjoint:
            x = _substituted(factors.conj().swapaxes(1, 2), x, lower=True, ones=False)
            x = _substituted(factors.conj().swapaxes(1, 2), x, lower=False, ones=True)
        for k in range(n) if not adjoint else reversed(range(n)):
            for i in range(k + 1, n):
                _swap(x, k, i, exchanges[:, k] == i + 1)
        if not adjoint:
            x = _substituted(factors, x, lower=True, ones=True)
            x = _substituted(factors, x, lower=False, ones=False)
    return x, ok


def _substituted(t: Array, b: Array, lower: bool, ones: bool) -> Array:
    """X with T X = b for the lower or upper triangles T of `t`, whose diagonal may be `ones`."""
    x, n = b.copy(), t.shape[1]
    for i in range(n) if lower else reversed(range(n)):
        for j in range(i) if lower else reversed(range(i + 1, n)):
            x[:, i] -= t[:, i, j, None] * x[:, j]
        if not ones:
            x[:, i] = x[:, i] / t[:, i, i, None]
    return x


def triangular_solve(a: Array, b: Array, lower: bool, adjoint: bool) -> Array:
    """X with T X = b, or T^H X = b, for the lower or upper triangles T of `a`."""
    with np.errstate(all="ignore"):
        if adjoint:
            return _substituted(a.conj().swapaxes(1, 2), b, not lower, ones=False)
        return _substituted(a, b, lower, ones=False)


def cholesky(a: Array) -> tuple[Array, Array]:
    """(L, lower, with L L^H = a; whether there is one); only the lower triangles are read."""
    count, n = a.shape[:2]
    factor, ok = np.zeros_like(a), np.ones(count, bool)
    with np.errstate(all="ignore"):
        for j in range(n):
            rest = a[:, j, j].real.copy()
            for k in range(j):
                rest -= _square(factor[:, j, k])
            ok &= rest > 0
            root = np.sqrt(rest)
            factor[:, j, j] = root
            for i in range(j + 1, n):
                x = a[:, i, j].copy()
                for k in range(j):
                    x -= factor[:, i, k] * factor[:, j, k].conj()
                factor[:, i, j].real = x.real / root
                if np.iscomplexobj(a):
                    factor[:, i, j].imag = x.imag / root
    return factor, ok


def _square(x: Array) -> Array:
    square: Array = x.real * x.real
    return square + x.imag * x.imag if np.iscomplexobj(x) else square
