"""`tf.linalg.LinearOperator*` against the dense matrices in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")
linalg = tf.linalg


def run(value, feed=None):
    with tf.Session() as session:
        return session.run(value, feed)


def numbers(shape, dtype="float64", seed=0):
    random = np.random.RandomState(seed)
    x = random.uniform(0.5, 2.0, shape) * random.choice([-1.0, 1.0], shape)
    if dtype.startswith("complex"):
        x = x + 1j * random.uniform(-1, 1, shape)
    return np.asarray(x, dtype)


def full(batch, n, dtype):
    matrix = numbers((*batch, n, n), dtype) + 4 * np.eye(n, dtype=dtype)
    return linalg.LinearOperatorFullMatrix(matrix), matrix


def definite(batch, n, dtype):
    matrix = numbers((*batch, n, n), dtype)
    matrix = matrix @ np.conj(np.swapaxes(matrix, -1, -2)) + np.eye(n, dtype=dtype)
    hints = {"is_self_adjoint": True, "is_positive_definite": True}
    return linalg.LinearOperatorFullMatrix(matrix, **hints), matrix


def lower(batch, n, dtype):
    matrix = numbers((*batch, n, n), dtype)
    return linalg.LinearOperatorLowerTriangular(matrix), np.tril(matrix)


def diag(batch, n, dtype):
    x = numbers((*batch, n), dtype)
    return linalg.LinearOperatorDiag(x), x[..., None] * np.eye(n)


def unit(batch, n, dtype):
    operator = linalg.LinearOperatorIdentity(n, batch or None, dtype)
    return operator, np.broadcast_to(np.eye(n, dtype=dtype), (*batch, n, n))


def scaled(batch, n, dtype):
    x = numbers(batch, dtype)
    return linalg.LinearOperatorScaledIdentity(n, x), x[..., None, None] * np.eye(n)


def turned(batch, n, dtype):
    operator, matrix = full(batch, n, dtype)
    return operator.adjoint(), np.conj(np.swapaxes(matrix, -1, -2))


def inverted(batch, n, dtype):
    operator, matrix = lower(batch, n, dtype)
    return operator.inverse(), np.linalg.inv(matrix)


def composed(batch, n, dtype):
    (a, x), (b, y) = full(batch, n, dtype), lower(batch, n, dtype)
    return a.matmul(b), x @ y


KINDS = [full, definite, lower, diag, unit, scaled, turned, inverted, composed]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@kinds
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_everything_is_as_of_the_dense_matrix(kind, dtype, batch):
    operator, matrix = kind(batch, 3, dtype)
    x = numbers((*batch, 3, 2), dtype, 1)
    turned_x = np.conj(np.swapaxes(x, -1, -2))
    turned_matrix = np.conj(np.swapaxes(matrix, -1, -2))
    determinant = np.linalg.det(matrix)
    expected = {
        "dense": (operator.to_dense(), matrix),
        "matmul": (operator.matmul(x), matrix @ x),
        "adjoint": (operator.matmul(x, adjoint=True), turned_matrix @ x),
        "argument": (operator.matmul(turned_x, adjoint_arg=True), matrix @ x),
        "matvec": (operator.matvec(x[..., 0]), (matrix @ x)[..., 0]),
        "solve": (operator.solve(x), np.linalg.solve(matrix, x)),
        "solve_adjoint": (operator.solve(x, adjoint=True), np.linalg.solve(turned_matrix, x)),
        "solve_argument": (operator.solve(turned_x, adjoint_arg=True), np.linalg.solve(matrix, x)),
        "solvevec": (operator.solvevec(x[..., 0]), np.linalg.solve(matrix, x)[..., 0]),
        "det": (operator.determinant(), determinant),
        "log": (operator.log_abs_determinant(), np.log(np.abs(determinant))),
        "trace": (operator.trace(), np.trace(matrix, axis1=-2, axis2=-1)),
        "diag": (operator.diag_part(), np.diagonal(matrix, axis1=-2, axis2=-1)),
        "add": (operator.add_to_tensor(matrix + 1), 2 * matrix + 1),
        "cond": (operator.cond(), np.linalg.cond(matrix)),
        "H": (operator.H.to_dense(), turned_matrix),
        "inverse": (operator.inverse().to_dense(), np.linalg.inv(matrix)),
    }
    found = run({key: value for key, (value, _) in expected.items()})
    for key, (value, wanted) in expected.items():
        assert value.dtype == operator.dtype or key in ("cond", "log"), key
        np.testing.assert_allclose(found[key], wanted, 1e-9, 1e-10, err_msg=key)
        assert value.shape.as_list() == list(np.shape(wanted)), key


@kinds
def test_shapes(kind):
    operator, matrix = kind((2,), 3, "float32")
    assert operator.shape == matrix.shape and operator.batch_shape == (2,)
    assert operator.tensor_rank == 3 and operator.is_square
    assert operator.domain_dimension == operator.range_dimension == 3
    shapes = [operator.shape_tensor(), operator.batch_shape_tensor(), operator.tensor_rank_tensor()]
    sides = [operator.domain_dimension_tensor(), operator.range_dimension_tensor()]
    found = run([*shapes, *sides])
    assert [np.asarray(x).tolist() for x in found] == [[2, 3, 3], [2], 3, 3, 3]


@pytest.mark.parametrize("kind", [full, lower, diag, scaled])
def test_unknown_shapes(kind):
    _, matrix = kind((2,), 3, "float64")
    x = numbers((2, 3, 2), "float64", 1)
    if kind in (full, lower):
        given = tf.placeholder(tf.float64)
        operator = {
            full: linalg.LinearOperatorFullMatrix,
            lower: linalg.LinearOperatorLowerTriangular,
        }[kind](given)
        feed = {given: matrix}
    elif kind is diag:
        given = tf.placeholder(tf.float64, [None, None])
        operator, feed = linalg.LinearOperatorDiag(given), {given: np.diagonal(matrix, 0, -2, -1)}
    else:
        given, rows = tf.placeholder(tf.float64, [None]), tf.placeholder(tf.int32, [])
        operator = linalg.LinearOperatorScaledIdentity(rows, given)
        feed = {given: matrix[:, 0, 0], rows: 3}
    assert not operator.shape.is_fully_defined()
    right = tf.placeholder(tf.float64)
    wanted = [matrix @ x, np.linalg.solve(matrix, x), matrix, [2, 3, 3]]
    found = run(
        [
            operator.matmul(right),
            operator.solve(right),
            operator.to_dense(),
            operator.shape_tensor(),
        ],
        {**feed, right: x},
    )
    for value, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(value, expected, 1e-10)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([full, definite, lower, diag, scaled]),
    st.sampled_from([((), (2,)), ((3,), ()), ((2, 1), (3,)), ((1,), (4,)), ((0,), (1,))]),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_batches_are_broadcast(kind, batches, n, columns):
    with tf.Graph().as_default():
        operator, matrix = kind(batches[0], n, "float64")
        x = numbers((*batches[1], n, columns), "float64", 2)
        product, solution = run([operator.matmul(x), operator.solve(x)])
    np.testing.assert_allclose(product, matrix @ x, 1e-9)
    batch = np.broadcast_shapes(*batches)
    spread = np.broadcast_to(matrix, (*batch, n, n)), np.broadcast_to(x, (*batch, n, columns))
    np.testing.assert_allclose(solution, np.linalg.solve(*spread), 1e-8)


def test_a_matrix_that_is_not_square():
    matrix = numbers((2, 3, 4))
    operator = linalg.LinearOperatorFullMatrix(matrix)
    assert operator.is_square is False and operator.range_dimension == 3
    x = numbers((4, 5))
    np.testing.assert_allclose(run(operator.matmul(x)), matrix @ x)
    np.testing.assert_allclose(run(operator.H.matmul(matrix)), np.swapaxes(matrix, 1, 2) @ matrix)
    for method in (operator.determinant, operator.log_abs_determinant):
        with pytest.raises(NotImplementedError, match="not be square"):
            method()
    with pytest.raises(NotImplementedError, match="not be square"):
        operator.solve(x)
    with pytest.raises(ValueError, match="non square"):
        operator.inverse()


@pytest.mark.parametrize("left", [lower, diag, unit, scaled])
@pytest.mark.parametrize("right", [lower, diag, unit, scaled])
def test_products_of_operators(left, right):
    (a, x), (b, y) = left((2,), 3, "float64"), right((), 3, "float64")
    product, quotient = a.matmul(b), a.solve(b)
    np.testing.assert_allclose(run(product.to_dense()), x @ y, 1e-9, 1e-12)
    solution = np.linalg.solve(x, np.broadcast_to(y, x.shape))
    np.testing.assert_allclose(run(quotient.to_dense()), solution, 1e-9, 1e-12)
    turned_product = a.matmul(b, adjoint=True).to_dense()
    np.testing.assert_allclose(run(turned_product), np.swapaxes(x, 1, 2) @ y, 1e-9, 1e-12)


def test_products_keep_their_form():
    d, s, t = (kind((), 3, "float64")[0] for kind in (diag, scaled, lower))
    assert isinstance(d.matmul(s), linalg.LinearOperatorDiag)
    assert isinstance(s.matmul(s), linalg.LinearOperatorScaledIdentity)
    assert isinstance(d.matmul(t), linalg.LinearOperatorLowerTriangular)
    assert isinstance(t.matmul(t), linalg.LinearOperatorComposition)
    assert linalg.LinearOperatorIdentity(3, dtype=tf.float64).matmul(t) is t
    assert t.adjoint().adjoint() is t and t.inverse().inverse() is t
    assert d.H is d and isinstance(t.H, linalg.LinearOperatorAdjoint)
    assert isinstance(t.inverse(), linalg.LinearOperatorInversion)
    assert t.inverse().operator is t and t.matmul(t).operators == [t, t]


@pytest.mark.parametrize("kind", [definite, diag, scaled, unit])
def test_factors_and_eigenvalues(kind):
    operator, matrix = kind((2,), 3, "float64")
    np.testing.assert_allclose(
        np.sort(run(operator.eigvals())), np.sort(np.linalg.eigvalsh(matrix)), 1e-9
    )
    if kind in (diag, scaled):
        with pytest.raises(ValueError, match="Cholesky"):
            operator.cholesky()
        given = np.abs(matrix[:, [0, 1, 2], [0, 1, 2]])
        operator = (
            linalg.LinearOperatorDiag(given, is_positive_definite=True)
            if kind is diag
            else linalg.LinearOperatorScaledIdentity(3, given[:, 0], is_positive_definite=True)
        )
        matrix = np.abs(matrix)
    np.testing.assert_allclose(
        run(operator.cholesky().to_dense()), np.linalg.cholesky(matrix), 1e-9
    )


@kinds
def test_gradients(kind):
    if kind in (unit, definite):
        return
    operator, _ = kind((), 3, "float64")
    parent = operator.graph_parents[0]
    y = operator.matmul(numbers((3, 2))) + operator.solve(numbers((3, 2)))
    total = tf.reduce_sum(y * numbers((3, 2), seed=5)) + operator.log_abs_determinant()
    [gradient] = tf.gradients(total, parent)
    with tf.Session() as session:
        point, slope = session.run([parent, gradient])
        for place in np.ndindex(*point.shape):
            step = np.zeros_like(point)
            step[place] = 1e-6
            ends = [session.run(total, {parent: point + s * step}) for s in (1, -1)]
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope[place], rel=1e-5, abs=1e-7)


def test_checks_at_run_time():
    good, singular = np.diag([1.0, 2.0]), np.diag([1.0, 0.0])
    complex_diag = linalg.LinearOperatorDiag(np.array([1.0 + 1j, 2.0]))
    passing = [
        linalg.LinearOperatorFullMatrix(good).assert_non_singular(),
        linalg.LinearOperatorFullMatrix(good, is_self_adjoint=True).assert_positive_definite(),
        linalg.LinearOperatorFullMatrix(good).assert_self_adjoint(),
        linalg.LinearOperatorLowerTriangular(good).assert_non_singular(),
        linalg.LinearOperatorDiag([1.0, 2.0]).assert_self_adjoint(),
        linalg.LinearOperatorDiag([1.0, 2.0]).assert_positive_definite(),
        linalg.LinearOperatorIdentity(2).assert_positive_definite(),
        linalg.LinearOperatorScaledIdentity(2, 3.0).assert_non_singular(),
        complex_diag.assert_positive_definite(),
    ]
    run(passing)
    failing = [
        linalg.LinearOperatorFullMatrix(singular).assert_non_singular,
        linalg.LinearOperatorFullMatrix([[1.0, 2.0], [0.0, 1.0]]).assert_self_adjoint,
        linalg.LinearOperatorFullMatrix(-good, is_self_adjoint=True).assert_positive_definite,
        linalg.LinearOperatorLowerTriangular(singular).assert_non_singular,
        linalg.LinearOperatorDiag([1.0, 0.0]).assert_non_singular,
        linalg.LinearOperatorDiag([1.0, -1.0]).assert_positive_definite,
        linalg.LinearOperatorScaledIdentity(2, -1.0).assert_positive_definite,
        complex_diag.assert_self_adjoint,
    ]
    for check in failing:
        with pytest.raises(tf.errors.InvalidArgumentError):
            run(check())
    with pytest.raises(NotImplementedError):
        linalg.LinearOperatorFullMatrix(good).assert_positive_definite()


@pytest.mark.parametrize(
    "make, error",
    [
        (lambda: linalg.LinearOperatorLowerTriangular([1.0]), ValueError),
        (lambda: linalg.LinearOperatorLowerTriangular([[1]]), TypeError),
        (lambda: linalg.LinearOperatorLowerTriangular([[1.0]], is_square=False), ValueError),
        (lambda: linalg.LinearOperatorFullMatrix([1.0]), ValueError),
        (lambda: linalg.LinearOperatorDiag(1.0), ValueError),
        (lambda: linalg.LinearOperatorDiag([1.0], is_self_adjoint=False), ValueError),
        (lambda: linalg.LinearOperatorDiag([1]), TypeError),
        (lambda: linalg.LinearOperatorIdentity(2, is_square=False), ValueError),
        (lambda: linalg.LinearOperatorIdentity(-2), ValueError),
        (lambda: linalg.LinearOperatorIdentity([2]), ValueError),
        (lambda: linalg.LinearOperatorIdentity(2.0), TypeError),
        (lambda: linalg.LinearOperatorIdentity(2, [-1]), ValueError),
        (lambda: linalg.LinearOperatorScaledIdentity(2, 1), TypeError),
        (lambda: linalg.LinearOperatorScaledIdentity(2, 1.0, is_square=False), ValueError),
        (lambda: linalg.LinearOperatorComposition([]), ValueError),
        (lambda: linalg.LinearOperatorFullMatrix([[1.0]], False, None, True), ValueError),
        (lambda: linalg.LinearOperatorFullMatrix([[1.0]], True, None, None, False), ValueError),
        (lambda: linalg.LinearOperatorDiag([1.0]).matmul(np.ones((1, 1))), TypeError),
        (lambda: linalg.LinearOperatorDiag([1.0]).matmul([[1.0], [2.0]]), ValueError),
        (lambda: linalg.LinearOperatorDiag([1.0]).matvec([1.0, 2.0]), ValueError),
        (lambda: linalg.LinearOperatorDiag([1.0], False).solve([[1.0]]), NotImplementedError),
        (lambda: linalg.LinearOperatorDiag([1.0], False).inverse(), ValueError),
        (lambda: linalg.LinearOperatorFullMatrix([[1.0]]).eigvals(), NotImplementedError),
        (lambda: linalg.LinearOperatorDiag([1.0]).matmul(linalg.LinearOperatorDiag([1.0, 2.0])),
         ValueError),
    ],
)  # fmt: skip
def test_errors(make, error):
    with pytest.raises(error):
        make()


def test_names_variables_and_an_own_operator():
    v = tf.get_variable("v", initializer=[[1.0, 2.0], [3.0, 4.0]])
    operator = linalg.LinearOperatorLowerTriangular(v, name="tri")
    assert operator.name == "tri" and operator.dtype == tf.float32
    assert operator.variables == operator.trainable_variables == (v,)
    assert operator.inverse().variables == (v,)
    assert operator.matvec([1.0, 1.0]).name.startswith("tri/matvec/")

    class Double(linalg.LinearOperator):
        def __init__(self):
            super().__init__(tf.float32, is_square=True)

        def _shape(self):
            return tf.TensorShape([2, 2])

        def _matmul(self, x, adjoint=False, adjoint_arg=False):
            return 2 * x

    double = Double()
    assert double.name == "Double" and double.is_non_singular is None
    np.testing.assert_array_equal(run(double.to_dense()), 2 * np.eye(2))
    np.testing.assert_allclose(run(double.solve([[2.0], [4.0]])), [[1], [2]])
    assert run(double.determinant()) == pytest.approx(4)
