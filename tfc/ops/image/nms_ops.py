"""Suppression of boxes that overlap better ones.

How many boxes remain is data, so the ops whose result is as long as that are host ops. Those with
results of a given size are in `nms_native`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import numpy as np

from tfc.base import errors
from tfc.base.shapes import TensorShape
from tfc.framework.opdef import OpDef
from tfc.ops import shape_rules as s
from tfc.ops.common import no_gradient

_HALF_OR_SINGLE = ("f16", "f32")
_WORD = 64  # boxes that are settled at a time: which of them one strikes is one integer
_PAIRS = 1 << 16  # overlaps that are looked at at a time: they stay in a near cache


def _checked(
    op: Any, boxes: np.ndarray, scores: np.ndarray, scalars: dict[str, Any], columns: int | None
) -> None:
    """InvalidArgumentError unless shapes fit and thresholds are in range."""

    def wrong(message: str) -> errors.OpError:
        return errors.InvalidArgumentError(None, op, message)

    count = boxes.shape[0] if boxes.ndim else 0
    if boxes.ndim != 2 or boxes.shape[1] != (count if columns is None else columns):
        what = "overlaps must be square" if columns is None else "boxes must be 2-D with 4 columns"
        raise wrong(f"{what}, not {s.text(boxes.shape)}")
    if scores.shape != (count,):
        raise wrong(f"scores has incompatible shape {s.text(scores.shape)} for {count} boxes")
    for name, value in scalars.items():
        if np.ndim(value):
            raise wrong(f"{name} must be 0-D, got shape {s.text(np.shape(value))}")
    if scalars["max_output_size"] < 0:
        raise wrong("output size must be non-negative")
    if "iou_threshold" in scalars and not 0 <= scalars["iou_threshold"] <= 1:
        raise wrong("iou_threshold must be in [0, 1]")


Overlaps = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _overlaps_of(boxes: np.ndarray) -> Overlaps:
    """Intersection over union of each box of some numbers with each of others; 0 where one of the
    two is empty."""
    b = boxes.astype(np.float32).T
    y1, x1 = np.minimum(b[0], b[2]), np.minimum(b[1], b[3])
    y2, x2 = np.maximum(b[0], b[2]), np.maximum(b[1], b[3])
    with np.errstate(all="ignore"):
        area = (y2 - y1) * (x2 - x1)
    empty = ~(area > 0)
    for side, value in ((y1, 0), (x1, 0), (y2, 0), (x2, 0), (area, 1)):
        side[empty] = value  # has nothing in common with others, and a union to divide by
    sides = ((y1, y2), (x1, x2))

    @np.errstate(all="ignore")  # the union of two infinite boxes is NaN, which strikes nothing
    def overlaps(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        lengths = []
        for low, high in sides:
            length = np.minimum(high.take(rows)[:, None], high.take(others))
            length -= np.maximum(low.take(rows)[:, None], low.take(others))
            lengths.append(np.maximum(length, 0, out=length))
        height, width = lengths
        common = np.multiply(height, width, out=height)
        union = np.add(area.take(rows)[:, None], area.take(others), out=width)
        union -= common
        quotient: np.ndarray = np.divide(common, union, out=common)
        return quotient

    return overlaps


def _select(
    scores: np.ndarray,
    overlaps: Overlaps,
    most: int,
    threshold: Any,
    least_score: Any,
) -> list[int]:
    """The numbers of the boxes that remain, best first: a box goes if it overlaps a better one
    that remains by more than `threshold`.

    Those that remain so far strike from a run of the next best ones what they overlap; what is
    left is settled a word of boxes at a time. Runs grow, so that a pass over many boxes costs few
    calls, and one that ends soon little more than it needs.
    """
    number = scores.dtype.type

    def struck(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        over: np.ndarray = overlaps(rows, others).astype(number, copy=False) > threshold
        return over

    order = _best_first(scores, least_score)
    kept: list[int] = []
    start, length = 0, _WORD
    while start < len(order) and len(kept) < most:
        run = order[start : start + length]
        start += length
        before = len(kept)
        if before:
            run = run[~struck(run, np.array(kept)).any(axis=1)]
        for first in range(0, len(run), _WORD):
            word = run[first : first + _WORD]
            if len(kept) > before:
                word = word[~struck(word, np.array(kept[before:])).any(axis=1)]
            _settle(word, struck(word, word), kept, most)
            if len(kept) == most:
                break
        length = min(2 * length, max(_WORD, _PAIRS // max(1, len(kept))))
    return kept


def _best_first(scores: np.ndarray, least: Any) -> np.ndarray:
    """The numbers of the scores above `least`, greatest first, equal ones as they stand."""
    above = np.flatnonzero(scores > least)
    bits = (0 - scores.take(above).astype(np.float32)).view(np.int32)  # no -0 among them
    ranks = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # integers in the order of the negated scores
    words = ranks.astype(np.int64) << 32 | above
    words.sort()
    return words & 0xFFFFFFFF


def _settle(word: np.ndarray, over: np.ndarray, kept: list[int], most: int) -> None:
    """Appends to `kept`, up to `most` of them, the boxes of a word that none of it strikes that is
    kept before; `over[i, j]`: box j strikes box i."""
    strikes = np.zeros((len(word), _WORD // 8), np.uint8)
    strikes[:, : (len(word) + 7) // 8] = np.packbits(over, axis=0, bitorder="little").T
    gone, bit = 0, 1
    for box, mask in zip(word.tolist(), strikes.view("<u8").reshape(-1).tolist(), strict=True):
        if not gone & bit:
            if len(kept) == most:
                return
            kept.append(box)
            gone |= mask
        bit += bit


def _select_softly(
    scores: np.ndarray,
    overlaps: Overlaps,
    most: int,
    least_score: Any,
    sigma: Any,
) -> tuple[list[int], list[Any]]:
    """(numbers, scores) of the boxes that remain, best first: the score of a box falls with each
    better one that remains and that it overlaps, and it waits for its turn again."""
    number = scores.dtype.type
    scale = number(-0.5) / number(sigma)
    queue = [(-float(v), i, 0) for i, v in enumerate(scores) if v > least_score]
    heapq.heapify(queue)
    selected: list[int] = []
    kept: list[Any] = []
    while len(selected) < most and queue:
        negative, i, compared = heapq.heappop(queue)
        first = score = number(-negative)
        others = np.array(selected[compared:][::-1], np.int64)
        found = overlaps(np.array([i]), others)[0].astype(number)
        for weight in np.exp(scale * found * found):
            score = number(score * weight)
            if score <= least_score:
                break
        if score == first:
            selected.append(i)
            kept.append(score)
        elif score > least_score:
            heapq.heappush(queue, (-float(score), i, len(selected)))
    return selected, kept


def _box_shapes(boxes: TensorShape, scores: TensorShape, *scalars: TensorShape) -> None:
    """Raises ValueError unless the shapes are those of boxes, their scores, and scalars."""
    count, columns = s.with_rank(boxes, 2)
    s.merge_dim(columns, 4)
    s.merge_dim(count, s.with_rank(scores, 1)[0])
    for scalar in scalars:
        s.with_rank(scalar, 0)


class NonMaxSuppressionV3(
    OpDef,
    sig="NonMaxSuppressionV3(boxes: T, scores: T, max_output_size: int32,"
    " iou_threshold: T_threshold, score_threshold: T_threshold, T: type = float32,"
    " T_threshold: type = float32) -> selected_indices: int32",
    T=_HALF_OR_SINGLE,
    T_threshold=_HALF_OR_SINGLE,
):
    """The numbers of the boxes that overlap no better one by more than `iou_threshold`, best
    first. A host op: how many there are is data."""

    grad = no_gradient

    def shape(*inputs: TensorShape) -> list[TensorShape]:
        _box_shapes(*inputs)
        return [TensorShape([None])]

    def host(
        op: Any, boxes: np.ndarray, scores: np.ndarray, most: np.ndarray, iou: np.ndarray,
        least: np.ndarray, **_: Any,
    ) -> np.ndarray:  # fmt: skip
        scalars = {"max_output_size": most, "iou_threshold": iou, "score_threshold": least}
        _checked(op, boxes, scores, scalars, 4)
        number = scores.dtype.type
        chosen = _select(scores, _overlaps_of(boxes), int(most), number(iou), number(least))
        return np.array(chosen, np.int32)


class NonMaxSuppressionV5(
    OpDef,
    sig="NonMaxSuppressionV5(boxes: T, scores: T, max_output_size: int32, iou_threshold: T,"
    " score_threshold: T, soft_nms_sigma: T, T: type = float32,"
    " pad_to_max_output_size: bool = False)"
    " -> selected_indices: int32, selected_scores: T, valid_outputs: int32",
    T=_HALF_OR_SINGLE,
):
    """Like NonMaxSuppressionV3, with scores; with `soft_nms_sigma` > 0 overlaps lower scores
    instead of removing boxes. A host op: how many boxes there are is data."""

    grad = no_gradient

    def shape(*inputs: TensorShape, pad_to_max_output_size: bool, op: Any) -> list[TensorShape]:
        _box_shapes(*inputs)
        most = s.static_ints(op, 2) if pad_to_max_output_size else None
        vector = TensorShape([most[0] if most else None])
        return [vector, vector, TensorShape([])]

    def host(
        op: Any, boxes: np.ndarray, scores: np.ndarray, most: np.ndarray, iou: np.ndarray,
        least: np.ndarray, sigma: np.ndarray, *, pad_to_max_output_size: bool, **_: Any,
    ) -> tuple[np.ndarray, ...]:  # fmt: skip
        scalars = {
            "max_output_size": most, "iou_threshold": iou, "score_threshold": least,
            "soft_nms_sigma": sigma,
        }  # fmt: skip
        _checked(op, boxes, scores, scalars, 4)
        if sigma < 0:
            raise errors.InvalidArgumentError(None, op, "soft_nms_sigma_val must be >= 0")
        overlaps, kept = _overlaps_of(boxes), None
        if sigma > 0:
            chosen, kept = _select_softly(scores, overlaps, int(most), least[()], sigma[()])
        else:
            chosen = _select(scores, overlaps, int(most), iou[()], least[()])
        size = int(most) if pad_to_max_output_size else len(chosen)
        indices, values = np.zeros(size, np.int32), np.zeros(size, scores.dtype)
        indices[: len(chosen)] = chosen
        values[: len(chosen)] = scores[chosen] if kept is None else kept
        return indices, values, np.array(len(chosen), np.int32)


class NonMaxSuppressionWithOverlaps(
    OpDef,
    sig="NonMaxSuppressionWithOverlaps(overlaps: float32, scores: float32, max_output_size: int32,"
    " overlap_threshold: float32, score_threshold: float32) -> selected_indices: int32",
):
    """Like NonMaxSuppressionV3, with the overlap of each pair given. A host op: how many boxes
    remain is data."""

    grad = no_gradient

    def shape(
        overlaps: TensorShape, scores: TensorShape, *scalars: TensorShape
    ) -> list[TensorShape]:
        count = s.merge_dim(*s.with_rank(overlaps, 2))
        s.merge_dim(count, s.with_rank(scores, 1)[0])
        for scalar in scalars:
            s.with_rank(scalar, 0)
        return [TensorShape([None])]

    def host(
        op: Any, overlaps: np.ndarray, scores: np.ndarray, most: np.ndarray,
        overlap_threshold: np.ndarray, least: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        scalars = {
            "max_output_size": most, "overlap_threshold": overlap_threshold,
            "score_threshold": least,
        }  # fmt: skip
        _checked(op, overlaps, scores, scalars, None)
        chosen = _select(
            scores, lambda rows, others: overlaps[rows[:, None], others], int(most),
            overlap_threshold[()], least[()],
        )  # fmt: skip
        return np.array(chosen, np.int32)
