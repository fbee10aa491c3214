"""Factorisations in compiled code: in loops, in other processes, where they fail, what is empty."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfc as tf
from tests.ops.gradcheck import check_gradient
from tests.ops.test_linalg import TYPES, adjoint, close, definite, matrices, regular, run
from tfc.framework.opdef import apply

ROOT = Path(__file__).resolve().parents[2]
Array = np.ndarray


def python_stages(build: Callable[..., Any], *arrays: Array) -> Any:
    """The value of `build`, and the names of the ops that Python has run for it."""
    with tf.Graph().as_default(), tf.Session() as session:
        xs = [tf.placeholder(a.dtype, a.shape) for a in arrays]
        fetched = build(*xs)
        found = session.run(fetched, dict(zip(xs, arrays, strict=True)))
        hosts = [op.name for op in session.graph.get_operations() if op.defn.is_host(op)]
        return found, hosts


@pytest.mark.parametrize("n", [3, 7, 18])
@pytest.mark.parametrize("dtype", TYPES)
def test_a_loop_of_every_factorisation_is_native(
    dtype: Any, n: int, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = definite(0, dtype, (), n) / n, matrices(1, dtype, n, 2)

    def body(i: Any, x: Any) -> Any:
        lower = tf.cholesky(x @ tf.linalg.adjoint(x) + tf.eye(n, dtype=dtype))
        y = tf.cholesky_solve(lower, tf.constant(b)) + tf.matrix_solve(x, tf.constant(b))
        inverse = tf.matrix_inverse(x, adjoint=True)
        e, v = tf.self_adjoint_eig(inverse + tf.linalg.adjoint(inverse))
        q, r = tf.qr(y)
        s, _, w = tf.svd(y)
        sign, log = tf.linalg.slogdet(lower)
        whole = tf.matmul(v * e, v, adjoint_b=True) + tf.matmul(q @ r, b, adjoint_b=True)
        scale = tf.matrix_determinant(lower) / (sign * tf.exp(log))
        return i + 1, x + 0.1 * whole * scale * tf.cast(
            tf.reduce_sum(s) + tf.abs(w[0, 0]) ** 2, dtype
        )

    def loop(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, body, [tf.constant(0), x])[1]

    with caplog.at_level(logging.DEBUG):
        found, hosts = python_stages(loop, a)
    assert hosts == []
    assert not [m for m in caplog.messages if "driven" in m]
    x = a
    for _ in range(3):
        lower = np.linalg.cholesky(x @ x.conj().T + np.eye(n))
        y = np.linalg.solve(lower @ lower.conj().T, b) + np.linalg.solve(x, b)
        s, vh = np.linalg.svd(y, full_matrices=False)[1:]
        inverse = np.linalg.inv(x)
        whole = inverse + inverse.conj().T + y @ b.conj().T
        x = x + 0.1 * whole * (s.sum() + abs(vh[0, 0]) ** 2)
    np.testing.assert_allclose(
        found, x, rtol=2e-3 if a.itemsize // (1 + (a.dtype.kind == "c")) == 4 else 1e-9
    )


def kalman(measured: Any, solves: bool) -> Any:
    """The states of a filter: positions and speeds of two axes, of which positions are measured."""
    dtype = measured.dtype.base_dtype
    move = tf.eye(4, dtype=dtype) + 0.1 * tf.constant(np.eye(4, k=2), dtype)
    see = tf.constant(np.eye(2, 4), dtype)

    def step(before: Any, z: Any) -> Any:
        x, p = before
        x = move @ x
        p = tf.matmul(move @ p, move, transpose_b=True) + 0.01 * tf.eye(4, dtype=dtype)
        wide = tf.matmul(p, see, transpose_b=True)
        s = see @ wide + 0.1 * tf.eye(2, dtype=dtype)
        gain = tf.transpose(tf.matrix_solve(s, tf.transpose(wide))) if solves else (
            wide @ tf.matrix_inverse(s))  # fmt: skip
        return x + gain @ (z - see @ x), p - gain @ (see @ p)

    start = tf.zeros([4, 1], dtype), tf.eye(4, dtype=dtype)
    return tf.scan(step, measured, initializer=start)


@pytest.mark.parametrize("solves", [False, True])
def test_a_kalman_filter(solves: bool, caplog: pytest.LogCaptureFixture) -> None:
    measured = matrices(3, np.float64, 20, 2, 1)
    states, spreads = run(lambda z: kalman(z, solves), measured)
    x, p = np.zeros((4, 1)), np.eye(4)
    move, see = np.eye(4) + 0.1 * np.eye(4, k=2), np.eye(2, 4)
    for k, z in enumerate(measured):
        x, p = move @ x, move @ p @ move.T + 0.01 * np.eye(4)
        gain = p @ see.T @ np.linalg.inv(see @ p @ see.T + 0.1 * np.eye(2))
        x, p = x + gain @ (z - see @ x), p - gain @ see @ p
        np.testing.assert_allclose(states[k], x, rtol=1e-9)
        np.testing.assert_allclose(spreads[k], p, rtol=1e-9, atol=1e-12)
    assert not [m for m in caplog.messages if "driven" in m]
    check_gradient(lambda z: kalman(z, solves)[0], measured[:4])


def test_gradients_through_a_loop_of_factors() -> None:
    a, b = definite(5, np.float64, (), 3), matrices(6, np.float64, 3, 1)

    def loop(x: Any, y: Any) -> Any:
        def body(i: Any, y: Any) -> Any:
            factor = tf.cholesky(tf.matmul(x, x, transpose_b=True))
            return i + 1, tf.cholesky_solve(factor, y) + tf.matrix_solve(x, y)

        return tf.while_loop(lambda i, _: i < 3, body, [tf.constant(0), y])[1]

    check_gradient(loop, a, b)


def heat(u: Any, turns: int) -> Any:
    """The heat equation, half explicit and half implicit: a system of three diagonals a turn."""
    n = u.shape[0].value
    rows = np.full((3, n), -0.2)
    rows[1], rows[0, -1], rows[2, 0] = 1.4, 0, 0

    def body(i: Any, u: Any) -> Any:
        beside = tf.pad(u[1:], [[0, 1], [0, 0]]) + tf.pad(u[:-1], [[1, 0], [0, 0]])
        return i + 1, tf.linalg.tridiagonal_solve(tf.constant(rows), 0.6 * u + 0.2 * beside)

    return tf.while_loop(lambda i, _: i < turns, body, [tf.constant(0), u])[1]


def test_systems_of_three_diagonals_in_a_loop() -> None:
    u = matrices(0, np.float64, 7, 2)
    found, hosts = python_stages(lambda u: heat(u, 5), u)
    near = np.eye(7, k=1) + np.eye(7, k=-1)
    step = np.linalg.solve(1.4 * np.eye(7) - 0.2 * near, 0.6 * np.eye(7) + 0.2 * near)
    np.testing.assert_allclose(found, np.linalg.matrix_power(step, 5) @ u, rtol=1e-10)
    assert hosts == []
    check_gradient(lambda u: heat(u, 3), u)


@pytest.mark.parametrize("n", [3, 9, 18])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_factors_of_lu_and_ranks_in_a_loop(
    dtype: Any, n: int, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = regular(0, dtype, (2,), n)[:, ::-1], matrices(1, dtype, 2, n, 2)

    def body(i: Any, x: Any) -> Any:
        factors, order = tf.linalg.lu(a + 0.1 * tf.cast(i, dtype) * tf.eye(n, dtype=dtype))
        sides = tf.gather(tf.constant(b) + x, order, batch_dims=1)
        y = tf.matrix_triangular_solve(tf.matrix_band_part(factors, -1, 0) - tf.matrix_diag(
            tf.matrix_diag_part(factors) - 1), sides)  # fmt: skip
        return i + 1, tf.matrix_solve_ls(tf.matrix_band_part(factors, 0, -1), y, fast=False)

    def loop(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, body, [tf.constant(0), x])[1]

    found, hosts = python_stages(loop, 0 * b)
    x = 0 * b
    for k in range(3):
        x = np.linalg.solve(a + 0.1 * k * np.eye(n), b + x)
    close(found, x.astype(dtype))
    assert hosts == [] and not [m for m in caplog.messages if "driven" in m]


@pytest.mark.parametrize("shape", [(40, 7, 3), (40, 3, 7), (5, 4, 4)])
@pytest.mark.parametrize("dtype", TYPES)
def test_one_op_for_many_least_squares(dtype: Any, shape: tuple[int, ...]) -> None:
    a, b = matrices(0, dtype, *shape), matrices(1, dtype, *shape[:2], 2)
    for fast, weight in ((True, 0.0), (True, 0.5), (False, 0.0)):
        attrs = {"fast": fast}
        x = run(lambda a, b, w=weight, attrs=attrs: apply("MatrixSolveLs", a, b, w, **attrs), a, b)
        wide = adjoint(a) @ a + weight * np.eye(shape[2])
        want = np.linalg.solve(wide, adjoint(a) @ b) if weight else np.linalg.pinv(a) @ b
        tolerance = 2e-2 if a.itemsize <= 8 and dtype != np.float64 else 1e-8
        np.testing.assert_allclose(x, want, rtol=tolerance, atol=tolerance)
    with pytest.raises(tf.errors.InvalidArgumentError, match="l2_regularizer must be >= 0"):
        run(lambda a, b: apply("MatrixSolveLs", a, b, -1.0), a, b)
    a[3] = 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="rank deficient"):
        run(lambda a, b: apply("MatrixSolveLs", a, b, 0.0), a, b)
    assert not run(lambda a, b: apply("MatrixSolveLs", a, b, 0.0, fast=False), a, b)[3].any()


# --- what fails ------------------------------------------------------------------------------

FAILING: list[tuple[str, Callable[..., Any], str]] = [
    ("MatrixInverse", tf.matrix_inverse, "Input is not invertible."),
    ("MatrixSolve", lambda x: tf.matrix_solve(x, x), "Input matrix is not invertible."),
    ("Cholesky", tf.cholesky, "Cholesky decomposition was not successful."),
    ("MatrixTriangularSolve", lambda x: tf.matrix_triangular_solve(x, x), "not invertible."),
]


@pytest.mark.parametrize("n", [2, 6, 18])
@pytest.mark.parametrize(("op", "function", "message"), FAILING, ids=[op for op, *_ in FAILING])
def test_errors_in_loops_name_the_op_and_the_line(
    op: str, function: Any, message: str, n: int
) -> None:
    def body(i: Any, x: Any) -> Any:
        return i + 1, x - function(x + tf.cast(4 - i, x.dtype) * tf.eye(n))

    a = tf.placeholder(tf.float32, [n, n])
    x = tf.Variable(tf.zeros([n, n]))
    out = tf.while_loop(lambda i, _: i < 9, body, [tf.constant(0), a])[1]
    keep = x.assign(out)
    with tf.Session() as session:
        session.run(x.initializer)
        with pytest.raises(tf.errors.InvalidArgumentError, match=message) as failed:
            session.run(keep, {a: -4 * np.eye(n)})
        assert op in failed.value.op.type and "test_linalg_loops.py" in str(failed.value)
        assert not session.run(x).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [3, 5, 19])
@pytest.mark.parametrize("dtype", TYPES)
def test_what_is_not_finite(bad: float, dtype: Any, n: int) -> None:
    a = definite(1, dtype, (), n)
    for at in [(0, 0), (n - 1, n - 1), (n - 1, 0), (2, 1)]:
        x = a.copy()
        x[at] = bad
        for values in run(lambda x: [tf.svd(x)[0], tf.svd(x, compute_uv=False)], x):
            assert np.isnan(values).all()
        assert not np.isfinite(run(lambda x: tf.matrix_determinant(x), x))
        run(lambda x: tf.qr(x), x)
        with pytest.raises(tf.errors.InvalidArgumentError, match="decomposition was not"):
            run(tf.self_adjoint_eig, x)
    if bad > 0:
        return
    for function in (tf.cholesky, lambda x: tf.cholesky(x + bad * tf.eye(n, dtype=x.dtype))):
        with pytest.raises(tf.errors.InvalidArgumentError, match="decomposition was not"):
            run(function, x)


def test_large_matrices_are_refused_before_there_is_room_for_them() -> None:
    with tf.Session() as session:
        x = tf.zeros([40_000, 40_000])
        for fetched in (tf.self_adjoint_eig(x)[0], tf.svd(x)[0]):
            with pytest.raises(
                tf.errors.ResourceExhaustedError, match=r"\[40000, 40000\].*too large"
            ):
                session.run(fetched)
        tall = tf.zeros([0, 1, 2**31])
        with pytest.raises(tf.errors.ResourceExhaustedError, match=r"\[1, 2147483648\]"):
            session.run(tf.qr(tall))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3), (0, 0, 0), (1, 1), (2, 0, 1, 1)])
def test_nothing_and_single_numbers(dtype: Any, shape: tuple[int, ...]) -> None:
    a = np.full(shape, 4, dtype)
    inverse, det, x, t, lower, e, v, s, u, w, q, r = run(
        lambda a: [
            tf.matrix_inverse(a), tf.matrix_determinant(a), tf.matrix_solve(a, a),
            tf.matrix_triangular_solve(a, a), tf.cholesky(a), *tf.self_adjoint_eig(a), *tf.svd(a),
            *tf.qr(a, full_matrices=True),
        ],
        a,
    )  # fmt: skip
    for found, value in ((inverse, 0.25), (x, 1), (t, 1), (lower, 2), (e, 4), (s, 4)):
        assert found.shape == (shape if found is not e and found is not s else shape[:-1])
        np.testing.assert_allclose(found, value)
    assert det.shape == shape[:-2]
    np.testing.assert_allclose(det, 1 if shape[-1] == 0 else 4)
    for one, other in ((v, v), (u, w), (q, q)):
        np.testing.assert_allclose(one * other.conj(), np.ones(shape))
    np.testing.assert_allclose(q * r, a)


@pytest.mark.parametrize("function", [tf.matrix_solve, tf.matrix_triangular_solve])
def test_singular_matrices_of_no_equations(function: Any) -> None:
    a, b = np.zeros((2, 3, 3)), np.zeros((2, 3, 0))
    assert run(function, a, b).shape == (2, 3, 0)
    assert run(function, a[:0], b[:0]).shape == (0, 3, 0)


@pytest.mark.parametrize(
    ("left", "right"), [((), (3,)), ((1,), (2, 3)), ((2, 1), (3,)), ((3,), ())]
)
def test_triangles_of_one_batch_and_right_sides_of_another(left: Any, right: Any) -> None:
    a, b = regular(0, np.float64, left, 4), matrices(1, np.float64, *right, 4, 2)
    for lower in (False, True):
        x = run(lambda a, b, lower=lower: tf.matrix_triangular_solve(a, b, lower=lower), a, b)
        close(x, np.linalg.solve(np.tril(a) if lower else np.triu(a), np.broadcast_to(b, x.shape)))


# --- processes, threads, time ----------------------------------------------------------------

PROGRAM = """
import sys
import numpy as np
import tfc as tf
x = tf.placeholder(tf.float32, [40, 18, 18])
loop = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.matrix_inverse(y)), [0, x])[1]
a = (np.arange(12960) * 7 % 31).reshape(40, 18, 18).astype("f") / 31 + 9 * np.eye(18, dtype="f")
assert "scipy_openblas32" not in sys.modules
with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=THREADS)) as session:
    factor = tf.cholesky(x @ tf.transpose(x, [0, 2, 1]))
    parts = session.run([loop, *tf.qr(x), *tf.svd(x), factor], {x: a})
