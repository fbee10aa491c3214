"""Boxes on images: sampling, drawing, and suppression of those that overlap better ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfc.base import dtypes
from tfc.framework.graph import Tensor, convert_to_tensor, name_scope
from tfc.framework.opdef import apply
from tfc.ops import shape_ops
from tfc.ops.join_ops import concat

_NEVER = float("-inf")


def draw_bounding_boxes(
    images: Any, boxes: Any, name: str | None = None, colors: Any = None
) -> Tensor:
    """Images with the borders of boxes [batch, boxes, 4] of y1, x1, y2, x2, in fractions of the
    image. colors: [colors, channels], taken in turn; ten of its own if not given."""
    if colors is None:
        return apply("DrawBoundingBoxes", images, boxes, name=name)
    return apply("DrawBoundingBoxesV2", images, boxes, colors, name=name)


def sample_distorted_bounding_box(
    image_size: Any,
    bounding_boxes: Any,
    seed: int | None = None,
    seed2: int | None = None,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Sequence[float] | None = None,
    area_range: Sequence[float] | None = None,
    max_attempts: int | None = None,
    use_image_if_no_bounding_boxes: bool | None = None,
    name: str | None = None,
) -> Any:
    """(begin, size, bboxes): a random part of an image of `image_size`, to slice it with, and the
    part as a box [1, 1, 4] to draw.

    The part covers at least `min_object_covered` of one of the boxes [batch, boxes, 4]; its width
    over its height, and its share of the image, are in the ranges. After `max_attempts` it is the
    whole image. The graph's seed does not count.

    Raises:
      ValueError: a range is no range. InvalidArgumentError: boxes are missing or out of the image.
    """
    given = {
        "seed": seed, "seed2": seed2, "aspect_ratio_range": aspect_ratio_range,
        "area_range": area_range, "max_attempts": max_attempts,
        "use_image_if_no_bounding_boxes": use_image_if_no_bounding_boxes,
    }  # fmt: skip
    attrs = {key: value for key, value in given.items() if value is not None}
    with name_scope(name, "sample_distorted_bounding_box"):
        return apply(
            "SampleDistortedBoundingBoxV2", image_size, bounding_boxes, min_object_covered,
            name=name, **attrs,
        )  # fmt: skip


# ---- suppression


def _thresholds(**values: Any) -> list[Tensor]:
    return [convert_to_tensor(value, name=name) for name, value in values.items()]


def non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = _NEVER,
    name: str | None = None,
) -> Tensor:
    """The numbers of the boxes [count, 4] that overlap no better one by more than `iou_threshold`
    (intersection over union), best scores first; boxes with scores up to `score_threshold` do not
    count."""
    with name_scope(name, "non_max_suppression"):
        limits = _thresholds(iou_threshold=iou_threshold, score_threshold=score_threshold)
        return apply("NonMaxSuppressionV3", boxes, scores, max_output_size, *limits)


def non_max_suppression_with_scores(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = _NEVER,
    soft_nms_sigma: Any = 0.0,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """(numbers, scores) of the boxes that `non_max_suppression` selects. With `soft_nms_sigma` > 0
    overlaps lower scores, by a Gaussian of that width, and remove no box."""
    with name_scope(name, "non_max_suppression_with_scores"):
        limits = _thresholds(
            iou_threshold=iou_threshold, score_threshold=score_threshold,
            soft_nms_sigma=soft_nms_sigma,
        )  # fmt: skip
        indices, kept, _count = apply(
            "NonMaxSuppressionV5", boxes, scores, max_output_size, *limits
        )
        return indices, kept


def non_max_suppression_overlaps(
    overlaps: Any,
    scores: Any,
    max_output_size: Any,
    overlap_threshold: Any = 0.5,
    score_threshold: Any = _NEVER,
    name: str | None = None,
) -> Tensor:
    """`non_max_suppression` with the overlap of each pair given: [count, count]."""
    with name_scope(name, "non_max_suppression_overlaps"):
        (limit,) = _thresholds(overlap_threshold=overlap_threshold)
        return apply(
            "NonMaxSuppressionWithOverlaps", overlaps, scores, max_output_size, limit,
            score_threshold,
        )  # fmt: skip


def non_max_suppression_padded(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = _NEVER,
    pad_to_max_output_size: bool = False,
    name: str | None = None,
    sorted_input: bool = False,
    canonicalized_coordinates: bool = False,
    tile_size: int = 512,
) -> tuple[Tensor, Tensor]:
    """(numbers, how many they are) of the boxes [..., count, 4] that remain, with zeros behind up
    to `max_output_size` if `pad_to_max_output_size`; a batch must be padded.

    Here a box goes that overlaps a better one by `iou_threshold` or more, and one without a
    positive coordinate. sorted_input: best scores come first. canonicalized_coordinates: the lesser
    corner comes first; otherwise all boxes are as the first one. tile_size changes nothing.

    Raises:
      ValueError: a batch is not padded.
    """
    with name_scope(name, "non_max_suppression_padded"):
        boxes, scores = convert_to_tensor(boxes), convert_to_tensor(scores)
        rank = boxes.get_shape().ndims
        if not pad_to_max_output_size and rank is not None and rank > 2:
            raise ValueError(
                f"'pad_to_max_output_size' (value {pad_to_max_output_size}) must be True for "
                "batched input"
            )
        most = convert_to_tensor(max_output_size, dtype=dtypes.int32)
        index, count = apply(
            "NonMaxSuppressionPadded", boxes, scores, most, iou_threshold, score_threshold,
            sorted_input=sorted_input, canonicalized_coordinates=canonicalized_coordinates,
        )  # fmt: skip
        if not pad_to_max_output_size:
            return index[0, :count], count
        lead = shape_ops.shape(boxes)[:-2]
        padded = shape_ops.reshape(index, concat([lead, shape_ops.expand_dims(most, 0)], 0))
        if rank is not None:
            padded.set_shape(count.get_shape().concatenate(index.get_shape()[1:]))
        return padded, count


def combined_non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size_per_class: Any,
    max_total_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = _NEVER,
    pad_per_class: bool = False,
    clip_boxes: bool = True,
    name: str | None = None,
) -> Any:
    """(boxes, scores, classes, how many) of each image: suppression class by class, then the best
    of all classes, with zeros behind.

    boxes: [batch, count, classes or 1, 4]; scores: [batch, count, classes]. pad_per_class: no more
    entries than the classes can fill. clip_boxes: coordinates are kept in [0, 1].
    """
    with name_scope(name, "combined_non_max_suppression"):
        limits = _thresholds(iou_threshold=iou_threshold, score_threshold=score_threshold)
        return apply(
            "CombinedNonMaxSuppression", boxes, scores, max_output_size_per_class, max_total_size,
            *limits, pad_per_class=pad_per_class, clip_boxes=clip_boxes,
        )  # fmt: skip
