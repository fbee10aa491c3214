"""Convolution layers of well-known networks, one at a time: forward, and both gradients."""

from __future__ import annotations

import graphs
import numpy as np

TITLE = "Convolution layer"
UNIT, SCALE = "ms a run", 1e3
TOLERANCE = 2e-3
WHAT = ("forward", "input gradient", "filter gradient")  # `what` of a size


def _sizes(*layers):
    keys = ("batch", "side", "inputs", "outputs", "window", "stride", "groups")
    return [dict(zip(keys, layer, strict=True), what=what) for layer in layers for what in range(3)]


SIZES = (
    _sizes(
        (8, 112, 3, 64, 7, 2, 1),  # ResNet's first
        (8, 56, 64, 64, 3, 1, 1),
        (8, 56, 64, 128, 3, 2, 1),
        (8, 28, 256, 64, 1, 1, 1),
        (8, 28, 128, 512, 1, 2, 1),
        (8, 112, 32, 32, 3, 1, 32),  # MobileNet's
        (8, 112, 64, 64, 3, 2, 64),
        (8, 64, 3, 64, 3, 1, 1),  # VGG's first
        (8, 14, 256, 256, 3, 1, 1),
    ),
    _sizes((3, 57, 33, 65, 3, 2, 1), (5, 29, 3, 31, 5, 3, 1), (7, 13, 65, 129, 3, 1, 1)),
    _sizes((1, 113, 3, 37, 7, 2, 1), (2, 31, 17, 19, 2, 2, 1), (11, 7, 127, 131, 3, 1, 1)),
)


def per(**_):
    return 1


def pads(side, window, stride):
    """SAME padding, before and after."""
    out = -(-side // stride)
    total = max((out - 1) * stride + window - side, 0)
    return total // 2, total - total // 2


def cost(batch, side, inputs, outputs, window, stride, groups, what):
    out = -(-side // stride)
    return 2 * batch * out * out * outputs * window * window * inputs // groups, 0


def summary(result):
    flat = np.asarray(result).ravel()
    return flat[:: max(1, flat.size // 1000)]


def data(batch, side, inputs, outputs, window, stride, groups, what):
    """Images, filters, and what flows back into the result; channels last."""
    random, out = np.random.RandomState(0), -(-side // stride)
    shapes = (
        (batch, side, side, inputs),
        (window, window, inputs // groups, outputs),
        (batch, out, out, outputs),
    )
    return [random.standard_normal(shape).astype(np.float32) for shape in shapes]


def with_graph(tf, new_session, **size):
    x, f, dy = data(**size)
    groups, what, strides = size["groups"], size["what"], [1, size["stride"], size["stride"], 1]
    a, b, c = (tf.placeholder(tf.float32, v.shape) for v in (x, f, dy))
    if groups == 1:
        y = tf.nn.conv2d(a, b, strides=strides, padding="SAME")
    else:
        assert groups == size["inputs"] == size["outputs"]
        filters = tf.reshape(b, [*f.shape[:2], groups, 1])
        y = tf.nn.depthwise_conv2d(a, filters, strides, "SAME")
    wanted = y if what == 0 else tf.gradients(y, a if what == 1 else b, c)[0]
    sess, feed = new_session(), {a: x, b: f, c: dy}
    if what == 0:
        del feed[c]
    return lambda: sess.run(wanted, feed)


def with_jax(**size):
    import jax
    from jax import lax

    x, f, dy = (jax.numpy.asarray(v) for v in data(**size))
    stride = (size["stride"],) * 2

    def forward(x, f):
        return lax.conv_general_dilated(
            x, f, stride, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=size["groups"],
        )  # fmt: skip

    if size["what"] == 0:
        step = jax.jit(forward)
        return lambda: step(x, f).block_until_ready()
    number = size["what"] - 1
    back = jax.jit(lambda x, f, dy: jax.vjp(forward, x, f)[1](dy)[number])
    return lambda: back(x, f, dy).block_until_ready()


def with_torch(threads=2, **size):
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    x, f, dy = (torch.from_numpy(v) for v in data(**size))
    low, high = pads(size["side"], size["window"], size["stride"])
    # Channels last in memory, under torch's order of the axes.
    x, dy, f = x.permute(0, 3, 1, 2), dy.permute(0, 3, 1, 2), f.permute(3, 2, 0, 1)
    x, f = (functional.pad(x, (low, high, low, high)), f.contiguous())
    x = x.contiguous(memory_format=torch.channels_last)
    f = f.contiguous(memory_format=torch.channels_last)
    options = {"stride": size["stride"], "groups": size["groups"]}
    what, side = size["what"], size["side"]

    def forward():
        torch.set_num_threads(threads)
        return functional.conv2d(x, f, **options).permute(0, 2, 3, 1).numpy()

    def backward():
        torch.set_num_threads(threads)
        mask = [what == 1, what == 2, False]
        got = torch.ops.aten.convolution_backward(
            dy, x, f, None, [size["stride"]] * 2, [0, 0], [1, 1], False, [0, 0], size["groups"],
            mask,
        )  # fmt: skip
        if what == 1:
            inner = got[0].permute(0, 2, 3, 1)
            return inner[:, low : low + side, low : low + side].numpy()
        return got[1].permute(2, 3, 1, 0).numpy()

    return forward if what == 0 else backward


ENTRIES = {
    **graphs.entries(with_graph),
    "jax": with_jax,
    "torch": with_torch,
    "torch, 1 thread": lambda **size: with_torch(threads=1, **size),
}