print(b"".join(p.tobytes() for p in parts).hex())
"""


def test_the_same_bits_in_other_processes_and_for_any_number_of_threads(tmp_path: Path) -> None:
    outputs = set()
    for threads in (1, 1, 2):  # the second from the disk cache
        env = {"PYTHONPATH": str(ROOT), "TFC_CACHE": str(tmp_path), "PATH": "/usr/bin:/bin"}
        program = PROGRAM.replace("THREADS", str(threads))
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stderr
        outputs.add(done.stdout)
    assert len(outputs) == 1 and len(outputs.pop()) > 10_000


def test_programs_without_it_do_not_load_the_library() -> None:
    program = """
import sys, tfc as tf
x = tf.random_normal([20, 20])
tf.Session().run([x @ x, tf.matrix_inverse(x[:4, :4])])  # small matrices are nobody's
tf.matrix_inverse(x)
assert not {"scipy_openblas32", "tfc.codegen.heroes.factors"} & set(sys.modules)
sys.modules["scipy_openblas32"] = None
try:
    tf.Session().run(tf.matrix_inverse(x))
except ModuleNotFoundError as error:
    assert "scipy_openblas32" in str(error)
else:
    raise AssertionError("no error")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True,
                          timeout=100)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_time_limit_ends_a_loop_of_factors() -> None:
    def body(x: Any) -> Any:
        return tf.matrix_inverse(x) + 1e-3 * tf.eye(3)

    out = tf.while_loop(lambda _: True, body, [tf.eye(3) * 2])
    with tf.Session() as session:
        start = time.perf_counter()
        with pytest.raises(tf.errors.DeadlineExceededError):
            session.run(out, options=tf.RunOptions(timeout_in_ms=100))
        assert time.perf_counter() - start < 20


@pytest.mark.parametrize("n", [3, 4, 5, 6])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_decides_as_in_tensorflow_what_is_singular(dtype: Any, first: int, n: int) -> None:
    a = (np.arange(n * n).reshape(n, n) + first).astype(dtype)
    rounded = {(3, np.float64), (4, np.float64), (5, np.float32), (5, np.float64)}
    regular = first == 1 and (n, dtype) in rounded
    assert (run(tf.matrix_determinant, a) != 0) == regular
    if regular:
        run(tf.matrix_inverse, a)
    else:
        with pytest.raises(tf.errors.InvalidArgumentError, match="Input is not invertible"):
            run(tf.matrix_inverse, a)
