"""Assertions, which stop a run, and random bits, which are pure in their key and counter."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tfc.base.dtypes import FLOATS, numpy_dtype
from tfc.base.number_text import number_text
from tfc.ir.core import Type
from tfc.prims.prim import Prim, check
from tfc.runtime import rng

Array = np.ndarray

MAX_PAYLOAD = 8  # values that one assert reports: slots of the error record in compiled code


class AssertionFailed(Exception):
    """An `assert` found a false element. `code` names the class of tf.errors to raise, `op` the
    TensorFlow op."""

    def __init__(self, code: str, message: str, op: str):
        super().__init__(message)
        self.code, self.message, self.op = code, message, op


def format_message(message: str, position: int, payload: tuple[Any, ...]) -> str:
    """`message` with `{i}` as the position and `{0}`, `{1}`, … as payload elements there; double
    braces become single ones."""

    def fill(found: re.Match[str]) -> str:
        name = found.group(1)
        if name is None:
            return found.group(0)[0]
        return str(position) if name == "i" else number_text(payload[int(name)])

    return re.sub(r"\{(i|\d+)\}|\{\{|\}\}", fill, message)


def _assert_type(ok: Type, *payload: Type, code: str, message: str, op: str) -> tuple[Type, ...]:
    check(ok.dtype == "i1", f"assert takes i1, not {ok}")
    check(len(payload) <= MAX_PAYLOAD, f"assert reports at most {MAX_PAYLOAD} values")
    for value in payload:
        fits = value.shape in ((), ok.shape)
        check(fits, f"assert over {ok} reports scalars or its own shape, not {value}")
    return ()


def _assert_array(ok: Array, *payload: Array, code: str, message: str, op: str) -> tuple[()]:
    if not np.all(ok):
        position = int(np.argmin(ok.reshape(-1)))
        values = tuple(v.reshape(-1)[position if v.ndim else 0] for v in payload)
        raise AssertionFailed(code, format_message(message, position, values), op)
    return ()


assert_ = Prim(
    "assert",
    "stop the run with `code` and `message` unless every element of ok is true; {i} in the "
    "message is the flat position of the first false one and {k} operand k's element there",
    _assert_type,
    _assert_array,
    effects=True,
    folds=False,
    defaults={"code": "InvalidArgumentError", "op": ""},
)


def _check_state(name: str, key: Type, counter: Type, n: int) -> None:
    good = key == Type("u32", (2,)) and counter == Type("u32", (4,))
    check(good, f"{name} takes u32[2] and u32[4], not {key} and {counter}")
    check(n >= 0, f"{name}: n is not negative")


def _rng_bits_type(key: Type, counter: Type, *, n: int) -> tuple[Type, ...]:
    _check_state("rng_bits", key, counter, n)
    return (Type("u32", (n,)),)


rng_bits = Prim(
    "rng_bits",
    "n words of Philox 4x32-10: words 4g to 4g+3 are those of counter + g under key",
    _rng_bits_type,
    lambda key, counter, *, n: rng.bits(key, counter, n),
    folds=False,
)


def _truncated_normal_type(key: Type, counter: Type, *, n: int, dtype: str) -> tuple[Type, ...]:
    _check_state("rng_truncated_normal", key, counter, n)
    check(dtype in FLOATS, f"rng_truncated_normal does not give {dtype}")
    return (Type(dtype, (n,)),)


rng_truncated_normal = Prim(
    "rng_truncated_normal",
    "n standard normals, those outside (-2, 2) redrawn, each group of 4 (2 for f64) from "
    "counters of its own, as TensorFlow's CPU kernel draws them",
    _truncated_normal_type,
    lambda key, counter, *, n, dtype: rng.truncated_normal(key, counter, n, numpy_dtype(dtype)),
    exact=False,
    folds=False,
    ulp=4.0,
)
