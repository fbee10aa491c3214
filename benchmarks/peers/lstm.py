"""W8: an LSTM that reads rows and names a class, trained by Adam; each step is fed from numpy."""

from __future__ import annotations

import numpy as np

TITLE = "W8, LSTM classifier step"
UNIT, SCALE = "ms a step", 1e3
SIZES = (
    {"batch": 128, "hidden": 128, "length": 28, "inputs": 28},
    {"batch": 33, "hidden": 65, "length": 15, "inputs": 27},
    {"batch": 61, "hidden": 97, "length": 29, "inputs": 31},
)
TOLERANCE = 1e-3
CLASSES, RATE, STEPS = 10, 1e-3, 5


def per(**_):
    """Steps of a call."""
    return STEPS


def cost(batch, hidden, length, inputs):
    """(operations, bytes from memory) of a step: the products of the gates, forward and for both
    gradients, of which the input has none."""
    return 2 * batch * length * 4 * hidden * (3 * hidden + 2 * inputs), 0


def data(batch, hidden, length, inputs):
    """Rows, labels; and the parameters: the cell's, gates in the order input, new, forget, output,
    and the last layer's."""
    random = np.random.RandomState(3)
    rows = random.random_sample((batch, length, inputs)).astype(np.float32)
    labels = random.randint(0, CLASSES, batch).astype(np.int32)
    shapes = ((inputs + hidden, 4 * hidden), (hidden, CLASSES))
    kernel, weights = (
        (random.uniform(-1, 1, s) / np.sqrt(s[0])).astype(np.float32) for s in shapes
    )
    return rows, labels, [kernel, np.zeros(4 * hidden, np.float32), weights,
                          np.zeros(CLASSES, np.float32)]  # fmt: skip


def with_tfc(**size):
    import tfc as tf

    return _rnn(tf, False, **size)


def with_tfc_static(**size):
    import tfc as tf

    return _rnn(tf, True, **size)


def with_tensorflow(**size):
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    return _rnn(tf, False, **size)


def with_tensorflow_static(**size):
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    return _rnn(tf, True, **size)


def _rnn(tf, static, **size):
    rows, labels, parameters = data(**size)
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, rows.shape)
        y = tf.placeholder(tf.int32, labels.shape)
        cell = tf.nn.rnn_cell.BasicLSTMCell(size["hidden"])
        if static:
            outputs, _ = tf.nn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float32)
            last = outputs[-1]
        else:
            outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
            last = outputs[:, -1]
        w, b = tf.Variable(parameters[2]), tf.Variable(parameters[3])
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=tf.matmul(last, w) + b)
        )
        train = tf.train.AdamOptimizer(RATE).minimize(loss)
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
        for variable, value in zip(cell.variables, parameters, strict=False):
            variable.load(value, sess)
    feed = {x: rows, y: labels}
    return lambda: [sess.run([train, loss], feed)[1] for _ in range(STEPS)]


def with_jax(**size):
    return _jax(1, **size)


def with_jax_unrolled(**size):
    return _jax(size["length"], **size)


def _jax(unroll, batch, hidden, length, inputs):
    import jax
    import jax.numpy as jnp
    from jax import lax

    rows, labels, parameters = data(batch, hidden, length, inputs)

    def loss_of(p, x, y):
        def cell(state, at):
            c, h = state
            gates = jnp.concatenate([at, h], 1) @ p[0] + p[1]
            i, new, forget, out = jnp.split(gates, 4, 1)
            c = c * jax.nn.sigmoid(forget + 1) + jax.nn.sigmoid(i) * jnp.tanh(new)
            return (c, jnp.tanh(c) * jax.nn.sigmoid(out)), None

        zero = jnp.zeros((batch, hidden), jnp.float32)
        (_, h), _ = lax.scan(cell, (zero, zero), x.swapaxes(0, 1), unroll=unroll)
        logs = jax.nn.log_softmax(h @ p[2] + p[3])
        return -jnp.take_along_axis(logs, y[:, None], 1).mean()

    @jax.jit
    def step(p, m, v, t, x, y):
        loss, gradients = jax.value_and_grad(loss_of)(p, x, y)
        m = [0.9 * a + 0.1 * g for a, g in zip(m, gradients, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, gradients, strict=True)]
        rate = RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        p = [a - rate * b / (jnp.sqrt(c) + 1e-8) for a, b, c in zip(p, m, v, strict=True)]
        return p, m, v, t + 1, loss

    state = (parameters, *[[np.zeros_like(p) for p in parameters]] * 2, np.float32(1))

    def run():
        nonlocal state
        losses = []
        for _ in range(STEPS):
            *state, loss = step(*state, rows, labels)
            losses.append(float(loss))
        return losses

    return run


def with_torch(batch, hidden, length, inputs, threads=2):
    import torch

    rows, labels, (kernel, _, w, b) = data(batch, hidden, length, inputs)
    model = torch.nn.LSTM(inputs, hidden, batch_first=True)
    layer = torch.nn.Linear(hidden, CLASSES)
    i, new, forget, out = np.split(kernel.T, 4)
    gates = torch.from_numpy(np.concatenate([i, forget, new, out]))
    bias = torch.zeros(4, hidden)
    bias[1] = 1  # on the forget gate
    with torch.no_grad():
        model.weight_ih_l0.copy_(gates[:, :inputs])
        model.weight_hh_l0.copy_(gates[:, inputs:])
        model.bias_ih_l0.copy_(bias.ravel())
        model.bias_hh_l0.zero_()
        layer.weight.copy_(torch.from_numpy(w.T))
        layer.bias.copy_(torch.from_numpy(b))
    # torch has two biases that are added; one is enough
    trained = [p for n, p in model.named_parameters() if n != "bias_hh_l0"]
    model.bias_hh_l0.requires_grad_(False)
    optimizer = torch.optim.Adam([*trained, *layer.parameters()], RATE)

    def step():
        optimizer.zero_grad()
        outputs, _ = model(torch.from_numpy(rows))
        loss = torch.nn.functional.cross_entropy(
            layer(outputs[:, -1]), torch.from_numpy(labels).long()
        )
        loss.backward()
        optimizer.step()
        return float(loss)

    def run():
        torch.set_num_threads(threads)
        return [step() for _ in range(STEPS)]

    return run


def with_torch_alone(**size):
    return with_torch(**size, threads=1)


ENTRIES = {
    "tfc": with_tfc,
    "tfc, static_rnn": with_tfc_static,
    "jax": with_jax,
    "jax, unrolled": with_jax_unrolled,
    "tensorflow": with_tensorflow,
    "tensorflow, static_rnn": with_tensorflow_static,
    "torch": with_torch,
    "torch, 1 thread": with_torch_alone,
}
