"""W12: a step of SGD of a transformer block: attention of several heads, an MLP four times as wide,
layer norms before both."""

from __future__ import annotations

import graphs
import numpy as np

TITLE = "W12, transformer block step"
UNIT, SCALE = "ms a step", 1e3
SIZES = (
    {"batch": 8, "length": 128, "width": 256, "heads": 8},
    {"batch": 5, "length": 65, "width": 195, "heads": 5},
    {"batch": 7, "length": 127, "width": 251, "heads": 1},
)
TOLERANCE = 1e-3
RATE, STEPS, EPSILON = 0.01, 2, 1e-5


def per(**_):
    """Steps of a call."""
    return STEPS


def cost(batch, length, width, heads):
    rows = batch * length
    return 3 * 2 * rows * width * (12 * width + 2 * length), 0


def data(batch, length, width, heads):
    """Input, target, parameters: two norms, and the weights and biases of the four products."""
    random = np.random.RandomState(0)
    x, target = random.standard_normal((2, batch, length, width)).astype(np.float32)
    parameters = []
    for _ in range(2):
        parameters += [np.ones(width, np.float32), np.zeros(width, np.float32)]
    for n, m in ((1, 3), (1, 1), (1, 4), (4, 1)):
        shape = (n * width, m * width)
        parameters.append((random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32))
        parameters.append(np.zeros(shape[1], np.float32))
    return x, target, parameters


def with_graph(tf, new_session, batch, length, width, heads):
    values, wanted, parameters = data(batch, length, width, heads)
    x, target = (tf.placeholder(tf.float32, v.shape) for v in (values, wanted))
    p = [tf.Variable(a) for a in parameters]

    def normed(x, gain, offset):
        mean, variance = tf.nn.moments(x, [1], keep_dims=True)
        return tf.nn.batch_normalization(x, mean, variance, offset, gain, EPSILON)

    rows = tf.reshape(x, [-1, width])
    qkv = tf.matmul(normed(rows, p[0], p[1]), p[4]) + p[5]
    qkv = tf.transpose(tf.reshape(qkv, [batch, length, 3, heads, width // heads]), [2, 0, 3, 1, 4])
    q, k, v = tf.unstack(qkv)
    scores = tf.matmul(q, k, transpose_b=True) * (1 / np.sqrt(width // heads))
    mixed = tf.transpose(tf.matmul(tf.nn.softmax(scores), v), [0, 2, 1, 3])
    rows += tf.matmul(tf.reshape(mixed, [-1, width]), p[6]) + p[7]
    hidden = tf.matmul(normed(rows, p[2], p[3]), p[8]) + p[9]
    hidden = 0.5 * hidden * (1 + tf.erf(hidden * np.float32(np.sqrt(0.5))))
    rows += tf.matmul(hidden, p[10]) + p[11]
    loss = tf.reduce_mean(tf.squared_difference(tf.reshape(rows, x.shape), target))
    train = tf.train.GradientDescentOptimizer(RATE).minimize(loss)
    sess = new_session()
    sess.run(tf.global_variables_initializer())
    fetches, feed = [train, loss], {x: values, target: wanted}
    return lambda: [sess.run(fetches, feed)[1] for _ in range(STEPS)]


def with_jax(batch, length, width, heads):
    import jax
    import jax.numpy as jnp

    values, wanted, parameters = data(batch, length, width, heads)

    def normed(x, gain, offset):
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + EPSILON) * gain + offset

    def loss_of(p, x, target):
        qkv = normed(x, p[0], p[1]) @ p[4] + p[5]
        qkv = qkv.reshape(batch, length, 3, heads, -1).transpose(2, 0, 3, 1, 4)
        scores = qkv[0] @ qkv[1].swapaxes(-1, -2) / np.float32(np.sqrt(width // heads))
        mixed = (jax.nn.softmax(scores) @ qkv[2]).transpose(0, 2, 1, 3)
        x = x + mixed.reshape(batch, length, width) @ p[6] + p[7]
        hidden = jax.nn.gelu(normed(x, p[2], p[3]) @ p[8] + p[9], approximate=False)
        x = x + hidden @ p[10] + p[11]
        return ((x - target) ** 2).mean()

    @jax.jit
    def train(p, x, target):
        loss, gradients = jax.value_and_grad(loss_of)(p, x, target)
        return [a - RATE * g for a, g in zip(p, gradients, strict=True)], loss

    state = [jnp.asarray(a) for a in parameters]

    def run():
        nonlocal state
        losses = []
        for _ in range(STEPS):
            state, loss = train(state, values, wanted)
            losses.append(float(loss))
        return losses

    return run


def with_torch(batch, length, width, heads, threads=2):
    import torch

    functional = torch.nn.functional
    values, wanted, parameters = data(batch, length, width, heads)
    p = [torch.tensor(a, requires_grad=True) for a in parameters]
    optimizer = torch.optim.SGD(p, RATE)

    def step():
        optimizer.zero_grad()
        x = torch.from_numpy(values)
        qkv = functional.layer_norm(x, (width,), p[0], p[1], EPSILON) @ p[4] + p[5]
        qkv = qkv.reshape(batch, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        x = x + mixed.transpose(1, 2).reshape(batch, length, width) @ p[6] + p[7]
        hidden = functional.layer_norm(x, (width,), p[2], p[3], EPSILON) @ p[8] + p[9]
        x = x + functional.gelu(hidden) @ p[10] + p[11]
        loss = ((x - torch.from_numpy(wanted)) ** 2).mean()
        loss.backward()
        optimizer.step()
        return float(loss)

    def run():
        torch.set_num_threads(threads)
        return [step() for _ in range(STEPS)]

    return run


ENTRIES = {
    **graphs.entries(with_graph),
    "jax": with_jax,
    "torch": with_torch,
    "torch, 1 thread": lambda **size: with_torch(threads=1, **size),
}
