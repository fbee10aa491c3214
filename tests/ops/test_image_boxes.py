"""Boxes on images: crops, glimpses, drawing, sampling, suppression."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.ops.evaluate import evaluate

R = np.random.RandomState(14)
BOXES = np.array(
    [[0, 0, 1, 1], [0, 0, 1, 0.9], [0, 0.8, 1, 1.9], [2, 2, 3, 3], [3, 3, 2, 2.1]], np.float32
)
SCORES = np.array([0.9, 0.95, 0.7, 0.6, 0.8], np.float32)

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y, feeds=None):
    with tf.Session() as session:
        return session.run(y, feeds)


# ---- crop_and_resize


def cropped(image, boxes, index, size, nearest=False, outside=0.0):
    _, height, width, depth = image.shape
    result = np.full((len(boxes), *size, depth), outside, np.float64)
    for b, (y1, x1, y2, x2) in enumerate(boxes.astype(np.float64)):
        for i, j in np.ndindex(*size):
            ends = ((y1, y2, height, i, size[0]), (x1, x2, width, j, size[1]))
            y, x = (
                low * (n - 1) + k * (high - low) * (n - 1) / (new - 1)
                if new > 1
                else 0.5 * (low + high) * (n - 1)
                for low, high, n, k, new in ends
            )
            if not (0 <= y <= height - 1 and 0 <= x <= width - 1):
                continue
            if nearest:
                result[b, i, j] = image[index[b], int(y + 0.5), int(x + 0.5)]
                continue
            rows = ((int(y), 1 - y % 1), (int(np.ceil(y)), y % 1))
            columns = ((int(x), 1 - x % 1), (int(np.ceil(x)), x % 1))
            result[b, i, j] = sum(
                share * part * image[index[b], row, column].astype(np.float64)
                for row, share in rows
                for column, part in columns
            )
    return result


@settings(max_examples=40)
@given(
    st.tuples(*[st.integers(1, 6)] * 2),
    st.tuples(*[st.integers(1, 5)] * 2),
    st.integers(0, 3),
    st.sampled_from(["bilinear", "nearest"]),
    st.sampled_from(["float32", "uint8", "float64"]),
)
def test_crop_and_resize(size, new, count, method, dtype):
    state = np.random.RandomState(sum(size) + 10 * count)
    image = state.uniform(0, 200, (2, *size, 2)).astype(dtype)
    boxes = state.uniform(-0.3, 1.3, (count, 4)).astype(np.float32)
    index = state.randint(0, 2, count).astype(np.int32)
    with tf.Graph().as_default():
        y = tf.image.crop_and_resize(
            tf.constant(image), boxes, index, list(new), method, extrapolation_value=3
        )
        assert y.get_shape().as_list() == [count, *new, 2]
        (value,) = evaluate([y])
    expected = cropped(image, boxes, index, new, method == "nearest", 3.0)
    np.testing.assert_allclose(value, expected, rtol=1e-3, atol=0.05)


def test_gradients_of_crops():
    """Against the shares of the pixels; of the boxes, against differences."""
    image = R.uniform(0, 1, (2, 4, 5, 2)).astype(np.float32)
    boxes = np.array([[0.1, 0.2, 0.7, 0.7], [0.9, 0.1, 0.3, 0.8]], np.float32)
    index = np.array([1, 0], np.int32)
    dy = R.uniform(-1, 1, (2, 3, 1, 2)).astype(np.float32)
    feeds = [tf.placeholder(tf.float32, v.shape) for v in (image, boxes)]
    y = tf.image.crop_and_resize(feeds[0], feeds[1], box_indices=index, crop_size=[3, 1])
    grads = run(
        tf.gradients(y, feeds, tf.constant(dy)), dict(zip(feeds, (image, boxes), strict=True))
    )
    values = [image.astype(np.float64), boxes.astype(np.float64)]
    for k, grad in enumerate(grads):
        for place in np.ndindex(*grad.shape):
            sides = []
            for sign in (1, -1):
                moved = [v.copy() for v in values]
                moved[k][place] += sign * 1e-5
                sides.append((cropped(*moved, index, (3, 1)) * dy).sum())
            assert abs(grad[place] - (sides[0] - sides[1]) / 2e-5) < 2e-3
    whole = tf.constant(np.arange(9, dtype=np.float64).reshape(1, 3, 3, 1))
    y = tf.image.crop_and_resize(whole, [[0.0, 0.0, 1.0, 1.0]], [0], [2, 2], "nearest")
    (grad,) = evaluate(tf.gradients(y, whole))
    np.testing.assert_array_equal(grad.reshape(3, 3), [[1, 0, 1], [0, 0, 0], [1, 0, 1]])


def test_refused_crops():
    image = tf.zeros([1, 3, 3, 1])
    box = tf.placeholder(tf.float32, [1, 4])
    index = tf.placeholder(tf.int32, [1])
    y = tf.image.crop_and_resize(image, box, index, [2, 2])
    whole = [[0, 0, 1, 1]]
    with pytest.raises(tf.errors.OutOfRangeError, match="outside"):
        run(y, {box: whole, index: [1]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="not finite"):
        run(y, {box: [[0, 0, np.inf, 1]], index: [0]})
    with pytest.raises(ValueError, match="must be equal"):
        tf.image.crop_and_resize(image, [[0.0, 0.0, 1.0]], [0], [2, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be positive"):
        run(tf.image.crop_and_resize(image, box, index, [0, 2]), {box: whole, index: [0]})
    with pytest.raises(ValueError, match="both 'box_ind' and 'box_indices'"):
        tf.image.crop_and_resize(image, box, [0], [2, 2], box_indices=[0])


# ---- glimpses


@pytest.mark.parametrize("uniform", [True, False])
def test_glimpses(uniform):
    x = R.uniform(1, 2, (2, 8, 10, 2)).astype(np.float32)
    x[1] += 4
    image, places = tf.placeholder(tf.float32, [None] * 4), tf.placeholder(tf.float32, [None, 2])
    cases = (
        (True, True, [[0.25, 0.2], [-0.25, 0.0]], [(3, 4), (1, 3)]),
        (False, True, [[0.25, 0.2], [0.5, 0.0]], [(0, 0), (2, -2)]),
        (True, False, [[-2.0, 1.0], [0.0, -5.0]], [(1, 3), (2, 0)]),
        (False, False, [[2.0, 1.0], [5.0, 6.0]], [(0, -1), (3, 4)]),
        (False, False, [[-2.0, 8.0], [9.0, 0.0]], [(-4, 6), (7, -2)]),
    )
    for centered, normalized, offsets, starts in cases:
        y = tf.image.extract_glimpse(image, [4, 4], places, centered, normalized, uniform)
        assert y.get_shape().as_list() == [None, 4, 4, None]
        value = run(y, {image: x, places: offsets})
        for b, (row, column) in enumerate(starts):
            for i, j in np.ndindex(4, 4):
                if 0 <= row + i < 8 and 0 <= column + j < 10:
                    np.testing.assert_array_equal(value[b, i, j], x[b, row + i, column + j])
                else:  # noise
                    assert x[b].min() <= value[b, i, j].min()
                    assert value[b, i, j].max() <= x[b].max()


def test_noise_changes_from_run_to_run():
    y = tf.image.extract_glimpse(R.uniform(0, 1, (1, 2, 2, 1)), [5, 5], [[0.0, 0.0]])
    with tf.Session() as session:
        first, second = session.run(y), session.run(y)
    assert (first != second).sum() == 21  # all but the image itself
    with pytest.raises(ValueError, match="must be equal"):
        tf.image.extract_glimpse(tf.zeros([1, 2, 2, 1]), [5, 5], [[0.0, 0.0, 0.0]])


# ---- drawing


@settings(max_examples=30)
@given(
    st.tuples(*[st.integers(2, 7)] * 2),
    st.integers(0, 4),
    st.sampled_from([1, 3, 4]),
    st.booleans(),
    st.sampled_from(["float32", "float16"]),
)
def test_draw_bounding_boxes(size, count, depth, given_colors, dtype):
    state = np.random.RandomState(sum(size) + count)
    x = state.uniform(2, 3, (2, *size, depth)).astype(dtype)
    low = state.uniform(-0.4, 1, (2, count, 2))
    boxes = np.concatenate([low, low + state.uniform(-0.2, 0.9, (2, count, 2))], -1)
    boxes = boxes.astype(np.float32)
    colors = state.uniform(0, 1, (2, 4)).astype(np.float32) if given_colors else None
    palette = colors
    if colors is None:
        palette = np.array([[1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1]], np.float32)
        if depth == 1:
            palette[:, 0] = 1
    expected = x.copy()
    for b, k in np.ndindex(2, count):
        scaled = boxes[b, k] * np.float32([n - 1 for n in (*size, *size)])
        y1, x1, y2, x2 = (int(v) for v in scaled)
        for i, j in np.ndindex(*size):
            border = i in (y1, y2) or j in (x1, x2)
            if y1 <= i <= y2 and x1 <= j <= x2 and border:
                expected[b, i, j] = palette[k % len(palette), :depth]
    with tf.Graph().as_default():
        y = tf.image.draw_bounding_boxes(tf.constant(x), boxes, colors=colors)
        (value,) = evaluate([y])
    np.testing.assert_array_equal(value, expected)


def test_refused_drawings():
    with pytest.raises(ValueError, match="Channel depth"):
        tf.image.draw_bounding_boxes(tf.zeros([1, 3, 3, 2]), tf.zeros([1, 1, 4]))
    images = tf.placeholder(tf.float32)
    y = tf.image.draw_bounding_boxes(images, tf.zeros([1, 1, 4]), colors=[[1.0]])
    for shape, message in (((1, 3, 3, 3), "more channels"), ((2, 3, 3, 1), "batch sizes")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(y, {images: np.zeros(shape)})


# ---- sampling: TensorFlow's parts of a 40 x 30 image, by seed

SAMPLES = {
    1: ([7, 0, 0], [25, 30, -1], [0.175, 0.0, 0.8, 1.0]),
    2: ([0, 7, 0], [17, 17, -1], [0.0, 0.23333333, 0.425, 0.8]),
    3: ([6, 0, 0], [30, 29, -1], [0.15, 0.0, 0.9, 0.96666664]),
}


@pytest.mark.parametrize("seed", SAMPLES)
def test_sample_distorted_bounding_box(seed):
    size = tf.placeholder(tf.int32, [3])
    parts = tf.image.sample_distorted_bounding_box(
        size, [[[0.1, 0.2, 0.6, 0.9]]], seed=seed, seed2=5, min_object_covered=0.5
    )
    with tf.Session() as session:
        values = session.run(parts, {size: [40, 30, 3]})
        for value, expected in zip(values, SAMPLES[seed], strict=True):
            np.testing.assert_allclose(value.ravel(), expected, rtol=1e-6)
        if seed == 1:  # the generator goes on as TensorFlow's
            following = [session.run(parts[0], {size: [40, 30, 3]}).tolist() for _ in range(4)]
            assert following[1:] == [[3, 8, 0], [12, 3, 0], [9, 9, 0]]


@settings(max_examples=30)
@given(
    st.integers(1, 10**6),
    st.tuples(*[st.integers(1, 90)] * 2),
    st.floats(0, 1, width=32),
    st.tuples(st.floats(0.25, 1, width=32), st.floats(1, 3, width=32)),
    st.tuples(st.floats(0.0625, 0.5, width=32), st.floats(0.5, 1, width=32)),
)
def test_samples_keep_what_they_promise(seed, size, covered, ratios, areas):
    box = np.array([[[0.2, 0.1, 0.7, 0.9]]], np.float32)
    with tf.Graph().as_default():
        parts = tf.image.sample_distorted_bounding_box(
            np.array([*size, 3], np.int64), box, seed=seed, min_object_covered=covered,
            aspect_ratio_range=ratios, area_range=areas, max_attempts=10,
        )  # fmt: skip
        begin, extent, drawn = evaluate(list(parts))
    assert begin.dtype == np.int64 and begin[2] == 0 and extent[2] == -1
    start, sides, whole = begin[:2], extent[:2], np.array(size)
    assert (start >= 0).all() and (sides > 0).all() and (start + sides <= whole).all()
    ends = np.concatenate([start / whole, (start + sides) / whole])
    np.testing.assert_allclose(drawn.ravel(), ends, rtol=1e-6)
    if (sides == whole).all():
        return  # none was found
    low, high = (np.array(v) for v in (areas, areas))
    area = sides.prod() / whole.prod()
    assert low[0] - 1e-6 <= area <= high[1] + 1e-6
    height, width = sides
    assert ratios[0] * height - 0.51 <= width <= ratios[1] * height + 0.51
    corners = (box.reshape(2, 2) * np.float32(whole)).astype(int)
    common = np.maximum(np.minimum(start + sides, corners[1]) - np.maximum(start, corners[0]), 0)
    assert common.prod() >= covered * (corners[1] - corners[0]).prod() - 1e-3


def test_refused_samples():
    size = tf.constant([4, 4, 3])
    sample = tf.image.sample_distorted_bounding_box
    with pytest.raises(tf.errors.InvalidArgumentError, match="No bounding boxes"):
        run(sample(size, tf.zeros([1, 0, 4]))[0])
    begin, extent, _ = run(
        sample(size, tf.zeros([1, 0, 4]), use_image_if_no_bounding_boxes=True, area_range=[1, 1],
               aspect_ratio_range=[1, 1])
    )  # fmt: skip
    assert begin.tolist() == [0, 0, 0] and extent.tolist() == [4, 4, -1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be in"):
        run(sample(size, tf.fill([1, 1, 4], 2.0))[0])
    with pytest.raises(ValueError, match="Aspect ratio range"):
        sample(size, tf.zeros([1, 1, 4]), aspect_ratio_range=[0, 1])
    with pytest.raises(ValueError, match="Area range"):
        sample(size, tf.zeros([1, 1, 4]), area_range=[0.5, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="Max attempts"):
        run(sample(size, tf.zeros([1, 1, 4]), max_attempts=0)[0])


# ---- suppression


def overlap(a, b):
    a, b = (np.concatenate([np.minimum(x[:2], x[2:]), np.maximum(x[:2], x[2:])]) for x in (a, b))
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = np.prod(np.maximum(sides, 0))
    areas = [np.prod(x[2:] - x[:2]) for x in (a, b)]
    return common / (sum(areas) - common) if min(areas) > 0 else 0.0


def suppressed(boxes, scores, most, threshold, least=-np.inf, strict=True):
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        overlaps = [overlap(boxes[i], boxes[j]) for j in kept]
        fits = all(v <= threshold if strict else v < threshold for v in overlaps)
        if scores[i] > least and fits and len(kept) < most:
            kept.append(int(i))
    return kept


@settings(max_examples=30)
@given(
    st.integers(0, 12),
    st.integers(0, 8),
    st.floats(0.0625, 0.9375, width=32),
    st.sampled_from([-np.inf, 0.5]),
    st.booleans(),
)
def test_suppression(count, most, threshold, least, flipped):
    state = np.random.RandomState(count + most)
    low = state.uniform(0, 1, (count, 2))
    boxes = np.concatenate([low, low + state.uniform(0.1, 0.8, (count, 2))], 1).astype(np.float32)
    if flipped:
        boxes = boxes[:, [2, 1, 0, 3]]
    scores = np.round(state.uniform(0, 1, count), 1).astype(np.float32)
    expected = suppressed(boxes, scores, most, threshold, least)
    table = np.array([[overlap(a, b) for b in boxes] for a in boxes], np.float32)
    options = (most, threshold, least)
    with tf.Graph().as_default():
        plain = tf.image.non_max_suppression(boxes, scores, *options)
        pair = tf.image.non_max_suppression_with_scores(boxes, scores, *options)
        given_overlaps = tf.image.non_max_suppression_overlaps(
            tf.reshape(table, [count, count]), scores, *options
        )
        ragged = tf.image.non_max_suppression_padded(boxes, scores, *options)
        padded = tf.image.non_max_suppression_padded(
            boxes, scores, *options, pad_to_max_output_size=True
        )
        values = evaluate([plain, *pair, given_overlaps, *ragged, *padded])
    for value in (values[0], values[1], values[3], values[4]):
        assert value.tolist() == expected
    np.testing.assert_array_equal(values[2], scores[expected])
    assert values[5] == values[7] == len(expected)
    assert values[6].tolist() == expected + [0] * (most - len(expected))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(
    ("count", "most", "clusters"),
    [(63, 64, 60), (64, 63, 60), (65, 65, 1), (200, 40, 30), (300, 250, 60), (1501, 3, 2)],
)
def test_suppression_of_many(count, most, clusters, dtype):
    """Boxes are settled in words and runs; what those are is not to be seen."""
    state = np.random.RandomState(count)
    low = state.uniform(0, 1, (clusters, 2))[state.randint(0, clusters, count)]
    low += state.normal(0, 0.01, low.shape)
    boxes = np.concatenate([low, low + state.uniform(0.02, 0.1, low.shape)], 1).astype(dtype)
    scores = np.round(state.uniform(-1, 1, count), 1).astype(dtype)  # many equal ones, -0 too
    boxes[::7, 2:] = boxes[::7, :2]  # empty: what is like it and everything else remains
    scores[::11] = -np.inf
    for least in (-np.inf, -0.5):
        expected = suppressed(np.float32(boxes), np.float32(scores), most, 0.4375, least)
        plain = tf.image.non_max_suppression(boxes, scores, most, 0.4375, least)
        limits = dtype(0.4375), dtype(least), dtype(0)
        pair = tf.image.non_max_suppression_with_scores(boxes, scores, most, *limits)
        index, (other, kept) = run([plain, pair])
        assert index.tolist() == other.tolist() == expected
        np.testing.assert_array_equal(kept, scores[expected])
        if least == -np.inf:
            continue  # the padded op keeps scores of -inf then
        index, found = run(
            tf.image.non_max_suppression_padded(
                np.float32(boxes), np.float32(scores), most, 0.4375, least,
                pad_to_max_output_size=True,
            )
        )  # fmt: skip
        assert found == len(expected) and index[:found].tolist() == expected


def test_soft_suppression():
    """Overlaps lower the scores; a score that has fallen waits for its turn. From TensorFlow."""
    boxes = [[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1],
             [0, 100, 1, 101]]  # fmt: skip
    scores = [0.9, 0.75, 0.6, 0.95, 0.5, 0.3]
    index, kept = tf.image.non_max_suppression_with_scores(
        np.float32(boxes), np.float32(scores), 6, 0.5, 0.0, soft_nms_sigma=0.5
    )
    index, kept = run([index, kept])
    assert index.tolist() == [3, 0, 1, 5, 4, 2]
    np.testing.assert_allclose(kept, [0.95, 0.9, 0.384, 0.3, 0.256, 0.197], atol=1e-3)


def test_threshold_is_kept_or_goes():
    """An overlap of exactly the threshold."""
    boxes, scores = np.float32([[0, 0, 1, 1], [0, 0, 1, 0.5]]), np.float32([0.9, 0.8])
    plain = tf.image.non_max_suppression(boxes, scores, 3, 0.5)
    padded = tf.image.non_max_suppression_padded(boxes, scores, 3, 0.5, pad_to_max_output_size=True)
    values = run([plain, *padded])
    assert values[0].tolist() == [0, 1]
    assert values[1].tolist() == [0, 0, 0] and values[2] == 1


def test_batches_of_suppression():
    boxes = np.stack([BOXES[:4], BOXES[3::-1]])
    scores = np.stack([SCORES[:4], SCORES[:4]])
    given_boxes = tf.placeholder(tf.float32, [None, None, 4])
    index, count = tf.image.non_max_suppression_padded(
        given_boxes, scores, 3, 0.5, pad_to_max_output_size=True
    )
    assert index.get_shape().as_list() == [None, 3]
    values = run([index, count], {given_boxes: boxes})
    for b in range(2):
        expected = suppressed(boxes[b], scores[b], 3, 0.5, strict=False)
        assert values[0][b].tolist() == expected + [0] * (3 - len(expected))
        assert values[1][b] == len(expected)
    in_order = tf.image.non_max_suppression_padded(
        boxes[:1], np.sort(scores[:1])[:, ::-1].copy(), 3, 0.5, pad_to_max_output_size=True,
        sorted_input=True, canonicalized_coordinates=True,
    )  # fmt: skip
    assert run(in_order[0]).tolist() == [[0, 2, 3]]
    with pytest.raises(ValueError, match="must be True for batched input"):
        tf.image.non_max_suppression_padded(boxes, scores, 3)


@pytest.mark.parametrize("per_class", [True, False])
@pytest.mark.parametrize("pad_per_class", [True, False])
def test_combined_suppression(per_class, pad_per_class):
    boxes = R.uniform(0, 1.2, (2, 6, 3 if per_class else 1, 4)).astype(np.float32)
    scores = R.uniform(0, 1, (2, 6, 3)).astype(np.float32)
    results = tf.image.combined_non_max_suppression(
        boxes, scores, 2, 8, 0.3, 0.2, pad_per_class=pad_per_class
    )
    size = 6 if pad_per_class else 8
    assert results[0].get_shape().as_list() == [2, size, 4]
    of_boxes, of_scores, classes, counts = run(results)
    for b in range(2):
        found = []
        for c in range(3):
            mine = boxes[b, :, c if per_class else 0]
            for i in suppressed(mine, scores[b, :, c], 2, 0.3, 0.2):
                found.append((scores[b, i, c], c, np.clip(mine[i], 0, 1)))
        found.sort(key=lambda entry: -entry[0])
        assert counts[b] == len(found)
        for k, (score, c, box) in enumerate(found):
            assert of_scores[b, k] == score and classes[b, k] == c
            np.testing.assert_array_equal(of_boxes[b, k], box)
        for rest in (of_boxes, of_scores, classes):
            assert not rest[b, len(found) :].any()


def test_refused_suppression():
    nms = tf.image.non_max_suppression
    with pytest.raises(tf.errors.InvalidArgumentError, match="iou_threshold must be in"):
        run(nms(BOXES, SCORES, 3, 1.5))
    with pytest.raises(tf.errors.InvalidArgumentError, match="non-negative"):
        run(nms(BOXES, SCORES, -1))
    with pytest.raises(ValueError, match="must be equal"):
        nms(BOXES, SCORES[:2], 3)
    with pytest.raises(ValueError, match="must be equal"):
        nms(BOXES[:, :3], SCORES, 3)
    with pytest.raises(ValueError, match="must be equal"):
        tf.image.non_max_suppression_overlaps(np.zeros((2, 3)), [1.0, 2.0], 3)
    combined = tf.image.combined_non_max_suppression
    with pytest.raises(ValueError, match="third dimension of boxes"):
        combined(tf.zeros([1, 2, 2, 4]), tf.zeros([1, 2, 3]), 1, 1)
    with pytest.raises(ValueError, match="max_total_size should be > 0"):
        combined(tf.zeros([1, 2, 1, 4]), tf.zeros([1, 2, 3]), 1, 0)
    boxes = tf.placeholder(tf.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="third dimension of boxes"):
        run(combined(boxes, tf.zeros([1, 2, 3]), 1, 1), {boxes: np.zeros((1, 2, 2, 4))})
