"""What recurrent cells compute, in numpy, and helpers of the tests of them."""

from __future__ import annotations

import numpy as np

import tfc as tf


def pattern(shape, scale=1.0):
    """Numbers that are not random, of any shape."""
    count = int(np.prod(shape))
    return ((np.arange(count) * 7 % 11 - 5) * 0.1 * scale).reshape(shape).astype(np.float32)


def set_pattern(session):
    """Give every variable its pattern; the values by name."""
    values = {v.op.name: pattern(v.get_shape().as_list()) for v in tf.global_variables()}
    for v in tf.global_variables():
        v.load(values[v.op.name], session)
    return values


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def basic_rnn(x, h, kernel, bias, activation=np.tanh):
    return activation(np.concatenate([x, h], 1) @ kernel + bias)


def gru(x, h, gates, gates_bias, candidate, candidate_bias):
    r, u = np.split(sigmoid(np.concatenate([x, h], 1) @ gates + gates_bias), 2, 1)
    c = np.tanh(np.concatenate([x, r * h], 1) @ candidate + candidate_bias)
    return u * h + (1 - u) * c


def lstm(
    x, c, h, kernel, bias, forget_bias=1.0, peepholes=None, clip=None, proj=None, proj_clip=None
):
    """(c, h) after a step; peepholes are those of the gates f, i, o."""
    i, j, f, o = np.split(np.concatenate([x, h], 1) @ kernel + bias, 4, 1)
    wf, wi, wo = peepholes or (0.0, 0.0, 0.0)
    c = sigmoid(f + forget_bias + wf * c) * c + sigmoid(i + wi * c) * np.tanh(j)
    if clip is not None:
        c = np.clip(c, -clip, clip)
    h = sigmoid(o + wo * c) * np.tanh(c)
    if proj is not None:
        h = h @ proj
    if proj_clip is not None:
        h = np.clip(h, -proj_clip, proj_clip)
    return c, h
