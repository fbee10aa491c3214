"""Mistakes that programs make: what TensorFlow raises for each, naming the op and the line."""

import collections

import numpy as np
import pytest

import tfc as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


IMAGE = np.zeros((1, 4, 4, 6), np.float32)
FILTER = np.zeros((2, 2, 6, 1), np.float32)
STEPS = [1, 2, 2, 1]

WITH_PADDING = {
    "conv2d": lambda padding: tf.nn.conv2d(IMAGE, FILTER, STEPS, padding),
    "depthwise": lambda padding: tf.nn.depthwise_conv2d(IMAGE, FILTER, STEPS, padding),
    "max_pool": lambda padding: tf.nn.max_pool(IMAGE, STEPS, STEPS, padding),
    "avg_pool": lambda padding: tf.nn.avg_pool(IMAGE, STEPS, STEPS, padding),
    "conv2d_transpose": lambda padding: tf.nn.conv2d_transpose(
        IMAGE, np.zeros((2, 2, 1, 6), np.float32), [1, 8, 8, 1], STEPS, padding
    ),
}


@pytest.mark.parametrize("name", WITH_PADDING)
@pytest.mark.parametrize("padding", ["same", "FULL"])
def test_unknown_padding(name, padding):
    message = rf"Attr 'padding' of '\w+' Op passed string '{padding}' not in: \"SAME\""
    with pytest.raises(ValueError, match=rf"{message}.*test_programs_mistakes.py:\d+"):
        WITH_PADDING[name](padding)


def test_unknown_data_format():
    with pytest.raises(ValueError, match="'data_format' .* passed string 'NWHC' not in: \"NHWC\""):
        tf.nn.conv2d(IMAGE, FILTER, STEPS, "SAME", data_format="NWHC")
    with pytest.raises(ValueError, match="'data_format' .* passed string 'HWC' not in: \"NHWC\""):
        tf.space_to_depth(IMAGE, 2, data_format="HWC")


def test_groups_that_do_not_divide_the_output():
    filter = np.zeros((2, 2, 2, 4), np.float32)
    with pytest.raises(ValueError, match=r"output \(4\) is not a multiple of .* groups \(3\)"):
        tf.nn.conv2d(IMAGE, filter, STEPS, "SAME")
    image = tf.placeholder(tf.float32)
    y = tf.nn.conv2d(image, filter, STEPS, "SAME")
    with (
        tf.Session() as sess,
        pytest.raises(tf.errors.InvalidArgumentError, match="number of groups: 4 vs 3"),
    ):
        sess.run(y, {image: IMAGE})


def test_feeds_of_a_structure():
    State = collections.namedtuple("State", "c h")
    state = State(tf.placeholder(tf.float32), tf.placeholder(tf.float32))
    difference = state.c - state.h
    with tf.Session() as sess:
        assert sess.run(difference, {state: State(3.0, 1.0)}) == 2.0
        assert sess.run(difference, {((state.c,), state.h): ([5.0], 1.0)}) == 4.0
        with pytest.raises(ValueError, match="not of the same structure"):
            sess.run(difference, {state: (1.0, 2.0, 3.0)})
        with pytest.raises(TypeError, match="must be a dictionary"):
            sess.run(difference, [state])


def test_nothing_to_join():
    with pytest.raises(ValueError, match="'MergeSummary' Op with length 0 .*_mistakes.py"):
        tf.summary.merge([])
    with pytest.raises(TypeError, match="Operation or Tensor in tf.group, got None"):
        tf.group(tf.no_op(), None)
