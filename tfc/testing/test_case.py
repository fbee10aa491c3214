"""TestCase: unittest's, with sessions and with assertions about arrays."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import tempfile
import unittest
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.client.session import Session
from tfc.framework.graph import Graph, reset_default_graph
from tfc.framework.random_seed import DEFAULT_GRAPH_SEED, set_random_seed
from tfc.framework.session_stack import get_default_session

_HALF = ("float16", "bfloat16")


class TestCase(unittest.TestCase):
    """A test with a fresh default graph and fixed seeds. Tensors given to the assertions about
    arrays are evaluated."""

    def setUp(self) -> None:
        random.seed(DEFAULT_GRAPH_SEED)
        np.random.seed(DEFAULT_GRAPH_SEED % 2**32)
        reset_default_graph()
        set_random_seed(DEFAULT_GRAPH_SEED)
        self._folder: str | None = None

    def tearDown(self) -> None:
        if getattr(self, "_folder", None):
            shutil.rmtree(str(self._folder), ignore_errors=True)

    def get_temp_dir(self) -> str:
        """A folder of this test, removed after it."""
        if self._folder is None:
            self._folder = tempfile.mkdtemp()
        return self._folder

    # ---- sessions

    @contextlib.contextmanager
    def session(
        self,
        graph: Graph | None = None,
        config: Any = None,
        use_gpu: bool = False,
        force_gpu: bool = False,
    ) -> Iterator[Session]:
        """A Session that is the default one inside; devices make no difference."""
        with Session(graph=graph, config=config) as session:
            yield session

    test_session = session
    cached_session = session

    def evaluate(self, tensors: Any) -> Any:
        """The value of tensors, in the default Session or one of their own."""
        found = get_default_session()
        if found is not None:
            return found.run(tensors)
        with self.session() as session:
            return session.run(tensors)

    def _array(self, value: Any) -> np.ndarray:
        if hasattr(value, "graph") and not isinstance(value, np.ndarray):
            value = self.evaluate(value)
        return np.asarray(value)

    # ---- assertions about arrays

    def assertShapeEqual(self, np_array: np.ndarray, tf_tensor: Any, msg: Any = None) -> None:
        self.assertEqual(list(np_array.shape), tf_tensor.get_shape().as_list(), msg)

    def assertDTypeEqual(self, target: Any, expected_dtype: Any) -> None:
        self.assertEqual(self._array(target).dtype, np.dtype(expected_dtype))

    def assertAllEqual(self, a: Any, b: Any, msg: Any = None) -> None:
        np.testing.assert_array_equal(self._array(a), self._array(b), msg or "")

    def assertNotAllEqual(self, a: Any, b: Any, msg: Any = None) -> None:
        if np.array_equal(self._array(a), self._array(b)):
            self.fail(self._formatMessage(msg, "The two values are equal at all elements."))

    def assertAllClose(
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: Any = None
    ) -> None:
        """Also of dicts and of sequences, element by element."""
        if isinstance(a, dict):
            self.assertEqual(set(a), set(b), msg)
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, msg)
        elif isinstance(a, list | tuple) and _ragged(a):
            self.assertEqual(len(a), len(b), msg)
            for left, right in zip(a, b, strict=True):
                self.assertAllClose(left, right, rtol, atol, msg)
        else:
            left, right = self._array(a), self._array(b)
            self.assertEqual(left.shape, right.shape, msg)
            np.testing.assert_allclose(left, right, rtol, atol, err_msg=msg or "")

    def assertAllCloseAccordingToType(
        self,
        a: Any,
        b: Any,
        rtol: float = 1e-6,
        atol: float = 1e-6,
        float_rtol: float = 1e-6,
        float_atol: float = 1e-6,
        half_rtol: float = 1e-3,
        half_atol: float = 1e-3,
        bfloat16_rtol: float = 1e-2,
        bfloat16_atol: float = 1e-2,
        msg: Any = None,
    ) -> None:
        """With the widest tolerance that the dtypes call for."""
        a, b = self._array(a), self._array(b)
        names = {a.dtype.name, b.dtype.name}
        for found, relative, absolute in (
            ("float32", float_rtol, float_atol),
            ("complex64", float_rtol, float_atol),
            ("float16", half_rtol, half_atol),
            ("bfloat16", bfloat16_rtol, bfloat16_atol),
        ):
            if found in names:
                rtol, atol = max(rtol, relative), max(atol, absolute)
        if names & set(_HALF):
            a, b = a.astype(np.float32), b.astype(np.float32)
        self.assertAllClose(a, b, rtol, atol, msg)

    def assertNotAllClose(self, a: Any, b: Any, **kwargs: Any) -> None:
        try:
            self.assertAllClose(a, b, **kwargs)
        except AssertionError:
            return
        self.fail("The two values are close at all elements")

    def assertAllGreater(self, a: Any, comparison_target: Any) -> None:
        self.assertGreater(self._array(a).min(), comparison_target)

    def assertAllGreaterEqual(self, a: Any, comparison_target: Any) -> None:
        self.assertGreaterEqual(self._array(a).min(), comparison_target)

    def assertAllLess(self, a: Any, comparison_target: Any) -> None:
        self.assertLess(self._array(a).max(), comparison_target)

    def assertAllLessEqual(self, a: Any, comparison_target: Any) -> None:
        self.assertLessEqual(self._array(a).max(), comparison_target)

    def assertAllInRange(
        self,
        target: Any,
        lower_bound: Any,
        upper_bound: Any,
        open_lower_bound: bool = False,
        open_upper_bound: bool = False,
    ) -> None:
        values = self._array(target)
        low = values > lower_bound if open_lower_bound else values >= lower_bound
        high = values < upper_bound if open_upper_bound else values <= upper_bound
        self.assertTrue(bool(np.all(low & high)), f"{values} is not in the range")

    def assertAllInSet(self, target: Any, expected_set: Any) -> None:
        self.assertTrue(bool(np.isin(self._array(target), list(expected_set)).all()))

    def assertNear(self, f1: float, f2: float, err: float, msg: Any = None) -> None:
        self.assertTrue(f1 == f2 or abs(f1 - f2) <= err, f"{f1!r} != {f2!r} +/- {err!r} {msg}")

    def assertArrayNear(self, farray1: Any, farray2: Any, err: float, msg: Any = None) -> None:
        self.assertEqual(len(farray1), len(farray2), msg)
        for f1, f2 in zip(farray1, farray2, strict=True):
            self.assertNear(float(f1), float(f2), err, msg)

    def assertNDArrayNear(self, ndarray1: Any, ndarray2: Any, err: float, msg: Any = None) -> None:
        distance = float(np.linalg.norm(self._array(ndarray1) - self._array(ndarray2)))
        self.assertLess(distance, err, msg)

    # ---- assertions about errors

    @contextlib.contextmanager
    def assertRaisesWithPredicateMatch(
        self, exception_type: Any, expected_err_re_or_predicate: Any
    ) -> Iterator[None]:
        """What is raised inside is of the type, and its message has the pattern, or the predicate
        holds of it."""
        try:
            yield
        except Exception as error:
            wanted = expected_err_re_or_predicate
            text = error.message if isinstance(error, errors.OpError) else str(error)
            fits = wanted(error) if callable(wanted) else re.search(wanted, f"{text} {error}")
            if not isinstance(error, exception_type) or not fits:
                raise AssertionError(f"Exception of type {type(error)}: {error}") from error
            return
        self.fail(f"{exception_type.__name__} not raised")

    def assertRaisesOpError(self, expected_err_re_or_predicate: Any) -> Any:
        return self.assertRaisesWithPredicateMatch(errors.OpError, expected_err_re_or_predicate)

    # ---- assertions about containers

    assertItemsEqual = unittest.TestCase.assertCountEqual

    def assertEmpty(self, container: Any, msg: Any = None) -> None:
        self.assertEqual(len(container), 0, msg)

    def assertNotEmpty(self, container: Any, msg: Any = None) -> None:
        self.assertNotEqual(len(container), 0, msg)

    def assertLen(self, container: Any, expected_len: int, msg: Any = None) -> None:
        self.assertEqual(len(container), expected_len, msg)

    def assertStartsWith(self, actual: str, expected_start: str, msg: Any = None) -> None:
        self.assertTrue(actual.startswith(expected_start), msg or f"{actual!r} {expected_start!r}")

    def assertBetween(self, value: Any, minv: Any, maxv: Any, msg: Any = None) -> None:
        self.assertTrue(minv <= value <= maxv, msg or f"{value} is not in [{minv}, {maxv}]")


def _ragged(values: Any) -> bool:
    """Whether a sequence holds what is no row of one array: tensors, or arrays of many shapes."""
    if any(hasattr(v, "graph") or isinstance(v, dict | list | tuple) for v in values):
        return True
    return len({np.shape(v) for v in values}) > 1


def main(argv: Any = None) -> None:
    """Run the tests of the program's main module."""
    unittest.main(argv=argv)


def get_temp_dir() -> str:
    """A new folder for files of a test."""
    return tempfile.mkdtemp()


def gpu_device_name() -> str:
    """The name of a GPU: empty, there is none that graphs run on."""
    return ""


def is_gpu_available(
    cuda_only: bool = False, min_cuda_compute_capability: tuple[int, int] | None = None
) -> bool:
    """Whether graphs run on a GPU: no."""
    return False


def is_built_with_cuda() -> bool:
    """Whether kernels are made for CUDA: no."""
    return False


def is_built_with_gpu_support() -> bool:
    """Whether kernels are made for any GPU: no."""
    return False


def is_built_with_rocm() -> bool:
    """Whether kernels are made for ROCm: no."""
    return False


def is_built_with_xla() -> bool:
    """Whether XLA is part of it: no."""
    return False
