"""Candidate samplers: classes drawn for a sampled loss, and how often each was to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base import errors
from tfc.base.shapes import TensorShape, shape_text
from tfc.framework.graph import Tensor
from tfc.framework.opdef import OpDef, apply
from tfc.framework.random_seed import get_seed
from tfc.ir.core import Type, Value
from tfc.ops import random_values, shape_rules
from tfc.ops.common import no_gradient
from tfc.ops.loops import Calc
from tfc.ops.lowering import invalid
from tfc.ops.sampling.samplers import (
    Fixed,
    Learned,
    LogUniform,
    Sampler,
    Uniform,
    draw_candidates,
    expected,
)

_RESERVED = 2048 // 4  # counters that TensorFlow reserves for each candidate

# ---- the ops

_ATTRS = "num_true: int, num_sampled: int, unique: bool = False"
_SEEDS = "seed: int = 0, seed2: int = 0"
_OUT = "sampled_candidates: int64, true_expected_count: float32, sampled_expected_count: float32"


def _sampler_shape(true_classes: TensorShape, *, num_true: int, num_sampled: int) -> list[Any]:
    rows, columns = shape_rules.with_rank(true_classes, 2)
    shape_rules.merge_dim(columns, num_true)
    sampled = shape_rules.shape_of([num_sampled])
    return [sampled, shape_rules.shape_of([rows, num_true]), sampled]


def _sample(
    build: Any, true_classes: Value, sampler: Sampler, attrs: dict[str, Any]
) -> tuple[Value, Value, Value]:
    count = attrs["num_sampled"]
    if attrs["unique"] and count > sampler.count:
        raise invalid(build, "Sampler's range is too small.")
    state = random_values.take(build, attrs["seed"], attrs["seed2"], count * _RESERVED)
    sampled, tries = draw_candidates(
        build, state, count, attrs["unique"], sampler.draw, sampler.fixed
    )
    counts = [
        expected(build, sampler.probability(classes), count, tries)
        for classes in (true_classes, sampled)
    ]
    sampler.update(true_classes)
    return sampled, counts[0], counts[1]


def _check_classes(build: Any, true_classes: Value, num_true: int, count: int) -> None:
    if true_classes.type.rank != 2:
        raise invalid(build, "true_classes must be a matrix")
    if true_classes.type.shape[1] != num_true:
        raise invalid(
            build, f"true_classes must have num_true columns, expected: "
            f"{shape_text(true_classes.type.shape)} was: {num_true}",
        )  # fmt: skip
    each = Calc(build)(true_classes)
    message = f"`true_candidate` out of range [0, {count}), received {{0}}"
    inside = (each >= 0) & (each < count)
    build.assert_(inside.value, (true_classes,), "InvalidArgumentError", message)


def _define(name: str, what: str, kind: type[Sampler]) -> type[OpDef]:
    class Candidates(
        OpDef,
        sig=f"{name}(true_classes: int64, {_ATTRS}, range_max: int = 1, {_SEEDS}) -> {_OUT}",
    ):
        stateful = True
        shape = _sampler_shape
        grad = no_gradient

        def lower(build: Any, true_classes: Value, **attrs: Any) -> tuple[Value, Value, Value]:
            count = attrs["range_max"]
            if count <= 0:
                raise invalid(build, "range_max must be positive")
            _check_classes(build, true_classes, attrs["num_true"], count)
            return _sample(build, true_classes, kind(build, count), attrs)

    Candidates.__name__, Candidates.__doc__ = name, what
    return Candidates


LogUniformCandidateSampler = _define(
    "LogUniformCandidateSampler", "Classes by a log-uniform (Zipfian) distribution.", LogUniform
)
UniformCandidateSampler = _define(
    "UniformCandidateSampler", "Classes of equal probability.", Uniform
)
LearnedUnigramCandidateSampler = _define(
    "LearnedUnigramCandidateSampler", "Classes as often as true ones were seen.", Learned
)


class FixedUnigramCandidateSampler(
    OpDef,
    sig=f"FixedUnigramCandidateSampler(true_classes: int64, {_ATTRS}, range_max: int = 1,"
    " vocab_file: str = '', distortion: float = 1.0, num_reserved_ids: int = 0,"
    f" num_shards: int = 1, shard: int = 0, unigrams: list(float) = [], {_SEEDS}) -> {_OUT}",
):
    """Classes by given weights, from a file or a list, each to the power of `distortion`."""

    stateful = True
    shape = _sampler_shape
    grad = no_gradient

    def lower(build: Any, true_classes: Value, **attrs: Any) -> tuple[Value, Value, Value]:
        count = attrs["range_max"]
        weights = _weights(build, attrs)
        if len(weights) != count:
            raise invalid(build, f"range is {count} must be equal to weights size  {len(weights)}")
        _check_classes(build, true_classes, attrs["num_true"], count)
        return _sample(build, true_classes, Fixed(build, count, weights), attrs)


def _weights(build: Any, attrs: dict[str, Any]) -> np.ndarray:
    """The weights of this shard's classes, reserved ones first with weight 0."""
    path, given = attrs["vocab_file"], list(attrs["unigrams"])
    path = path.decode() if isinstance(path, bytes) else path
    if not path and not given:
        raise invalid(build, "Must provide either vocab_file or unigrams.")
    if path and given:
        raise invalid(build, "Must only provide one of vocab_file and unigrams.")
    if path:
        given = _weights_in(build, path)
    reserved = attrs["num_reserved_ids"]
    shards, shard = attrs["num_shards"], attrs["shard"]
    head = [0.0 for i in range(reserved) if i % shards == shard]
    first = len(head)  # where TensorFlow goes on counting
    kept = [w for i, w in enumerate(given, first) if i % shards == shard]
    powers = np.power(np.asarray(kept, np.float32), np.float32(attrs["distortion"]))
    return np.concatenate([np.asarray(head, np.float32), powers.astype(np.float32)])


