"""Strings to buckets by their hash."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfc.base.dtypes import NUMBERS
from tfc.base.shapes import TensorShape
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ops import shape_rules as s
from tfc.ops.strings.common import each, invalid, same, shown
from tfc.ops.strings.hashing import fingerprint, murmur, siphash

KEPT = 1 << 15  # hashes of short strings: the words of a vocabulary come again and again
LONGEST = 64  # bytes of those


def _kept(compute: Callable[..., int]) -> Callable[..., int]:
    """`compute`, a hash of a string (under a key), whose latest results for words are kept."""
    known = functools.lru_cache(KEPT)(compute)
    return lambda text, *key: (known if len(text) <= LONGEST else compute)(text, *key)


_fingerprint, _murmur, _siphash = _kept(fingerprint), _kept(murmur), _kept(siphash)


class StringToHashBucket(
    OpDef, sig="StringToHashBucket(string_tensor: string, num_buckets: int) -> output: int64"
):
    """The bucket of each string by MurmurHash64A. Another hash may come with another version."""

    shape = same

    def host(string_tensor: np.ndarray, *, num_buckets: int) -> np.ndarray:
        return each(lambda v: _murmur(v) % num_buckets, string_tensor, np.int64)


class StringToHashBucketFast(
    OpDef, sig="StringToHashBucketFast(input: string, num_buckets: int) -> output: int64"
):
    """The bucket of each string by its fingerprint, which never changes."""

    shape = same

    def host(input: np.ndarray, *, num_buckets: int) -> np.ndarray:
        return each(lambda v: _fingerprint(v) % num_buckets, input, np.int64)


class StringToHashBucketStrong(
    OpDef,
    sig="StringToHashBucketStrong(input: string, num_buckets: int, key: list(int))"
    " -> output: int64",
):
    """The bucket of each string by a hash under a key: nobody who lacks it can crowd a bucket."""

    shape = same

    def host(op: Any, input: np.ndarray, *, num_buckets: int, key: Sequence[int]) -> np.ndarray:
        if len(key) != 2:
            raise invalid(op, "Key must have 2 elements")
        first, second = key
        return each(lambda v: _siphash(v, (first, second)) % num_buckets, input, np.int64)


class Fingerprint(
    OpDef,
    sig="Fingerprint(data: T, method: string) -> fingerprint: uint8",
    T=(*NUMBERS, "i1", "str"),
):
    """FarmHash64 of each entry of the first axis, as 8 bytes, the lowest first."""

    def shape(data: TensorShape, method: TensorShape, *, op: Any) -> list[TensorShape]:
        known = s.static_input(op, 1)
        if known is not None and known.shape == () and known.item() != b"farmhash64":
            raise ValueError(f"Unsupported method: {shown(known.item())}")
        dims = s.with_rank_at_least(data, 1)
        return [s.shape_of([None if dims is None else dims[0], 8])]

    def host(op: Any, data: np.ndarray, method: np.ndarray) -> np.ndarray:
        if data.ndim == 0:
            raise invalid(op, "`data` should have at least one dimension: []")
        if method.shape != ():
            raise invalid(op, f"`method` should be a scalar string: {list(method.shape)}")
        if method.item() != b"farmhash64":
            raise invalid(op, f"Unsupported fingerprint method: {shown(method.item())}")
        rows = [_row_bytes(data[i : i + 1].ravel()) for i in range(len(data))]
        return np.array(rows, np.uint8).reshape(len(rows), 8)


def _row_bytes(row: np.ndarray) -> list[int]:
    """The fingerprint of one entry; one of several strings is that of their fingerprints."""
    if row.dtype == object and row.size == 1:
        return list(fingerprint(row.item()).to_bytes(8, "little"))
    if row.dtype == object:
        whole = b"".join(fingerprint(text).to_bytes(8, "little") for text in row)
    else:
        whole = np.ascontiguousarray(row).tobytes()
    return list(fingerprint(whole).to_bytes(8, "little"))


def fingerprint_(data: Any, method: Any = "farmhash64", name: str | None = None) -> Tensor:
    """A hash of each entry of the first axis, uint8[n, 8], which never changes.

    Raises:
      ValueError: a scalar. InvalidArgumentError: another method.
    """
    return apply("Fingerprint", data, method, name=name)


def _at_least_one(op_name: str, num_buckets: Any) -> Any:
    if isinstance(num_buckets, int) and num_buckets < 1:
        raise ValueError(
            f"Attr 'num_buckets' of '{op_name}' Op passed {num_buckets} less than minimum 1."
        )
    return num_buckets


def string_to_hash_bucket(
    string_tensor: Any = None, num_buckets: Any = None, name: str | None = None, input: Any = None
) -> Tensor:
    """Each string's hash (MurmurHash64A) modulo `num_buckets`, int64. `input` is another name of
    `string_tensor`.

    Raises:
      ValueError: `num_buckets` is less than 1.
    """
    text = input if string_tensor is None else string_tensor
    count = _at_least_one("StringToHashBucket", num_buckets)
    return apply("StringToHashBucket", text, num_buckets=count, name=name)


def string_to_hash_bucket_fast(input: Any, num_buckets: int, name: str | None = None) -> Tensor:
    """Each string's fingerprint (FarmHash64) modulo `num_buckets`, int64.

    Raises:
      ValueError: `num_buckets` is less than 1.
    """
    count = _at_least_one("StringToHashBucketFast", num_buckets)
    return apply("StringToHashBucketFast", input, num_buckets=count, name=name)


def string_to_hash_bucket_strong(
    input: Any, num_buckets: int, key: Sequence[int], name: str | None = None
) -> Tensor:
    """Each string's SipHash-2-4 under `key`, two integers, modulo `num_buckets`, int64.

    Raises:
      ValueError: `num_buckets` is less than 1. InvalidArgumentError: another number of keys.
    """
    count = _at_least_one("StringToHashBucketStrong", num_buckets)
    return apply("StringToHashBucketStrong", input, num_buckets=count, key=list(key), name=name)
