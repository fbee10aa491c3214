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


def _overlaps_of(boxes: np.ndarray) -> Callable[[int, np.ndarray], np.ndarray]:
    """Intersection over union of box i with others; 0 where one is empty."""
    b = boxes.astype(np.float32)
    low, high = np.minimum(b[:, :2], b[:, 2:]), np.maximum(b[:, :2], b[:, 2:])
    area = (high[:, 0] - low[:, 0]) * (high[:, 1] - low[:, 1])

    def similarity(i: int, others: np.ndarray) -> np.ndarray:
        top, bottom = np.maximum(low[i], low[others]), np.minimum(high[i], high[others])
        sides = np.maximum(bottom - top, np.float32(0))
        common = sides[:, 0] * sides[:, 1]
        union = area[i] + area[others] - common
        filled = (area[i] > 0) & (area[others] > 0)
        quotient: np.ndarray = np.where(filled, common / np.where(filled, union, 1), 0)
        return quotient.astype(np.float32)

    return similarity


def _select(
    scores: np.ndarray,
    similarity: Callable[[int, np.ndarray], np.ndarray],
    most: int,
    threshold: Any,
    least_score: Any,
    sigma: Any = 0.0,
) -> tuple[list[int], list[Any]]:
    """(numbers, scores) of the boxes that remain, best first.

    A box goes if it overlaps a better one by more than `threshold`; with `sigma`, its score falls
    with each overlap instead, and it waits for its turn again.
    """
    number = scores.dtype.type
    soft = sigma > 0
    scale = number(-0.5) / number(sigma) if soft else number(0)
    queue = [(-float(v), i, 0) for i, v in enumerate(scores) if v > least_score]
    heapq.heapify(queue)
    selected: list[int] = []
    kept: list[Any] = []
    while len(selected) < most and queue:
        negative, i, compared = heapq.heappop(queue)
        first = score = number(-negative)
        others = np.array(selected[compared:][::-1], np.int64)
        overlaps = similarity(i, others).astype(number)
        if not soft:
            if (overlaps > threshold).any():
                continue
        else:
            for weight in np.exp(scale * overlaps * overlaps):
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
        chosen, _scores = _select(
            scores, _overlaps_of(boxes), int(most), number(iou), number(least)
        )
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
        chosen, kept = _select(
            scores, _overlaps_of(boxes), int(most), iou[()], least[()], sigma[()]
        )
        size = int(most) if pad_to_max_output_size else len(chosen)
        indices, values = np.zeros(size, np.int32), np.zeros(size, scores.dtype)
        indices[: len(chosen)], values[: len(chosen)] = chosen, kept
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
        chosen, _scores = _select(
            scores, lambda i, others: overlaps[i, others], int(most), overlap_threshold[()],
            least[()],
        )  # fmt: skip
        return np.array(chosen, np.int32)
