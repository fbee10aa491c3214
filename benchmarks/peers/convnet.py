"""What the rows of the convolutional network share: two convolutions of 5x5 with pools, a dense
layer with dropout, ten classes."""

from __future__ import annotations

import graphs
import numpy as np

RATE, STEPS, CLASSES = 1e-4, 2, 10
KEEP = 1.0  # dropout runs, and keeps all: the frameworks' random numbers differ


def data(batch, side, first, second, dense):
    """Images, labels, and the [weight, bias] of each layer."""
    random = np.random.RandomState(3)
    images = random.random_sample((batch, side, side, 1)).astype(np.float32)
    labels = random.randint(0, CLASSES, batch).astype(np.int32)
    flat = (-(-side // 4)) ** 2 * second
    shapes = ((5, 5, 1, first), (5, 5, first, second), (flat, dense), (dense, CLASSES))
    parameters = []
    for shape in shapes:
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        parameters.append((random.standard_normal(shape) * scale).astype(np.float32))
        parameters.append(np.full(shape[-1], 0.1, np.float32))
    return images, labels, parameters


def products(batch, side, first, second, dense):
    """Operations of each layer's product."""
    half, flat = -(-side // 2), (-(-side // 4)) ** 2 * second
    return [
        2 * batch * side * side * 25 * first,
        2 * batch * half * half * 25 * first * second,
        2 * batch * flat * dense,
        2 * batch * dense * CLASSES,
    ]


def weights(side, first, second, dense, **_):
    return 25 * first + 25 * first * second + (-(-side // 4)) ** 2 * second * dense


def graph(tf, images, parameters, keep):
    """(placeholder of images, variables, logits)"""
    x = tf.placeholder(tf.float32, images.shape)
    p = [tf.Variable(a) for a in parameters]
    hidden = x
    for k in (0, 2):
        hidden = tf.nn.conv2d(hidden, p[k], strides=[1, 1, 1, 1], padding="SAME")
        hidden = tf.nn.relu(hidden + p[k + 1])
        hidden = tf.nn.max_pool(hidden, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    hidden = tf.reshape(hidden, [images.shape[0], -1])
    hidden = tf.nn.relu(tf.matmul(hidden, p[4]) + p[5])
    if keep is not None:
        hidden = tf.nn.dropout(hidden, keep_prob=keep)
    return x, p, tf.matmul(hidden, p[6]) + p[7]


def training(tf, new_session, **size):
    images, labels, parameters = data(**size)
    keep = tf.placeholder(tf.float32, [])
    x, _, logits = graph(tf, images, parameters, keep)
    y = tf.placeholder(tf.int32, labels.shape)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    loss = tf.reduce_mean(losses)
    train = tf.train.AdamOptimizer(RATE).minimize(loss)
    sess = new_session()
    sess.run(tf.global_variables_initializer())
    fetches, feed = [train, loss], {x: images, y: labels, keep: KEEP}
    return lambda: [sess.run(fetches, feed)[1] for _ in range(STEPS)]


def inference(tf, new_session, **size):
    images, _, parameters = data(**size)
    x, _, logits = graph(tf, images, parameters, None)
    sess = new_session()
    sess.run(tf.global_variables_initializer())
    return lambda: sess.run(logits, {x: images})


def jax_logits(p, x, key=None):
    import jax
    import jax.numpy as jnp
    from jax import lax

    for k in (0, 2):
        dimensions = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, p[k], (1, 1), "SAME", dimension_numbers=dimensions)
        x = jax.nn.relu(x + p[k + 1])
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")
    x = jax.nn.relu(x.reshape(len(x), -1) @ p[4] + p[5])
    if key is not None:
        x = jnp.where(jax.random.bernoulli(key, KEEP, x.shape), x / KEEP, 0)
    return x @ p[6] + p[7]


def jax_training(**size):
    import jax
    import jax.numpy as jnp

    images, labels, parameters = data(**size)

    def loss_of(p, x, y, key):
        logs = jax.nn.log_softmax(jax_logits(p, x, key))
        return -jnp.take_along_axis(logs, y[:, None], 1).mean()

    def train(p, m, v, t, x, y, key):
        key, now = jax.random.split(key)
        loss, gradients = jax.value_and_grad(loss_of)(p, x, y, now)
        m = [0.9 * a + 0.1 * g for a, g in zip(m, gradients, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, gradients, strict=True)]
        rate = RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        p = [a - rate * b / (jnp.sqrt(c) + 1e-8) for a, b, c in zip(p, m, v, strict=True)]
        return p, m, v, t + 1, key, loss

    train = jax.jit(train, donate_argnums=(0, 1, 2))
    zeros = [[jnp.zeros(p.shape) for p in parameters] for _ in range(2)]
    p, (m, v), t = [jnp.asarray(a) for a in parameters], zeros, np.float32(1)
    key = jax.random.PRNGKey(0)

    def run():
        nonlocal p, m, v, t, key
        losses = []
        for _ in range(STEPS):
            p, m, v, t, key, loss = train(p, m, v, t, images, labels, key)
            losses.append(float(loss))
        return losses

    return run


def jax_inference(**size):
    import jax
    import jax.numpy as jnp

    images, _, parameters = data(**size)
    p, f = [jnp.asarray(a) for a in parameters], jax.jit(jax_logits)
    return lambda: np.asarray(f(p, images))


def torch_model(images, parameters, trained):
    """(parameters, the function from images to logits); images go in as torch lays them out."""
    import torch

    functional = torch.nn.functional
    side, second = images.shape[1], parameters[2].shape[-1]
    quarter = -(-side // 4)
    made = []
    for k, a in enumerate(parameters):
        if k in (0, 2):
            a = a.transpose(3, 2, 0, 1)
        elif k == 4:  # rows in the order channel, row, column
            a = a.reshape(quarter, quarter, second, -1).transpose(2, 0, 1, 3)
            a = a.reshape(-1, a.shape[-1])
        made.append(torch.tensor(np.ascontiguousarray(a), requires_grad=trained))

    def logits(p, x):
        for k in (0, 2):
            x = torch.relu(functional.conv2d(x, p[k], p[k + 1], padding=2))
            x = functional.max_pool2d(x, 2, ceil_mode=True)
        x = torch.relu(x.flatten(1) @ p[4] + p[5])
        if trained:
            x = functional.dropout(x, 1 - KEEP)
        return x @ p[6] + p[7]

    return made, logits


def torch_training(threads=2, **size):
    import torch

    images, labels, parameters = data(**size)
    p, logits = torch_model(images, parameters, True)
    optimizer = torch.optim.Adam(p, RATE)

    def step():
        optimizer.zero_grad()
        x = torch.from_numpy(images).permute(0, 3, 1, 2)
        y = torch.from_numpy(labels).long()
        loss = torch.nn.functional.cross_entropy(logits(p, x), y)
        loss.backward()
        optimizer.step()
        return float(loss)

    def run():
        torch.set_num_threads(threads)
        return [step() for _ in range(STEPS)]

    return run


def torch_inference(threads=2, **size):
    import torch

    images, _, parameters = data(**size)
    p, logits = torch_model(images, parameters, False)

    def run():
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return logits(p, torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()

    return run


TRAINING = {
    **graphs.entries(training),
    "jax": jax_training,
    "torch": torch_training,
    "torch, 1 thread": lambda **size: torch_training(threads=1, **size),
}
INFERENCE = {
    **graphs.entries(inference),
    "jax": jax_inference,
    "torch": torch_inference,
    "torch, 1 thread": lambda **size: torch_inference(threads=1, **size),
}
