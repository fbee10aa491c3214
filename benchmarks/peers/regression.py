"""W2: a step of linear regression by SGD, fed from numpy, the loss fetched."""

from __future__ import annotations

import graphs
import numpy as np

TITLE = "W2, linear regression step"
UNIT, SCALE = "us a step", 1e6
SIZES = ({"points": 100}, {"points": 33}, {"points": 1009})
TOLERANCE = 1e-3
RATE, STEPS = 0.01, 100


def per(**_):
    """Steps of a call."""
    return STEPS


def data(points):
    random = np.random.RandomState(0)
    x = random.standard_normal(points).astype(np.float32)
    return x, (3 * x + 1).astype(np.float32)


def steps(step):
    return lambda: [step() for _ in range(STEPS)]


def with_graph(tf, new_session, points):
    x, y = data(points)
    features, targets = (tf.placeholder(tf.float32, [None]) for _ in range(2))
    slope, intercept = tf.Variable(0.0), tf.Variable(0.0)
    loss = tf.reduce_mean(tf.squared_difference(features * slope + intercept, targets))
    train = tf.train.GradientDescentOptimizer(RATE).minimize(loss)
    # the loss is of the parameters before the step, in any order of execution
    with tf.control_dependencies([loss]):
        train = tf.group(train)
    sess = new_session()
    sess.run(tf.global_variables_initializer())
    fetches, feed = [train, loss], {features: x, targets: y}
    return steps(lambda: sess.run(fetches, feed)[1])


def with_numpy(points):
    (x, y), parameters, rate = data(points), np.zeros(2, np.float32), np.float32(RATE * 2)

    def step():
        difference = x * parameters[0] + parameters[1] - y
        parameters[0] -= rate * (difference * x).mean()
        parameters[1] -= rate * difference.mean()
        return float((difference * difference).mean())

    return steps(step)


def with_jax(points):
    import jax

    x, y = data(points)

    def loss_of(p, x, y):
        return ((x * p[0] + p[1] - y) ** 2).mean()

    @jax.jit
    def train(p, x, y):
        loss, gradient = jax.value_and_grad(loss_of)(p, x, y)
        return p - RATE * gradient, loss

    parameters = np.zeros(2, np.float32)

    def step():
        nonlocal parameters
        parameters, loss = train(parameters, x, y)
        return float(loss)

    return steps(step)


def with_torch(points):
    import torch

    x, y = data(points)
    p = [torch.tensor(0.0, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.SGD(p, RATE)

    def step():
        optimizer.zero_grad()
        loss = ((torch.from_numpy(x) * p[0] + p[1] - torch.from_numpy(y)) ** 2).mean()
        loss.backward()
        optimizer.step()
        return float(loss)

    def run():
        torch.set_num_threads(1)
        return [step() for _ in range(STEPS)]

    return run


def with_pytensor(points):
    import pytensor
    import pytensor.tensor as pt

    x, y = data(points)
    p = [pytensor.shared(np.float32(0)) for _ in range(2)]
    a, b = pt.fvector(), pt.fvector()
    loss = pt.mean((a * p[0] + p[1] - b) ** 2)
    new = [(v, v - np.float32(RATE) * pytensor.grad(loss, v)) for v in p]
    step = pytensor.function([a, b], loss, updates=new)
    return steps(lambda: float(step(x, y)))


ENTRIES = {
    **graphs.entries(with_graph),
    "numpy": with_numpy,
    "jax": with_jax,
    "torch": with_torch,
    "pytensor": with_pytensor,
}
