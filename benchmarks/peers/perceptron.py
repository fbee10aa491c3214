"""What the rows of fed training steps of dense layers share: data, the model in each framework."""

from __future__ import annotations

import graphs
import numpy as np

STEPS = 10


def data(batch, layers):
    """A batch, its labels, and [weight, bias] of each layer."""
    random = np.random.RandomState(3)
    images = random.random_sample((batch, layers[0])).astype(np.float32)
    labels = random.randint(0, layers[-1], batch).astype(np.int32)
    parameters = []
    for n, m in zip(layers, layers[1:], strict=False):
        parameters.append((random.standard_normal((n, m)) / np.sqrt(n)).astype(np.float32))
        parameters.append(np.zeros(m, np.float32))
    return images, labels, parameters


def steps(step):
    return lambda: [step() for _ in range(STEPS)]


def cost(batch, layers):
    """(operations, bytes from memory) of a step: forward, and the two products of the gradient,
    of which the first layer needs one. All lies in cache."""
    products = [n * m for n, m in zip(layers, layers[1:], strict=False)]
    return 2 * batch * (3 * sum(products) - products[0]), 0


def logits_of(relu, x, parameters, product):
    for k in range(0, len(parameters), 2):
        x = relu(x) if k else x
        x = product(x, parameters[k]) + parameters[k + 1]
    return x


def entries(layers_of, rate, adam):
    """ENTRIES of a row; `layers_of(**size)` gives the widths."""

    def with_graph(tf, new_session, batch, **size):
        images, labels, parameters = data(batch, layers_of(**size))
        x, y = tf.placeholder(tf.float32, images.shape), tf.placeholder(tf.int32, labels.shape)
        made = [tf.Variable(p) for p in parameters]
        logits = logits_of(tf.nn.relu, x, made, tf.matmul)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        loss = tf.reduce_mean(losses)
        new = tf.train.AdamOptimizer if adam else tf.train.GradientDescentOptimizer
        train = new(rate).minimize(loss)
        sess = new_session()
        sess.run(tf.global_variables_initializer())
        fetches, feed = [train, loss], {x: images, y: labels}
        return steps(lambda: sess.run(fetches, feed)[1])

    def with_jax(batch, **size):
        import jax
        import jax.numpy as jnp

        images, labels, parameters = data(batch, layers_of(**size))

        def loss_of(p, x, y):
            logs = jax.nn.log_softmax(logits_of(jax.nn.relu, x, p, jnp.matmul))
            return -jnp.take_along_axis(logs, y[:, None], 1).mean()

        @jax.jit
        def train(state, x, y):
            p, m, v, t = state
            loss, gradients = jax.value_and_grad(loss_of)(p, x, y)
            if not adam:
                p = [a - rate * g for a, g in zip(p, gradients, strict=True)]
                return (p, m, v, t), loss
            m = [0.9 * a + 0.1 * g for a, g in zip(m, gradients, strict=True)]
            v = [0.999 * a + 0.001 * g * g for a, g in zip(v, gradients, strict=True)]
            r = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            p = [a - r * b / (jnp.sqrt(c) + 1e-8) for a, b, c in zip(p, m, v, strict=True)]
            return (p, m, v, t + 1), loss

        zeros = [np.zeros_like(p) for p in parameters] if adam else []
        state = (parameters, zeros, zeros, np.float32(1))

        def step():
            nonlocal state
            state, loss = train(state, images, labels)
            return float(loss)

        return steps(step)

    def with_torch(batch, threads=2, **size):
        import torch

        images, labels, parameters = data(batch, layers_of(**size))
        p = [torch.tensor(a, requires_grad=True) for a in parameters]
        new = torch.optim.Adam if adam else torch.optim.SGD
        optimizer = new(p, rate)

        def step():
            optimizer.zero_grad()
            logits = logits_of(torch.relu, torch.from_numpy(images), p, torch.matmul)
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels).long())
            loss.backward()
            optimizer.step()
            return float(loss)

        def run():
            torch.set_num_threads(threads)
            return [step() for _ in range(STEPS)]

        return run

    def with_pytensor(batch, **size):
        import pytensor
        import pytensor.tensor as pt

        images, labels, parameters = data(batch, layers_of(**size))
        p = [pytensor.shared(a) for a in parameters]
        x, y = pt.fmatrix(), pt.ivector()
        logs = pt.special.log_softmax(
            logits_of(lambda a: pt.maximum(a, np.float32(0)), x, p, pt.dot), axis=-1
        )
        loss = -logs[pt.arange(y.shape[0]), y].mean()
        gradients = pytensor.grad(loss, p)
        step = pytensor.function([x, y], loss, updates=updates(pytensor, pt, p, gradients))
        return steps(lambda: float(step(images, labels)))

    def updates(pytensor, pt, p, gradients):
        """New values by the optimizer, for pytensor.function."""
        r = np.float32(rate)
        if not adam:
            return [(a, a - r * g) for a, g in zip(p, gradients, strict=True)]
        t = pytensor.shared(np.float32(1))
        r = r * pt.sqrt(1 - pt.pow(np.float32(0.999), t)) / (1 - pt.pow(np.float32(0.9), t))
        new = [(t, t + np.float32(1))]
        for a, g in zip(p, gradients, strict=True):
            m, v = (pytensor.shared(np.zeros_like(a.get_value())) for _ in range(2))
            new_m = np.float32(0.9) * m + np.float32(0.1) * g
            new_v = np.float32(0.999) * v + np.float32(0.001) * g * g
            change = r * new_m / (pt.sqrt(new_v) + np.float32(1e-8))
            new += [(m, new_m), (v, new_v), (a, a - change)]
        return [(a, b.astype(a.dtype)) for a, b in new]

    def with_numpy(batch, **size):
        images, labels, p = data(batch, layers_of(**size))
        return steps(lambda: numpy_step(images, labels, p, rate))

    made = {
        **graphs.entries(with_graph),
        "jax": with_jax,
        "torch": with_torch,
        "torch, 1 thread": lambda **size: with_torch(threads=1, **size),
        "pytensor": with_pytensor,
    }
    return made if adam else {**made, "numpy": with_numpy}


def numpy_step(x, labels, p, rate):
    """A step of SGD with the gradients written by hand; the loss before it."""
    inputs, rows = [x], np.arange(len(x))
    for k in range(0, len(p), 2):
        out = inputs[-1] @ p[k] + p[k + 1]
        inputs.append(np.maximum(out, 0) if k < len(p) - 2 else out)
    logits = inputs.pop()
    shifted = logits - logits.max(1, keepdims=True)
    powers = np.exp(shifted)
    sums = powers.sum(1, keepdims=True)
    loss = float((np.log(sums[:, 0]) - shifted[rows, labels]).mean())
    gradient = powers / sums
    gradient[rows, labels] -= 1
    gradient *= np.float32(1 / len(x))
    for k in range(len(p) - 2, -1, -2):
        weight, bias = inputs[k // 2].T @ gradient, gradient.sum(0)
        if k:
            gradient = (gradient @ p[k].T) * (inputs[k // 2] > 0)
        p[k] -= np.float32(rate) * weight
        p[k + 1] -= np.float32(rate) * bias
    return loss
