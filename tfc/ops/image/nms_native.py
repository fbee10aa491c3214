"""Suppression of boxes that overlap better ones, with results of a given size: native ops.

Boxes [groups, count, 4] are taken in order of their scores, and a loop keeps each one that overlaps
none kept before too much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfc import prims as p
from tfc.base.records import dataclass
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import OpDef
from tfc.ir.core import Type, Value
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient
from tfc.ops.image.values import Math, repeat
from tfc.ops.lowering import invalid


@dataclass(frozen=True)
class _Rule:
    """When one box suppresses another: by more than a threshold, or (`from_threshold`) by that much
    or more unless it is 0; `epsilon` is added to the union."""

    from_threshold: bool
    epsilon: float

    def suppresses(self, m: Math, overlap: Value, threshold: Value) -> Value:
        wide = m.over(threshold, overlap.type.shape)
        if self.from_threshold:
            return m.and_(m.ge(overlap, wide), m.gt(wide, 0.0))
        return m.gt(overlap, wide)


_PER_CLASS = "third dimension of boxes must be either 1 or equal to the third dimension of scores"
_COMBINED, _PADDED = _Rule(False, 0.0), _Rule(True, 1e-8)


def _keep(
    build: Any, boxes: Value, wanted: Value, most: int, threshold: Value, rule: _Rule
) -> Value:
    """Which boxes remain, i1[groups, count]: of those `wanted`, the first `most` of each group that
    no one kept before suppresses. Those kept are written to lists of their own, as they are all
    that others are compared with."""
    groups, count = wanted.type.shape
    none = p.splat(build, False, wanted.type)
    if not wanted.type.size or not most:
        return none
    sides = _with_areas(Math(build), boxes)
    room = Type("f32", (groups, min(most, count)))

    def go_on(m: Math, i: Value, total: Value, *_: Value) -> Value:
        left = p.reduce(m.build, m.lt(total, most), dims=(0,), kind="or")
        return m.and_(m.lt(i, count), left)

    def turn(m: Math, i: Value, total: Value, kept: Value, *rest: Value) -> list[Value]:
        threshold, wanted, *sides = rest[:7]
        lists = rest[7:]

        def here(x: Value) -> Value:
            return p.reshape(m.build, m.along(x, 1, i), shape=(groups,))

        box = [m.over(here(x), room.shape, 0) for x in sides]
        struck = rule.suppresses(m, _overlap(m, box, lists, rule.epsilon), threshold)
        struck = p.reduce(m.build, struck, dims=(1,), kind="or")
        mine = m.and_(m.and_(here(wanted), m.not_(struck)), m.lt(total, most))
        entry = p.reshape(m.build, mine, shape=(groups, 1))
        kept = p.dynamic_update_slice(m.build, kept, entry, p.full_like(m.build, i, 0), i)
        place = p.iota(m.build, dtype="i32", shape=room.shape, dim=1)
        new = m.and_(m.eq(place, m.over(total, room.shape, 0)), m.over(mine, room.shape, 0))
        lists = tuple(m.select(new, x, known) for x, known in zip(box, lists, strict=True))
        total = m.add(total, m.to(mine, "i32"))
        return [m.add(i, 1), total, kept, threshold, wanted, *sides, *lists]

    start = [
        p.constant(build, 0, "i32"),
        p.splat(build, 0, Type("i32", (groups,))),
        none,
        threshold,
        wanted,
        *sides,
        *[p.splat(build, 0.0, room)] * len(sides),  # empty boxes, which overlap nothing
    ]
    return repeat(build, start, go_on, turn)[2]


def _with_areas(m: Math, boxes: Value) -> list[Value]:
    """y1, x1, y2, x2 and the areas, each of all boxes."""
    y1, x1, y2, x2 = (m.column(boxes, c) for c in range(4))
    return [y1, x1, y2, x2, m.mul(m.sub(y2, y1), m.sub(x2, x1))]


def _overlap(m: Math, mine: Sequence[Value], theirs: Sequence[Value], epsilon: float) -> Value:
    """Intersection over union of boxes; y1 <= y2 and x1 <= x2. Empty ones overlap nothing."""
    sides = []
    for c in range(2):
        low, high = m.max_(mine[c], theirs[c]), m.min_(mine[c + 2], theirs[c + 2])
        sides.append(m.max_(m.sub(high, low), 0.0))
    common = m.mul(sides[0], sides[1])
    area, areas = mine[4], theirs[4]
    union = m.sub(m.add(area, areas), common)
    if epsilon:
        union = m.add(union, np.float32(epsilon))
    filled = m.and_(m.gt(area, 0.0), m.gt(areas, 0.0))
    return m.select(filled, m.div(common, m.select(filled, union, 1.0)), 0.0)


def _in_order(build: Any, scores: Value, boxes: Value) -> tuple[Value, Value, Value]:
    """(scores, boxes, numbers) of each group, best scores first, equal ones as they were."""
    shape = scores.type.shape
    number = p.iota(build, dtype="i32", shape=shape, dim=1)
    scores, number = p.sort(build, scores, number, dim=1, descending=True, num_keys=1)
    return scores, _of_groups(build, boxes, number), number


def _of_groups(build: Any, x: Value, number: Value) -> Value:
    """The rows `number` of each group of `x`."""
    m = Math(build)
    group = p.iota(build, dtype="i32", shape=number.type.shape, dim=0)
    return p.gather(build, x, m.columns([group, number]), dims=(0, 1))


def _ordered_corners(m: Math, boxes: Value) -> Value:
    """Boxes with the lesser corner first."""
    y1, x1, y2, x2 = (m.column(boxes, c) for c in range(4))
    return m.columns([m.min_(y1, y2), m.min_(x1, x2), m.max_(y1, y2), m.max_(x1, x2)])


def _first(build: Any, x: Value, count: int) -> Value:
    """The first `count` columns, with zeros behind if there are fewer."""
    groups, have, *rest = x.type.shape
    none = (0,) * len(rest)
    if have > count:
        limit = (groups, count, *rest)
        return p.slice(
            build, x, start=(0, 0, *none), limit=limit, stride=(1, 1, *(1 for _ in rest))
        )
    zero = p.constant(build, 0, x.type.dtype)
    high = (0, count - have, *none)
    return p.pad(build, x, zero, low=(0, 0, *none), high=high, interior=(0, 0, *none))


def _static_scalar(build: Any, x: Value, name: str) -> int:
    value = build.static(x)
    if value.shape != ():
        raise invalid(build, f"{name} must be 0-D, got shape {s.text(value.shape)}")
    return int(value)


class NonMaxSuppressionPadded(
    OpDef,
    sig="NonMaxSuppressionPadded(boxes: T, scores: T, max_output_size: int32,"
    " iou_threshold: float32, score_threshold: float32, sorted_input: bool = False,"
    " canonicalized_coordinates: bool = False) -> idx: int32, num_valid: int32",
    T=("f16", "f32", "f64", "bf16"),
):
    """What TensorFlow's `non_max_suppression_padded` computes, with a batch: a box goes if it
    overlaps a better one by `iou_threshold` or more, or has no positive coordinate. The numbers
    that remain, `max_output_size` of them with zeros behind, and how many they are."""

    grad = no_gradient

    def shape(
        boxes: TensorShape, scores: TensorShape, most: TensorShape, *others: TensorShape, op: Any
    ) -> list[TensorShape]:
        dims, count = s.with_rank_at_least(boxes, 2), s.static_ints(op, 2)
        s.with_rank(most, 0)
        batch = None if dims is None else dims[:-2]
        flat = 1 if batch == [] else s.product(batch) if batch is not None else None
        return [s.shape_of([flat, count[0] if count else None]), s.shape_of(batch)]

    def lower(
        build: Any, boxes: Value, scores: Value, max_output_size: Value, iou_threshold: Value,
        score_threshold: Value, *, sorted_input: bool, canonicalized_coordinates: bool,
    ) -> tuple[Value, Value]:  # fmt: skip
        dims, most = boxes.type.shape, _static_scalar(build, max_output_size, "max_output_size")
        if len(dims) < 2 or dims[-1] != 4 or scores.type.shape != dims[:-1]:
            raise invalid(build, f"boxes {boxes.type} and scores {scores.type} do not fit")
        if most < 0:
            raise invalid(build, "output size must be non-negative")
        m, groups, count = Math(build), int(np.prod(dims[:-2], dtype=np.int64)), dims[-2]
        x = p.reshape(build, boxes, shape=(groups, count, 4))
        values = p.reshape(build, scores, shape=(groups, count))
        x, values = _above(m, x, values, score_threshold)
        if not canonicalized_coordinates:
            x = _turned(m, x)
        number = None
        if not sorted_input:
            values, x, number = _in_order(build, values, x)
        x = m.to(x, "f32")
        wanted = p.reduce(build, m.gt(x, 0.0), dims=(2,), kind="or")
        kept = _keep(build, x, wanted, most, iou_threshold, _PADDED)
        total = p.reduce(build, m.to(kept, "i32"), dims=(1,), kind="add")
        index = _kept_first(build, kept, number, most)
        place = p.iota(build, dtype="i32", shape=index.type.shape, dim=1)
        index = m.select(m.lt(place, m.over(total, index.type.shape, 0)), index, 0)
        return index, p.reshape(build, total, shape=dims[:-2])


def _above(m: Math, boxes: Value, scores: Value, least: Value) -> tuple[Value, Value]:
    """Boxes and scores, zeros where the score is not above `least`, unless that is -inf."""
    least = m.to(least, scores.type.dtype)
    wide = m.over(least, scores.type.shape)
    kept = m.or_(m.gt(scores, wide), m.eq(wide, -np.inf))
    of_boxes = m.over(kept, boxes.type.shape, 0, 1)
    return m.select(of_boxes, boxes, 0.0), m.select(kept, scores, 0.0)


def _turned(m: Math, boxes: Value) -> Value:
    """Boxes with rows and columns exchanged as the very first box needs it."""
    if 0 in boxes.type.shape:
        return boxes
    shape = boxes.type.shape[:2]
    y1, x1, y2, x2 = (m.column(boxes, c) for c in range(4))
    zero = p.constant(m.build, 0, "i32")
    result = []
    for low, high in ((y1, y2), (x1, x2)):
        ok = m.over(m.le(m.element(low, zero, zero), m.element(high, zero, zero)), shape)
        result.append((m.select(ok, low, high), m.select(ok, high, low)))
    return m.columns([result[0][0], result[1][0], result[0][1], result[1][1]])


def _kept_first(build: Any, kept: Value, number: Value | None, most: int) -> Value:
    """The numbers of the kept boxes, in order, in front of others: `most` columns."""
    place = p.iota(build, dtype="i32", shape=kept.type.shape, dim=1)
    number = place if number is None else number
    key = Math(build).select(kept, place, kept.type.shape[1])
    _key, number = p.sort(build, key, number, dim=1, descending=False, num_keys=1)
    return _first(build, number, most)


class CombinedNonMaxSuppression(
    OpDef,
    sig="CombinedNonMaxSuppression(boxes: float32, scores: float32,"
    " max_output_size_per_class: int32, max_total_size: int32, iou_threshold: float32,"
    " score_threshold: float32, pad_per_class: bool = False, clip_boxes: bool = True)"
    " -> nmsed_boxes: float32, nmsed_scores: float32, nmsed_classes: float32,"
    " valid_detections: int32",
):
    """Suppression class by class, and the best boxes of all classes of each image. boxes: [batch,
    count, classes or 1, 4]; scores: [batch, count, classes]. Unused entries are zeros."""

    grad = no_gradient

    def shape(
        boxes: TensorShape, scores: TensorShape, *scalars: TensorShape, pad_per_class: bool, op: Any
    ) -> list[TensorShape]:
        batch, count, per_class, columns = s.with_rank(boxes, 4)
        of_scores = s.with_rank(scores, 3)
        batch, _ = s.merge_dim(batch, of_scores[0]), s.merge_dim(count, of_scores[1])
        s.merge_dim(columns, 4)
        for scalar in scalars:
            s.with_rank(scalar, 0)
        if None not in (of_scores[2], per_class) and per_class not in (1, of_scores[2]):
            raise ValueError(_PER_CLASS)
        each, total = s.static_ints(op, 2), s.static_ints(op, 3)
        if total and total[0] <= 0:
            raise ValueError(f"max_total_size should be > 0, not {total[0]}")
        size = total[0] if total else None
        if pad_per_class and size is not None:
            classes = of_scores[2]
            size = None if each is None or classes is None else min(size, each[0] * classes)
        flat = s.shape_of([batch, size])
        return [s.shape_of([batch, size, 4]), flat, flat, s.shape_of([batch])]

    def lower(
        build: Any, boxes: Value, scores: Value, per_class: Value, max_total_size: Value,
        iou_threshold: Value, score_threshold: Value, *, pad_per_class: bool, clip_boxes: bool,
    ) -> tuple[Value, ...]:  # fmt: skip
        each = _static_scalar(build, per_class, "max_size_per_class")
        size = _static_scalar(build, max_total_size, "max_total_size")
        _check_combined(build, boxes, scores, each, size, iou_threshold)
        batch, count, classes = scores.type.shape
        if pad_per_class:
            size = min(size, each * classes)
        m, by_class = Math(build), (batch * classes, count)
        values = p.reshape(build, p.transpose(build, scores, perm=(0, 2, 1)), shape=by_class)
        x = p.transpose(build, boxes, perm=(0, 2, 1, 3))
        if boxes.type.shape[2] != classes:
            x = p.reshape(build, x, shape=(batch, count, 4))
            x = m.over(x, (batch, classes, count, 4), 0, 2, 3)
        x = p.reshape(build, x, shape=(*by_class, 4))
        values, x, _number = _in_order(build, values, x)
        wanted = m.gt(values, m.over(score_threshold, by_class))
        corners = _ordered_corners(m, x)
        kept = _keep(build, corners, wanted, min(each, count), iou_threshold, _COMBINED)
        return _best(build, (batch, classes, count), values, x, kept, size, clip_boxes)


def _best(
    build: Any, dims: tuple[int, ...], scores: Value, boxes: Value, kept: Value, size: int,
    clip: bool,
) -> tuple[Value, ...]:  # fmt: skip
    """The `size` best of the kept boxes of all classes: boxes, scores, classes, and how many."""
    m, (batch, classes, count) = Math(build), dims
    flat = (batch, classes * count)
    scores, kept = (p.reshape(build, v, shape=flat) for v in (scores, kept))
    found = p.reduce(build, m.to(kept, "i32"), dims=(1,), kind="add")
    found = m.min_(found, size)
    scores = m.select(kept, scores, -np.inf)
    boxes = p.reshape(build, boxes, shape=(*flat, 4))
    scores, boxes, number = _in_order(build, scores, boxes)
    of_class = m.to(m.div(number, max(count, 1)), "f32")
    if clip:
        boxes = m.max_(m.min_(boxes, 1.0), 0.0)
    results = [_first(build, v, size) for v in (boxes, scores, of_class)]
    place = p.iota(build, dtype="i32", shape=(batch, size), dim=1)
    used = m.lt(place, m.over(found, (batch, size), 0))
    return (*(m.select(m.over(used, v.type.shape, 0, 1), v, 0.0) for v in results), found)


def _check_combined(
    build: Any, boxes: Value, scores: Value, each: int, size: int, iou_threshold: Value
) -> None:
    if boxes.type.rank != 4 or scores.type.rank != 3:
        raise invalid(
            build, f"boxes must be 4-D and scores 3-D, not {boxes.type} and {scores.type}"
        )
    if boxes.type.shape[:2] != scores.type.shape[:2] or boxes.type.shape[3] != 4:
        raise invalid(build, f"scores {scores.type} has incompatible shape for {boxes.type}")
    if boxes.type.shape[2] not in (1, scores.type.shape[2]):
        raise invalid(build, _PER_CLASS)
    if each <= 0 or size <= 0:
        raise invalid(build, f"max sizes must be > 0, not {each} and {size}")
    m = Math(build)
    ok = m.and_(m.ge(iou_threshold, 0.0), m.le(iou_threshold, 1.0))
    build.assert_(ok, (iou_threshold,), message="iou_threshold must be in [0, 1], not {0}")
