"""W3loop: an MLP trained by SGD over batches that lie in memory, as one compiled loop where there
is one; the loss of every step is kept."""

from __future__ import annotations

import numpy as np

TITLE = "W3loop, MLP training loop"
UNIT, SCALE = "us a step", 1e6
SIZES = (
    {"batch": 100, "inputs": 784, "first": 128, "second": 32, "steps": 550},
    {"batch": 33, "inputs": 785, "first": 129, "second": 31, "steps": 551},
    {"batch": 97, "inputs": 787, "first": 127, "second": 31, "steps": 547},
)
TOLERANCE = 1e-3
CLASSES, RATE = 10, 0.01


def per(steps, **_):
    """Steps of a call."""
    return steps


def cost(batch, inputs, first, second, **_):
    """(operations, bytes from memory) of a step."""
    products = [inputs * first, first * second, second * CLASSES]
    return 2 * batch * (3 * sum(products) - products[0]), 0


def data(batch, inputs, first, second, steps):
    """Batches of images, of labels, and the weights and biases, layer by layer."""
    random = np.random.RandomState(3)
    images = random.random_sample((steps, batch, inputs)).astype(np.float32)
    labels = random.randint(0, CLASSES, (steps, batch)).astype(np.int32)
    parameters = []
    for n, m in ((inputs, first), (first, second), (second, CLASSES)):
        parameters.append((random.standard_normal((n, m)) / np.sqrt(n)).astype(np.float32))
        parameters.append(np.zeros(m, np.float32))
    return images, labels, parameters


def with_tfc(**size):
    """`Session.run_loop`."""
    import tfc as tf

    images, labels, parameters = data(**size)
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, images.shape[1:])
        y = tf.placeholder(tf.int32, labels.shape[1:])
        train, loss, _ = _step(tf, x, y, parameters)
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
    per_step = {x: images, y: labels}
    return lambda: sess.run_loop([train, loss], size["steps"], per_step=per_step).values[1]


def with_tensorflow(**size):
    """`Session.run`, step by step."""
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    images, labels, parameters = data(**size)
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, images.shape[1:])
        y = tf.placeholder(tf.int32, labels.shape[1:])
        train, loss, _ = _step(tf, x, y, parameters)
        sess = tf.Session()
        sess.run(tf.global_variables_initializer())
    step = sess.make_callable([train, loss], [x, y])
    return lambda: [step(a, b)[1] for a, b in zip(images, labels, strict=True)]


def with_tensorflow_loop(**size):
    """`tf.while_loop` around the step, the batches in variables."""
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    images, labels, parameters = data(**size)
    steps = size["steps"]
    with tf.Graph().as_default():
        all_x = tf.placeholder(tf.float32, images.shape)
        kept_x = tf.get_variable("x", initializer=all_x, trainable=False, use_resource=True)
        kept_y = tf.get_variable("y", initializer=labels, trainable=False, use_resource=True)
        made = [
            tf.get_variable(f"p{i}", initializer=p, use_resource=True)
            for i, p in enumerate(parameters)
        ]

        def body(i, losses):
            train, loss, _ = _step(tf, kept_x[i], kept_y[i], parameters, made)
            with tf.control_dependencies([train]):
                return i + 1, losses.write(i, loss)

        losses = tf.TensorArray(tf.float32, steps)
        _, losses = tf.while_loop(
            lambda i, _: i < steps, body, [0, losses], parallel_iterations=1, back_prop=False
        )
        result = losses.stack()
        sess = tf.Session()
        sess.run(tf.global_variables_initializer(), {all_x: images})
    return lambda: sess.run(result)


def _step(tf, x, y, parameters, made=None):
    made = made or [tf.Variable(p) for p in parameters]
    hidden = tf.nn.relu(tf.matmul(x, made[0]) + made[1])
    hidden = tf.nn.relu(tf.matmul(hidden, made[2]) + made[3])
    logits = tf.matmul(hidden, made[4]) + made[5]
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    # train ops run before the loss is given, in a loop too
    return tf.train.GradientDescentOptimizer(RATE).minimize(loss, var_list=made), loss, made


def with_jax(**size):
    """`lax.scan` over the batches, compiled whole."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    images, labels, parameters = data(**size)

    def loss_of(p, x, y):
        hidden = jax.nn.relu(x @ p[0] + p[1])
        hidden = jax.nn.relu(hidden @ p[2] + p[3])
        logs = jax.nn.log_softmax(hidden @ p[4] + p[5])
        return -jnp.take_along_axis(logs, y[:, None], 1).mean()

    def step(p, batch):
        loss, gradients = jax.value_and_grad(loss_of)(p, *batch)
        return [a - RATE * g for a, g in zip(p, gradients, strict=True)], loss

    @jax.jit
    def loop(p, x, y):
        return lax.scan(step, p, (x, y))

    state = [jnp.asarray(p) for p in parameters]
    x, y = jnp.asarray(images), jnp.asarray(labels)

    def run():
        nonlocal state
        state, losses = loop(state, x, y)
        return losses.block_until_ready()

    return run


def with_torch(threads=2, **size):
    """Step by step; nothing there compiles the loop."""
    import torch

    images, labels, parameters = data(**size)
    x, y = torch.from_numpy(images), torch.from_numpy(labels).long()
    p = [torch.tensor(a, requires_grad=True) for a in parameters]
    optimizer = torch.optim.SGD(p, RATE)
    cross_entropy = torch.nn.functional.cross_entropy

    def step(a, b):
        optimizer.zero_grad()
        hidden = torch.relu(torch.addmm(p[1], a, p[0]))
        hidden = torch.relu(torch.addmm(p[3], hidden, p[2]))
        loss = cross_entropy(torch.addmm(p[5], hidden, p[4]), b)
        loss.backward()
        optimizer.step()
        return loss.detach()

    def run():
        torch.set_num_threads(threads)
        return [float(step(a, b)) for a, b in zip(x, y, strict=True)]

    return run


def with_torch_alone(**size):
    return with_torch(1, **size)


ENTRIES = {
    "tfc": with_tfc,
    "jax": with_jax,
    "tensorflow": with_tensorflow,
    "tensorflow, while_loop": with_tensorflow_loop,
    "torch": with_torch,
    "torch, 1 thread": with_torch_alone,
}
