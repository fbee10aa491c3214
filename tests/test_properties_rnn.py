"""Cells of tf.contrib against numpy, for any numbers of rows, columns, units and groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfc as tf
from tests.rnn_cells import sigmoid

rnn, cudnn = tf.contrib.rnn, tf.contrib.cudnn_rnn
SIZES = {"batch": st.integers(0, 4), "depth": st.integers(1, 5), "units": st.integers(1, 5)}


def ugrnn(x, h, kernel, bias):
    g, c = np.split(np.concatenate([x, h], 1) @ kernel + bias, 2, 1)
    g = sigmoid(g + 1)
    return (g * h + (1 - g) * np.tanh(c),) * 2


def intersection(x, h, *weights):
    if len(weights) == 4:
        x, weights = x @ weights[0] + weights[1], weights[2:]
    gh, n, gy, y = np.split(np.concatenate([x, h], 1) @ weights[0] + weights[1], 4, 1)
    gh, gy = sigmoid(gh + 1), sigmoid(gy + 1)
    return gy * x + (1 - gy) * np.maximum(y, 0), gh * h + (1 - gh) * np.tanh(n)


def ind_rnn(x, h, w, u, bias):
    return (np.tanh(x @ w + h * u + bias),) * 2


def indy_gru(x, h, gates_w, gates_u, gates_bias, w, u, bias):
    r, z = np.split(sigmoid(x @ gates_w + np.tile(h, [1, 2]) * gates_u + gates_bias), 2, 1)
    return (z * h + (1 - z) * np.tanh(x @ w + r * h * u + bias),) * 2


def indy_lstm(x, c, h, w, u, bias):
    i, j, f, o = np.split(x @ w + np.tile(h, [1, 4]) * u + bias, 4, 1)
    c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
    h = sigmoid(o) * np.tanh(c)
    return h, c, h


def sru(x, c, kernel, bias):
    a, f, r, b = np.split(x @ kernel, 4, 1)
    f, r = np.split(sigmoid(np.concatenate([f, r], 1) + bias), 2, 1)
    c = f * c + (1 - f) * a
    return r * np.tanh(c) + (1 - r) * b, c


def coupled(x, c, m, kernel, bias):
    j, f, o = np.split(np.concatenate([x, m], 1) @ kernel + bias, 3, 1)
    f = sigmoid(f + 1)
    c = f * c + (1 - f) * np.tanh(j)
    m = sigmoid(o) * np.tanh(c)
    return m, c, m


def cudnn_gru(x, h, gates, gates_bias, in_kernel, kernel, in_bias, bias):
    r, u = np.split(sigmoid(np.concatenate([x, h], 1) @ gates + gates_bias), 2, 1)
    candidate = np.tanh(x @ in_kernel + in_bias + r * (h @ kernel + bias))
    return ((1 - u) * candidate + u * h,) * 2


def run(cell, x, *state):
    """(weights, what a step gives), with random weights."""
    with tf.Graph().as_default(), tf.Session() as session:
        given = state[0] if len(state) == 1 else state
        output, new = cell()(tf.constant(x), given)
        rng = np.random.default_rng(2)
        weights = [rng.uniform(-1, 1, v.shape.as_list()) for v in tf.global_variables()]
        for v, value in zip(tf.global_variables(), weights, strict=True):
            v.load(value, session)
        return weights, session.run([output, *tf.nest.flatten(new)])


@pytest.mark.parametrize(
    "cell, reference, states",
    [
        (rnn.UGRNNCell, ugrnn, 1),
        (lambda n: rnn.IntersectionRNNCell(n, num_in_proj=n), intersection, 1),
        (rnn.IndRNNCell, ind_rnn, 1),
        (rnn.IndyGRUCell, indy_gru, 1),
        (rnn.IndyLSTMCell, indy_lstm, 2),
        (rnn.SRUCell, sru, 1),
        (rnn.CoupledInputForgetGateLSTMCell, coupled, 2),
        (cudnn.CudnnCompatibleGRUCell, cudnn_gru, 1),
    ],
)
@settings(max_examples=6)
@given(**SIZES)
def test_a_step(cell, reference, states, batch, depth, units):
    rng = np.random.default_rng(1)
    x, *state = (rng.normal(size=[batch, n]) for n in [depth] + [units] * states)
    weights, found = run(lambda: cell(units), x, *state)
    for actual, wanted in zip(found, reference(x, *state, *weights), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)


@settings(max_examples=8)
@given(groups=st.integers(1, 3), **SIZES)
def test_groups(groups, batch, depth, units):
    """Each group is an LSTM of its own, whose gates have the biases of its units."""
    rng = np.random.default_rng(1)
    x, c, m = (rng.normal(size=[batch, groups * n]) for n in (depth, units, units))
    weights, found = run(lambda: rnn.GLSTMCell(groups * units, number_of_groups=groups), x, c, m)
    kernels, biases = weights[:groups], weights[groups:]
    parts = []
    for k, kernel in enumerate(kernels):
        seen = [x[:, k * depth : (k + 1) * depth], m[:, k * units : (k + 1) * units]]
        parts.append(np.split(np.concatenate(seen, 1) @ kernel, 4, 1))
    gates = [np.concatenate(gate, 1) for gate in zip(*parts, strict=True)]
    i, j, f, o = (gate + bias for gate, bias in zip(gates, biases, strict=True))
    c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
    m = sigmoid(o) * np.tanh(c)
    for actual, wanted in zip(found, (m, c, m), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)


@settings(max_examples=8)
@given(shards=st.integers(1, 4), **SIZES)
def test_shards(shards, batch, depth, units):
    """However the matrix is cut, its rows are those of one."""
    rows = depth + units
    if shards > rows:
        return
    rng = np.random.default_rng(1)
    x, c, m = (rng.normal(size=[batch, n]) for n in (depth, units, units))
    make = rnn.CoupledInputForgetGateLSTMCell
    weights, found = run(lambda: make(units, num_unit_shards=shards), x, c, m)
    parts, bias = weights[:shards], weights[shards]
    assert sum(len(part) for part in parts) == rows
    assert len(parts[0]) - len(parts[-1]) in (0, 1)
    for actual, wanted in zip(found, coupled(x, c, m, np.concatenate(parts), bias), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)
