"""Products that read the parts of a joined operand: the bits of a product of the copy."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf
from tests.codegen.test_control import call, compiled
from tfc import prims as p
from tfc.base.dtypes import numpy_dtype
from tfc.compiler import Executable
from tfc.ir.builder import Builder
from tfc.ir.core import Function, Type, Value
from tfc.prims.joined import joined

Array = np.ndarray
BATCH = ((), ())


def product(
    parts: list[tuple[int, int]],
    dim: int,
    other: tuple[int, int],
    contracted: int,
    dtype: str,
    flags: tuple[int, ...] = (),
    copied: bool = False,
) -> Function:
    """dot(concat(parts), other) + row; parts whose numbers are among `flags` are zeros if a
    parameter of their own holds. copied: what is joined is a result too, and so in memory."""
    b = Builder("f")
    taken: list[Value] = []
    for number, shape in enumerate(parts):
        value = b.param(Type(dtype, shape))
        if number in flags:
            here = p.broadcast(b, b.param(Type("i1", ())), dims=(), shape=shape)
            zero = p.constant(b, np.zeros(()), dtype=dtype)
            value = p.select(b, here, p.broadcast(b, zero, dims=(), shape=shape), value)
        taken.append(value)
    a = p.concat(b, *taken, dim=dim)
    y = p.dot(b, a, b.param(Type(dtype, other)), batch=BATCH, contract=((contracted,), (0,)))
    row = p.broadcast(b, b.param(Type(dtype, other[1:])), dims=(1,), shape=y.type.shape)
    results = [p.add(b, y, row)]
    return b.finish([*results, a] if copied else results)


def regions(executable: Executable) -> list[list[str]]:
    """The ops of each kernel."""
    return [
        [inner.defn.name for inner in op.regions[0].ops]
        for op in executable.function.ops
        if op.defn.name == "fusion"
    ]


def given(fn: Function, seed: int = 0) -> list[Array]:
    random = np.random.RandomState(seed)
    return [
        np.ones((), bool)
        if v.type.dtype == "i1"
        else random.standard_normal(v.type.shape).astype(numpy_dtype(v.type.dtype))
        for v in fn.params
    ]


FORMS = [
    # parts, dim, other, contracted
    ([(128, 28), (128, 128)], 1, (156, 512), 1),  # steps, as in a recurrent cell
    ([(128, 28), (128, 128)], 1, (128, 512), 0),  # rows, as in its gradient
    ([(70, 9), (70, 40), (70, 8)], 1, (57, 130), 1),
    ([(70, 9), (70, 40), (70, 13)], 1, (70, 130), 0),
    ([(30, 200), (71, 200)], 0, (101, 48), 0),  # steps, rows side by side
    ([(30, 200), (71, 200)], 0, (200, 47), 1),  # rows, steps side by side
    ([(128, 8), (128, 40)], 1, (48, 16), 1),  # a tile has more rows than a part has steps
    ([(64, 300), (64, 20)], 1, (320, 10), 1),
]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_bits_are_those_of_a_copy(form: tuple, dtype: str) -> None:
    fn, whole = product(*form, dtype), product(*form, dtype, copied=True)
    executable, reference = compiled(fn), compiled(whole)
    (dot,) = (op for op in fn.ops if op.defn.name == "dot")
    apart = joined(dot) is not None
    assert apart == all("concat" not in ops or "dot" in ops for ops in regions(executable))
    assert sum("concat" in ops for ops in regions(executable)) == 1
    arrays = given(fn)
    want = call(reference, *arrays)[0]
    for threads in (1, 2):
        (got,) = call(executable, *arrays, threads=threads)
        np.testing.assert_array_equal(got, want)
    parts, (other, row) = arrays[: len(form[0])], arrays[len(form[0]) :]
    a = np.concatenate(parts, form[1]).astype(np.longdouble)
    exact = np.tensordot(a, other, ((form[3],), (0,))) + row
    tolerance = 1e-4 if dtype == "f32" else 1e-12
    np.testing.assert_allclose(want, exact.astype(want.dtype), rtol=tolerance, atol=tolerance)


def test_which_are_read_in_parts() -> None:
    found = []
    for form in FORMS:
        (dot,) = (op for op in product(*form, "f32").ops if op.defn.name == "dot")
        joint = joined(dot)
        found.append(None if joint is None else joint.steps)
    assert found == [True, False, True, False, True, False, True, None]


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("flags", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("form", FORMS[:7], ids=range(7))
def test_parts_that_are_zeros(form: tuple, flags: tuple[int, ...], zero: bool) -> None:
    """What lies where zeros are does not count, be it NaN."""
    fn = product(*form, "f32", flags)
    executable = compiled(fn)
    assert sum("select" in ops and "dot" in ops for ops in regions(executable)) == 1
    arrays = given(fn)
    places = iter(range(len(arrays)))
    plain = []
    for number, _ in enumerate(form[0]):
        array = arrays[next(places)]
        if number in flags:
            arrays[next(places)][...] = zero
            if zero:
                plain.append(np.zeros_like(array))
                array[...] = np.nan
                continue
        plain.append(array)
    without = product(*form, "f32")
    want = call(compiled(without), *plain, *arrays[-2:])[0]
    for threads in (1, 2):
        (got,) = call(executable, *arrays, threads=threads)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("form", FORMS[:7], ids=range(7))
def test_zeros_times_what_is_not_finite(form: tuple, number: float) -> None:
    """Zeros are multiplied where that counts."""
    fn = product(*form, "f32", (1,))
    arrays = given(fn)
    arrays[-2][-1, 3] = number  # of the second operand: a step of the last part, or of all
    arrays[-2][form[0][0][form[1]] if form[1] == form[3] else 0, 5] = number
    executable = compiled(fn)
    (got,) = call(executable, *arrays)
    arrays[1][...] = 0.0
    del arrays[2]
    with np.errstate(invalid="ignore"):
        (want,) = call(compiled(product(*form, "f32")), *arrays)
    assert np.isnan(want).any()
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("rows", [(80, 90), (300, 400)])
def test_with_weights_that_are_kept(axis: int, rows: tuple[int, int]) -> None:
    """Panels of weights are kept from the second run on; then the weights change."""
    random = np.random.RandomState(4)
    shapes = [(n, 96) for n in rows] if axis == 0 else [(rows[0], 40), (rows[0], 56)]
    arrays = [random.standard_normal(shape).astype(np.float32) for shape in shapes]
    with tf.Graph().as_default(), tf.Session() as sess:
        fed = [tf.placeholder(tf.float32, shape) for shape in shapes]
        w = tf.Variable(random.standard_normal((96, 512)).astype(np.float32))
        y = tf.matmul(tf.concat(fed, axis), w)
        sess.run(tf.global_variables_initializer())
        for turn in range(5):
            if turn == 3:
                sess.run(w.assign(w * 2.0))
            got = sess.run(y, dict(zip(fed, arrays, strict=True)))
            want = np.concatenate(arrays, axis).astype(np.float64) @ sess.run(w)
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-3)