def _weights_in(build: Any, path: str) -> list[float]:
    """The last field of each line."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise errors.NotFoundError(None, build.op, f"{path}; {error.strerror}") from None
    weights = []
    for line in lines:
        try:
            weights.append(float(line.rpartition(",")[2]))
        except ValueError:
            raise invalid(build, f"Wrong vocabulary format at line: {line}") from None
    return weights


class AllCandidateSampler(
    OpDef, sig=f"AllCandidateSampler(true_classes: int64, {_ATTRS}, {_SEEDS}) -> {_OUT}"
):
    """Every class once."""

    stateful = True
    shape = _sampler_shape
    grad = no_gradient

    def lower(
        build: Any, true_classes: Value, *, num_true: int, num_sampled: int, **_: Any
    ) -> tuple[Value, Value, Value]:
        _check_classes(build, true_classes, num_true, num_sampled)
        sampled = p.iota(build, dtype="i64", shape=(num_sampled,), dim=0)
        counts = [p.splat(build, 1, Type("f32", v.type.shape)) for v in (true_classes, sampled)]
        return sampled, counts[0], counts[1]


class ComputeAccidentalHits(
    OpDef,
    sig="ComputeAccidentalHits(true_classes: int64, sampled_candidates: int64, num_true: int,"
    f" {_SEEDS}) -> indices: int32, ids: int64, weights: float32",
):
    """Where a true class was drawn as a candidate: row, place among the candidates, and the weight
    that removes it. A host op: how many there are is data."""

    grad = no_gradient

    def shape(
        true_classes: TensorShape, sampled: TensorShape, *, num_true: int, **_: Any
    ) -> list[TensorShape]:
        shape_rules.merge_dim(shape_rules.with_rank(true_classes, 2)[1], num_true)
        shape_rules.with_rank(sampled, 1)
        return [TensorShape([None])] * 3

    def host(true_classes: np.ndarray, sampled: np.ndarray, **_: Any) -> tuple[np.ndarray, ...]:
        place = {int(c): i for i, c in enumerate(sampled)}
        hits = [
            (row, place[int(c)])
            for row, classes in enumerate(true_classes)
            for c in classes
            if int(c) in place
        ]
        rows = np.array([row for row, _ in hits], np.int32)
        ids = np.array([at for _, at in hits], np.int64)
        return rows, ids, np.full(len(hits), -np.finfo(np.float32).max, np.float32)


# ---- the Python API


def _seeds(seed: int | None) -> dict[str, int]:
    first, second = get_seed(seed)
    return {"seed": first or 0, "seed2": second or 0}


def log_uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """(candidates [num_sampled], expected counts of true_classes [batch, num_true], expected counts
    of the candidates), where small class numbers are more frequent."""
    return apply(
        "LogUniformCandidateSampler", true_classes, num_true=num_true, num_sampled=num_sampled,
        unique=unique, range_max=range_max, name=name, **_seeds(seed),
    )  # fmt: skip


def uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same with classes of equal probability."""
    return apply(
        "UniformCandidateSampler", true_classes, num_true=num_true, num_sampled=num_sampled,
        unique=unique, range_max=range_max, name=name, **_seeds(seed),
    )  # fmt: skip


def learned_unigram_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same with classes as frequent as they were among the true classes of earlier runs."""
    return apply(
        "LearnedUnigramCandidateSampler", true_classes, num_true=num_true,
        num_sampled=num_sampled, unique=unique, range_max=range_max, name=name, **_seeds(seed),
    )  # fmt: skip


def fixed_unigram_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    vocab_file: str = "",
    distortion: float = 1.0,
    num_reserved_ids: int = 0,
    num_shards: int = 1,
    shard: int = 0,
    unigrams: Sequence[float] = (),
    seed: int | None = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same with weights from the last fields of a file's lines or from a list."""
    return apply(
        "FixedUnigramCandidateSampler", true_classes, num_true=num_true, num_sampled=num_sampled,
        unique=unique, range_max=range_max, vocab_file=vocab_file, distortion=distortion,
        num_reserved_ids=num_reserved_ids, num_shards=num_shards, shard=shard,
        unigrams=list(unigrams), name=name, **_seeds(seed),
    )  # fmt: skip


def all_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    seed: int | None = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Every class from 0 to num_sampled - 1, with expected counts of 1."""
    return apply(
        "AllCandidateSampler", true_classes, num_true=num_true, num_sampled=num_sampled,
        unique=unique, name=name, **_seeds(seed),
    )  # fmt: skip


def compute_accidental_hits(
    true_classes: Any,
    sampled_candidates: Any,
    num_true: int,
    seed: int | None = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """(row, place among the candidates, -FLT_MAX) for each true class that was drawn."""
    return apply(
        "ComputeAccidentalHits", true_classes, sampled_candidates, num_true=num_true, name=name,
        **_seeds(seed),
    )  # fmt: skip
