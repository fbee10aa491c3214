"""Strings to buckets by their hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.ops.strings.common import each, invalid, same
from tfc.ops.strings.hashing import fingerprint, murmur, siphash


class StringToHashBucket(
    OpDef, sig="StringToHashBucket(string_tensor: string, num_buckets: int) -> output: int64"
):
    """The bucket of each string by MurmurHash64A. Another hash may come with another version."""

    shape = same

    def host(string_tensor: np.ndarray, *, num_buckets: int) -> np.ndarray:
        return each(lambda v: murmur(v) % num_buckets, string_tensor, np.int64)


class StringToHashBucketFast(
    OpDef, sig="StringToHashBucketFast(input: string, num_buckets: int) -> output: int64"
):
    """The bucket of each string by its fingerprint, which never changes."""

    shape = same

    def host(input: np.ndarray, *, num_buckets: int) -> np.ndarray:
        return each(lambda v: fingerprint(v) % num_buckets, input, np.int64)


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
        return each(lambda v: siphash(v, (first, second)) % num_buckets, input, np.int64)


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
