"""Einsum and tensordot against numpy's; equations at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.gradcheck import check_gradient
from tfc.framework.opdef import apply

EXTENTS = {"a": 2, "b": 3, "c": 1, "d": 4, "e": 2}
few = hypothesis_settings(max_examples=25)


def run(build: Any, *arrays: np.ndarray, unknown: bool = False) -> Any:
    with tf.Graph().as_default(), tf.Session() as session:
        xs = [tf.placeholder(a.dtype, None if unknown else a.shape) for a in arrays]
        return session.run(build(*xs), dict(zip(xs, arrays, strict=True)))


def values(seed: int, dtype: Any, *shape: int) -> np.ndarray:
    random = np.random.RandomState(seed)
    if np.dtype(dtype).kind == "i":
        return random.randint(-4, 5, shape).astype(dtype)
    x = random.uniform(-1, 1, shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * random.uniform(-1, 1, shape)
    return x.astype(dtype)


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, list[tuple[int, ...]]]:
    """An equation of one to three operands, and shapes for them."""
    count = draw(st.integers(1, 3))
    dots = draw(st.booleans())
    batch = draw(st.sampled_from([(), (2,), (3, 2)]))
    operands, shapes = [], []
    for _ in range(count):
        labels = draw(st.lists(st.sampled_from("abcde"), max_size=3))
        shape = [EXTENTS[label] for label in labels]
        text = "".join(labels)
        if dots and draw(st.booleans()):
            at = draw(st.integers(0, len(labels)))
            own = batch[draw(st.integers(0, len(batch))) :]
            own = tuple(draw(st.sampled_from([n, 1])) for n in own)
            text = text[:at] + "..." + text[at:]
            shape[at:at] = own
        operands.append(text)
        shapes.append(tuple(shape))
    letters = sorted(set("".join(operands).replace(".", "")))
    kept = draw(st.permutations(letters))[: draw(st.integers(0, len(letters)))]
    at = draw(st.integers(0, len(kept)))
    middle = "..." if any("..." in o for o in operands) else ""
    result = "".join(kept[:at]) + middle + "".join(kept[at:])
    return f"{','.join(operands)}->{result}", shapes


@few
@given(equations(), st.sampled_from(["f4", "f8", "c8", "c16", "i4", "i8"]), st.booleans())
def test_random_equations(case: Any, dtype: str, unknown: bool) -> None:
    equation, shapes = case
    arrays = [values(k, dtype, *shape) for k, shape in enumerate(shapes)]
    found = run(lambda *xs: tf.einsum(equation, *xs), *arrays, unknown=unknown)
    expected = np.einsum(equation, *arrays)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@hypothesis_settings(max_examples=12)
@given(equations())
def test_gradients_of_random_equations(case: Any) -> None:
    equation, shapes = case
    arrays = [values(k, np.float64, *shape) for k, shape in enumerate(shapes)]
    check_gradient(lambda *xs: tf.einsum(equation, *xs), *arrays)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]), ("ii->", [(3, 3)]), ("iij->j", [(2, 2, 3)]),
        ("iij,jk->k", [(2, 2, 3), (3, 2)]), ("...ij,jk->...ik", [(2, 1, 2, 3), (3, 2)]),
        ("a...b,...b->...a", [(2, 3, 1, 2), (1, 4, 2)]), ("ij,k->k", [(2, 3), (2,)]),
        ("...i->...", [(2, 3)]), ("ij->ji", [(2, 3)]), ("...ii->...i", [(2, 3, 3)]),
    ],
)  # fmt: skip
def test_gradients(equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [values(k, np.float64, *shape) for k, shape in enumerate(shapes)]
    check_gradient(lambda *xs: tf.einsum(equation, *xs), *arrays)

    def slope(*xs: Any) -> Any:
        y = tf.einsum(equation, *xs)
        return tf.gradients(y * y, xs[0])[0]

    check_gradient(slope, *arrays, tolerance=1e-5)


def test_gradient_of_unknown_and_complex_operands() -> None:
    a, b = values(0, "c16", 2, 1, 3), values(1, "c16", 4, 3)
    weights = values(2, "c16", 2, 4)

    def grads(x: Any, y: Any) -> Any:
        return tf.gradients(tf.einsum("...i,...i->...", x, y), [x, y], grad_ys=[weights])

    da, db = run(grads, a, b, unknown=True)
    np.testing.assert_allclose(da, (weights[..., None] * b.conj()).sum(1, keepdims=True))
    np.testing.assert_allclose(db, (weights[..., None] * a.conj()).sum(0))


def test_implicit_results() -> None:
    a = values(0, "f8", 2, 3)
    for equation in ("ij", "ji", "i j -> j"):
        np.testing.assert_allclose(run(lambda x, e=equation: tf.einsum(e, x), a),
                                   np.einsum(equation, a))  # fmt: skip
    np.testing.assert_allclose(run(lambda x: tf.einsum("bi,ai", x, x), a), a @ a.T)
    assert run(lambda x: tf.einsum("", x), np.array(2.0)) == 2


def test_an_output_may_repeat_a_label_below_the_api() -> None:
    a = values(0, "f8", 3)
    np.testing.assert_array_equal(
        run(lambda x: apply("Einsum", [x], equation="i->ii"), a), np.diag(a)
    )


def test_names_and_static_shapes() -> None:
    with tf.Graph().as_default():
        a, b = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None, None])
        assert tf.einsum("ij,jk->ik", a, b).name == "einsum/Einsum:0"
        chain = tf.einsum("ij,jk,kl->il", a, b, tf.ones([4, 5]), name="chain")
        assert chain.name == "chain/Einsum_1:0" and chain.shape.as_list() == [None, 5]
        unknown = tf.placeholder(tf.float32)
        assert tf.linalg.einsum("ij,jk->ik", unknown, a).shape.as_list() == [None, 3]
        assert tf.einsum("...i,ij->...j", unknown, a).shape.ndims is None
        wide = tf.placeholder(tf.float32, [None, 7, None, 2])
        assert tf.einsum("...ij,...jk->k...i", wide, tf.placeholder(tf.float32, [7, None, 4])
                         ).shape.as_list() == [4, None, 7, None]  # fmt: skip


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3), (4, 5)], "Dimensions must be equal, but are 3 and 4"),
        ("ij,jk->il", [(2, 3), (3, 5)], "the label l not present in the input subscripts"),
        ("ij,jk->iik", [(2, 3), (3, 5)], "a label appearing more than once: ij,jk->iik"),
        ("ij,jk", [(2, 3)], 'Got 1 inputs for equation "ij,jk", expecting 2'),
        ("ijk,jk", [(2, 3), (2, 3)], "Shape must be rank 3 but is rank 2"),
        ("ij...,jk", [(2,), (2, 3)], "Shape must be at least rank 2 but is rank 1"),
        ("i1,jk->ij", [(2, 3), (2, 3)], "Subscripts have incorrect format: i1,jk->ij"),
        ("i0->i0", [(2, 3)], "Subscripts have incorrect format"),
        ("ij->ij->ij", [(2, 3)], "Subscripts have incorrect format"),
        ("ij..,jk->ik", [(2, 3), (3, 2)], "Subscripts have incorrect format"),
        ("...i...->i", [(2,)], "Expected at most one ellipsis"),
        ("...ij,...jk->ik", [(4, 2, 3), (4, 3, 2)], "without ellipsis"),
        ("i,i->", [(3,), (1,)], "Dimensions must be equal, but are 3 and 1"),
        ("ij,jk->ik", [], 'Got 0 inputs for equation "ij,jk->ik", expecting 2'),
    ],
)  # fmt: skip
def test_errors(equation: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with tf.Graph().as_default(), pytest.raises(ValueError) as caught:
        tf.einsum(equation, *(tf.zeros(shape) for shape in shapes))
    assert message in str(caught.value)


def test_other_errors() -> None:
    with tf.Graph().as_default():
        with pytest.raises(TypeError, match="Invalid keyword arguments for einsum: foo"):
            tf.einsum("i->", tf.zeros([2]), foo=1)
        with pytest.raises(ValueError, match="optimize"):
            tf.einsum("i->", tf.zeros([2]), optimize="best")
    for equation, a in (("ij,jk->ik", np.ones((2, 3))), ("ijk,j->", np.ones((2, 3)))):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Expected"):
            run(lambda x, y, e=equation: tf.einsum(e, x, y), a, np.ones((2,)) if "k,j" in equation
                else np.ones((4, 5)), unknown=True)  # fmt: skip


@hypothesis_settings(max_examples=10)
@given(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.integers(0, 99), st.booleans())
def test_tensordot(count: int, left: int, right: int, seed: int, unknown: bool) -> None:
    random = np.random.RandomState(seed)
    shared = random.randint(0, 4, count).tolist()
    free_a, free_b = random.randint(1, 4, left).tolist(), random.randint(1, 4, right).tolist()
    a, b = values(seed, "f8", *free_a, *shared), values(seed + 1, "f8", *shared, *free_b)
    found = run(lambda x, y: tf.tensordot(x, y, count), a, b, unknown=unknown)
    np.testing.assert_allclose(found, np.tensordot(a, b, count), atol=1e-12)
    order_a, order_b = random.permutation(a.ndim), random.permutation(b.ndim)
    axes_a = [int(np.where(order_a == left + k)[0][0]) for k in range(count)]
    axes_b = [int(np.where(order_b == k)[0][0]) - b.ndim for k in range(count)]
    a, b = a.transpose(order_a), b.transpose(order_b)
    found = run(lambda x, y: tf.tensordot(x, y, [axes_a, axes_b]), a, b, unknown=unknown)
    np.testing.assert_allclose(found, np.tensordot(a, b, (axes_a, axes_b)), atol=1e-12)


def test_tensordot_of_axes_in_a_tensor() -> None:
    a, b = values(0, "f8", 2, 3, 4), values(1, "f8", 4, 2, 5)
    axes = np.array([[0, 2], [1, 0]])
    expected = np.tensordot(a, b, axes.tolist())
    np.testing.assert_allclose(run(tf.tensordot, a, b, axes.astype("i4")), expected)
    constant = run(lambda x, y: tf.tensordot(x, y, tf.constant(axes)), a, b, unknown=True)
    np.testing.assert_allclose(constant, expected)
    check_gradient(lambda x, y: tf.tensordot(x, y, axes), a, b)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (3, "must not be larger than the number of dimensions"),
        (-1, "`axes` must be at least 0. Received: -1"),
        ([1], "`axes` must be an integer or have length 2. Received"),
        ([[0, 1], [0]], "Different number of contraction axes `a` and `b`, 2 != 1"),
        ([[0], [0]], "Dimensions must be equal, but are 2 and 3"),
    ],
)
def test_tensordot_errors(axes: Any, message: str) -> None:
    with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
        tf.tensordot(tf.ones([2, 3]), tf.ones([3, 4]), axes)


def test_tensordot_static_shapes() -> None:
    with tf.Graph().as_default():
        a, unknown = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32)
        assert tf.tensordot(a, tf.ones([3, 4]), 1).shape.as_list() == [None, 4]
        c = tf.placeholder(tf.float32, [None, 4, None])
        assert tf.tensordot(a, c, [[1], [0]]).shape.as_list() == [None, 4, None]
        assert tf.tensordot(a, c, [1, 0]).shape.as_list() == [None, 4, None]
        assert tf.tensordot(unknown, c, 1).shape.ndims is None
